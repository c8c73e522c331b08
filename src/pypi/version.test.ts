import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  canonicalVersion,
  compareVersions,
  InvalidVersionError,
  isPreRelease,
  isValidVersion,
  normalizeVersion,
  parseVersion,
} from './version.ts';

/** From the specification, oldest first. */
const ORDERED = [
  '1.0.dev456',
  '1.0a1',
  '1.0a2.dev456',
  '1.0a12.dev456',
  '1.0a12',
  '1.0b1.dev456',
  '1.0b2',
  '1.0b2.post345.dev456',
  '1.0b2.post345',
  '1.0rc1.dev456',
  '1.0rc1',
  '1.0',
  '1.0+abc.5',
  '1.0+abc.7',
  '1.0+5',
  '1.0.post456.dev34',
  '1.0.post456',
  '1.0.15',
  '1.1.dev1',
  '20240101',
  '1!0.1',
];

const versionText = fc
  .tuple(
    fc.option(fc.nat(3)),
    fc.array(fc.nat(20), { minLength: 1, maxLength: 4 }),
    fc.option(fc.tuple(fc.constantFrom('a', 'b', 'rc', '-alpha.', '_c', '.PREVIEW'), fc.nat(3))),
    fc.option(fc.tuple(fc.constantFrom('.post', '-', '-r', 'REV'), fc.nat(3))),
    fc.option(fc.tuple(fc.constantFrom('.dev', 'dev', '-DEV_'), fc.nat(3))),
    fc.option(fc.array(fc.stringMatching(/^[a-z0-9]{1,3}$/), { minLength: 1, maxLength: 3 })),
  )
  .map(
    ([epoch, release, pre, post, dev, local]) =>
      (epoch === null ? '' : `${epoch}!`) +
      release.join('.') +
      [pre, post, dev].map((part) => part?.join('') ?? '').join('') +
      (local === null ? '' : `+${local.join('-')}`),
  );

describe('parseVersion', () => {
  it.each([
    ['1.0', '1.0'],
    [' v1.0\n', '1.0'],
    ['1.0ALPHA', '1.0a0'],
    ['1.0-beta.2', '1.0b2'],
    ['1.0c1', '1.0rc1'],
    ['1.0pre', '1.0rc0'],
    ['1.0-1', '1.0.post1'],
    ['1.0.r4', '1.0.post4'],
    ['1.0post', '1.0.post0'],
    ['1.0dev', '1.0.dev0'],
    ['01.002', '1.2'],
    ['0!1', '1'],
    ['2!1', '2!1'],
    ['1+AB_cd.007', '1+ab.cd.7'],
    ['1a.dev', '1a0.dev0'],
  ])('normalizes %j to %s', (text, normalized) => {
    expect(normalizeVersion(text)).toBe(normalized);
  });

  it.each([
    '',
    '.',
    'a',
    '1.',
    '1..0',
    '1.0.',
    '1.0+',
    '1.0+a+b',
    '1.0+a..b',
    '1.0-',
    '1.0-a1b',
    '1 .0',
    '1.0 2',
    '!1',
    '1!',
    '-1',
    '1.0/..',
    '1.0\0',
    '١.٠',
    '1.0ſt',
    '1.0\u212a',
    '1'.repeat(129),
    '1.0.dev1.post1',
    '1.0--1',
    '<b>',
  ])('refuses %j with one printable sentence', (text) => {
    expect(isValidVersion(text)).toBe(false);
    expect(() => parseVersion(text)).toThrow(InvalidVersionError);
    expect(() => parseVersion(text)).toThrow(/^[ -~]+\.$/);
  });

  it('never rounds a number', () => {
    const one = '1.20240101123456789012';
    expect(normalizeVersion(one)).toBe(one);
    expect(compareVersions(one, '1.20240101123456789013')).toBeLessThan(0);
    expect(canonicalVersion(`1.${'9'.repeat(60)}`)).toBe(`1.${'9'.repeat(60)}`);
    expect(compareVersions('1.9', '1.10')).toBeLessThan(0);
  });

  it('is stable under normalization', () => {
    fc.assert(
      fc.property(versionText, (text) => {
        const version = parseVersion(text);
        expect(parseVersion(version.text)).toEqual(version);
        expect(compareVersions(version, text)).toBe(0);
      }),
    );
  });

  it('takes linear time', () => {
    for (const text of [
      '1.'.repeat(500_000),
      '1a'.repeat(500_000),
      '1+' + 'a.'.repeat(500_000),
      ' '.repeat(1_000_000),
    ]) {
      expect(isValidVersion(text)).toBe(false);
    }
  });
});

describe('compareVersions', () => {
  it('orders the versions of the specification', () => {
    for (const [i, left] of ORDERED.entries()) {
      for (const [j, right] of ORDERED.entries()) {
        expect([left, right, Math.sign(compareVersions(left, right))]).toEqual([
          left,
          right,
          Math.sign(i - j),
        ]);
      }
    }
  });

  it('is a total order', () => {
    fc.assert(
      fc.property(versionText, versionText, versionText, (a, b, c) => {
        expect(Math.sign(compareVersions(a, b))).toBe(-Math.sign(compareVersions(b, a)) + 0);
        if (compareVersions(a, b) <= 0 && compareVersions(b, c) <= 0)
          expect(compareVersions(a, c)).toBeLessThanOrEqual(0);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('canonicalVersion', () => {
  it('is equal exactly for equal versions', () => {
    expect(canonicalVersion('1.0.0')).toBe('1');
    expect(canonicalVersion('0.0')).toBe('0');
    expect(canonicalVersion('1.0.0rc1+a')).toBe('1rc1+a');
    fc.assert(
      fc.property(versionText, versionText, (a, b) => {
        expect(canonicalVersion(a) === canonicalVersion(b)).toBe(compareVersions(a, b) === 0);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('isPreRelease', () => {
  it.each([
    ['1.0', false],
    ['1.0.post1', false],
    ['1.0a1', true],
    ['1.0.dev1', true],
    ['1.0.post1.dev2', true],
  ])('says of %s %s', (text, expected) => {
    expect(isPreRelease(parseVersion(text))).toBe(expected);
  });
});
