import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  memoryReader,
  metadataText,
  wheelBytes,
  wheelEntries,
  type WheelSpec,
} from '../../test/archives/distributions.ts';
import { tarBytes } from '../../test/archives/tar-bytes.ts';
import { zipBytes } from '../../test/archives/zip-bytes.ts';
import { parseDistributionFilename, type WheelFilename } from './distribution-filename.ts';
import { FormatError } from './errors.ts';
import { readWheel, type InspectionOptions } from './wheel.ts';

function wheelName(filename = 'demo-1.0-py3-none-any.whl'): WheelFilename {
  const parsed = parseDistributionFilename(filename);
  if (parsed.kind !== 'wheel') throw new Error('no wheel');
  return parsed;
}

async function refusal(bytes: Uint8Array, filename?: string, options?: InspectionOptions): Promise<string> {
  try {
    await readWheel(memoryReader(bytes), wheelName(filename), options);
  } catch (error) {
    if (error instanceof FormatError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return 'accepted';
}

describe('readWheel', () => {
  it('gives the very bytes of METADATA', async () => {
    const { metadata, coreMetadata } = await readWheel(memoryReader(wheelBytes()), wheelName());
    expect(Buffer.from(metadata).toString()).toBe(metadataText());
    expect(coreMetadata).toMatchObject({ name: 'demo', version: '1.0', description: 'About it.\n' });
  });

  it('accepts names and versions spelt otherwise, when they are the same', async () => {
    const bytes = wheelBytes({
      name: 'Demo.Pkg',
      version: '1.0.0',
      metadata: metadataText('demo_pkg', 'v1'),
    });
    expect(await refusal(bytes, 'demo_pkg-1.0-py3-none-any.whl')).toBe('accepted');
  });

  it('accepts a signed RECORD and a nested, vendored .dist-info', async () => {
    const entries = [{ name: 'demo-1.0.dist-info/RECORD.jws', content: '{}' }];
    const files = { 'demo/_vendor/six-1.0.dist-info/METADATA': 'x' };
    expect(await refusal(wheelBytes({ entries, files }))).toBe('accepted');
  });

  it.each(['sha384', 'sha512'])('accepts hashes that are better than sha256: %s', async (algorithm) => {
    const content = "print('hi')\n";
    const digest = createHash(algorithm).update(content).digest('base64url');
    const record = (lines: string[]): string[] =>
      lines.map((line) => (line.startsWith('demo/a.py,') ? `demo/a.py,${algorithm}=${digest},12` : line));
    expect(await refusal(wheelBytes({ files: { 'demo/a.py': content }, record }))).toBe('accepted');
  });

  it('accepts directories as entries, and file names with commas and quotes', async () => {
    const files = { 'demo/a,b.txt': 'x' };
    const record = (lines: string[]): string[] =>
      lines.map((line) => line.replace('demo/a,b.txt', '"demo/a,b.txt"'));
    const entries = [{ name: 'demo/', method: 0, mode: 0o40755 }];
    expect(await refusal(wheelBytes({ files, record, entries }))).toBe('accepted');
  });

  type Attack = [string, string, WheelSpec, string?];
  const attacks: Attack[] = [
    ['a METADATA of another project', "the name 'evil' in METADATA", { metadata: metadataText('evil') }],
    [
      'a METADATA of another version',
      "the version '2.0' in METADATA",
      { metadata: metadataText('demo', '2.0') },
    ],
    [
      'a METADATA without name',
      'the field Name is missing',
      { metadata: 'Metadata-Version: 2.1\nVersion: 1.0\n\n' },
    ],
    [
      'a METADATA with two names',
      'Name is given more than once',
      { metadata: metadataText('demo', '1.0', ['Name: evil']) },
    ],
    ['two .dist-info directories', 'it has 2 .dist-info', { files: { 'evil-1.0.dist-info/METADATA': 'x' } }],
    [
      'two .dist-info directories in different case',
      'it has 2 .dist-info',
      { files: { 'Demo-1.0.dist-info/METADATA': 'x' } },
    ],
    ['a .dist-info of another project', 'is not that of the filename', { distInfo: 'evil-1.0.dist-info' }],
    ['a .dist-info of another version', 'is not that of the filename', { distInfo: 'demo-1.1.dist-info' }],
    ['a .dist-info without version', 'is not that of the filename', { distInfo: 'demo.dist-info' }],
    ['a WHEEL of format 2', 'Wheel-Version 1.x', { wheelFile: 'Wheel-Version: 2.0\n' }],
    ['an empty WHEEL', 'Wheel-Version 1.x', { wheelFile: '' }],
    [
      'a file RECORD does not name',
      'is not in RECORD',
      { entries: [{ name: 'demo/evil.py', content: 'x' }] },
    ],
    [
      'a file only RECORD names',
      'which is missing',
      { record: (lines) => [...lines, 'demo/ghost.py,sha256=x,1'] },
    ],
    [
      'a RECORD that names a file above',
      'which is missing',
      { record: (lines) => [...lines, '../evil.py,sha256=x,1'] },
    ],
    [
      'a wrong hash in RECORD',
      'hash',
      { record: (lines) => lines.map((line) => line.replace(/sha256=..../, 'sha256=AAAA')) },
    ],
    [
      'an MD5 hash in RECORD',
      'hash',
      { record: (lines) => lines.map((line) => line.replace(/sha256=[^,]+/, 'md5=AAAA')) },
    ],
    ...['', 'sha1=AAAA', 'sha224=AAAA', 'sha999=AAAA', 'sha256', 'sha256=', 'sha512=AAAA'].map(
      (hash): Attack => [
        `the hash ${JSON.stringify(hash)} in RECORD, so that nobody checks the content`,
        'RECORD',
        { record: (lines) => lines.map((line) => line.replace(/sha256=[^,]+/, hash)) },
      ],
    ),
    [
      'a wrong size in RECORD',
      'size',
      { record: (lines) => lines.map((line) => line.replace(/,12$/, ',13')) },
    ],
    ['a path twice in RECORD', 'two lines', { record: (lines) => [...lines, lines[0]!] }],
    ['a RECORD line of two columns', 'three columns', { record: (lines) => [...lines, 'a,b'] }],
    ['a RECORD with an open quote', 'not a CSV', { record: (lines) => [...lines, '"a,b,c'] }],
  ];
  it.each(attacks)('refuses %s', async (_attack, reason, spec, filename) => {
    expect(await refusal(wheelBytes(spec), filename)).toContain(reason);
  });

  it.each(['METADATA', 'WHEEL', 'RECORD'])('refuses a wheel without %s', async (name) => {
    const entries = wheelEntries().filter((entry) => entry.name !== `demo-1.0.dist-info/${name}`);
    expect(await refusal(zipBytes(entries))).toContain(`${name}' is missing`);
  });

  it('refuses a METADATA that is not UTF-8', async () => {
    const entries = wheelEntries().map((entry) =>
      entry.name === 'demo-1.0.dist-info/METADATA' ? { ...entry, content: Buffer.from([0x4e, 0xff]) } : entry,
    );
    expect(await refusal(zipBytes(entries))).toContain('not UTF-8');
  });

  it('refuses a METADATA of more than 4 MiB', async () => {
    expect(await refusal(wheelBytes({ metadata: metadataText() + 'x'.repeat(4 * 1024 * 1024) }))).toContain(
      'archive-bomb',
    );
  });

  it('refuses a wheel that is a tar archive as well', async () => {
    const tar = tarBytes([{ name: 'demo.py', content: wheelBytes() }]);
    const polyglot = Buffer.from(wheelBytes({ files: { 'demo/x.bin': 'x'.repeat(600) } }));
    polyglot.write('ustar', 257, 'latin1');
    expect(await refusal(tar)).toContain('ambiguous-archive');
    expect(await refusal(polyglot)).toContain('a tar archive as well');
  });

  it('refuses content that is not what RECORD says, unless asked not to read it', async () => {
    const spec: WheelSpec = {
      record: (lines) => lines.map((line) => line.replace(/sha256=..../, 'sha256=AAAA')),
    };
    expect(await refusal(wheelBytes(spec))).toContain('wrong-content');
    expect(await refusal(wheelBytes(spec), undefined, { contents: false })).toBe('accepted');
  });

  it('demands the promised licence files from metadata 2.4 on', async () => {
    const metadata = metadataText('demo', '1.0', ['License-File: LICENSE']);
    const modern = metadata.replace('Metadata-Version: 2.1', 'Metadata-Version: 2.4');
    expect(await refusal(wheelBytes({ metadata }))).toBe('accepted');
    expect(await refusal(wheelBytes({ metadata: modern }))).toContain("License-File 'LICENSE' is missing");
    const files = { 'demo-1.0.dist-info/licenses/LICENSE': 'free' };
    expect(await refusal(wheelBytes({ metadata: modern, files }))).toBe('accepted');
  });
});
