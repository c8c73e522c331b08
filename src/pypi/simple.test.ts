import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { asciiHtml, displayText } from './ascii-text.ts';
import {
  InvalidPageError,
  parseProjectJson,
  renderIndexHtml,
  renderIndexJson,
  renderProjectHtml,
  renderProjectJson,
  type PageFile,
  type ProjectPage,
} from './simple.ts';

const A = 'a'.repeat(64);
const B = 'b'.repeat(64);
const TIME = '2026-01-02T03:04:05.000006Z';

const WHEEL: PageFile = {
  filename: 'foo_bar-1.10+cu1-py3-none-any.whl',
  version: '1.10+cu1',
  sha256: A,
  size: 1234,
  uploadTime: TIME,
  requiresPython: '>=3.8,<4',
  coreMetadataSha256: B,
  yanked: 'broken: "é" & <x>',
  provenance: 'https://example.org/integrity/foo?a=1&b=2',
};
const SDIST: PageFile = {
  filename: 'foo_bar-1.9.tar.gz',
  version: '1.9',
  sha256: B,
  size: 0,
  uploadTime: TIME,
};
const PAGE: ProjectPage = { name: 'foo-bar', files: [WHEEL, SDIST] };

function json(page: ProjectPage): string {
  return Buffer.from(renderProjectJson(page)).toString('latin1');
}

function html(page: ProjectPage): string {
  return Buffer.from(renderProjectHtml(page)).toString('latin1');
}

const hex = fc.stringMatching(/^[0-9a-f]{64}$/);
const anyText = fc.string({ unit: 'binary', maxLength: 20 });
const pageFile = fc
  .record({
    version: fc
      .stringMatching(/^[0-9]{1,2}(\.[1-9]){0,2}(a[0-9])?$/)
      .map((text) => text.replace(/^0+(?=\d)/, '')),
    end: fc.constantFrom('.tar.gz', '-py3-none-any.whl', '-cp311-abi3-win32.whl'),
    sha256: hex,
    size: fc.nat(),
    extra: fc.record(
      {
        requiresPython: anyText,
        coreMetadataSha256: hex,
        yanked: fc.oneof(fc.constant<true>(true), anyText),
        provenance: fc.webUrl(),
      },
      { requiredKeys: [] },
    ),
  })
  .map(({ version, end, sha256, size, extra }): PageFile => ({
    filename: `foo_bar-${version}${end}`,
    version,
    sha256,
    size,
    uploadTime: TIME,
    ...extra,
  }));
const projectPage = fc
  .record(
    {
      files: fc.uniqueArray(pageFile, { selector: (file) => file.filename, maxLength: 8 }),
      status: fc.constantFrom(
        'active' as const,
        'archived' as const,
        'quarantined' as const,
        'deprecated' as const,
      ),
      statusReason: anyText,
    },
    { requiredKeys: ['files'] },
  )
  .map((page): ProjectPage => ({ name: 'foo-bar', ...page }));

