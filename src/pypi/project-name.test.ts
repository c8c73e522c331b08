import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  InvalidProjectNameError,
  filenameProjectName,
  isNormalizedProjectName,
  isValidProjectName,
  lookAlikeKey,
  normalizeProjectName,
} from './project-name.ts';

const validName = fc.stringMatching(/^[A-Za-z0-9]([A-Za-z0-9._-]{0,20}[A-Za-z0-9])?$/);

describe('normalizeProjectName', () => {
  it.each([
    ['Flask', 'flask'],
    ['zope.interface', 'zope-interface'],
    ['a__B--c..d', 'a-b-c-d'],
    ['a-_.-b', 'a-b'],
    ['7', '7'],
  ])('makes %s %s', (name, normalized) => {
    expect(normalizeProjectName(name)).toBe(normalized);
  });

  it.each([
    '',
    '-a',
    'a-',
    '.a',
    'a_',
    'a b',
    'a/b',
    '..',
    '.',
    'a\n',
    '\na',
    'a\0',
    'é',
    'ﬂask',
    'Kelvin\u212a',
    'a%2fb',
    '<img onerror>',
    'x'.repeat(129),
    'a\\b',
    'constructor()',
    'a\r\nSet-Cookie: x=1',
  ])('refuses %j with one printable sentence', (name) => {
    expect(isValidProjectName(name)).toBe(false);
    expect(() => normalizeProjectName(name)).toThrow(InvalidProjectNameError);
    expect(() => normalizeProjectName(name)).toThrow(/^Invalid project name [ -~]+\.$/);
  });

  it('gives a fixed point that is safe as a folder', () => {
    fc.assert(
      fc.property(validName, (name) => {
        const normalized = normalizeProjectName(name);
        expect(normalizeProjectName(normalized)).toBe(normalized);
        expect(isNormalizedProjectName(normalized)).toBe(true);
        expect(normalizeProjectName(filenameProjectName(normalized))).toBe(normalized);
      }),
    );
  });

  it('takes linear time', () => {
    expect(isValidProjectName('-'.repeat(1_000_000))).toBe(false);
    expect(isNormalizedProjectName('a-'.repeat(1_000_000))).toBe(false);
  });
});

describe('isNormalizedProjectName', () => {
  it.each(['Flask', 'a_b', 'a.b', 'a--b', '-a', 'a-', '', 'a\n'])('says no to %j', (name) => {
    expect(isNormalizedProjectName(name)).toBe(false);
  });
});

describe('lookAlikeKey', () => {
  it.each([
    ['google', 'g00gle'],
    ['pillow', 'PiIIow'],
    ['request-s', 'requests'],
    ['i1l', 'lIl'],
  ])('takes %s and %s for alike', (one, other) => {
    expect(lookAlikeKey(one)).toBe(lookAlikeKey(other));
  });

  it('tells others apart, and all spellings of one name together', () => {
    expect(lookAlikeKey('requests')).not.toBe(lookAlikeKey('request'));
    fc.assert(
      fc.property(validName, (name) => {
        expect(lookAlikeKey(name)).toBe(lookAlikeKey(normalizeProjectName(name)));
      }),
    );
  });
});
