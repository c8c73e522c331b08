import fc from 'fast-check';
import { deflateRawSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { memoryReader, metadataText, sdistBytes, sdistMembers } from '../../test/archives/distributions.ts';
import { paxHeader, tarBytes, tarGzBytes, type TarSpec } from '../../test/archives/tar-bytes.ts';
import { zipBytes } from '../../test/archives/zip-bytes.ts';
import { parseDistributionFilename, type SdistFilename } from './distribution-filename.ts';
import { FormatError } from './errors.ts';
import { readSdist } from './sdist.ts';

const MIB = 1024 * 1024;

function sdistName(filename = 'demo-1.0.tar.gz'): SdistFilename {
  const parsed = parseDistributionFilename(filename);
  if (parsed.kind !== 'sdist') throw new Error('no sdist');
  return parsed;
}

async function refusal(bytes: Uint8Array, filename?: string): Promise<string> {
  try {
    await readSdist(memoryReader(bytes), sdistName(filename));
  } catch (error) {
    if (error instanceof FormatError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return 'accepted';
}

function withMembers(...members: readonly TarSpec[]): Buffer {
  return sdistBytes('demo', '1.0', members);
}

function gzipHeader(flags: number, rest: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([0x1f, 0x8b, 8, flags, 0, 0, 0, 0, 0, 3]), rest]);
}

/** A gzip file with one stored block, so that a zip archive can stand in it as it is. */
function storedGzip(content: Buffer): Buffer {
  const whole = gzipSync(content);
  const block = Buffer.alloc(5);
  block[0] = 1;
  block.writeUInt16LE(content.length, 1);
  block.writeUInt16LE(content.length ^ 0xffff, 3);
  return gzipHeader(0, Buffer.concat([block, content, whole.subarray(-8)]));
}

const LONG = `demo-1.0/${'deep/'.repeat(40)}file.py`;

describe('readSdist', () => {
  it('gives the very bytes of PKG-INFO', async () => {
    const { metadata, coreMetadata } = await readSdist(memoryReader(sdistBytes()), sdistName());
    expect(Buffer.from(metadata).toString()).toBe(metadataText());
    expect(coreMetadata.name).toBe('demo');
  });

  const benign: [string, () => Buffer][] = [
    [
      'a file name in the gzip header',
      () => Buffer.concat([gzipHeader(8, Buffer.from('demo.tar\0')), sdistBytes().subarray(10)]),
    ],
    ['GNU magic', () => tarGzBytes(sdistMembers().map((member) => ({ ...member, magic: 'ustar  \0' })))],
    [
      'a long name in a pax header',
      () => withMembers(paxHeader({ path: LONG, mtime: '1.5' }), { name: 'x', content: 'y' }),
    ],
    [
      'a long name in a GNU header',
      () =>
        withMembers({ name: '././@LongLink', type: 'L', content: `${LONG}\0` }, { name: 'x', content: 'y' }),
    ],
    [
      'a long name in the prefix field',
      () => withMembers({ name: 'file.py', prefix: `demo-1.0/${'deep/'.repeat(20)}end` }),
    ],
    [
      'the comment of git archive',
      () => tarGzBytes([paxHeader({ comment: 'a'.repeat(40) }, 'g'), ...sdistMembers()]),
    ],
    [
      'a symbolic link inside',
      () => withMembers({ name: 'demo-1.0/docs/link', type: '2', linkName: '../pyproject.toml' }),
    ],
    [
      'a hard link to a file before it',
      () => withMembers({ name: 'demo-1.0/copy', type: '1', linkName: 'demo-1.0/pyproject.toml' }),
    ],
    [
      'a directory named twice',
      () => withMembers({ name: 'demo-1.0/d/', type: '5' }, { name: 'demo-1.0/d/', type: '5' }),
    ],
    ['no member for the top folder', () => tarGzBytes(sdistMembers().slice(1))],
    ['padding to the record size', () => tarGzBytes(sdistMembers(), Buffer.alloc(10240))],
    ['a top folder spelt otherwise', () => sdistBytes('Demo', '1.0.0')],
    ['non-ASCII names', () => withMembers({ name: 'demo-1.0/é.txt', content: 'x' })],
  ];
  it.each(benign)('accepts %s', async (_what, bytes) => {
    expect(await refusal(bytes())).toBe('accepted');
  });

  const attacks: [string, string, () => Uint8Array][] = [
    ['an empty file', 'malformed-archive', () => Buffer.alloc(0)],
    ['a plain tar archive', 'malformed-archive', () => tarBytes(sdistMembers())],
    [
      'a zip archive',
      'take it for a zip',
      () => zipBytes([{ name: 'demo-1.0/PKG-INFO', content: metadataText() }]),
    ],
    [
      'a zip archive inside the gzip file',
      'take it for a zip',
      () => storedGzip(Buffer.concat([tarBytes(sdistMembers()), zipBytes([])])),
    ],
    [
      'a zip directory end in a stored member',
      'take it for a zip',
      () =>
        storedGzip(
          tarBytes(sdistMembers('demo', '1.0', [{ name: 'demo-1.0/a.zip', content: zipBytes([]) }])),
        ),
    ],
    ['a second gzip member', 'archive', () => Buffer.concat([sdistBytes(), gzipSync('more')])],
    [
      'bytes after the gzip file',
      'archive',
      () => Buffer.concat([sdistBytes(), Buffer.from('more than a trailer')]),
    ],
    ['a truncated gzip file', 'corrupt-content', () => sdistBytes().subarray(0, -9)],
    [
      'a wrong gzip checksum',
      'corrupt-content',
      () => {
        const bytes = sdistBytes();
        bytes[bytes.length - 5]! ^= 1;
        return bytes;
      },
    ],
    [
      'a wrong gzip length',
      'corrupt-content',
      () => {
        const bytes = sdistBytes();
        bytes[bytes.length - 1]! ^= 1;
        return bytes;
      },
    ],
    [
      'a gzip extra field',
      'unsupported-feature',
      () => Buffer.concat([gzipHeader(4, Buffer.from([0, 0])), sdistBytes().subarray(10)]),
    ],
    [
      'a gzip comment',
      'unsupported-feature',
      () => Buffer.concat([gzipHeader(16, Buffer.from('x\0')), sdistBytes().subarray(10)]),
    ],
    ['an endless gzip file name', 'malformed-archive', () => gzipHeader(8, Buffer.alloc(5000, 'a'))],
    [
      'garbage for compressed data',
      'corrupt-content',
      () => gzipHeader(0, Buffer.from('ffffffffffffffffffffffff', 'hex')),
    ],
    ['no end mark', 'malformed-archive', () => tarGzBytes(sdistMembers(), new Uint8Array(0))],
    [
      'a member cut short',
      'malformed-archive',
      () => gzipSync(tarBytes(sdistMembers(), new Uint8Array(0)).subarray(0, -100)),
    ],
    [
      'members after the end mark',
      'bytes after its end mark',
      () =>
        tarGzBytes(
          sdistMembers(),
          Buffer.concat([Buffer.alloc(1024), tarBytes([{ name: 'demo-1.0/evil.py', content: 'x' }])]),
        ),
    ],
    ['a wrong header checksum', 'malformed-archive', () => withMembers({ name: 'demo-1.0/a', checksum: 1 })],
    [
      'a tar without magic',
      'malformed-archive',
      () => withMembers({ name: 'demo-1.0/a', magic: '\0\0\0\0\0\0\0\0' }),
    ],
    [
      'a size in base 256',
      'malformed-archive',
      () => withMembers({ name: 'demo-1.0/a', rawSize: '\x80\0\0\0\0\0\0\0\0\0\0\x05' }),
    ],
    [
      'a negative size',
      'malformed-archive',
      () => withMembers({ name: 'demo-1.0/a', rawSize: '-0000000005\0' }),
    ],
    ['a path above', 'unsafe-name', () => withMembers({ name: 'demo-1.0/../evil.py' })],
    ['an absolute path', 'unsafe-name', () => withMembers({ name: '/etc/passwd' })],
    [
      'an absolute path in a pax header',
      'unsafe-name',
      () => withMembers(paxHeader({ path: '/etc/passwd' }), { name: 'demo-1.0/a' }),
    ],
    [
      'a path above in a GNU header',
      'unsafe-name',
      () => withMembers({ name: 'x', type: 'L', content: '../evil\0' }, { name: 'demo-1.0/a' }),
    ],
    [
      'a NUL in a GNU long name',
      'unsafe-name',
      () => withMembers({ name: 'x', type: 'L', content: 'demo-1.0/a\0b\0' }, { name: 'demo-1.0/a' }),
    ],
    ['a backslash', 'unsafe-name', () => withMembers({ name: 'demo-1.0\\..\\evil' })],
    [
      'a name that is not UTF-8',
      'unsafe-name',
      () => withMembers({ name: Buffer.from('demo-1.0/\xff', 'latin1') }),
    ],
    ['an empty name', 'unsafe-name', () => withMembers({ name: '' })],
    ['a device', 'unsupported-feature', () => withMembers({ name: 'demo-1.0/null', type: '3' })],
    ['a FIFO', 'unsupported-feature', () => withMembers({ name: 'demo-1.0/pipe', type: '6' })],
    ['a sparse file of GNU', 'unsupported-feature', () => withMembers({ name: 'demo-1.0/a', type: 'S' })],
    [
      'a sparse file in a pax header',
      'unsupported-feature',
      () => withMembers(paxHeader({ 'GNU.sparse.major': '1' }), { name: 'demo-1.0/a' }),
    ],
    [
      'another charset for names',
      'unsupported-feature',
      () => withMembers(paxHeader({ hdrcharset: 'BINARY' }), { name: 'demo-1.0/a' }),
    ],
    ['a member of unknown type', 'unsupported-feature', () => withMembers({ name: 'demo-1.0/a', type: 'Z' })],
    [
      'another size in a pax header',
      'ambiguous-archive',
      () =>
        withMembers(paxHeader({ size: '0' }), {
          name: 'demo-1.0/a',
          content: tarBytes([{ name: 'demo-1.0/evil' }]),
        }),
    ],
    [
      'a name in a global header',
      'ambiguous-archive',
      () => withMembers(paxHeader({ path: 'demo-1.0/evil' }, 'g'), { name: 'demo-1.0/a' }),
    ],
    [
      'two long names for one member',
      'ambiguous-archive',
      () =>
        withMembers(
          paxHeader({ path: 'demo-1.0/a' }),
          { name: 'x', type: 'L', content: 'demo-1.0/b\0' },
          { name: 'demo-1.0/c' },
        ),
    ],
    [
      'a broken pax record',
      'malformed-archive',
      () => withMembers({ name: 'x', type: 'x', content: '99 path=a\n' }, { name: 'demo-1.0/a' }),
    ],
    [
      'a pax record of length 0',
      'malformed-archive',
      () => withMembers({ name: 'x', type: 'x', content: '0 path=a\n' }, { name: 'demo-1.0/a' }),
    ],
    [
      'a repeated pax record',
      'malformed-archive',
      () => withMembers({ name: 'x', type: 'x', content: '10 path=a\n10 path=b\n' }, { name: 'demo-1.0/a' }),
    ],
    [
      'an enormous pax header',
      'archive-bomb',
      () => withMembers({ name: 'x', type: 'x', content: 'x'.repeat(70_000) }),
    ],
    ['a pax header at the end', 'malformed-archive', () => withMembers(paxHeader({ path: 'demo-1.0/a' }))],
    [
      'a directory with content',
      'ambiguous-archive',
      () => withMembers({ name: 'demo-1.0/d/', type: '5', content: 'x' }),
    ],
    [
      'a link with content',
      'ambiguous-archive',
      () => withMembers({ name: 'demo-1.0/l', type: '2', linkName: 'a', content: 'x' }),
    ],
    [
      'a file with the name of a directory',
      'ambiguous-archive',
      () => withMembers({ name: 'demo-1.0/d/', content: 'x' }),
    ],
    [
      'a file twice',
      'duplicate-name',
      () => withMembers({ name: 'demo-1.0/pyproject.toml', content: 'evil' }),
    ],
    [
      'a second PKG-INFO',
      'duplicate-name',
      () => withMembers({ name: 'demo-1.0/PKG-INFO', content: metadataText('evil') }),
    ],
    [
      'an absolute symbolic link',
      'leads out',
      () => withMembers({ name: 'demo-1.0/l', type: '2', linkName: '/etc' }),
    ],
    [
      'a symbolic link to the folder above',
      'leads out',
      () => withMembers({ name: 'demo-1.0/l', type: '2', linkName: '..' }),
    ],
    [
      'a symbolic link above',
      'leads out',
      () => withMembers({ name: 'demo-1.0/l', type: '2', linkName: '../../evil' }),
    ],
    [
      'a symbolic link that goes down and up',
      'leads out',
      () => withMembers({ name: 'demo-1.0/l', type: '2', linkName: 'a/../../x' }),
    ],
    [
      'a symbolic link from pax',
      'leads out',
      () => withMembers(paxHeader({ linkpath: '/etc' }), { name: 'demo-1.0/l', type: '2', linkName: 'a' }),
    ],
    ['a symbolic link without target', 'leads out', () => withMembers({ name: 'demo-1.0/l', type: '2' })],
    [
      'a file written through a symbolic link',
      'beneath a file or link',
      () =>
        withMembers({ name: 'demo-1.0/l', type: '2', linkName: 'd' }, { name: 'demo-1.0/l/x', content: 'x' }),
    ],
    [
      'a link made after the file beneath it',
      'beneath a file or link',
      () =>
        withMembers({ name: 'demo-1.0/l/x', content: 'x' }, { name: 'demo-1.0/l', type: '2', linkName: 'd' }),
    ],
    [
      'a hard link to what is not there',
      'leads out',
      () => withMembers({ name: 'demo-1.0/l', type: '1', linkName: '/etc/passwd' }),
    ],
    [
      'a hard link to a symbolic link',
      'leads out',
      () =>
        withMembers(
          { name: 'demo-1.0/s', type: '2', linkName: 'x' },
          { name: 'demo-1.0/l', type: '1', linkName: 'demo-1.0/s' },
        ),
    ],
    ['two top folders', '2 top folders', () => withMembers({ name: 'evil/a', content: 'x' })],
    ['a file without folder', 'not in a folder', () => withMembers({ name: 'setup.py', content: 'x' })],
    ['a top folder of another project', 'is not that of the filename', () => sdistBytes('evil')],
    ['a top folder of another version', 'is not that of the filename', () => sdistBytes('demo', '1.1')],
    [
      'no PKG-INFO',
      "PKG-INFO' is missing",
      () => tarGzBytes(sdistMembers().filter(({ name }) => name !== 'demo-1.0/PKG-INFO')),
    ],
    [
      'a PKG-INFO that is a link',
      'is missing',
      () =>
        tarGzBytes([
          ...sdistMembers().filter(({ name }) => name !== 'demo-1.0/PKG-INFO'),
          { name: 'demo-1.0/PKG-INFO', type: '2', linkName: 'pyproject.toml' },
        ]),
    ],
    [
      'a PKG-INFO of another project',
      'the name',
      () => tarGzBytes([{ name: 'demo-1.0/PKG-INFO', content: metadataText('evil') }]),
    ],
    [
      'a PKG-INFO of another version',
      'the version',
      () => tarGzBytes([{ name: 'demo-1.0/PKG-INFO', content: metadataText('demo', '9') }]),
    ],
    [
      'a PKG-INFO of more than 4 MiB',
      'archive-bomb',
      () => tarGzBytes([{ name: 'demo-1.0/PKG-INFO', content: Buffer.alloc(4 * MIB + 1, 'x') }]),
    ],
    [
      'a member whose size is beyond everything',
      'malformed-archive',
      () => withMembers({ name: 'demo-1.0/a', rawSize: '77777777777\0' }),
    ],
    [
      'a bomb',
      'archive-bomb',
      () => withMembers({ name: 'demo-1.0/zeros', content: Buffer.alloc(65 * MIB) }),
    ],
    ['a bomb behind the end mark', 'archive-bomb', () => tarGzBytes(sdistMembers(), Buffer.alloc(66 * MIB))],
  ];
  it.each(attacks)('refuses %s', async (_attack, reason, bytes) => {
    const outcome = await refusal(bytes());
    expect(outcome).not.toBe('accepted');
    expect(outcome).toContain(reason);
  });

  it('stops inflating a bomb at the limit', async () => {
    const bomb = Buffer.concat([gzipHeader(0, deflateRawSync(Buffer.alloc(300 * MIB))), Buffer.alloc(8)]);
    const before = process.memoryUsage().rss;
    expect(await refusal(bomb)).not.toBe('accepted');
    expect(process.memoryUsage().rss - before).toBeLessThan(150 * MIB);
  });

  it('demands the promised licence files from metadata 2.4 on', async () => {
    const info = metadataText('demo', '1.0', ['License-File: LICENSE']).replace('2.1', '2.4');
    const members: TarSpec[] = [{ name: 'demo-1.0/PKG-INFO', content: info }];
    expect(await refusal(tarGzBytes(members))).toContain("License-File 'LICENSE' is missing");
    expect(await refusal(tarGzBytes([...members, { name: 'demo-1.0/LICENSE', content: 'free' }]))).toBe(
      'accepted',
    );
  });

  it('survives any change of any byte of the tar archive', async () => {
    const original = tarBytes(
      sdistMembers('demo', '1.0', [
        paxHeader({ path: 'demo-1.0/long' }),
        { name: 'demo-1.0/a', content: 'x' },
      ]),
    );
    const changes = fc.array(fc.tuple(fc.nat(original.length - 1), fc.nat(255)), {
      minLength: 1,
      maxLength: 4,
    });
    await fc.assert(
      fc.asyncProperty(changes, async (edits) => {
        const bytes = Buffer.from(original);
        for (const [at, value] of edits) bytes[at] = value;
        expect(typeof (await refusal(gzipSync(bytes, { level: 1 })))).toBe('string');
      }),
      { numRuns: 1000 },
    );
  });

  it('gives the same metadata or refuses after any change of the gzip file', async () => {
    const original = sdistBytes();
    await fc.assert(
      fc.asyncProperty(fc.nat(original.length - 1), fc.integer({ min: 1, max: 255 }), async (at, change) => {
        const bytes = Buffer.from(original);
        bytes[at]! ^= change;
        try {
          const { metadata } = await readSdist(memoryReader(bytes), sdistName());
          expect(Buffer.from(metadata).toString()).toBe(metadataText());
        } catch (error) {
          if (!(error instanceof FormatError)) throw error;
        }
      }),
      { numRuns: 2000 },
    );
  });
});