// These bytes are signed and cached by everybody: if this test must change, PAGE_FORMAT_VERSION must rise.
describe('the pages of format version 1', () => {
  it('are these bytes as JSON', () => {
    expect(json({ ...PAGE, status: 'deprecated', statusReason: 'use "bar"\n' })).toBe(
      '{"meta":{"api-version":"1.4"},"name":"foo-bar","project-status":{"status":"deprecated","reason":"use \\"bar\\""},"versions":["1.9","1.10+cu1"],"files":[' +
        `{"filename":"foo_bar-1.9.tar.gz","url":"../../packages/foo-bar/foo_bar-1.9.tar.gz","hashes":{"sha256":"${B}"},"size":0,"upload-time":"${TIME}"},` +
        `{"filename":"foo_bar-1.10+cu1-py3-none-any.whl","url":"../../packages/foo-bar/foo_bar-1.10%2Bcu1-py3-none-any.whl","hashes":{"sha256":"${A}"},` +
        `"requires-python":">=3.8,<4","core-metadata":{"sha256":"${B}"},"data-dist-info-metadata":{"sha256":"${B}"},"size":1234,"upload-time":"${TIME}",` +
        '"yanked":"broken: \\"\\u00e9\\" & <x>","provenance":"https://example.org/integrity/foo?a=1&b=2"}]}',
    );
  });

  it('are these bytes as HTML', () => {
    expect(html({ ...PAGE, status: 'deprecated', statusReason: 'use "bar"\n' })).toBe(`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="pypi:repository-version" content="1.4">
<meta name="pypi:project-status" content="deprecated">
<meta name="pypi:project-status-reason" content="use &#34;bar&#34;">
<title>Links for foo-bar</title>
</head>
<body>
<h1>Links for foo-bar</h1>
<a href="../../packages/foo-bar/foo_bar-1.9.tar.gz#sha256=${B}">foo_bar-1.9.tar.gz</a><br>
<a href="../../packages/foo-bar/foo_bar-1.10%2Bcu1-py3-none-any.whl#sha256=${A}" data-requires-python="&#62;=3.8,&#60;4" data-core-metadata="sha256=${B}" data-dist-info-metadata="sha256=${B}" data-yanked="broken: &#34;&#233;&#34; &#38; &#60;x&#62;" data-provenance="https://example.org/integrity/foo?a=1&#38;b=2">foo_bar-1.10+cu1-py3-none-any.whl</a><br>
</body>
</html>
`);
  });

  it('are these bytes for a project without files', () => {
    expect(json({ name: 'foo', files: [] })).toBe(
      '{"meta":{"api-version":"1.4"},"name":"foo","versions":[],"files":[]}',
    );
  });
});

describe('renderProjectJson and renderProjectHtml', () => {
  it('do not depend on the order of the files', () => {
    fc.assert(
      fc.property(projectPage, (page) => {
        const reversed = { ...page, files: page.files.toReversed() };
        expect(json(reversed)).toBe(json(page));
        expect(html(reversed)).toBe(html(page));
      }),
    );
  });

  it('give printable ASCII only, whatever the texts', () => {
    fc.assert(
      fc.property(projectPage, (page) => {
        expect(json(page)).toMatch(/^[ -~]*$/);
        expect(html(page)).toMatch(/^[ -~\n]*$/);
      }),
    );
  });

  it('list the files by version, then by name', () => {
    const names = [
      'foo_bar-1.9.tar.gz',
      'foo_bar-1.10a1.tar.gz',
      'foo_bar-1.10-py2-none-any.whl',
      'foo_bar-1.10.tar.gz',
    ];
    const versions = ['1.9', '1.10a1', '1.10', '1.10'];
    const files = names
      .map((filename, index) => ({ ...SDIST, filename, version: versions[index]! }))
      .toReversed();
    const page = JSON.parse(json({ name: 'foo-bar', files })) as {
      versions: string[];
      files: { filename: string }[];
    };
    expect(page.files.map((file) => file.filename)).toEqual(names);
    expect(page.versions).toEqual(['1.9', '1.10a1', '1.10']);
  });

  it('list nothing of a quarantined project', () => {
    const page: ProjectPage = { ...PAGE, status: 'quarantined', statusReason: 'malware' };
    expect(JSON.parse(json(page))).toMatchObject({
      files: [],
      versions: [],
      'project-status': { status: 'quarantined', reason: 'malware' },
    });
    expect(html(page)).not.toContain('<a ');
  });

  it('say nothing of an empty reason', () => {
    const page: ProjectPage = {
      name: 'foo-bar',
      status: 'archived',
      statusReason: ' \n',
      files: [{ ...SDIST, yanked: '' }],
    };
    expect(JSON.parse(json(page))).toMatchObject({
      'project-status': { status: 'archived' },
      files: [{ yanked: true }],
    });
    expect(json(page)).not.toContain('reason');
    expect(html(page)).toContain('data-yanked=""');
  });

  it('write no markup but their own', () => {
    const evil = '"><script>alert(1)</script><a href="https://evil/foo_bar-9.tar.gz">\'--><!--';
    const text = html({
      name: 'foo-bar',
      status: 'deprecated',
      statusReason: evil,
      files: [{ ...SDIST, yanked: evil, requiresPython: evil }],
    });
    expect(text.match(/<(?!\/)[a-z0-9]+/g)).toEqual([
      '<html',
      '<head',
      '<meta',
      '<meta',
      '<meta',
      '<meta',
      '<title',
      '<body',
      '<h1',
      '<a',
      '<br',
    ]);
    expect(text).not.toContain('<!--');
  });

  it.each<[string, Partial<PageFile>]>([
    ['of another project', { filename: 'evil-1.9.tar.gz' }],
    ['of another version', { version: '2.0' }],
    ['that is no distribution', { filename: '../../evil' }],
    ['without sha256', { sha256: 'x' }],
    ['with an upper-case sha256', { sha256: A.toUpperCase() }],
    ['with a broken metadata hash', { coreMetadataSha256: '' }],
    ['without size', { size: Number.NaN }],
    ['with a negative size', { size: -1 }],
    ['with a size no integer', { size: 1.5 }],
    ['with an upload time in seconds', { uploadTime: '2026-01-02T03:04:05Z' }],
  ])('refuse a file %s', (_what, change) => {
    expect(() => renderProjectJson({ name: 'foo-bar', files: [{ ...SDIST, ...change }] })).toThrow();
    expect(() => renderProjectHtml({ name: 'foo-bar', files: [{ ...SDIST, ...change }] })).toThrow();
  });

  it('refuse a file listed twice, and a name not normalized', () => {
    expect(() => renderProjectJson({ name: 'foo-bar', files: [SDIST, SDIST] })).toThrow(InvalidPageError);
    expect(() => renderProjectJson({ name: 'Foo', files: [] })).toThrow(InvalidPageError);
  });

  it('render ten thousand files at once', () => {
    const files = Array.from({ length: 10_000 }, (_, index) => ({
      ...SDIST,
      version: `1.${index}`,
      filename: `foo_bar-1.${index}.tar.gz`,
    }));
    expect(parseProjectJson(renderProjectJson({ name: 'foo-bar', files })).files).toEqual(files);
  });
});

