import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  binForPathHash,
  binName,
  binPathHashPrefixes,
  encodePath,
  isSafeRoleName,
  isSafeTargetPath,
  metadataFileName,
  percentEncode,
  targetFileName,
} from './layout.ts';

describe('metadataFileName', () => {
  it.each([
    ['root', 7, '7.root.json'],
    ['timestamp', undefined, 'timestamp.json'],
    ['bin-0a3f', 31, '31.bin-0a3f.json'],
    ['../../etc/passwd', 1, '1...%2F..%2Fetc%2Fpasswd.json'],
    ['..', undefined, '...json'],
    ['a b?c#d%e\\é', undefined, 'a%20b%3Fc%23d%25e%5C%C3%A9.json'],
    ["!'()*", undefined, '%21%27%28%29%2A.json'],
    ['_.-~', undefined, '_.-~.json'],
    ['\u0000', undefined, '%00.json'],
  ])('%j version %j is %s', (role, version, name) => {
    expect(metadataFileName(role, version)).toBe(name);
  });

  it('never leaves the folder and never gives two roles one name', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (role) => {
        const name = metadataFileName(role);
        expect(name).toMatch(/^[A-Za-z0-9_.~%-]*\.json$/);
        expect(decodeURIComponent(name.slice(0, -'.json'.length))).toBe(role);
      }),
    );
  });
});

describe('targetFileName', () => {
  it('puts the hash before the last segment', () => {
    expect(targetFileName('a')).toBe('a');
    expect(targetFileName('a', 'ff')).toBe('ff.a');
    expect(targetFileName('packages/foo/foo-1.tar.gz', 'ff')).toBe('packages/foo/ff.foo-1.tar.gz');
  });

  it('encodes paths segment by segment', () => {
    expect(encodePath('a b/c?d/é')).toBe('a%20b/c%3Fd/%C3%A9');
    expect(percentEncode('a/b')).toBe('a%2Fb');
  });
});

describe('isSafeTargetPath', () => {
  it.each([
    'simple/foo/index.json',
    'packages/foo/foo-1.0+local.1-py3-none-any.whl',
    'a!b',
    '.hidden',
    '...',
  ])('takes %j', (path) => expect(isSafeTargetPath(path)).toBe(true));

  it.each([
    '',
    '/',
    '/a',
    'a/',
    'a//b',
    '..',
    '../a',
    'a/..',
    'a/./b',
    '.',
    'a\\b',
    'a?b',
    'a#b',
    'a%2fb',
    'C:a',
    'a\nb',
    'a\u0000',
    '\u0085',
    '\ud800',
    'a'.repeat(1025),
  ])('refuses %j', (path) => expect(isSafeTargetPath(path)).toBe(false));
});

describe('isSafeRoleName', () => {
  it.each(['bin-0a3f', 'project-foo.bar_1', '1'])('takes %j', (name) =>
    expect(isSafeRoleName(name)).toBe(true),
  );
  it.each(['', 'A', 'a/b', '../a', 'a b', 'é', 'a\n', 'a'.repeat(256)])('refuses %j', (name) =>
    expect(isSafeRoleName(name)).toBe(false),
  );
});

describe('bins', () => {
  it.each([
    [0, 1, 'bin-0', ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f']],
    [1, 2, 'bin-1', ['8', '9', 'a', 'b', 'c', 'd', 'e', 'f']],
    [10, 16, 'bin-a', ['a']],
    [0x1f, 32, 'bin-1f', ['f8', 'f9', 'fa', 'fb', 'fc', 'fd', 'fe', 'ff']],
    [0x0a, 256, 'bin-0a', ['0a']],
    [0x0a3f, 16384, 'bin-0a3f', ['28fc', '28fd', '28fe', '28ff']],
  ])('bin %d of %d is %s', (index, count, name, prefixes) => {
    expect(binName('bin', index, count)).toBe(name);
    expect(binPathHashPrefixes(index, count)).toEqual(prefixes);
  });

  it('puts every hash into exactly the bin whose prefixes match it', () => {
    const counts = fc.integer({ min: 0, max: 10 }).map((bits) => 2 ** bits);
    fc.assert(
      fc.property(counts, fc.uint8Array({ minLength: 32, maxLength: 32 }), (count, bytes) => {
        const hash = Buffer.from(bytes).toString('hex');
        const matching = Array.from({ length: count }, (_, index) => index).filter((index) =>
          binPathHashPrefixes(index, count).some((prefix) => hash.startsWith(prefix)),
        );
        expect(matching).toEqual([binForPathHash(hash, count)]);
      }),
    );
  });

  it('knows the bins of 2^32', () => {
    expect(binForPathHash('ffffffff00', 2 ** 32)).toBe(0xffffffff);
    expect(binName('bin', 0xffffffff, 2 ** 32)).toBe('bin-ffffffff');
  });

  it.each([0, 3, -2, 2 ** 33, 1.5, Number.NaN])('refuses %d bins', (count) => {
    expect(() => binName('bin', 0, count)).toThrow(RangeError);
    expect(() => binForPathHash('ff', count)).toThrow(RangeError);
  });

  it.each([-1, 16, 0.5])('refuses bin %d of 16', (index) => {
    expect(() => binName('bin', index, 16)).toThrow(RangeError);
  });
});
