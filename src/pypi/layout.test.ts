import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FormatError } from './errors.ts';
import {
  hashedPath,
  metadataSidecarPath,
  packagePath,
  parseIndexPath,
  simpleHtmlPath,
  simpleJsonPath,
} from './layout.ts';

const SHA256 = '0123456789abcdef'.repeat(4);

describe('layout', () => {
  it('is the layout of DESIGN', () => {
    expect(simpleJsonPath('foo-bar')).toBe('simple/foo-bar/index.json');
    expect(simpleHtmlPath('foo-bar')).toBe('simple/foo-bar/index.html');
    expect(packagePath('foo-bar', 'foo_bar-1.0.tar.gz')).toBe('packages/foo-bar/foo_bar-1.0.tar.gz');
    expect(metadataSidecarPath('foo-bar', 'foo_bar-1.0.tar.gz')).toBe(
      'packages/foo-bar/foo_bar-1.0.tar.gz.metadata',
    );
    expect(hashedPath('simple/foo/index.json', SHA256)).toBe(`simple/foo/${SHA256}.index.json`);
  });

  it.each(['Foo', 'foo_bar', '..', '', 'a/b', 'a\0'])(
    'refuses to make a path of the project %j',
    (project) => {
      for (const make of [
        simpleJsonPath,
        simpleHtmlPath,
        (name: string) => packagePath(name, 'a-1.tar.gz'),
      ]) {
        expect(() => make(project)).toThrow(FormatError);
      }
    },
  );

  it.each([
    '..',
    '../x',
    'a/b',
    '',
    '.htaccess',
    'a\0',
    `${SHA256}.a`,
    'a-1.0.tar.gz.metadata',
    'x'.repeat(181),
  ])('refuses to make a path of the filename %j', (filename) => {
    expect(() => packagePath('a', filename)).toThrow(FormatError);
    expect(() => metadataSidecarPath('a', filename)).toThrow(FormatError);
  });
});

describe('parseIndexPath', () => {
  it('is the inverse of every path, plain and hash-named', () => {
    const project = fc.stringMatching(/^[a-z0-9]{1,6}(-[a-z0-9]{1,4})?$/);
    const filename = fc.stringMatching(/^[a-z][a-z0-9_.]{0,8}-[0-9.]{1,5}(\.tar\.gz|-py3-none-any\.whl)$/);
    fc.assert(
      fc.property(project, filename, fc.boolean(), (name, file, isHashed) => {
        const hash = isHashed ? { sha256: SHA256 } : {};
        const named = (path: string): string => (isHashed ? hashedPath(path, SHA256) : path);
        expect(parseIndexPath(named(simpleJsonPath(name)))).toEqual({
          kind: 'simple-json',
          project: name,
          ...hash,
        });
        expect(parseIndexPath(named(simpleHtmlPath(name)))).toEqual({
          kind: 'simple-html',
          project: name,
          ...hash,
        });
        expect(parseIndexPath(named(packagePath(name, file)))).toEqual({
          kind: 'file',
          project: name,
          filename: file,
          ...hash,
        });
        expect(parseIndexPath(named(metadataSidecarPath(name, file)))).toEqual({
          kind: 'metadata',
          project: name,
          filename: file,
          ...hash,
        });
      }),
    );
  });

  it.each([
    '',
    '/',
    'simple',
    'simple/',
    'simple/foo',
    'simple/foo/',
    'simple/Foo/index.json',
    'simple/foo/index.json/',
    '/simple/foo/index.json',
    'simple/foo/INDEX.json',
    'simple/foo/../index.json',
    'simple//index.json',
    'simple/../index.json',
    'packages/foo',
    'packages/foo/',
    'packages/foo/..',
    'packages/foo/.metadata',
    'packages/foo/a.metadata.metadata',
    'packages/foo/a/b',
    'packages/foo\\a',
    'packages/foo/a\0',
    'packages/foo/a%2fb',
    'packages/fo_o/a-1.tar.gz',
    'metadata/root.json',
    `packages/foo/${SHA256}.`,
    `packages/foo/${SHA256}.${SHA256}.a`,
    `packages/foo/${SHA256.toUpperCase()}.a-1.tar.gz`,
    'packages/foo/-rf',
    'packages/foo/a\r\nb',
  ])('refuses %j', (path) => {
    expect(parseIndexPath(path)).toBeUndefined();
  });
});
