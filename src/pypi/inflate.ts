import { createInflateRaw } from 'node:zlib';
import { readExactly, UnsafeArchiveError, type RandomAccessReader } from './archive.ts';

const CHUNK = 256 * 1024;

/** A stretch of an archive. */
export interface ByteRange {
  readonly start: number;
  readonly length: number;
}

/** The bytes of `range` in chunks. */
export async function* readChunks(reader: RandomAccessReader, range: ByteRange): AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < range.length; offset += CHUNK) {
    yield await readExactly(reader, range.start + offset, Math.min(CHUNK, range.length - offset));
  }
}

/**
 * Inflates a raw DEFLATE stream that must fill `range` exactly and gives its content in chunks; memory stays flat.
 * Who reads it stops at its own limit.
 *
 * @throws UnsafeArchiveError `corrupt-content`
 */
export async function* inflateRange(
  reader: RandomAccessReader,
  range: ByteRange,
): AsyncGenerator<Uint8Array> {
  const inflate = createInflateRaw({ chunkSize: CHUNK });
  const feeding = feed(reader, range, inflate);
  // The error reaches us through the stream; without this an early return would leave it unhandled.
  feeding.catch(() => undefined);
  try {
    for await (const chunk of inflate) yield chunk as Uint8Array;
    await feeding;
  } catch (error) {
    if (error instanceof UnsafeArchiveError) throw error;
    throw new UnsafeArchiveError('corrupt-content', 'its compressed data is broken.', undefined, {
      cause: error,
    });
  } finally {
    inflate.destroy();
  }
  if (inflate.bytesWritten !== range.length) {
    throw new UnsafeArchiveError(
      'ambiguous-archive',
      'there are bytes after the end of its compressed data.',
    );
  }
}

async function feed(
  reader: RandomAccessReader,
  range: ByteRange,
  inflate: ReturnType<typeof createInflateRaw>,
): Promise<void> {
  try {
    for await (const chunk of readChunks(reader, range)) {
      if (inflate.destroyed || inflate.readableEnded) return;
      if (!inflate.write(chunk)) await drained(inflate);
    }
    inflate.end();
  } catch (error) {
    inflate.destroy(error instanceof Error ? error : new Error(String(error)));
    throw error;
  }
}

function drained(inflate: ReturnType<typeof createInflateRaw>): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      inflate.off('drain', done).off('close', done).off('end', done);
      resolve();
    };
    inflate.on('drain', done).on('close', done).on('end', done);
  });
}
