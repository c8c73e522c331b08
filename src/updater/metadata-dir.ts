import { createHash, randomUUID } from 'node:crypto';
import {
  closeSync,
  fstatSync,
  fsync,
  mkdirSync,
  openSync,
  readFile,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFile,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { metadataFileName } from '../tuf/layout.ts';
import { LocalFileError, withLocalFile } from './errors.ts';
import { withFolderLock } from './folder-lock.ts';

const LONGEST_FILE_NAME = 200;
const RETIRED = 'retired';
const MIRROR_HEALTH = 'mirror-health';
const TEMPORARY_FILES_LIVE = 3_600_000;
/** Bytes. */
const SMALL_FILE = 65_536;

/**
 * The client's trusted metadata on disk: `root.json`, `timestamp.json`, `snapshot.json`, `targets.json`, delegated roles
 * by their percent-encoded names, and every root ever trusted as `root_history/N.root.json`. Bytes are kept as they
 * were received. A file is whole or absent at any moment, a crash included; several processes may share the folder.
 *
 * Calls that the file system answers from memory are synchronous: they take microseconds, and ten times as long by way
 * of other threads. What waits for the disk or moves much data does not keep the process waiting.
 *
 * Files have mode 0600 in folders of mode 0700. Every method throws `LocalFileError` when the disk refuses.
 */
export class MetadataDir {
  readonly path: string;
  readonly #history: string;
  readonly #temporary: string;

  constructor(path: string) {
    this.path = path;
    this.#history = join(path, 'root_history');
    this.#temporary = join(path, 'tmp');
  }

  /** Creates the folders and removes what a crash left behind. To be called once before anything is written. */
  async prepare(): Promise<void> {
    await withLocalFile(this.path, () => {
      mkdirSync(this.path, { recursive: true, mode: 0o700 });
      const { mode } = statSync(this.path);
      if (process.platform !== 'win32' && (mode & 0o002) !== 0) {
        throw new LocalFileError(
          'INSECURE',
          this.path,
          'everybody may write to this folder; make it private (chmod 700)',
        );
      }
      for (const folder of [this.#history, this.#temporary]) {
        mkdirSync(folder, { recursive: true, mode: 0o700 });
      }
      this.#removeOldTemporaryFiles();
    });
  }

  /** The bytes kept for `role`; undefined if there are none, or more than `maxLength`. */
  async read(role: string, maxLength: number): Promise<Uint8Array | undefined> {
    return this.#readFile(join(this.path, fileName(role)), maxLength);
  }

  async readRoot(version: number, maxLength: number): Promise<Uint8Array | undefined> {
    return this.#readFile(join(this.#history, metadataFileName('root', version)), maxLength);
  }

  /** Replaces the bytes of `role`. Durable, so that no power cut brings back an older version of a top-level role. */
  async write(role: string, bytes: Uint8Array, options: { readonly durable: boolean }): Promise<void> {
    await this.#writeFile(this.path, fileName(role), bytes, options.durable);
  }

  /** Adds a root to the history. `root.json` is written separately, and last. */
  async writeRoot(version: number, bytes: Uint8Array): Promise<void> {
    await this.#writeFile(this.#history, metadataFileName('root', version), bytes, true);
  }

  /** The sha256 of files that no longer count as trusted although they are still there. */
  async readRetired(): Promise<ReadonlySet<string>> {
    const bytes = await this.#readFile(join(this.path, RETIRED), 4096);
    return new Set(bytes === undefined ? [] : Buffer.from(bytes).toString('latin1').split('\n'));
  }

  async writeRetired(hashes: ReadonlySet<string>): Promise<void> {
    await this.#writeFile(this.path, RETIRED, Buffer.from([...hashes].join('\n')), true);
  }

  /** What earlier sessions noted about the mirrors. */
  async readMirrorHealth(): Promise<string | undefined> {
    const bytes = await this.#readFile(join(this.path, MIRROR_HEALTH), 65_536);
    return bytes === undefined ? undefined : Buffer.from(bytes).toString('utf8');
  }

  async writeMirrorHealth(text: string): Promise<void> {
    await this.#writeFile(this.path, MIRROR_HEALTH, Buffer.from(text), false);
  }

  /** Runs `action` while no other process changes the folder. For a few file operations, never for network requests. */
  async exclusively<T>(action: () => Promise<T>): Promise<T> {
    return withLocalFile(this.path, () => withFolderLock(this.path, action));
  }

  async #readFile(path: string, maxLength: number): Promise<Uint8Array | undefined> {
    return withLocalFile(this.path, async () => {
      const file = openIfThere(path);
      if (file === undefined) {
        return undefined;
      }
      try {
        const { size } = fstatSync(file);
        if (size > maxLength) {
          return undefined;
        }
        return size > SMALL_FILE ? await promisify(readFile)(file) : readFileSync(file);
      } finally {
        closeSync(file);
      }
    });
  }

  async #writeFile(folder: string, name: string, bytes: Uint8Array, durable: boolean): Promise<void> {
    await withLocalFile(this.path, async () => {
      const temporary = join(this.#temporary, randomUUID());
      const file = openSync(temporary, 'wx', 0o600);
      try {
        if (bytes.length > SMALL_FILE) {
          await promisify(writeFile)(file, bytes);
        } else {
          writeFileSync(file, bytes);
        }
        if (durable) {
          await promisify(fsync)(file);
        }
      } finally {
        closeSync(file);
      }
      try {
        renameSync(temporary, join(folder, name));
      } catch (error) {
        rmSync(temporary, { force: true });
        throw error;
      }
      if (durable) {
        await syncFolder(folder);
      }
    });
  }

  #removeOldTemporaryFiles(): void {
    for (const name of readdirSync(this.#temporary)) {
      const path = join(this.#temporary, name);
      try {
        if (Date.now() - statSync(path).mtimeMs > TEMPORARY_FILES_LIVE) {
          unlinkSync(path);
        }
      } catch {
        // Another process has removed it, or this one may not.
      }
    }
  }
}

/** Very long role names would not fit a file name; a cached file is verified again anyway, so its name need not be reversible. */
function fileName(role: string): string {
  const name = metadataFileName(role, undefined);
  return name.length <= LONGEST_FILE_NAME
    ? name
    : `sha256-${createHash('sha256').update(role).digest('hex')}.json`;
}

function openIfThere(path: string): number | undefined {
  try {
    return openSync(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
      return undefined;
    }
    throw error;
  }
}

async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') {
    return;
  }
  const folder = openSync(path, 'r');
  try {
    await promisify(fsync)(folder);
  } finally {
    closeSync(folder);
  }
}