describe('parseProjectJson', () => {
  it('gives back what was rendered', () => {
    fc.assert(
      fc.property(projectPage, (page) => {
        const bytes = renderProjectJson(page);
        expect(renderProjectJson(parseProjectJson(bytes))).toEqual(bytes);
      }),
    );
    expect(parseProjectJson(renderProjectJson(PAGE))).toEqual({ name: 'foo-bar', files: [SDIST, WHEEL] });
  });

  it('tells releases apart that are equal but spelt otherwise', () => {
    const files = [
      { ...SDIST, filename: 'foo_bar-1.0.tar.gz', version: '1.0' },
      { ...SDIST, filename: 'foo_bar-1-py3-none-any.whl', version: '1' },
    ];
    const page = parseProjectJson(renderProjectJson({ name: 'foo-bar', files }));
    expect(new Map(page.files.map((file) => [file.filename, file.version]))).toEqual(
      new Map(files.map((file) => [file.filename, file.version])),
    );
  });

  it('ignores keys of later versions', () => {
    const text = json(PAGE)
      .replace('"api-version":"1.4"', '"api-version":"1.9","_x":1')
      .replace('"size":0', '"size":0,"new":{"__proto__":[]}');
    expect(parseProjectJson(Buffer.from(text))).toEqual(parseProjectJson(renderProjectJson(PAGE)));
  });

  const changes: [string, string | RegExp, string][] = [
    ['another major version', '"1.4"', '"2.0"'],
    ['no api-version', '"api-version"', '"version"'],
    ['another name', '"name":"foo-bar"', '"name":"foo"'],
    ['an unnormalized name', '"name":"foo-bar"', '"name":"Foo_Bar"'],
    ['a duplicate key', '"name":"foo-bar"', '"name":"evil","name":"foo-bar"'],
    ['white space', '{"meta"', '{ "meta"'],
    ['a number in another form', '"size":1234', '"size":1.234e3'],
    ['text in UTF-8 instead of an escape', '\\u00e9', 'é'],
    ['a byte order mark', '{"meta"', '\ufeff{"meta"'],
    [
      'a URL elsewhere',
      '../../packages/foo-bar/foo_bar-1.9.tar.gz',
      'https://evil.example/foo_bar-1.9.tar.gz',
    ],
    ['a URL of another file', 'packages/foo-bar/foo_bar-1.9', 'packages/foo-bar/foo_bar-1.8'],
    ['a URL that climbs', '../../packages/foo-bar/', '../../packages/foo-bar/../'],
    ['a filename that climbs', '"filename":"foo_bar-1.9', '"filename":"../foo_bar-1.9'],
    ['a version that is not listed', '"versions":["1.9",', '"versions":['],
    ['a version that is none', '"versions":["1.9",', '"versions":["1.9","x",'],
    ['no sha256', `"hashes":{"sha256":"${B}"}`, '"hashes":{}'],
    ['no size', '"size":0,', ''],
    ['a negative size', '"size":0,', '"size":-1,'],
    ['no upload time', `,"upload-time":"${TIME}"},`, '},'],
    ['files that are no list', /"files":\[.*/, '"files":{}}'],
    ['a yank of nothing', /"yanked":"[^"]*(\\"[^"]*)*"/, '"yanked":""'],
    ['a yank that is a number', /"yanked":"[^"]*(\\"[^"]*)*"/, '"yanked":1'],
    ['an unknown status', '"versions"', '"project-status":{"status":"evil"},"versions"'],
    ['a status that is text', '"versions"', '"project-status":"active","versions"'],
    ['quarantine with files', '"versions"', '"project-status":{"status":"quarantined"},"versions"'],
    ['core metadata without hash', /"core-metadata":\{[^}]*\}/, '"core-metadata":{}'],
    ['a file twice', /"files":\[(\{[^}]*\}[^}]*\})/, '"files":[$1,$1'],
    ['the end missing', /.$/, ''],
  ];
  it.each(changes)('refuses %s', (_what, from, to) => {
    const text = json(PAGE).replace(from, to);
    expect(text).not.toBe(json(PAGE));
    expect(() => parseProjectJson(Buffer.from(text))).toThrow(InvalidPageError);
  });

  it.each([
    '',
    'null',
    '[]',
    '"x"',
    '1',
    '{}',
    '{"meta":{"api-version":"1.4"}}',
    '[['.repeat(50_000),
    '['.repeat(200_000) + ']'.repeat(200_000),
  ])('refuses %j', (text) => {
    expect(() => parseProjectJson(Buffer.from(text))).toThrow(InvalidPageError);
  });

  it('refuses bytes that are not UTF-8', () => {
    expect(() => parseProjectJson(new Uint8Array([0x22, 0xff, 0x22]))).toThrow(InvalidPageError);
  });

  it('survives any JSON', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(() => parseProjectJson(Buffer.from(text))).toThrow(InvalidPageError);
      }),
    );
  });
});

