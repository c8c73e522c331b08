import { rmSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A folder of mode 0700 that is gone when the run is. */
export class RunFolder {
  readonly #path: string;
  readonly #removeAtExit = (): void => rmSync(this.#path, { recursive: true, force: true });

  private constructor(path: string) {
    this.#path = path;
    process.once('exit', this.#removeAtExit);
  }

  static async create(): Promise<RunFolder> {
    return new RunFolder(await mkdtemp(join(tmpdir(), 'rind-run-')));
  }

  /** Writes a file that only this user can read, and gives its path. */
  async write(name: string, text: string): Promise<string> {
    const path = join(this.#path, name);
    await writeFile(path, text, { mode: 0o600, flag: 'wx' });
    return path;
  }

  async remove(): Promise<void> {
    process.off('exit', this.#removeAtExit);
    await rm(this.#path, { recursive: true, force: true });
  }
}
