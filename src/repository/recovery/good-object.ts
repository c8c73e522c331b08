import { createHash } from 'node:crypto';
import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
import { createBLAKE2b } from 'hash-wasm';
import type { ObjectStore, RandomAccessReader } from '../../storage/object-store.ts';
import { RecoveryError } from './errors.ts';
import type { PublishedSource } from './published-source.ts';

/** What an object must be. Digests in lower-case hex, `length` in bytes. */
export interface ExpectedObject {
  readonly sha256: string;
  /** Undefined where only the hash is signed: then `maxLength` bounds it. */
  readonly length?: number | undefined;
  readonly maxLength: number;
}

/** What was found out about an object whose sha256 is the expected one. */
export interface GoodObject {
  readonly length: number;
  readonly blake2b256: string;
}

/**
 * Makes sure that the store holds these very bytes under `key`: reads what is there, whole, and replaces it from the source if it is another or
 * absent. Undefined when neither has them; a wrong object is then left where it is, for whoever looks into what happened.
 */
export async function ensureGoodObject(
  store: ObjectStore,
  key: string,
  expected: ExpectedObject,
  source: PublishedSource,
  path: string,
): Promise<GoodObject | undefined> {
  const own = await store.open(key);
  if (own !== undefined) {
    try {
      const found = await digest(own.stream(), expected);
      if (found !== undefined) return found;
    } finally {
      await own.close();
    }
  }
  return copyFrom(store, key, expected, source, path, own !== undefined);
}

async function copyFrom(
  store: ObjectStore,
  key: string,
  expected: ExpectedObject,
  source: PublishedSource,
  path: string,
  isThere: boolean,
): Promise<GoodObject | undefined> {
  const chunks = await source.stream(path, expected.length ?? expected.maxLength);
  if (chunks === undefined) return undefined;
  const temporary = await store.temporary();
  try {
    await pipeline(Readable.from(chunks), temporary.writable);
    const reader = await temporary.reader();
    const found = await digestOf(reader, expected);
    if (found === undefined) return undefined;
    if (isThere) await store.remove(key);
    if ((await temporary.commit(key)) === 'exists')
      throw new RecoveryError('CANNOT_PROCEED', `${key} was written by somebody else meanwhile.`, {
        path: key,
      });
    return found;
  } finally {
    await temporary.discard();
  }
}

async function digestOf(
  reader: RandomAccessReader,
  expected: ExpectedObject,
): Promise<GoodObject | undefined> {
  try {
    return await digest(readAll(reader), expected);
  } finally {
    await reader.close();
  }
}

async function* readAll(reader: RandomAccessReader): AsyncIterable<Uint8Array> {
  const part = 1 << 20;
  for (let position = 0; position < reader.size; position += part)
    yield await reader.read(position, Math.min(part, reader.size - position));
}

/** Undefined when the bytes are not the expected ones. */
export async function digest(
  chunks: AsyncIterable<Uint8Array>,
  expected: ExpectedObject,
): Promise<GoodObject | undefined> {
  const sha256 = createHash('sha256');
  const blake2b = (await createBLAKE2b(256)).init();
  let length = 0;
  for await (const chunk of chunks) {
    length += chunk.length;
    if (length > (expected.length ?? expected.maxLength)) return undefined;
    sha256.update(chunk);
    blake2b.update(chunk);
  }
  const isGood = sha256.digest('hex') === expected.sha256 && (expected.length ?? length) === length;
  return isGood ? { length, blake2b256: blake2b.digest('hex') } : undefined;
}
