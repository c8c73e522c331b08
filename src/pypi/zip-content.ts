import { createHash } from 'node:crypto';
import { crc32, inflateRawSync } from 'node:zlib';
import { readExactly, UnsafeArchiveError, type RandomAccessReader } from './archive.ts';
import { quote } from './errors.ts';
import { inflateRange, readChunks } from './inflate.ts';
import type { ZipEntry } from './zip.ts';

/** Entries up to this size are inflated in one call, without a stream. */
const SMALL = 1024 * 1024;

/**
 * The content of one entry, checked against its size and CRC-32.
 *
 * @param maxLength more bytes are refused before anything is read
 * @throws UnsafeArchiveError
 */
export async function readZipContent(
  reader: RandomAccessReader,
  entry: ZipEntry,
  maxLength: number,
): Promise<Uint8Array> {
  if (entry.size > maxLength || entry.compressedSize > maxLength) {
    throw new UnsafeArchiveError(
      'archive-bomb',
      `${quote(entry.name)} is larger than ${maxLength} bytes.`,
      entry.name,
    );
  }
  const content = new Uint8Array(entry.size);
  let position = 0;
  for await (const chunk of checkedContent(reader, entry)) {
    content.set(chunk, position);
    position += chunk.length;
  }
  return content;
}

/**
 * Reads the whole content of one entry, checks it against its size and CRC-32, and gives its hash. Memory stays flat.
 *
 * @throws UnsafeArchiveError
 */
export async function hashZipContent(
  reader: RandomAccessReader,
  entry: ZipEntry,
  algorithm: 'sha256' | 'sha384' | 'sha512' = 'sha256',
): Promise<Uint8Array> {
  const hash = createHash(algorithm);
  for await (const chunk of checkedContent(reader, entry)) hash.update(chunk);
  return hash.digest();
}

async function* checkedContent(reader: RandomAccessReader, entry: ZipEntry): AsyncGenerator<Uint8Array> {
  let length = 0;
  let checksum = 0;
  for await (const chunk of content(reader, entry)) {
    length += chunk.length;
    if (length > entry.size) throw corrupt(entry);
    checksum = crc32(chunk, checksum);
    yield chunk;
  }
  if (length !== entry.size || checksum !== entry.crc32) throw corrupt(entry);
}

async function* content(reader: RandomAccessReader, entry: ZipEntry): AsyncGenerator<Uint8Array> {
  const range = { start: entry.dataStart, length: entry.compressedSize };
  if (!entry.isDeflated) yield* readChunks(reader, range);
  else if (entry.compressedSize > SMALL || entry.size > SMALL) yield* inflateRange(reader, range);
  else yield inflateSmall(await readExactly(reader, range.start, range.length), entry);
}

function inflateSmall(compressed: Uint8Array, entry: ZipEntry): Uint8Array {
  let result: { buffer: Uint8Array; engine: { bytesWritten: number } };
  try {
    // The types of Node 20 do not know what `info` returns.
    result = inflateRawSync(compressed, { maxOutputLength: Math.max(entry.size, 1), info: true }) as never;
  } catch (cause) {
    throw corrupt(entry, cause);
  }
  if (result.engine.bytesWritten !== compressed.length) throw corrupt(entry);
  return result.buffer;
}

function corrupt(entry: ZipEntry, cause?: unknown): UnsafeArchiveError {
  const message = `the content of ${quote(entry.name)} is not what its header says.`;
  return new UnsafeArchiveError('corrupt-content', message, entry.name, cause === undefined ? {} : { cause });
}
