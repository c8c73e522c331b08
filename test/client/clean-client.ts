import { mkdir } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { readSelfSignedRoot } from '../../src/proxy/trusted-root.ts';
import type { SimulatedIndex, SimulatedFile } from '../support/simulated-index.ts';
import type { Distribution } from '../tools/distribution.ts';
import type { Finished } from '../tools/process.ts';
import { rind } from '../tools/rind-program.ts';

/** One user's `rind` with an empty home. */
export class CleanClient {
  readonly home: string;
  readonly #bin: string;

  private constructor(home: string, bin: string) {
    this.home = home;
    this.#bin = bin;
  }

  /** @param bin folder of the tools found first on the PATH */
  static async create(home: string, bin: string): Promise<CleanClient> {
    await mkdir(home, { recursive: true });
    return new CleanClient(home, bin);
  }

  get environment(): Record<string, string> {
    return {
      HOME: this.home,
      RIND_STATE_DIR: join(this.home, 'rind'),
      PATH: [this.#bin, dirname(process.execPath), process.env['PATH'] ?? ''].join(delimiter),
    };
  }

  run(
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
    cwd: string = this.home,
  ): Promise<Finished> {
    return rind(args, { env: { ...this.environment, ...env }, cwd });
  }

  async trust(index: SimulatedIndex): Promise<Finished> {
    return this.run(['trust', 'add', index.url, '--fingerprint', await fingerprintOf(index)]);
  }
}

export async function fingerprintOf(index: SimulatedIndex): Promise<string> {
  return (await readSelfSignedRoot(index.repository.initialRoot)).fingerprint;
}

/** A distribution as the simulated index serves it, with core metadata beside a wheel. */
export function served(distribution: Distribution, requires: readonly string[] = []): SimulatedFile {
  const { filename, bytes, kind, name, version } = distribution;
  if (kind === 'sdist') return { filename, bytes };
  const lines = ['Metadata-Version: 2.1', `Name: ${name}`, `Version: ${version}`];
  return {
    filename,
    bytes,
    metadata: [...lines, ...requires.map((each) => `Requires-Dist: ${each}`), '', ''].join('\n'),
  };
}
