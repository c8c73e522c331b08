import { existsSync, statSync, unlinkSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, rm, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { FileCache, hasContent } from './file-cache.ts';

/** A file on disk whose length and sha256 are the signed ones. */
export interface VerifiedFile {
  readonly path: string;
  /** Bytes. */
  readonly length: number;
  readonly sha256: string;
}

const MAX_TOTAL_LENGTH = 4 * 2 ** 30;
const CACHE = 'store';

export interface VerifiedFilesOptions {
  /** Bytes of the files of this process. */
  readonly maxTotalLength?: number;
  /** Bytes kept for later processes. */
  readonly maxCacheLength?: number;
}

interface ObtainedFile extends VerifiedFile {
  /** Changes whenever anybody writes to the file. */
  identity: string;
}

/**
 * Verified distribution files of one process, each under its sha256 in a folder of mode 0700 that goes when the process
 * goes. What was used longest ago is removed when they become too many. They come from, and go into, a {@link FileCache} beside it
 * that stays.
 */
export class VerifiedFiles {
  /** Verified bytes of earlier processes and of those beside this one. */
  readonly cache: FileCache;
  readonly #folder: string;
  readonly #maxTotalLength: number;
  /** In the order of their last use. */
  readonly #files = new Map<string, Promise<ObtainedFile>>();
  #totalLength = 0;

  private constructor(folder: string, cache: FileCache, maxTotalLength: number) {
    this.#folder = folder;
    this.cache = cache;
    this.#maxTotalLength = maxTotalLength;
  }

  /** Makes a folder for this process below `parent`, and removes those of processes that died. */
  static async create(parent: string, options: VerifiedFilesOptions = {}): Promise<VerifiedFiles> {
    await mkdir(parent, { recursive: true, mode: 0o700 });
    await chmod(parent, 0o700);
    for (const name of await readdir(parent)) {
      const owner = /^process-([0-9]+)-/.exec(name)?.[1];
      if (owner !== undefined && !isRunning(Number(owner)))
        await rm(join(parent, name), { recursive: true, force: true });
    }
    const cache = await FileCache.open(join(parent, CACHE), options.maxCacheLength);
    const folder = await mkdtemp(join(parent, `process-${process.pid}-`));
    return new VerifiedFiles(folder, cache, options.maxTotalLength ?? MAX_TOTAL_LENGTH);
  }

  /**
   * The file with this hash; a file that was written to since it was verified is not given again. `download` is called at most once
   * for all who wait; it must verify before it lets anything appear at the path it is given. Its failure reaches all who wait and is
   * not remembered.
   */
  async get(
    sha256: string,
    length: number,
    download: (path: string) => Promise<void>,
  ): Promise<VerifiedFile> {
    const known = this.#files.get(sha256);
    if (known !== undefined && !(await isUntouched(await known.catch(() => undefined))))
      this.#forget(sha256, known);
    const file = this.#files.get(sha256) ?? this.#obtain(sha256, length, download);
    this.#files.delete(sha256);
    this.#files.set(sha256, file);
    file.catch(() => this.#forget(sha256, file));
    return file;
  }

  /** Removes all of them. */
  async close(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 3 });
    await this.cache.close();
  }

  async #obtain(
    sha256: string,
    length: number,
    download: (path: string) => Promise<void>,
  ): Promise<ObtainedFile> {
    if (!/^[0-9a-f]{64}$/.test(sha256))
      throw new TypeError('A verified file is named by a lower-case sha256.');
    const path = join(this.#folder, sha256);
    if (existsSync(path)) unlinkSync(path);
    if (!(await this.cache.take(sha256, length, path))) {
      await download(path);
      await this.cache.keep(sha256, path);
    }
    this.#totalLength += length;
    await this.#removeOldest(sha256);
    return { path, length, sha256, identity: identityOf(path) };
  }

  #forget(sha256: string, file: Promise<ObtainedFile>): void {
    if (this.#files.get(sha256) !== file) return;
    this.#files.delete(sha256);
    file.then(
      ({ length }) => void (this.#totalLength -= length),
      () => undefined,
    );
  }

  /** A file that is being read stays readable for its reader. */
  async #removeOldest(newest: string): Promise<void> {
    for (const [sha256, pending] of this.#files) {
      if (this.#totalLength <= this.#maxTotalLength || sha256 === newest) return;
      this.#files.delete(sha256);
      const old = await pending.catch(() => undefined);
      if (old === undefined) continue;
      this.#totalLength -= old.length;
      await unlink(old.path).catch(() => undefined);
    }
  }
}

/** Other processes may take names of the same bytes away, which changes the identity: then the content decides. */
async function isUntouched(file: ObtainedFile | undefined): Promise<boolean> {
  if (file === undefined) return true;
  if (!existsSync(file.path)) return false;
  const identity = identityOf(file.path);
  if (identity === file.identity) return true;
  const isSame = await hasContent(file.path, file.sha256, file.length);
  if (isSame) file.identity = identity;
  return isSame;
}

/** Synchronous: it takes microseconds, and ten times as long by way of another thread. */
function identityOf(path: string): string {
  const { dev, ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true });
  return [dev, ino, size, mtimeNs, ctimeNs].join(' ');
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
