import { crc32 } from 'node:zlib';
import { checkBomb, readExactly, UnsafeArchiveError, type RandomAccessReader } from './archive.ts';
import { inflateRange } from './inflate.ts';

const HEADER_LENGTH = 10;
const TRAILER_LENGTH = 8;
const FLAG_TEXT = 0x01;
const FLAG_NAME = 0x08;
const LONGEST_NAME = 1024;

/**
 * The content of a gzip file of exactly one member, nothing before and nothing behind it (RFC 1952), without comment
 * and extra fields. Checksum and length are checked at the end, the ratio of a bomb on the way.
 *
 * @throws UnsafeArchiveError
 */
export async function* gunzip(reader: RandomAccessReader): AsyncGenerator<Uint8Array> {
  if (reader.size < HEADER_LENGTH + TRAILER_LENGTH) throw malformed('it is no gzip file.');
  const start = await headerEnd(reader);
  const end = reader.size - TRAILER_LENGTH;
  if (start > end) throw malformed('it is no gzip file.');
  let length = 0;
  let checksum = 0;
  for await (const chunk of inflateRange(reader, { start, length: end - start })) {
    length += chunk.length;
    checkBomb(length, reader.size);
    checksum = crc32(chunk, checksum);
    yield chunk;
  }
  const trailer = await readExactly(reader, end, TRAILER_LENGTH);
  const view = new DataView(trailer.buffer, trailer.byteOffset, trailer.byteLength);
  if (view.getUint32(0, true) !== checksum || view.getUint32(4, true) !== length % 2 ** 32) {
    throw new UnsafeArchiveError(
      'corrupt-content',
      'its checksum is wrong, or there are bytes after its end.',
    );
  }
}

async function headerEnd(reader: RandomAccessReader): Promise<number> {
  const header = await readExactly(reader, 0, Math.min(reader.size, HEADER_LENGTH + LONGEST_NAME));
  const [magic0, magic1, method, flags = 0] = header;
  if (magic0 !== 0x1f || magic1 !== 0x8b || method !== 8) throw malformed('it is no gzip file.');
  if ((flags & ~(FLAG_TEXT | FLAG_NAME)) !== 0) {
    throw new UnsafeArchiveError('unsupported-feature', 'its gzip header has extra fields or a comment.');
  }
  if ((flags & FLAG_NAME) === 0) return HEADER_LENGTH;
  const nameEnd = header.indexOf(0, HEADER_LENGTH);
  if (nameEnd < 0) throw malformed('its gzip header is broken.');
  return nameEnd + 1;
}

function malformed(message: string): UnsafeArchiveError {
  return new UnsafeArchiveError('malformed-archive', message);
}
