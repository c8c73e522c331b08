import { constants, type BigIntStats } from 'node:fs';
import { mkdir, open, opendir, readdir, stat, unlink, type FileHandle } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { eachBounded } from './bounded.ts';
import { StorageError } from './errors.ts';
import type { FaultInjector } from './fault-injector.ts';
import { KeyLocks } from './key-locks.ts';
import { checkObjectKey, checkObjectPrefix } from './object-key.ts';
import type {
  ByteRange,
  CreateOutcome,
  ListedObject,
  NewObject,
  ObjectStat,
  ObjectStore,
  OpenObject,
  TemporaryObject,
  ReplaceOptions,
  WriteOptions,
} from './object-store.ts';
import { isAbsent, toStorageError } from './posix-error.ts';
import { PosixTemporaryObject } from './posix-temporary.ts';
import { PosixWriter, unlinkQuietly } from './posix-writer.ts';

export interface PosixStoreOptions {
  /** The folder that the web serves; folders 0755 and files 0644 below it. Made when absent. Private objects lie in `private` beside it, 0700. */
  readonly root: string;
  /** Where files grow before they get a key; on the same file system as `root`, not below it. Made with mode 0700 when absent. */
  readonly temporaryFolder: string;
  readonly faults?: FaultInjector | undefined;
}

/** Bytes read at a time when an object is streamed: each read is a trip through the thread pool. */
const CHUNK = 128 * 1024;
/** From so many objects on, one sync of the whole file system is cheaper than one for each. */
const BULK = 256;

/**
 * Objects as files of a local file system. Creation is a hard link, so it fails when the name is taken, whichever process took it;
 * compare-and-swap holds among the calls of one process, so only the holder of the store lock may use `replace`.
 */
export class PosixStore implements ObjectStore {
  readonly #root: string;
  readonly #temporaryFolder: string;
  readonly #writer: PosixWriter;
  readonly #locks = new KeyLocks();

