import { Readable, Writable } from 'node:stream';
import { StorageError } from './errors.ts';
import { checkObjectKey, checkObjectPrefix, PRIVATE_PREFIX } from './object-key.ts';
import type {
  ByteRange,
  CreateOutcome,
  ListedObject,
  NewObject,
  ObjectStat,
  ObjectStore,
  OpenObject,
  RandomAccessReader,
  TemporaryObject,
  ReplaceOptions,
  WriteOptions,
} from './object-store.ts';

interface StoredObject extends ObjectStat {
  readonly bytes: Uint8Array;
}

/** Objects in memory, for tests and simulations; gone with the process. */
export class MemoryStore implements ObjectStore {
  readonly #objects = new Map<string, StoredObject>();
  #lastEtag = 0;

  async read(key: string, options: { readonly maxLength?: number } = {}): Promise<Uint8Array | undefined> {
    const object = this.#find(key);
    if (object === undefined) return undefined;
    const { maxLength = Number.MAX_SAFE_INTEGER } = options;
    if (object.length > maxLength) {
      throw new StorageError(
        'OBJECT_TOO_LARGE',
        `${key} has ${object.length} bytes, more than ${maxLength}.`,
        {
          key,
        },
      );
    }
    return object.bytes.slice();
  }

  async open(key: string): Promise<OpenObject | undefined> {
    const object = this.#find(key);
    if (object === undefined) return undefined;
    const { bytes, length, modified, etag } = object;
    const streams = new Set<Readable>();
    return {
      length,
      modified,
      etag,
      stream: (range: ByteRange = { start: 0, end: length - 1 }) => {
        const stream = Readable.from([Buffer.from(bytes.slice(range.start, range.end + 1))]);
        streams.add(stream);
        stream.once('close', () => streams.delete(stream));
        return stream;
      },
      close: async () => {
        for (const stream of streams) stream.destroy();
      },
    };
  }

  async stat(key: string): Promise<ObjectStat | undefined> {
    const object = this.#find(key);
    if (object === undefined) return undefined;
    return { length: object.length, modified: object.modified, etag: object.etag };
  }

  async create(key: string, bytes: Uint8Array): Promise<CreateOutcome> {
    if (this.#find(key) !== undefined) return 'exists';
    this.#store(key, bytes);
    return 'created';
  }

  async createMany(
    entries: readonly NewObject[],
    { after }: WriteOptions = {},
  ): Promise<readonly CreateOutcome[]> {
    for (const { key } of entries) checkObjectKey(key);
    await after;
    return Promise.all(entries.map(({ key, bytes }) => this.create(key, bytes)));
  }

  async replace(
    key: string,
    bytes: Uint8Array,
    expected: string | undefined,
    { staged }: ReplaceOptions = {},
  ): Promise<boolean> {
    await staged?.();
    if (this.#find(key)?.etag !== expected) return false;
    this.#store(key, bytes);
    return true;
  }

  async put(key: string, bytes: Uint8Array): Promise<void> {
    checkObjectKey(key);
    this.#store(key, bytes);
  }

  async copy(from: string, to: string): Promise<CreateOutcome> {
    const { bytes } = this.#require(from);
    return this.create(to, bytes);
  }

  async copyOver(from: string, to: string): Promise<void> {
    const { bytes } = this.#require(from);
    return this.put(to, bytes);
  }

  async remove(key: string): Promise<void> {
    checkObjectKey(key);
    this.#objects.delete(key);
  }

  async *list(prefix: string): AsyncIterable<ListedObject> {
    checkObjectPrefix(prefix);
    const keys = [...this.#objects.keys()].filter(
      (key) =>
        key.startsWith(prefix) && (prefix.startsWith(PRIVATE_PREFIX) || !key.startsWith(PRIVATE_PREFIX)),
    );
    // Segment by segment, as folders are listed: the `/` sorts before everything.
    const bySegment = new Map(keys.map((key) => [key.replaceAll('/', '\0'), key]));
    for (const segments of [...bySegment.keys()].toSorted()) {
      const key = bySegment.get(segments) ?? '';
      const object = this.#objects.get(key);
      if (object !== undefined) yield { key, length: object.length };
    }
  }

  async temporary(): Promise<TemporaryObject> {
    return new MemoryTemporaryObject((key, bytes) => this.create(key, bytes));
  }

  #require(key: string): StoredObject {
    const object = this.#find(key);
    if (object !== undefined) return object;
    throw new StorageError('OBJECT_NOT_FOUND', `${key} is not in the store.`, { key });
  }

  #find(key: string): StoredObject | undefined {
    checkObjectKey(key);
    return this.#objects.get(key);
  }

  #store(key: string, bytes: Uint8Array): void {
    this.#lastEtag += 1;
    this.#objects.set(key, {
      bytes: bytes.slice(),
      length: bytes.length,
      modified: new Date(),
      etag: this.#lastEtag.toString(36),
    });
  }
}

class MemoryTemporaryObject implements TemporaryObject {
  readonly writable: Writable;
  readonly #chunks: Buffer[] = [];
  readonly #create: (key: string, bytes: Uint8Array) => Promise<CreateOutcome>;
  #gone = false;

  constructor(create: (key: string, bytes: Uint8Array) => Promise<CreateOutcome>) {
    this.#create = create;
    this.writable = new Writable({
      write: (chunk: Buffer, _encoding, callback) => {
        this.#chunks.push(Buffer.from(chunk));
        callback();
      },
    });
  }

  async reader(): Promise<RandomAccessReader> {
    const bytes = this.#written();
    return {
      size: bytes.length,
      read: async (position, length) => bytes.slice(position, position + length),
      close: async () => undefined,
    };
  }

  async commit(key: string): Promise<CreateOutcome> {
    checkObjectKey(key);
    const bytes = this.#written();
    this.#gone = true;
    return this.#create(key, bytes);
  }

  async discard(): Promise<void> {
    this.#gone = true;
    this.writable.destroy();
  }

  #written(): Uint8Array {
    if (this.#gone) throw new StorageError('INPUT_OUTPUT', 'The temporary object is committed or discarded.');
    if (!this.writable.writableFinished) {
      throw new StorageError('INPUT_OUTPUT', 'The temporary object is not written to its end yet.');
    }
    return new Uint8Array(Buffer.concat(this.#chunks));
  }
}