describe('renderIndexJson and renderIndexHtml', () => {
  it('list the projects with what mirrors need', () => {
    const entries = [
      { name: 'a', lastSerial: 3 },
      { name: 'b-c', lastSerial: 7 },
    ];
    expect(Buffer.from(renderIndexJson(entries)).toString()).toBe(
      '{"meta":{"api-version":"1.4","_last-serial":7},"projects":[{"name":"a","_last-serial":3},{"name":"b-c","_last-serial":7}]}',
    );
    expect(Buffer.from(renderIndexJson([], 9)).toString()).toBe(
      '{"meta":{"api-version":"1.4","_last-serial":9},"projects":[]}',
    );
    expect(Buffer.from(renderIndexHtml(entries)).toString()).toContain(
      '\n<a href="a/">a</a><br>\n<a href="b-c/">b-c</a><br>\n',
    );
  });
});

describe('asciiHtml', () => {
  it('escapes everything that is not plain', () => {
    expect(asciiHtml('<a href="x" \'&> é💥\0')).toBe(
      '&#60;a href=&#34;x&#34; &#39;&#38;&#62; &#233;&#128165;',
    );
  });

  it('gives what an HTML reader turns back into the text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const read = asciiHtml(text).replace(/&#([0-9]+);/g, (_match, code) =>
          String.fromCodePoint(Number(code)),
        );
        expect(read).toBe(displayText(text));
      }),
    );
  });
});
