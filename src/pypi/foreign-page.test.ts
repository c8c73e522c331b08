import { describe, expect, it } from 'vitest';
import { ForeignPageError, parseForeignList, parseForeignProject, type ForeignPage } from './foreign-page.ts';

const url = 'https://old.example/team/+simple/demo/';

function page(text: string, contentType = 'text/html; charset=utf-8'): ForeignPage {
  return { bytes: new TextEncoder().encode(text), contentType, url };
}

function json(value: unknown, contentType = 'application/vnd.pypi.simple.v1+json'): ForeignPage {
  return page(JSON.stringify(value), contentType);
}

const meta = { 'api-version': '1.0' };

describe('the HTML of another index', () => {
  it('lists projects, normalized, each once, and passes by what is no name', () => {
    const html =
      '<!DOCTYPE html><!-- <a href="no/">no</a> --><a href="b/">B_b</a><A HREF=a/ > a </A><a href="b-b/">b.b</a>' +
      '<a href="..">..</a><a name="x">x</a>';
    expect(parseForeignList(page(html))).toEqual(['a', 'b-b']);
  });

  it('gives files with absolute address, hash and yank, whatever way they are written', () => {
    const hash = 'A'.repeat(64);
    const files = parseForeignProject(
      page(
        `<base href="/files/"><a data-yanked href="x/demo-1.tar.gz#sha256=${hash}">demo-1.tar.gz</a>\n` +
          `<a href='https://cdn.example/demo-2.tar.gz?sig=a&amp;b=c#md5=${'b'.repeat(32)}' data-yanked="b&#114;oken\n&lt;badly&gt;"></a>` +
          '<a rel=x href=demo-3.tar.gz>demo-3.tar.gz<br></a><a href="ftp://x/demo-4.tar.gz">demo-4.tar.gz</a>',
      ),
    );
    expect(files).toEqual([
      {
        filename: 'demo-1.tar.gz',
        url: 'https://old.example/files/x/demo-1.tar.gz',
        hashes: new Map([['sha256', 'a'.repeat(64)]]),
        yanked: true,
      },
      {
        filename: 'demo-2.tar.gz',
        url: 'https://cdn.example/demo-2.tar.gz?sig=a&b=c',
        hashes: new Map([['md5', 'b'.repeat(32)]]),
        yanked: 'broken <badly>',
      },
      { filename: 'demo-3.tar.gz', url: 'https://old.example/files/demo-3.tar.gz', hashes: new Map() },
    ]);
  });

  it.each([
    '<',
    '<a',
    '<a href',
    '<a href=',
    '<a href="',
    '<!--',
    '<a href="x',
    '<a =>',
    '<a /',
    '&#9999999;',
  ])('may end anywhere: %s', (html) => {
    expect(() => parseForeignProject(page(html))).not.toThrow();
  });

  it('is read in one pass: a page of a million marks takes no time worth speaking of', () => {
    for (const piece of ['<a ', '<a href="x"', '<', '<!--', '<a href=x>', '&#1'])
      expect(() => parseForeignProject(page(piece.repeat(100_000)))).not.toThrow();
  });
});

describe('the JSON of another index', () => {
  it('gives projects and files with size, time and yank', () => {
    expect(parseForeignList(json({ meta, projects: [{ name: 'A.b' }, { name: '' }, 7] }))).toEqual(['a-b']);
    const hashes = { sha256: 'c'.repeat(64), __proto__: 'x', sha1: 7 };
    const file = { filename: 'demo-1.tar.gz', url: '../../f/demo-1.tar.gz', hashes };
    const files = [
      { ...file, size: 3, 'upload-time': '2020-02-03T04:05:06.123456Z', yanked: 'why' },
      { ...file, size: -1, 'upload-time': 'soon', yanked: false },
      { filename: 'no-url' },
      null,
    ];
    expect(parseForeignProject(json({ meta, files }))).toEqual([
      {
        filename: 'demo-1.tar.gz',
        url: 'https://old.example/team/f/demo-1.tar.gz',
        hashes: new Map([['sha256', 'c'.repeat(64)]]),
        size: 3,
        uploadTime: new Date('2020-02-03T04:05:06.123Z'),
        yanked: 'why',
      },
      {
        filename: 'demo-1.tar.gz',
        url: 'https://old.example/team/f/demo-1.tar.gz',
        hashes: new Map([['sha256', 'c'.repeat(64)]]),
      },
    ]);
  });

  it.each([
    ['another type', page('x', 'application/octet-stream')],
    ['no JSON', page('{', 'application/json')],
    ['another version', json({ meta: { 'api-version': '2.0' }, files: [] })],
    ['no list', json({ meta, files: {} })],
    ['null', json(null)],
  ])('is refused with a sentence: %s', (_what, wrong) => {
    expect(() => parseForeignProject(wrong)).toThrow(ForeignPageError);
    expect(() => parseForeignProject(wrong)).toThrow(/^The page .*\.$/);
  });
});
