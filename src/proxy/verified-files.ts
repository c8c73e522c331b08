import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { chmod, mkdir, readdir, stat, unlink, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';

/** A file whose length and sha256 are the signed ones. */
export interface VerifiedFile {
  readonly path: string;
  /** Bytes. */
  readonly length: number;
  readonly sha256: string;
}

const SHA256_NAME = /^[0-9a-f]{64}$/;

/**
 * Verified distribution files in a folder of mode 0700, each under its sha256. Files left by an earlier process are
 * hashed again before their first use, so that neither a damaged disk nor an old mistake is ever served.
 */
export class VerifiedFiles {
  readonly #folder: string;
  readonly #maxTotalLength: number;
  readonly #files = new Map<string, Promise<VerifiedFile>>();

  /** @param maxTotalLength bytes kept by `prune` */
  constructor(folder: string, maxTotalLength = 5 * 2 ** 30) {
    this.#folder = folder;
    this.#maxTotalLength = maxTotalLength;
  }

  /**
   * The file with this hash. `download` is called at most once for all who wait; it must verify before it lets
   * anything appear at the path it is given. Its failure reaches all who wait and is not remembered.
   */
  get(sha256: string, length: number, download: (path: string) => Promise<void>): Promise<VerifiedFile> {
    const known = this.#files.get(sha256);
    if (known !== undefined) return known;
    const file = this.#obtain(sha256, length, download);
    this.#files.set(sha256, file);
    file.catch(() => this.#files.delete(sha256));
    return file;
  }

  async #obtain(
    sha256: string,
    length: number,
    download: (path: string) => Promise<void>,
  ): Promise<VerifiedFile> {
    if (!SHA256_NAME.test(sha256))
      throw new TypeError('A verified file is named by a lower-case hexadecimal sha256.');
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    await chmod(this.#folder, 0o700);
    const path = join(this.#folder, sha256);
    if (await isIntact(path, sha256, length)) {
      const now = new Date();
      await utimes(path, now, now);
    } else {
      await download(path);
    }
    return { path, length, sha256 };
  }

  /** Removes the files used longest ago until the rest fits. A file being read stays readable for its reader. */
  async prune(): Promise<void> {
    const names = (await readdir(this.#folder).catch(() => [])).filter((name) => SHA256_NAME.test(name));
    const entries: { path: string; name: string; size: number; used: number }[] = [];
    for (const name of names) {
      const path = join(this.#folder, name);
      const found = await stat(path).catch(() => undefined);
      if (found !== undefined) entries.push({ path, name, size: found.size, used: found.mtimeMs });
    }
    let total = entries.reduce((sum, entry) => sum + entry.size, 0);
    for (const entry of entries.toSorted((a, b) => a.used - b.used)) {
      if (total <= this.#maxTotalLength) return;
      this.#files.delete(entry.name);
      await unlink(entry.path).catch(() => undefined);
      total -= entry.size;
    }
  }
}

async function isIntact(path: string, sha256: string, length: number): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined || !found.isFile() || found.size !== length) return false;
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex') === sha256;
}