  private constructor(options: PosixStoreOptions) {
    this.#root = resolve(options.root);
    this.#temporaryFolder = resolve(options.temporaryFolder);
    this.#writer = new PosixWriter({
      root: this.#root,
      temporaryFolder: this.#temporaryFolder,
      faults: options.faults,
    });
  }

  /** Makes the folders and refuses a file system that cannot link. Throws UNSUITABLE_FILE_SYSTEM. */
  static async open(options: PosixStoreOptions): Promise<PosixStore> {
    const store = new PosixStore(options);
    try {
      await mkdir(store.#root, { recursive: true, mode: 0o755 });
      await mkdir(store.#temporaryFolder, { recursive: true, mode: 0o700 });
    } catch (error) {
      throw toStorageError(error, `make the folders of the store in ${store.#root}`);
    }
    await refuseWithoutLinks(store.#root, store.#temporaryFolder);
    return store;
  }

  async read(key: string, options: { readonly maxLength?: number } = {}): Promise<Uint8Array | undefined> {
    checkObjectKey(key);
    const opened = await this.#openFile(key);
    if (opened === undefined) return undefined;
    const { file } = opened;
    try {
      const size = Number(opened.stats.size);
      const { maxLength = Number.MAX_SAFE_INTEGER } = options;
      if (size > maxLength) {
        throw new StorageError('OBJECT_TOO_LARGE', `${key} has ${size} bytes, more than ${maxLength}.`, {
          key,
        });
      }
      return await file.readFile();
    } catch (error) {
      throw toStorageError(error, `read ${key}`, key);
    } finally {
      await file.close();
    }
  }

  async open(key: string): Promise<OpenObject | undefined> {
    checkObjectKey(key);
    const opened = await this.#openFile(key);
    return opened === undefined ? undefined : { ...statOf(opened.stats), ...streamsOf(opened.file) };
  }

  async stat(key: string): Promise<ObjectStat | undefined> {
    checkObjectKey(key);
    try {
      const stats = await stat(this.#writer.path(key), { bigint: true });
      return stats.isFile() ? statOf(stats) : undefined;
    } catch (error) {
      if (isAbsent(error)) return undefined;
      throw toStorageError(error, `look at ${key}`, key);
    }
  }

  async create(key: string, bytes: Uint8Array): Promise<CreateOutcome> {
    checkObjectKey(key);
    try {
      const outcome = await this.#writer.linkTemporary(await this.#writer.writeTemporary(bytes), key);
      await this.#writer.syncFolders([key]);
      return outcome;
    } catch (error) {
      throw toStorageError(error, `store ${key}`, key);
    }
  }

  async createMany(
    entries: readonly NewObject[],
    { after }: WriteOptions = {},
  ): Promise<readonly CreateOutcome[]> {
    after?.catch(() => undefined);
    for (const { key } of entries) checkObjectKey(key);
    const outcomes: CreateOutcome[] = entries.map(() => 'exists');
    try {
      if (entries.length >= BULK) {
        const created = await this.#writer.createInBulk(entries, after);
        await this.#writer.syncFolders(entries.map(({ key }) => key));
        return created;
      }
      const temporaries = await this.#writeTemporaries(entries, after);
      await eachBounded(entries, async ({ key }, index) => {
        outcomes[index] = await this.#writer.linkTemporary(temporaries[index] ?? '', key);
      });
      await this.#writer.syncFolders(entries.map(({ key }) => key));
    } catch (error) {
      throw toStorageError(error, `store ${entries.length} objects`);
    }
    return outcomes;
  }

  async replace(
    key: string,
    bytes: Uint8Array,
    expected: string | undefined,
    { staged }: ReplaceOptions = {},
  ): Promise<boolean> {
    checkObjectKey(key);
    try {
      const temporary = await this.#writer.writeTemporary(bytes, { distinct: true });
      await this.#keepUntil(staged?.(), [temporary]);
      return await this.#locks.exclusively(key, async () => {
        if ((await this.stat(key))?.etag !== expected) {
          await unlinkQuietly(temporary);
          return false;
        }
        const announcement = await this.#writer.announce(temporary, key);
        return this.#swap(announcement, key, expected === undefined ? 'create' : 'replace');
      });
    } catch (error) {
      throw toStorageError(error, `store ${key}`, key);
    }
  }

  async settle(key: string): Promise<void> {
    checkObjectKey(key);
    try {
      await this.#locks.exclusively(key, async () => {
        const announcement = this.#writer.announcement(key);
        const found = await stat(announcement).catch(() => undefined);
        if (found !== undefined) await this.#swap(announcement, key, 'settle');
      });
    } catch (error) {
      throw toStorageError(error, `store ${key}`, key);
    }
  }

  /** Gives a key its announced bytes. 'create': unless another process was first; 'settle': they may have been seen, so they stay announced whatever fails. */
  async #swap(announcement: string, key: string, how: 'create' | 'replace' | 'settle'): Promise<boolean> {
    let outcome: CreateOutcome = 'created';
    try {
      if (how === 'create') outcome = await this.#writer.link(announcement, key);
      else await this.#writer.linkOver(announcement, key);
    } catch (error) {
      if (how !== 'settle') await this.#writer.withdraw(announcement);
      throw error;
    }
    await this.#writer.syncFolders([key]);
    await unlinkQuietly(announcement);
    return outcome === 'created';
  }

  async put(key: string, bytes: Uint8Array): Promise<void> {
    checkObjectKey(key);
    await this.#locks.exclusively(key, () => this.#overwrite(key, bytes));
  }

  async copy(from: string, to: string): Promise<CreateOutcome> {
    checkObjectKey(from);
    checkObjectKey(to);
    try {
      const outcome = await this.#writer.link(this.#writer.path(from), to);
      await this.#writer.syncFolders([to]);
      return outcome;
    } catch (error) {
      throw copyError(error, from, to);
    }
  }

  async copyOver(from: string, to: string): Promise<void> {
    checkObjectKey(from);
    checkObjectKey(to);
    try {
      await this.#locks.exclusively(to, () => this.#writer.linkOver(this.#writer.path(from), to));
      await this.#writer.syncFolders([to]);
    } catch (error) {
      throw copyError(error, from, to);
    }
  }

  async remove(key: string): Promise<void> {
    checkObjectKey(key);
    try {
      await this.#locks.exclusively(key, () => this.#writer.remove(key));
      await this.#writer.syncFolders([key]);
    } catch (error) {
      if (!isAbsent(error)) throw toStorageError(error, `remove ${key}`, key);
    }
  }

  async *list(prefix: string): AsyncIterable<ListedObject> {
    checkObjectPrefix(prefix);
    const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1);
    yield* this.#listFolder(folder, prefix);
  }

  async temporary(): Promise<TemporaryObject> {
    try {
      return new PosixTemporaryObject(this.#writer, await this.#writer.createTemporary());
    } catch (error) {
      throw toStorageError(error, 'make a temporary file');
    }
  }

  /** Takes away temporary files of processes that died; whoever holds the store lock calls it at its start, with its own starting time. */
  async removeStaleTemporaries(before: Date): Promise<number> {
    let removed = 0;
    for await (const { name } of await opendir(this.#temporaryFolder)) {
      // What a swap announced is needed until `settle`, however long the machine was off.
      if (name.startsWith('next-')) continue;
      const path = join(this.#temporaryFolder, name);
      const stats = await stat(path).catch(() => undefined);
      if (stats === undefined || !stats.isFile() || stats.mtime >= before) continue;
      await unlink(path);
      removed += 1;
    }
    return removed;
  }

  async #writeTemporaries(
    entries: readonly NewObject[],
    after: Promise<unknown> | undefined,
  ): Promise<readonly string[]> {
    const paths: string[] = [];
    try {
      await eachBounded(entries, async ({ bytes }, index) => {
        paths[index] = await this.#writer.writeTemporary(bytes);
      });
    } catch (error) {
      await Promise.all(paths.map(unlinkQuietly));
      throw error;
    }
    await this.#keepUntil(after, paths);
    return paths;
  }

  /** Waits; the temporary files go when that for which they wait fails. */
  async #keepUntil(after: Promise<unknown> | undefined, temporaries: readonly string[]): Promise<void> {
    try {
      await after;
    } catch (error) {
      await Promise.all(temporaries.map(unlinkQuietly));
      throw error;
    }
  }

  async #overwrite(key: string, bytes: Uint8Array): Promise<void> {
    try {
      const temporary = await this.#writer.writeTemporary(bytes, { distinct: true });
      await this.#writer.renameTemporary(temporary, key);
      await this.#writer.syncFolders([key]);
    } catch (error) {
      throw toStorageError(error, `store ${key}`, key);
    }
  }

  /** `folder` is '' or ends with `/`. */
  async *#listFolder(folder: string, prefix: string): AsyncGenerator<ListedObject> {
    const entries = await readdir(this.#writer.path(folder), { withFileTypes: true }).catch(
      (error: unknown) => {
        if (isAbsent(error)) return [];
        throw toStorageError(error, `list ${folder}`);
      },
    );
    entries.sort((a, b) => (a.name < b.name ? -1 : 1));
    for (const entry of entries) {
      const key = folder + entry.name;
      if (entry.isDirectory()) {
        if (key.startsWith(prefix) || prefix.startsWith(`${key}/`))
          yield* this.#listFolder(`${key}/`, prefix);
      } else if (entry.isFile() && key.startsWith(prefix)) {
        const found = await this.stat(key);
        if (found !== undefined) yield { key, length: found.length };
      }
    }
  }

  async #openFile(key: string): Promise<{ file: FileHandle; stats: BigIntStats } | undefined> {
    let file: FileHandle | undefined;
    try {
      file = await open(this.#writer.path(key), constants.O_RDONLY);
      const stats = await file.stat({ bigint: true });
      if (stats.isFile()) return { file, stats };
    } catch (error) {
      if (!isAbsent(error)) throw toStorageError(error, `open ${key}`, key);
    }
    await file?.close();
    return undefined;
  }
}

