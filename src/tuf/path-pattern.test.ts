import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { matchesPathPattern } from './path-pattern.ts';

/** Python's fnmatch as a regular expression per segment, written as `fnmatch.translate` describes it. */
function reference(path: string, pattern: string): boolean {
  const [paths, patterns] = [path.split('/'), pattern.split('/')];
  return (
    paths.length === patterns.length && patterns.every((one, index) => toRegExp(one).test(paths[index] ?? ''))
  );
}

function toRegExp(pattern: string): RegExp {
  const characters = Array.from(pattern);
  const literal = (character: string) => `\\u{${character.codePointAt(0)?.toString(16)}}`;
  let source = '';
  for (let index = 0; index < characters.length; index++) {
    const character = characters[index] ?? '';
    const first = characters[index + 1] === '!' ? index + 2 : index + 1;
    const end = characters.indexOf(']', characters[first] === ']' ? first + 1 : first);
    if (character === '*') source += '.*';
    else if (character === '?') source += '.';
    else if (character !== '[' || end === -1) source += literal(character);
    else {
      source += setSource(characters.slice(first, end), first === index + 2, literal);
      index = end;
    }
  }
  return new RegExp(`^(?:${source})$`, 'su');
}

function setSource(members: string[], isNegated: boolean, literal: (character: string) => string): string {
  let set = '';
  for (let index = 0; index < members.length; index++) {
    const [low, dash, high] = members.slice(index, index + 3);
    if (low === undefined) break;
    if (dash === '-' && high !== undefined) {
      if ((low.codePointAt(0) ?? 0) <= (high.codePointAt(0) ?? 0)) set += `${literal(low)}-${literal(high)}`;
      index += 2;
    } else set += literal(low);
  }
  return isNegated ? `[^${set}]` : `[${set}]`;
}

describe('matchesPathPattern', () => {
  it.each([
    ['simple/foo/index.json', 'simple/foo/*', true],
    ['simple/foo/index.json', 'simple/*/*', true],
    ['simple/foo/sub/index.json', 'simple/foo/*', false],
    ['simple/foo', 'simple/foo/*', false],
    ['simple/foo/', 'simple/foo/*', true],
    ['simple/foobar/index.json', 'simple/foo/*', false],
    ['Simple/foo/x', 'simple/foo/*', false],
    ['a/b', '*', false],
    ['a/b', '**', false],
    ['ab', '**', true],
    ['', '*', true],
    ['', '', true],
    ['.hidden', '*', true],
    ['!', '[!a]', true],
    ['a', '[!a]', false],
    ['a', '[b-d]', false],
    ['e', '[b-d]', false],
    ['x', '[a-cx]', true],
    ['-', '[a-cx]', false],
    ['x', '[a-c-x]', true],
    ['.hidden', '?hidden', true],
    ['a', '?', true],
    ['', '?', false],
    ['a/b', 'a?b', false],
    ['a/b', 'a[/]b', false],
    ['😀', '?', true],
    ['😀', '??', false],
    ['a😀b', 'a*b', true],
    ['a😀b', '*😀*', true],
    ['foo.tar.gz', '*.tar.gz', true],
    ['abcbcd', 'a*bcd', true],
    ['b', '[a-c]', true],
    ['d', '[a-c]', false],
    ['d', '[!a-c]', true],
    ['b', '[!a-c]', false],
    ['b', '[c-a]', false],
    [']', '[]]', true],
    ['x', '[!]]', true],
    ['-', '[a-]', true],
    ['-', '[--a]', true],
    ['!', '[a!]', true],
    ['^', '[^a]', true],
    ['b', '[^a]', false],
    ['[', '[', true],
    ['[a', '[a', true],
    ['[!a', '[!a', true],
    ['\\', '\\', true],
    ['\\a', '\\?', true],
    ['*', '\\*', false],
    ['{a,b}', '{a,b}', true],
    ['a', '{a,b}', false],
    ['!a', '!a', true],
    ['b', '!a', false],
    ['#a', '#a', true],
    ['+(a)', '+(a)', true],
    ['a', '+(a)', false],
    ['a.b', 'a.b', true],
    ['axb', 'a.b', false],
    ['a\nb', 'a*b', true],
    ['a\n', 'a', false],
  ])('path %j, pattern %j: %j', (path, pattern, expected) => {
    expect(matchesPathPattern(path, pattern)).toBe(expected);
    expect(reference(path, pattern)).toBe(expected);
  });

  it('agrees with the straightforward reference', () => {
    const patternUnit = fc.constantFrom(
      'a',
      'b',
      'c',
      '*',
      '?',
      '/',
      '[',
      ']',
      '!',
      '-',
      '^',
      '\\',
      '😀',
      '.',
    );
    const pathUnit = fc.constantFrom('a', 'b', 'c', '/', '[', ']', '!', '-', '\\', '😀', '.', '*');
    fc.assert(
      fc.property(
        fc.string({ unit: pathUnit, maxLength: 8 }),
        fc.string({ unit: patternUnit, maxLength: 8 }),
        (path, pattern) => {
          expect(matchesPathPattern(path, pattern)).toBe(reference(path, pattern));
        },
      ),
      { numRuns: 20_000 },
    );
  });

  it('does not blow up on patterns made to (ReDoS, CVE-2026-26996)', () => {
    const stars = `${'*a'.repeat(20_000)}*b`;
    expect(matchesPathPattern('a'.repeat(2_000), stars)).toBe(false);
    expect(matchesPathPattern('a'.repeat(50_000), '*a*a*a*a*a*a*a*a*a*a*b')).toBe(false);
    expect(matchesPathPattern('a'.repeat(50_000), `${'*'.repeat(50_000)}a`)).toBe(true);
    expect(matchesPathPattern('a'.repeat(5_000), '['.repeat(50_000))).toBe(false);
  });
});
