import { chmod, mkdir, mkdtemp, readdir, rm, unlink } from 'node:fs/promises';
import { join } from 'node:path';

/** A file on disk whose length and sha256 are the signed ones. */
export interface VerifiedFile {
  readonly path: string;
  /** Bytes. */
  readonly length: number;
  readonly sha256: string;
}

const MAX_TOTAL_LENGTH = 4 * 2 ** 30;

/**
 * Verified distribution files of one process, each under its sha256 in a folder of mode 0700 that goes when the process
 * goes. What was used longest ago is removed when they become too many.
 */
export class VerifiedFiles {
  readonly #folder: string;
  readonly #maxTotalLength: number;
  /** In the order of their last use. */
  readonly #files = new Map<string, Promise<VerifiedFile>>();
  #totalLength = 0;

  private constructor(folder: string, maxTotalLength: number) {
    this.#folder = folder;
    this.#maxTotalLength = maxTotalLength;
  }

  /** Makes a folder for this process below `parent`, and removes those of processes that died. */
  static async create(parent: string, maxTotalLength = MAX_TOTAL_LENGTH): Promise<VerifiedFiles> {
    await mkdir(parent, { recursive: true, mode: 0o700 });
    await chmod(parent, 0o700);
    for (const name of await readdir(parent)) {
      const owner = /^process-([0-9]+)-/.exec(name)?.[1];
      if (owner !== undefined && !isRunning(Number(owner)))
        await rm(join(parent, name), { recursive: true, force: true });
    }
    return new VerifiedFiles(await mkdtemp(join(parent, `process-${process.pid}-`)), maxTotalLength);
  }

  /**
   * The file with this hash. `download` is called at most once for all who wait; it must verify before it lets anything
   * appear at the path it is given. Its failure reaches all who wait and is not remembered.
   */
  get(sha256: string, length: number, download: (path: string) => Promise<void>): Promise<VerifiedFile> {
    const file = this.#files.get(sha256) ?? this.#obtain(sha256, length, download);
    this.#files.delete(sha256);
    this.#files.set(sha256, file);
    file.catch(() => this.#files.delete(sha256));
    return file;
  }

  /** Removes all of them. */
  async close(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 3 });
  }

  async #obtain(
    sha256: string,
    length: number,
    download: (path: string) => Promise<void>,
  ): Promise<VerifiedFile> {
    if (!/^[0-9a-f]{64}$/.test(sha256))
      throw new TypeError('A verified file is named by a lower-case sha256.');
    const path = join(this.#folder, sha256);
    await download(path);
    this.#totalLength += length;
    await this.#removeOldest(sha256);
    return { path, length, sha256 };
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

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