function copyError(error: unknown, from: string, to: string): unknown {
  if (isAbsent(error)) {
    return new StorageError('OBJECT_NOT_FOUND', `${from} is not in the store.`, { key: from });
  }
  return toStorageError(error, `copy ${from} to ${to}`, to);
}

function statOf(stats: {
  readonly size: bigint;
  readonly mtimeNs: bigint;
  readonly ino: bigint;
}): ObjectStat {
  const etag = [stats.ino, stats.size, stats.mtimeNs].map((part) => part.toString(36)).join('-');
  return { length: Number(stats.size), modified: new Date(Number(stats.mtimeNs / 1_000_000n)), etag };
}

function streamsOf(file: FileHandle): Pick<OpenObject, 'stream' | 'close'> {
  const streams = new Set<Readable>();
  let closing: Promise<void> | undefined;
  return {
    stream: (range?: ByteRange) => {
      // Without a start it would continue where the last stream stopped.
      const stream = file.createReadStream({ start: 0, ...range, autoClose: false, highWaterMark: CHUNK });
      streams.add(stream);
      stream.once('close', () => streams.delete(stream));
      return stream;
    },
    close: () => {
      for (const stream of streams) stream.destroy();
      return (closing ??= file.close());
    },
  };
}

async function refuseWithoutLinks(root: string, temporaryFolder: string): Promise<void> {
  const writer = new PosixWriter({ root: temporaryFolder, temporaryFolder: root, faults: undefined });
  const name = `link-${process.pid}-${Date.now()}`;
  try {
    await writer.linkTemporary(await writer.writeTemporary(new Uint8Array()), name);
  } catch (cause) {
    throw new StorageError(
      'UNSUITABLE_FILE_SYSTEM',
      `${root} and ${temporaryFolder} must be writable and on one file system that has hard links.`,
      { cause },
    );
  } finally {
    await unlinkQuietly(join(temporaryFolder, name));
  }
}
