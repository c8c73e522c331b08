import { access, writeFile } from 'node:fs/promises';
import { UnavailableError } from './unavailable-error.ts';

const LIBRARIES = ['x86_64-linux-gnu/', 'aarch64-linux-gnu/', ''].map(
  (folder) => `/usr/lib/${folder}faketime/libfaketimeMT.so.1`,
);

/** The preloaded library with which one process lives in another time (apt-get install faketime). */
export async function fakeTimeLibrary(): Promise<string> {
  for (const path of LIBRARIES) {
    const isThere = await access(path).then(
      () => true,
      () => false,
    );
    if (isThere) return path;
  }
  throw new UnavailableError('libfaketime is not installed (apt-get install faketime)');
}

/** The clock of a process: what it is ahead of the true one is written into a file, and may change while it runs. */
export class FakeClock {
  readonly #library: string;
  readonly #file: string;

  private constructor(library: string, file: string) {
    this.#library = library;
    this.#file = file;
  }

  static async create(library: string, file: string): Promise<FakeClock> {
    const clock = new FakeClock(library, file);
    await clock.set(0);
    return clock;
  }

  /** For the environment of the process. The clock that nobody can set goes on as it is. */
  get environment(): Readonly<Record<string, string>> {
    return {
      LD_PRELOAD: this.#library,
      FAKETIME_TIMESTAMP_FILE: this.#file,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      DONT_FAKE_MONOTONIC: '1',
    };
  }

  async set(days: number): Promise<void> {
    await writeFile(this.#file, `${days < 0 ? '-' : '+'}${Math.abs(days)}d\n`);
  }
}
