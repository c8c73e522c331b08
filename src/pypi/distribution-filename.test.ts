import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  InvalidFilenameError,
  isSafeFilename,
  MAX_FILENAME_LENGTH,
  parseDistributionFilename as parse,
} from './distribution-filename.ts';

const SHA256 = 'a'.repeat(64);

describe('parseDistributionFilename', () => {
  it('reads a wheel', () => {
    expect(
      parse('Flask_Login-1.0.post1-2b-cp311.cp310-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64.whl'),
    ).toEqual({
      kind: 'wheel',
      filename: 'Flask_Login-1.0.post1-2b-cp311.cp310-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64.whl',
      project: 'flask-login',
      version: '1.0.post1',
      build: '2b',
      pythonTags: ['cp310', 'cp311'],
      abiTags: ['abi3'],
      platformTags: ['manylinux2014_x86_64', 'manylinux_2_17_x86_64'],
      identity: 'flask_login-1.post1-2b-cp310.cp311-abi3-manylinux2014_x86_64.manylinux_2_17_x86_64',
      isCanonical: false,
    });
  });

  it('reads an sdist', () => {
    expect(parse('zope_interface-5.0.0.tar.gz')).toEqual({
      kind: 'sdist',
      filename: 'zope_interface-5.0.0.tar.gz',
      project: 'zope-interface',
      version: '5.0.0',
      identity: 'zope_interface-5-sdist',
      isCanonical: true,
    });
  });

  it('splits an sdist at the last hyphen, the only reading', () => {
    expect(parse('a-b-1.tar.gz')).toMatchObject({ project: 'a-b', version: '1', isCanonical: false });
    expect(parse('a-1-2.tar.gz')).toMatchObject({ project: 'a-1', version: '2' });
  });

  it.each([
    ['flask-1.0-py3-none-any.whl', true],
    ['Flask-1.0-py3-none-any.whl', false],
    ['flask-1.0.0RC1-py3-none-any.whl', false],
    ['zope.interface-1.0-py3-none-any.whl', false],
    ['flask-1.0-py3-none-Any.whl', false],
    ['flask-1.0+cu118-py3-none-any.whl', true],
    ['flask-1!1.0.tar.gz', true],
    ['python-dateutil-1.0.tar.gz', false],
    ['zope.interface-1.0.tar.gz', false],
    ['flask-01.0.tar.gz', false],
  ])('says whether %s is spelt as it should: %s', (filename, isCanonical) => {
    expect(parse(filename).isCanonical).toBe(isCanonical);
  });

  it.each([
    ['flask-1.0-py3-none-any.whl', 'Flask-1.0.0-PY3-none-any.whl'],
    ['a_b-1.0-py2.py3-none-any.whl', 'a.b-v1-py3.py2-none-any.whl'],
    ['a-1-1-py3-none-any.whl', 'a-1-01-py3-none-any.whl'],
    ['a_b-1.0.tar.gz', 'A-B-1.0.0.tar.gz'],
  ])('gives %s and %s one identity', (one, other) => {
    expect(parse(one).identity).toBe(parse(other).identity);
  });

  it.each([
    ['a-1-py3-none-any.whl', 'a-1-1-py3-none-any.whl'],
    ['a-1-py3-none-any.whl', 'a-1.tar.gz'],
    ['a-1-py3-none-any.whl', 'a-1-py2.py3-none-any.whl'],
    ['a_b-1.tar.gz', 'a-b_1.tar.gz'.replace('b_1', '2')],
  ])('gives %s and %s different identities', (one, other) => {
    expect(parse(one).identity).not.toBe(parse(other).identity);
  });

  it.each([
    '',
    '.',
    '..',
    '../evil-1.0.tar.gz',
    '/evil-1.0.tar.gz',
    'a/b-1.0.tar.gz',
    'a\\b-1.0.tar.gz',
    '.a-1.0.tar.gz',
    '-1.0.tar.gz',
    'a-1.0.tar.gz\n',
    'a-1.0\0.tar.gz',
    'a-1.0.tar.gz ',
    'a 1-1.0.tar.gz',
    'é-1.0.tar.gz',
    'a-1.0.tar.gz%00',
    'a%2f-1.0.tar.gz',
    'a-1.0.zip',
    'a-1.0.egg',
    'a-1.0.exe',
    'a-1.0.tar.bz2',
    'a-1.0.tgz',
    'a-1.0.TAR.GZ',
    'a-1.0-py3-none-any.WHL',
    'a-1.0.tar.gz.asc',
    'a-1.0-py3-none-any.whl.metadata',
    'a.tar.gz',
    'a-.tar.gz',
    'a-x.tar.gz',
    '_a-1.0.tar.gz',
    'a_-1.0.tar.gz',
    'a-1.0.whl',
    'a-1.0-none-any.whl',
    'a-1.0-1-py3-none-any-x.whl',
    'a-1.0-x1-py3-none-any.whl',
    'a-x-py3-none-any.whl',
    'a__b-1.0-py3-none-any.whl',
    'a-1.0--none-any.whl',
    'a-1.0-py3.-none-any.whl',
    'a-1.0-py3..py2-none-any.whl',
    'a-1.0-.py3-none-any.whl',
    'a-1.0-py3-no!ne-any.whl',
    '-1.0-py3-none-any.whl',
    '_a-1.0-py3-none-any.whl',
    `${SHA256}.a-1.0.tar.gz`,
    `${SHA256}.a-1.0-py3-none-any.whl`,
    `a-${'1'.repeat(MAX_FILENAME_LENGTH)}.tar.gz`,
    'CON',
    'nul',
    'a-1.0.tar.gz:stream',
    'a-1.0.tar.gz?x',
    'a-1.0.tar.gz#x',
    'a\u202egpj-1.0.tar.gz',
    '<script>-1.0.tar.gz',
    'a-1.0.tar.gz\r\nX: y',
  ])('refuses %j with one printable sentence', (filename) => {
    expect(() => parse(filename)).toThrow(InvalidFilenameError);
    expect(() => parse(filename)).toThrow(/^Invalid filename [ -~]+\.$/);
  });

  it('accepts nothing that is not safe in a path', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom(...'ab1.-_+!/\\\0\n%Aé'.split('')), maxLength: 14 }),
        fc.constantFrom('.tar.gz', '-py3-none-any.whl'),
        (stem, end) => {
          try {
            parse(stem + end);
          } catch (error) {
            expect(error).toBeInstanceOf(InvalidFilenameError);
            return;
          }
          expect(isSafeFilename(stem + end)).toBe(true);
        },
      ),
      { numRuns: 5000 },
    );
  });

  it('takes linear time', () => {
    for (const piece of ['-', '.', 'a-', '1.', 'py3.']) {
      expect(() => parse(piece.repeat(300_000) + '.whl')).toThrow(InvalidFilenameError);
    }
  });
});
