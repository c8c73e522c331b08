import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { closeSync, linkSync, openSync, unlinkSync, writeFileSync } from 'node:fs';
import { link, mkdir, open, rename, unlink, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { promisify } from 'node:util';
import { eachBounded } from './bounded.ts';
import { StorageError } from './errors.ts';
import type { FaultInjector } from './fault-injector.ts';
import type { CreateOutcome } from './object-store.ts';
import { PRIVATE_PREFIX } from './object-key.ts';
import { systemErrorCode } from './posix-error.ts';

const FILE_MODE = 0o644;
const FOLDER_MODE = 0o755;
const PRIVATE_MODE = 0o700;
const FOLDERS_REMEMBERED = 65_536;
/** Files written in one go before other work of the thread gets its turn. */
const BULK_SLICE = 64;
const runFile = promisify(execFile);

/** A file without a name in the tree yet. */
export interface TemporaryFile {
  readonly path: string;
  readonly handle: FileHandle;
}

export interface PosixWriterOptions {
  readonly root: string;
  readonly temporaryFolder: string;
  readonly faults: FaultInjector | undefined;
}

/** A folder that is being synced, and the sync that begins when this one is done. */
interface FolderSync {
  readonly done: Promise<void>;
  next: Promise<void> | undefined;
}

/**
 * The durable steps of a posix store: temporary file, write, sync, link or rename, sync of the folder. Throws errors of the operating system as they are.
 * After a failed sync the kernel may have dropped the data and would report success the next time; so one failed sync ends all writing.
 */
export class PosixWriter {
  readonly #root: string;
  readonly #beside: string;
  readonly #temporaryFolder: string;
  readonly #faults: FaultInjector | undefined;
  readonly #durableFolders = new Set<string>();
  readonly #folderSyncs = new Map<string, FolderSync>();
  #failure: StorageError | undefined;
  #lastMoment = 0;
  readonly #temporaryPrefix: string;
  #temporaries = 0;

  constructor({ root, temporaryFolder, faults }: PosixWriterOptions) {
    this.#root = root;
    this.#beside = dirname(root);
    this.#temporaryFolder = temporaryFolder;
    this.#temporaryPrefix = join(temporaryFolder, `${process.pid}-${randomBytes(12).toString('hex')}`);
    this.#faults = faults;
  }

  /** The path of a key; private ones lie beside the root. */
  path(key: string): string {
    return join(key.startsWith(PRIVATE_PREFIX) ? this.#beside : this.#root, key);
  }

  async createTemporary(): Promise<TemporaryFile> {
    this.#begin('create a temporary file');
    const path = this.#temporaryPath();
    return { path, handle: await open(path, 'wx+', FILE_MODE) };
  }

  /** Bytes in a temporary file, synced. `distinct`: with a time stamp no other object of this store has (for etags of what is overwritten). */
  async writeTemporary(bytes: Uint8Array, { distinct = false } = {}): Promise<string> {
    const { path, handle } = await this.createTemporary();
    try {
      this.#begin('write');
      await handle.writeFile(bytes);
      if (distinct) {
        const moment = this.#distinctMoment();
        await handle.utimes(moment, moment);
      }
      await this.syncFile(handle);
    } catch (error) {
      await closeQuietly(handle);
      await unlinkQuietly(path);
      throw error;
    }
    await handle.close();
    return path;
  }

  /**
   * Many files at once: written unsynced, made durable by one sync of their file system, then named. Synchronous calls in slices, because
   * a thousand small files cost mostly the way through the thread pool. The folders are not synced yet.
   */
  async createInBulk(
    entries: readonly { readonly key: string; readonly bytes: Uint8Array }[],
    after: Promise<unknown> | undefined,
  ): Promise<readonly CreateOutcome[]> {
    const paths: string[] = [];
    const outcomes: CreateOutcome[] = [];
    try {
      for (const [index, { bytes }] of entries.entries()) {
        if (index % BULK_SLICE === 0) await setImmediate();
        paths.push(this.#writeUnsynced(bytes));
      }
      await this.#syncFileSystem(paths);
      await after;
      for (const [index, { key }] of entries.entries()) {
        if (index % BULK_SLICE === 0) await setImmediate();
        await this.#ensureFolder(dirname(this.path(key)));
        outcomes.push(this.#linkNow(paths[index] ?? '', key));
      }
    } finally {
      for (const path of paths) unlinkNow(path);
    }
    return outcomes;
  }

  #temporaryPath(): string {
    return `${this.#temporaryPrefix}-${++this.#temporaries}`;
  }

  #writeUnsynced(bytes: Uint8Array): string {
    this.#begin('write');
    const path = this.#temporaryPath();
    const file = openSync(path, 'wx', FILE_MODE);
    try {
      writeFileSync(file, bytes);
    } catch (error) {
      unlinkNow(path);
      throw error;
    } finally {
      closeSync(file);
    }
    return path;
  }

  /** `sync -f` of coreutils is syncfs(2), which Node.js does not offer; where there is none, each file is synced. */
  async #syncFileSystem(paths: readonly string[]): Promise<void> {
    this.#begin('sync the file system');
    const synced = await runFile('sync', ['-f', this.#temporaryFolder]).then(
      () => process.platform === 'linux',
      () => false,
    );
    if (synced) return;
    await eachBounded(paths, async (path) => {
      const handle = await open(path, 'r+');
      try {
        await this.#sync(handle);
      } finally {
        await handle.close();
      }
    });
  }

  #linkNow(path: string, key: string): CreateOutcome {
    this.#begin('link');
    try {
      linkSync(path, this.path(key));
      return 'created';
    } catch (error) {
      if (systemErrorCode(error) === 'EEXIST') return 'exists';
      throw error;
    }
  }

  async syncFile(handle: FileHandle): Promise<void> {
    this.#begin('sync a file');
    await this.#sync(handle);
  }

  /** Names a synced file, when the key is free, and takes its temporary name away. The folder is not synced yet. */
  async linkTemporary(temporaryPath: string, key: string): Promise<CreateOutcome> {
    try {
      return await this.link(temporaryPath, key);
    } finally {
      await unlinkQuietly(temporaryPath);
    }
  }

  /** Gives a file one more name, when that is free. The folder is not synced yet. */
  async link(existingPath: string, key: string): Promise<CreateOutcome> {
    try {
      await this.#inFolderOf(key, async () => {
        this.#begin('link');
        await link(existingPath, this.path(key));
      });
      return 'created';
    } catch (error) {
      if (systemErrorCode(error) === 'EEXIST') return 'exists';
      throw error;
    }
  }

  /** Gives a file one more name, whoever had that. The folder is not synced yet. */
  async linkOver(existingPath: string, key: string): Promise<void> {
    this.#begin('link');
    const path = join(this.#temporaryFolder, `${process.pid}-${randomBytes(12).toString('hex')}`);
    await link(existingPath, path);
    await this.renameTemporary(path, key);
    // Two names of one file: then rename(2) does nothing.
    await unlinkQuietly(path);
  }

  /** Gives a synced file the name, whoever had it. The folder is not synced yet. */
  async renameTemporary(temporaryPath: string, key: string): Promise<void> {
    try {
      await this.#inFolderOf(key, async () => {
        this.#begin('rename');
        await rename(temporaryPath, this.path(key));
      });
    } catch (error) {
      await unlinkQuietly(temporaryPath);
      throw error;
    }
  }

  /** Where the next bytes of a key lie from before the moment that readers may see them: `announce`. */
  announcement(key: string): string {
    return join(this.#temporaryFolder, `next-${createHash('sha256').update(key).digest('hex').slice(0, 32)}`);
  }

  /**
   * Makes known, durably, that a key gets these bytes next. A rename can be seen before it is durable: after a power cut the old bytes are back,
   * though somebody has read the new ones. Then these are still here.
   */
  async announce(temporaryPath: string, key: string): Promise<string> {
    const announcement = this.announcement(key);
    try {
      this.#begin('announce');
      await rename(temporaryPath, announcement);
    } catch (error) {
      await unlinkQuietly(temporaryPath);
      throw error;
    }
    await this.#syncFolder(this.#temporaryFolder);
    return announcement;
  }

  /** Takes back what nobody has seen; durably, because it must not come back when something else was decided. */
  async withdraw(announcement: string): Promise<void> {
    await unlinkQuietly(announcement);
    await this.#syncFolder(this.#temporaryFolder);
  }

  async remove(key: string): Promise<void> {
    this.#begin('remove');
    await unlink(this.path(key));
  }

  /** Makes the names of the keys durable: each of their folders once. */
  async syncFolders(keys: readonly string[]): Promise<void> {
    const folders = [...new Set(keys.map((key) => dirname(this.path(key))))];
    await eachBounded(folders, (folder) => this.#syncFolder(folder));
  }

  /** Does something in the folder of a key, which is made first; again when somebody else took the folder away since it was made. */
  async #inFolderOf(key: string, work: () => Promise<void>): Promise<void> {
    const folder = dirname(this.path(key));
    const remembered = this.#durableFolders.has(folder);
    await this.#ensureFolder(folder);
    try {
      await work();
    } catch (error) {
      if (!remembered || systemErrorCode(error) !== 'ENOENT') throw error;
      this.#durableFolders.clear();
      await this.#ensureFolder(folder);
      await work();
    }
  }

  /** Makes a folder and those above it, durable up to the root. Also an existing one may not be durable yet: its maker may have died before the sync. */
  async #ensureFolder(folder: string): Promise<void> {
    if (folder === this.#root || folder === this.#beside || this.#durableFolders.has(folder)) return;
    const parent = dirname(folder);
    await this.#ensureFolder(parent);
    this.#begin('create a folder');
    try {
      await mkdir(folder, dirname(folder) === this.#beside ? PRIVATE_MODE : FOLDER_MODE);
    } catch (error) {
      if (systemErrorCode(error) !== 'EEXIST') throw error;
    }
    await this.#syncFolder(parent);
    if (this.#durableFolders.size >= FOLDERS_REMEMBERED) this.#durableFolders.clear();
    this.#durableFolders.add(folder);
  }

  /** Whoever asks while a folder is being synced shares the next sync with all the others who do: this one may have begun before the name was there. */
  #syncFolder(folder: string): Promise<void> {
    this.#begin('sync a folder');
    const running = this.#folderSyncs.get(folder);
    if (running === undefined) return this.#beginFolderSync(folder);
    running.next ??= running.done.then(
      () => this.#beginFolderSync(folder),
      () => this.#beginFolderSync(folder),
    );
    return running.next;
  }

  #beginFolderSync(folder: string): Promise<void> {
    const done = this.#syncFolderNow(folder).finally(() => {
      if (this.#folderSyncs.get(folder) === sync) this.#folderSyncs.delete(folder);
    });
    const sync: FolderSync = { done, next: undefined };
    this.#folderSyncs.set(folder, sync);
    return done;
  }

  async #syncFolderNow(folder: string): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    const handle = await open(folder, 'r');
    try {
      await this.#sync(handle);
    } finally {
      await handle.close();
    }
  }

  async #sync(handle: FileHandle): Promise<void> {
    try {
      await handle.sync();
    } catch (cause) {
      this.#failure = new StorageError(
        'SYNC_FAILED',
        `The disk of ${this.#root} failed to store what was written; mend it, start again and run fsck.`,
        { cause },
      );
      throw this.#failure;
    }
  }

  #begin(operation: string): void {
    if (this.#failure !== undefined) throw this.#failure;
    this.#faults?.before(operation);
  }

  /** Now, in seconds, never the same twice: the clock of a file system may stand still for milliseconds. */
  #distinctMoment(): number {
    const MICROSECOND_MS = 0.001;
    this.#lastMoment = Math.max(Date.now(), this.#lastMoment + MICROSECOND_MS);
    return this.#lastMoment / 1000;
  }
}

function unlinkNow(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // `removeStaleTemporaries` takes it away.
  }
}

async function closeQuietly(handle: FileHandle): Promise<void> {
  await handle.close().catch(() => undefined);
}

/** A temporary name left behind harms nobody; `removeStaleTemporaries` takes it away. */
export async function unlinkQuietly(path: string): Promise<void> {
  await unlink(path).catch(() => undefined);
}
