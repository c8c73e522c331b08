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
    patternSegments.every((segment, index) => matchesSegment(pathSegments[index] ?? '', segment))
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
    const next = at < pattern.length ? matchOne(segment, position, pattern, at) : -1;
    if (next >= 0) {
      position += characterLength(segment, position);
      at = next;
    } else if (retryAt >= 0) {
      // The last star takes one character more; earlier stars never need to.
      retryPosition += characterLength(segment, retryPosition);
      position = retryPosition;
      at = retryAt;
    } else return false;
  }
  while (pattern[at] === '*') at++;
  return at === pattern.length;
}

/** Matches one character; the place in the pattern behind what matched it, or -1. */
function matchOne(segment: string, position: number, pattern: string, at: number): number {
  const unit = pattern[at];
  if (unit === '?') return at + 1;
  const character = segment.codePointAt(position) ?? 0;
  if (unit === '[') {
    const end = setEnd(pattern, at);
    if (end >= 0) return matchesSet(character, pattern.slice(at + 1, end)) ? end + 1 : -1;
  }
  return pattern.codePointAt(at) === character ? at + characterLength(pattern, at) : -1;
}

/** The place of the `]` that ends the set at `at`, or -1: then the `[` stands for itself. */
function setEnd(pattern: string, at: number): number {
  const first = pattern[at + 1] === '!' ? at + 2 : at + 1;
  return pattern.indexOf(']', pattern[first] === ']' ? first + 1 : first);
}

function matchesSet(character: number, set: string): boolean {
  const isNegated = set.startsWith('!');
  const members = Array.from(isNegated ? set.slice(1) : set, (member) => member.codePointAt(0) ?? 0);
  const dash = 0x2d;
  for (let index = 0; index < members.length; index++) {
    const low = members[index] ?? 0;
    const isRange = members[index + 1] === dash && index + 2 < members.length;
    const high = isRange ? (members[index + 2] ?? 0) : low;
    if (isRange) index += 2;
    if (low <= character && character <= high) return !isNegated;
  }
  return isNegated;
}

function characterLength(text: string, position: number): number {
  return (text.codePointAt(position) ?? 0) > 0xffff ? 2 : 1;
}
