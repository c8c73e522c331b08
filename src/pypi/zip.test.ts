import fc from 'fast-check';
import { deflateRawSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { memoryReader } from '../../test/archives/distributions.ts';
import { zipBytes, type ZipShape, type ZipSpec } from '../../test/archives/zip-bytes.ts';
import { UnsafeArchiveError } from './archive.ts';
import { hashZipContent, readZipContent } from './zip-content.ts';
import { readZipEntries } from './zip.ts';

const MIB = 1024 * 1024;

async function refusal(bytes: Uint8Array): Promise<string> {
  const reader = memoryReader(bytes);
  try {
    for (const entry of await readZipEntries(reader)) await hashZipContent(reader, entry);
  } catch (error) {
    if (error instanceof UnsafeArchiveError) return error.code;
    throw error;
  }
  return 'accepted';
}

async function names(entries: readonly ZipSpec[], shape?: ZipShape): Promise<string[]> {
  return (await readZipEntries(memoryReader(zipBytes(entries, shape)))).map((entry) => entry.name);
}

function uint64(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(8 * values.length);
  values.forEach((value, index) => bytes.writeBigUInt64LE(BigInt(value), 8 * index));
  return bytes;
}

function extraField(id: number, data: Uint8Array): Buffer {
  const header = Buffer.alloc(4);
  header.writeUInt16LE(id, 0);
  header.writeUInt16LE(data.length, 2);
  return Buffer.concat([header, data]);
}

const ONE: ZipSpec = { name: 'a.txt', content: 'hello' };

describe('readZipEntries', () => {
  it('reads stored and deflated files, directories and names in UTF-8', async () => {
    const entries = [
      ONE,
      { name: 'd/', method: 0, mode: 0o40755 },
      { name: 'd/é.txt', content: 'x', method: 0 },
    ];
    expect(await names(entries)).toEqual(['a.txt', 'd/', 'd/é.txt']);
    expect(await refusal(zipBytes(entries))).toBe('accepted');
  });

  it('accepts an empty archive', async () => {
    expect(await names([])).toEqual([]);
  });

  it('accepts time stamps and unknown extra fields', async () => {
    const extra = extraField(0x5455, Buffer.from([3, 0, 0, 0, 0]));
    expect(await refusal(zipBytes([{ ...ONE, extra, local: { extra } }]))).toBe('accepted');
  });

  it('reads the sizes of ZIP64 entries, in the directory and before the data', async () => {
    const both = extraField(1, uint64(5, 5));
    const big = { size: 0xffffffff, compressedSize: 0xffffffff, extra: both };
    const spec: ZipSpec = { ...ONE, method: 0, ...big, local: big };
    expect(await refusal(zipBytes([spec]))).toBe('accepted');
    const onlyLocal: ZipSpec = { ...ONE, method: 0, local: big };
    expect(await refusal(zipBytes([onlyLocal]))).toBe('accepted');
  });

  it('reads a ZIP64 directory end that agrees with the plain one', async () => {
    expect(await names([ONE], { zip64: {} })).toEqual(['a.txt']);
    expect(await names([ONE], { zip64: {}, count: 0xffff, directoryStart: 0xffffffff })).toEqual(['a.txt']);
  });

  const attacks: [string, string, () => Uint8Array][] = [
    ['an empty file', 'malformed-archive', () => Buffer.alloc(0)],
    ['text', 'ambiguous-archive', () => Buffer.from('hello, this is not a zip archive')],
    ['a truncated archive', 'ambiguous-archive', () => zipBytes([ONE]).subarray(0, -1)],
    [
      'data before the archive',
      'ambiguous-archive',
      () => zipBytes([ONE], { prefix: Buffer.from('#!/bin/sh\n') }),
    ],
    ['data after the archive', 'ambiguous-archive', () => zipBytes([ONE], { suffix: Buffer.from('more') })],
    [
      'two archives glued together',
      'ambiguous-archive',
      () => Buffer.concat([zipBytes([ONE]), zipBytes([ONE])]),
    ],
    ['an archive comment', 'ambiguous-archive', () => zipBytes([ONE], { comment: 'hi' })],
    [
      'a comment holding a second directory end',
      'ambiguous-archive',
      () => zipBytes([ONE], { comment: zipBytes([]).toString('latin1') }),
    ],
    ['an entry comment', 'ambiguous-archive', () => zipBytes([{ ...ONE, comment: 'hi' }])],
    [
      'bytes between two entries',
      'ambiguous-archive',
      () => zipBytes([ONE, { name: 'b', gap: Buffer.from('gap') }]),
    ],
    [
      'bytes before the directory',
      'ambiguous-archive',
      () => zipBytes([ONE], { beforeDirectory: Buffer.from('gap') }),
    ],
    [
      'an entry only streaming readers see',
      'ambiguous-archive',
      () => zipBytes([ONE, { name: 'evil.py', content: 'x', hidden: true }]),
    ],
    [
      'a hidden first entry',
      'ambiguous-archive',
      () => zipBytes([{ name: 'evil.py', content: 'x', hidden: true }, ONE]),
    ],
    [
      'fewer entries counted than listed',
      'ambiguous-archive',
      () => zipBytes([ONE, { name: 'b' }], { count: 1 }),
    ],
    ['more entries counted than listed', 'malformed-archive', () => zipBytes([ONE], { count: 2 })],
    ['a directory that is elsewhere', 'ambiguous-archive', () => zipBytes([ONE], { directoryStart: 3 })],
    ['a directory of another size', 'ambiguous-archive', () => zipBytes([ONE], { directorySize: 12 })],
    ['several disks', 'malformed-archive', () => zipBytes([ONE], { disk: 1 })],
    [
      'a ZIP64 end that names another directory',
      'ambiguous-archive',
      () => zipBytes([ONE], { zip64: { start: 1 } }),
    ],
    [
      'a ZIP64 end that counts otherwise',
      'ambiguous-archive',
      () => zipBytes([ONE], { zip64: { count: 0 } }),
    ],
    [
      'a ZIP64 locator that points elsewhere',
      'malformed-archive',
      () => zipBytes([ONE], { zip64: { position: 0 } }),
    ],
    [
      'a ZIP64 count beyond all memory',
      'ambiguous-archive',
      () => zipBytes([ONE], { zip64: { count: 2 ** 52 } }),
    ],
    [
      'a ZIP64 count beyond all memory without a plain one',
      'archive-bomb',
      () => zipBytes([ONE], { zip64: { count: 2 ** 52 }, count: 0xffff }),
    ],
    [
      'another name before the data',
      'ambiguous-archive',
      () => zipBytes([{ ...ONE, local: { name: 'b.txt' } }]),
    ],
    ['another size before the data', 'ambiguous-archive', () => zipBytes([{ ...ONE, local: { size: 4 } }])],
    [
      'another compressed size before the data',
      'ambiguous-archive',
      () => zipBytes([{ ...ONE, local: { compressedSize: 3 } }]),
    ],
    [
      'another checksum before the data',
      'ambiguous-archive',
      () => zipBytes([{ ...ONE, local: { crc: 1 } }]),
    ],
    [
      'another method before the data',
      'ambiguous-archive',
      () => zipBytes([{ ...ONE, local: { method: 0 } }]),
    ],
    [
      'other flags before the data',
      'ambiguous-archive',
      () => zipBytes([{ ...ONE, local: { flags: 0x800 } }]),
    ],
    ['a data descriptor', 'unsupported-feature', () => zipBytes([{ ...ONE, flags: 8 }])],
    ['an encrypted entry', 'unsupported-feature', () => zipBytes([{ ...ONE, flags: 1 }])],
    ['a patch', 'unsupported-feature', () => zipBytes([{ ...ONE, flags: 0x20 }])],
    ['LZMA', 'unsupported-feature', () => zipBytes([{ ...ONE, method: 14 }])],
    ['DEFLATE64', 'unsupported-feature', () => zipBytes([{ ...ONE, method: 9 }])],
    [
      'a symbolic link',
      'unsupported-feature',
      () => zipBytes([{ name: 'a', content: '/etc/passwd', mode: 0o120777 }]),
    ],
    ['a device', 'unsupported-feature', () => zipBytes([{ name: 'a', mode: 0o020666 }])],
    ['a file marked as directory', 'unsupported-feature', () => zipBytes([{ name: 'a', mode: 0o040755 }])],
    [
      'a directory with content',
      'malformed-archive',
      () => zipBytes([{ name: 'a/', content: 'x', mode: 0 }]),
    ],
    ['the same name twice', 'duplicate-name', () => zipBytes([ONE, ONE])],
    [
      'a file and a directory of one name',
      'duplicate-name',
      () => zipBytes([{ name: 'a' }, { name: 'a/', method: 0, mode: 0 }]),
    ],
    [
      'a second name in a Unicode path field',
      'ambiguous-archive',
      () => zipBytes([{ ...ONE, extra: extraField(0x7075, Buffer.from('\x01\0\0\0\0evil')) }]),
    ],
    [
      'a Unicode path field before the data only',
      'ambiguous-archive',
      () => zipBytes([{ ...ONE, local: { extra: extraField(0x7075, Buffer.from('\x01\0\0\0\0evil')) } }]),
    ],
    [
      'two ZIP64 fields',
      'ambiguous-archive',
      () => zipBytes([{ ...ONE, extra: Buffer.concat([extraField(1, uint64()), extraField(1, uint64())]) }]),
    ],
    [
      'a ZIP64 field that contradicts the header',
      'malformed-archive',
      () => zipBytes([{ ...ONE, extra: extraField(1, uint64(6)) }]),
    ],
    [
      'a ZIP64 placeholder without field',
      'malformed-archive',
      () => zipBytes([{ ...ONE, size: 0xffffffff }]),
    ],
    [
      'a ZIP64 field too long',
      'malformed-archive',
      () => zipBytes([{ ...ONE, extra: extraField(1, Buffer.alloc(28)) }]),
    ],
    [
      'an extra field that overlaps its end',
      'malformed-archive',
      () => zipBytes([{ ...ONE, extra: Buffer.from([1, 0, 9, 0, 0]) }]),
    ],
    ['half an extra field', 'malformed-archive', () => zipBytes([{ ...ONE, extra: Buffer.from([1, 0, 0]) }])],
    [
      'a stored entry of two sizes',
      'malformed-archive',
      () => zipBytes([{ ...ONE, method: 0, size: 9, local: { size: 9 } }]),
    ],
    ['a name in code page 437', 'unsafe-name', () => zipBytes([{ name: Buffer.from([0x61, 0x82]) }])],
    ['a UTF-8 name not marked as such', 'ambiguous-archive', () => zipBytes([{ name: 'é', flags: 0 }])],
    [
      'content shorter than its size',
      'corrupt-content',
      () => zipBytes([{ ...ONE, size: 6, local: { size: 6 } }]),
    ],
    [
      'content longer than its size',
      'corrupt-content',
      () => zipBytes([{ ...ONE, size: 4, local: { size: 4 } }]),
    ],
    ['a wrong checksum', 'corrupt-content', () => zipBytes([{ ...ONE, crc: 7, local: { crc: 7 } }])],
    [
      'a wrong checksum of stored content',
      'corrupt-content',
      () => zipBytes([{ ...ONE, method: 0, crc: 7 }]),
    ],
    [
      'compressed data that ends early',
      'corrupt-content',
      () => zipBytes([{ ...ONE, raw: deflateRawSync('hello').subarray(0, -1) }]),
    ],
    [
      'bytes after the compressed data',
      'corrupt-content',
      () => zipBytes([{ ...ONE, raw: Buffer.concat([deflateRawSync('hello'), Buffer.from('x')]) }]),
    ],
    [
      'garbage for compressed data',
      'corrupt-content',
      () => zipBytes([{ ...ONE, raw: Buffer.from([0xff, 0xff, 0xff]) }]),
    ],
    ['a bomb', 'archive-bomb', () => zipBytes([{ name: 'zeros', content: Buffer.alloc(65 * MIB) }])],
    [
      'a bomb in many pieces',
      'archive-bomb',
      () =>
        zipBytes(
          Array.from({ length: 5 }, (_, index) => ({
            name: `zeros${index}`,
            content: Buffer.alloc(14 * MIB),
          })),
        ),
    ],
    [
      'a bomb that lies about its size',
      'corrupt-content',
      () => zipBytes([{ name: 'zeros', content: Buffer.alloc(65 * MIB), size: 10, local: { size: 10 } }]),
    ],
  ];
  it.each(attacks)('refuses %s', async (_attack, code, bytes) => {
    expect(await refusal(bytes())).toBe(code);
  });

  const unsafeNames = [
    '../evil',
    'a/../../evil',
    '/etc/passwd',
    'a//b',
    './a',
    'a/./b',
    'a/..',
    '',
    'C:/evil',
    'c:evil',
    'a\\..\\evil',
    '\\\\host\\share',
    'a\0.py',
    'a\nb',
    'a\x7f',
    'a\u0085',
    'a\u2028b',
    'x'.repeat(256),
    `${'a/'.repeat(2100)}a`,
  ];
  it.each(unsafeNames)('refuses the name %j', async (name) => {
    expect(await refusal(zipBytes([{ name, content: 'x' }]))).toBe('unsafe-name');
  });

  it('accepts a large file that hardly compresses below the ratio', async () => {
    const content = Buffer.alloc(66 * MIB);
    for (let at = 0; at < content.length; at += 16) content.writeUInt32LE((at * 2654435761) >>> 0, at);
    expect(await refusal(zipBytes([{ name: 'big', content }]))).toBe('accepted');
  });

  it('survives any change of any byte: it reads the same entries or refuses', async () => {
    const original = zipBytes([
      ONE,
      { name: 'd/', method: 0, mode: 0o40755 },
      { name: 'd/b', content: 'x'.repeat(99) },
    ]);
    const changes = fc.array(fc.tuple(fc.nat(original.length - 1), fc.nat(255)), {
      minLength: 1,
      maxLength: 4,
    });
    await fc.assert(
      fc.asyncProperty(changes, async (edits) => {
        const bytes = Buffer.from(original);
        for (const [at, value] of edits) bytes[at] = value;
        expect(typeof (await refusal(bytes))).toBe('string');
      }),
      { numRuns: 2000 },
    );
  });

  it('survives arbitrary bytes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => {
        expect(await refusal(bytes)).not.toBe('accepted');
      }),
    );
  });

  it('gives back whatever was put in', async () => {
    const name = fc.stringMatching(/^[a-z][a-z0-9._-]{0,12}$/);
    const file = fc.record({ content: fc.uint8Array({ maxLength: 2000 }), method: fc.constantFrom(0, 8) });
    await fc.assert(
      fc.asyncProperty(fc.dictionary(name, file, { maxKeys: 6 }), async (files) => {
        const specs = Object.entries(files).map(([path, { content, method }]) => ({
          name: path,
          content,
          method,
        }));
        const reader = memoryReader(zipBytes(specs));
        for (const entry of await readZipEntries(reader)) {
          const content = await readZipContent(reader, entry, 2000);
          expect(Buffer.from(content).equals(Buffer.from(files[entry.name]!.content))).toBe(true);
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('readZipContent', () => {
  it('refuses a file larger than its limit before it reads it', async () => {
    const reader = memoryReader(zipBytes([{ name: 'a', content: 'x'.repeat(1001) }]));
    const [entry] = await readZipEntries(reader);
    await expect(readZipContent(reader, entry!, 1000)).rejects.toMatchObject({ code: 'archive-bomb' });
    expect(await readZipContent(reader, entry!, 1001)).toHaveLength(1001);
  });

  it('reads a deflated file of several megabytes as a stream', async () => {
    const content = Buffer.from(Array.from({ length: 600_000 }, (_, index) => `${index * 7919}\n`).join(''));
    const reader = memoryReader(zipBytes([{ name: 'a', content }]));
    const [entry] = await readZipEntries(reader);
    expect(content.equals(await readZipContent(reader, entry!, content.length))).toBe(true);
  });
});
