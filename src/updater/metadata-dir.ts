import { createHash, randomUUID } from 'node:crypto';
import { mkdir, open, readdir, rename, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { metadataFileName } from '../tuf/layout.ts';
import { LocalFileError, withLocalFile } from './errors.ts';
import { withFolderLock } from './folder-lock.ts';

const LONGEST_FILE_NAME = 200;
const RETIRED = 'retired';
const MIRROR_HEALTH = 'mirror-health';
const TEMPORARY_FILES_LIVE = 3_600_000;

/**
 * The client's trusted metadata on disk: `root.json`, `timestamp.json`, `snapshot.json`, `targets.json`, delegated roles
 * by their percent-encoded names, and every root ever trusted as `root_history/N.root.json`. Bytes are kept as they
 * were received. A file is whole or absent at any moment, a crash included; several processes may share the folder.
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
    await withLocalFile(this.path, async () => {
      await mkdir(this.path, { recursive: true, mode: 0o700 });
      const { mode } = await stat(this.path);
      if (process.platform !== 'win32' && (mode & 0o002) !== 0) {
        throw new LocalFileError(
          'INSECURE',
          this.path,
          'everybody may write to this folder; make it private (chmod 700)',
        );
      }
      for (const folder of [this.#history, this.#temporary]) {
        await mkdir(folder, { recursive: true, mode: 0o700 });
      }
      await this.#removeOldTemporaryFiles();
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
      let file;
      try {
        file = await open(path, 'r');
      } catch (error) {
        if (isAbsence(error)) {
          return undefined;
        }
        throw error;
      }
      try {
        const { size } = await file.stat();
        return size > maxLength ? undefined : await file.readFile();
      } finally {
        await file.close();
      }
    });
  }

  async #writeFile(folder: string, name: string, bytes: Uint8Array, durable: boolean): Promise<void> {
    await withLocalFile(this.path, async () => {
      const temporary = join(this.#temporary, randomUUID());
      const file = await open(temporary, 'wx', 0o600);
      try {
        await file.writeFile(bytes);
        if (durable) {
          await file.sync();
        }
      } finally {
        await file.close();
      }
      try {
        await rename(temporary, join(folder, name));
      } catch (error) {
        await unlink(temporary).catch(() => undefined);
        throw error;
      }
      if (durable) {
        await syncFolder(folder);
      }
    });
  }

  async #removeOldTemporaryFiles(): Promise<void> {
    for (const name of await readdir(this.#temporary)) {
      const path = join(this.#temporary, name);
      const status = await stat(path).catch(() => undefined);
      if (status !== undefined && Date.now() - status.mtimeMs > TEMPORARY_FILES_LIVE) {
        await unlink(path).catch(() => undefined);
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

function isAbsence(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}

async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') {
    return;
  }
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
