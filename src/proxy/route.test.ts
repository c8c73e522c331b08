import { describe, expect, it } from 'vitest';
import { parseIndexRoute, parseRoute } from './route.ts';

const TOKEN = 'kX3pTn';
const route = (path: string): unknown => parseRoute(`/${TOKEN}${path}`, TOKEN);

describe('parseRoute', () => {
  it('finds pages, files, their metadata and the list', () => {
    expect(route('/simple/')).toEqual({ kind: 'list' });
    expect(route('/simple')).toEqual({ kind: 'list' });
    expect(route('/simple/foo-bar/')).toMatchObject({ kind: 'page', project: 'foo-bar' });
    expect(route('/simple/foo-bar/?format=x')).toMatchObject({ kind: 'page', project: 'foo-bar' });
    expect(route('/packages/foo/foo-1.0%2Blocal-py3-none-any.whl')).toEqual({
      kind: 'file',
      project: 'foo',
      filename: 'foo-1.0+local-py3-none-any.whl',
      path: 'packages/foo/foo-1.0+local-py3-none-any.whl',
    });
    expect(route('/packages/foo/foo-1.0.tar.gz.metadata')).toMatchObject({
      kind: 'metadata',
      filename: 'foo-1.0.tar.gz',
      path: 'packages/foo/foo-1.0.tar.gz.metadata',
    });
  });

  it('redirects other spellings of a name relatively, so that the token stays where it is', () => {
    expect(route('/simple/Foo.Bar/')).toEqual({
      kind: 'redirect',
      project: 'foo-bar',
      location: '../foo-bar/',
    });
    expect(route('/simple/foo')).toEqual({ kind: 'redirect', project: 'foo', location: 'foo/' });
    expect(route('/simple//foo/')).toEqual({ kind: 'redirect', project: 'foo', location: '../../foo/' });
  });

  it('has nothing without the right token', () => {
    for (const path of [
      '/',
      '/simple/foo/',
      '//simple/foo/',
      '/kX3pTm/simple/foo/',
      `/${TOKEN}x/simple/foo/`,
      'simple',
    ]) {
      expect(parseRoute(path, TOKEN)).toBeUndefined();
    }
  });

  it('has nothing behind doubly encoded, traversing or hash-named paths', () => {
    for (const path of [
      '',
      '/',
      '/metadata/timestamp.json',
      '/simple/foo/index.json',
      '/simple/foo/bar/',
      '/simple//foo',
      '/simple///foo/',
      '/simple/%2e%2e/',
      '/simple/foo%2fbar/',
      '/packages/foo/..',
      '/packages/foo/%2e%2e%2fx',
      '/packages/foo/%252e%252e%252fx.whl',
      '/packages/foo/foo%00.whl',
      '/packages/foo/a%5cb.whl',
      '/packages/foo/%',
      '/packages/Foo/foo-1.0.tar.gz',
      '/packages/foo/x/foo-1.0.tar.gz',
      `/packages/foo/${'0'.repeat(64)}.foo-1.0.tar.gz`,
      `/packages/foo/${'a'.repeat(3000)}.whl`,
    ]) {
      expect([path, route(path)]).toEqual([path, undefined]);
    }
  });

  it('has nothing behind a file that lies in the folder of another project', () => {
    for (const filename of ['acme_secret-9-py3-none-any.whl', 'acme-secret-9.tar.gz', 'acme-secret-9.zip']) {
      expect([filename, route(`/packages/foo/${filename}`)]).toEqual([filename, undefined]);
      expect([filename, route(`/packages/foo/${filename}.metadata`)]).toEqual([filename, undefined]);
    }
    expect(route('/packages/acme-secret/acme_secret-9-py3-none-any.whl')).toMatchObject({
      project: 'acme-secret',
    });
  });

  it('knows the links of a tombstone listing', () => {
    expect(route('/TUF-VERIFICATION-FAILED/tampered/foo/foo-1.0.tar.gz.metadata')).toEqual({
      kind: 'tombstone',
      project: 'foo',
    });
    expect(route('/TUF-VERIFICATION-FAILED/tampered/foo')).toBeUndefined();
  });
});

describe('parseIndexRoute', () => {
  it('finds the same below the path of an index, and nothing outside it', () => {
    expect(parseIndexRoute('/index/team/simple/foo/', '/index/team/')).toMatchObject({ kind: 'page' });
    expect(parseIndexRoute('/simple/foo/', '/')).toMatchObject({ kind: 'page', project: 'foo' });
    expect(parseIndexRoute('/simple/foo/', '/index/team/')).toBeUndefined();
    expect(parseIndexRoute('/index/other/simple/foo/', '/index/team/')).toBeUndefined();
    expect(parseIndexRoute('/index/team/%252e%252e/simple/foo/', '/index/team/')).toBeUndefined();
    expect(parseIndexRoute('/index%2fteam/simple/foo/', '/index/team/')).toBeUndefined();
  });

  it('finds the JSON of a release and of a project', () => {
    expect(parseIndexRoute('/pypi/Foo/1.0/json', '/')).toMatchObject({ project: 'foo', version: '1.0' });
    expect(parseIndexRoute('/pypi/foo/json', '/')).toMatchObject({ kind: 'release', version: undefined });
    expect(parseIndexRoute('/pypi/foo/1.0/2/json', '/')).toBeUndefined();
    expect(parseIndexRoute('/pypi/json', '/')).toBeUndefined();
  });
});
