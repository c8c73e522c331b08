import { compareCodePoints } from './code-points.ts';

/**
 * Whether a target path matches a path pattern (spec 4.5, PATHPATTERN): segment by segment as Python's `fnmatch` does,
 * case-sensitive, `*`, `?`, `[a-z]`, `[!a-z]`, none of which crosses a `/`; everything else stands for itself.
 * Patterns come from strangers: no regular expression, no backtracking beyond the last `*`.
 */
export function matchesPathPattern(path: string, pattern: string): boolean {
  const pathSegments = path.split('/');
  const patternSegments = pattern.split('/');
  return (
    pathSegments.length === patternSegments.length &&
    patternSegments.every((segment, index) => matchesSegment(pathSegments[index] as string, segment))
  );
}

/** Whether a pattern, or a segment of one, holds a wildcard. */
export function hasWildcard(pattern: string): boolean {
  return pattern.includes('*') || pattern.includes('?') || pattern.includes('[');
}

function matchesSegment(segment: string, pattern: string): boolean {
  if (!hasWildcard(pattern)) return segment === pattern;
  let position = 0;
  let at = 0;
  let retryPosition = -1;
  let retryAt = -1;
  while (position < segment.length) {
    if (pattern[at] === '*') {
      retryAt = ++at;
      retryPosition = position;
      continue;
    }
    const next = matchOne(characterAt(segment, position), pattern, at);
    if (next >= 0) {
      position += characterAt(segment, position).length;
      at = next;
    } else if (retryAt >= 0) {
      // The last star takes one character more; earlier stars never need to.
      retryPosition += characterAt(segment, retryPosition).length;
      position = retryPosition;
      at = retryAt;
    } else return false;
  }
  while (pattern[at] === '*') at++;
  return at === pattern.length;
}

/** Matches one character; the place in the pattern behind what matched it, or -1. */
function matchOne(character: string, pattern: string, at: number): number {
  if (pattern[at] === '?') return at + 1;
  if (pattern[at] === '[') {
    const end = setEnd(pattern, at);
    if (end >= 0) return matchesSet(character, pattern.slice(at + 1, end)) ? end + 1 : -1;
  }
  return pattern.startsWith(character, at) ? at + character.length : -1;
}

/** The place of the `]` that ends the set at `at`, or -1: then the `[` stands for itself. */
function setEnd(pattern: string, at: number): number {
  const first = pattern[at + 1] === '!' ? at + 2 : at + 1;
  return pattern.indexOf(']', pattern[first] === ']' ? first + 1 : first);
}

function matchesSet(character: string, set: string): boolean {
  const isNegated = set.startsWith('!');
  let at = isNegated ? 1 : 0;
  while (at < set.length) {
    const low = characterAt(set, at);
    at += low.length;
    let high = low;
    if (set[at] === '-' && at + 1 < set.length) {
      high = characterAt(set, at + 1);
      at += 1 + high.length;
    }
    if (compareCodePoints(low, character) <= 0 && compareCodePoints(character, high) <= 0) return !isNegated;
  }
  return isNegated;
}

/** The whole code point at a position, one or two units long. */
function characterAt(text: string, position: number): string {
  return String.fromCodePoint(Number(text.codePointAt(position)));
}
