import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseRequestTarget } from './request-target.ts';
import { findRoute } from './route.ts';

describe('parseRequestTarget', () => {
  it.each([
    ['/', '/', ''],
    ['/simple/foo/', '/simple/foo/', ''],
    ['/simple/foo/?format=a?b', '/simple/foo/', 'format=a?b'],
    ['/packages/a/a-1%2Bb.tar.gz', '/packages/a/a-1+b.tar.gz', ''],
    ['http://host:80/simple/', '/simple/', ''],
    ['http://host', '/', ''],
  ])('reads %s', (target, path, query) => {
    expect(parseRequestTarget(target)).toEqual({ path, query });
  });

  it.each([
    '',
    '*',
    'simple',
    '//',
    '//x',
    '/a//b',
    '/..',
    '/a/../b',
    '/%2e%2e/',
    '/a%2fb',
    '/a%5cb',
    '/a\\b',
    '/%00',
    '/%0a',
    '/%',
    '/%zz',
    '/%c0%af',
    '/a/.',
    'ftp://host/',
  ])('refuses %j', (target) => expect(parseRequestTarget(target)).toBeUndefined());

  it('takes off the prefix of a reverse proxy, only as whole segments', () => {
    expect(parseRequestTarget('/python/simple/', '/python')?.path).toBe('/simple/');
    expect(parseRequestTarget('/pythonic/simple/', '/python')?.path).toBe('/pythonic/simple/');
    expect(parseRequestTarget('/simple/', '/python')?.path).toBe('/simple/');
  });

  it('never throws, and never lets through what could leave the tree', () => {
    const piece = fc.oneof(
      fc.constantFrom(
        '/',
        '..',
        '.',
        '%2e',
        '%2F',
        '%5c',
        '%00',
        '%',
        'simple',
        'packages',
        'metadata',
        '\\',
        '%252e',
      ),
      fc.string(),
    );
    fc.assert(
      fc.property(fc.array(piece), (pieces) => {
        const target = parseRequestTarget(`/${pieces.join('')}`);
        if (target === undefined) return;
        expect(target.path).toMatch(/^\//);
        expect(target.path.split('/')).not.toContain('..');
        expect(target.path).not.toMatch(/\\|\0|\n|\r/);
        const route = findRoute(target.path);
        if (route?.kind === 'redirect') expect(route.location).toMatch(/^(\.\.\/)?[a-z0-9-]+\/$/);
        if (route !== undefined && 'path' in route)
          expect(route.path).toMatch(/^(simple|packages|metadata)\/[^/]/);
      }),
      { numRuns: 2000 },
    );
  });
});
