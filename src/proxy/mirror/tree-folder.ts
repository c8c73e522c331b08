import { randomUUID } from 'node:crypto';
import { chmod, copyFile, link, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isSafeTargetPath } from '../../tuf/layout.ts';
import { VerdictError } from '../verdict.ts';

/**
 * A folder with a copy of an index's tree, for any web server: files readable by all, each there whole or not at all.
 */
export class TreeFolder {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** @throws VerdictError `malformed` for a path that would leave the folder */
  placeOf(path: string): string {
    if (!isSafeTargetPath(path)) throw new VerdictError('malformed', `${path} cannot be the name of a file`);
    return join(this.path, ...path.split('/'));
  }

  async read(path: string): Promise<Uint8Array | undefined> {
    return readFile(this.placeOf(path)).catch(() => undefined);
  }

  /** Whether there is a file of this length. Files have the name of their hash, and were verified when they were written. */
  async has(path: string, length: number): Promise<boolean> {
    const status = await stat(this.placeOf(path)).catch(() => undefined);
    return status?.isFile() === true && status.size === length;
  }

  async write(path: string, bytes: Uint8Array): Promise<void> {
    await this.#replace(path, (draft) => writeFile(draft, bytes, { flag: 'wx', flush: true }));
  }

  /** Lets `fill` make the file, under a name of its own. */
  async fill(path: string, fill: (draft: string) => Promise<void>): Promise<void> {
    await this.#replace(path, fill);
  }

  /** Gives a file a second name; what had that name before is replaced. */
  async alias(path: string, alias: string): Promise<void> {
    const [from, to] = [this.placeOf(path), this.placeOf(alias)];
    const [source, present] = await Promise.all([stat(from), stat(to).catch(() => undefined)]);
    if (present !== undefined && present.ino === source.ino && present.dev === source.dev) return;
    await this.#replace(alias, async (draft) => {
      await link(from, draft).catch(() => copyFile(from, draft));
    });
  }

  async #replace(path: string, make: (draft: string) => Promise<void>): Promise<void> {
    const place = this.placeOf(path);
    const draft = join(dirname(place), `.draft-${randomUUID()}`);
    await mkdir(dirname(place), { recursive: true, mode: 0o755 });
    try {
      await make(draft);
      await chmod(draft, 0o644);
      await rename(draft, place);
    } finally {
      await rm(draft, { force: true });
    }
  }
}
