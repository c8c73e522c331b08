import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { UpdaterConfig } from '../updater/config.ts';
import type { Fetcher } from '../updater/fetcher.ts';
import type { MetadataMemory } from '../updater/metadata-memory.ts';
import { Updater } from '../updater/updater.ts';
import type { RepositorySimulator } from './repository-simulator.ts';

/** A client of a simulated repository with a metadata folder of its own, below the system's temporary folder. */
export class SimulatedClient {
  readonly repository: RepositorySimulator;
  readonly folder: string;
  readonly metadataDir: string;
  /** The reference time of the sessions to come. */
  now = new Date();
  config: Partial<UpdaterConfig> = { supersededAfter: 0 };
  /** The fetcher of the sessions to come. */
  fetcher: Fetcher;
  /** The root that sessions start from; undefined once they start from the folder. */
  bootstrapRoot: Uint8Array | undefined;
  /** What the sessions to come share; undefined lets each start without. */
  memory: MetadataMemory | undefined;

  private constructor(repository: RepositorySimulator, folder: string) {
    this.repository = repository;
    this.folder = folder;
    this.metadataDir = join(folder, 'metadata');
    this.fetcher = repository;
    this.bootstrapRoot = repository.initialRoot;
  }

  static async create(repository: RepositorySimulator): Promise<SimulatedClient> {
    return new SimulatedClient(repository, await mkdtemp(join(tmpdir(), 'rind-client-')));
  }

  /** A new session. */
  updater(config: Partial<UpdaterConfig> = {}): Updater {
    return new Updater({
      ...this.repository.location,
      metadataDir: this.metadataDir,
      fetcher: this.fetcher,
      clock: () => this.now,
      config: { ...this.config, ...config },
      ...(this.memory === undefined ? {} : { memory: this.memory }),
      ...(this.bootstrapRoot === undefined ? {} : { bootstrapRoot: this.bootstrapRoot }),
    });
  }

  /** Runs one session's refresh and returns what was asked of the repository. */
  async refresh(config: Partial<UpdaterConfig> = {}): Promise<readonly string[]> {
    this.repository.requests.length = 0;
    await this.updater(config).refresh();
    return [...this.repository.requests];
  }

  /** The versions of the metadata in the folder, by file name without `.json`. */
  async trusted(): Promise<Readonly<Record<string, number>>> {
    const versions: Record<string, number> = {};
    for (const name of await readdir(this.metadataDir).catch(() => [])) {
      if (name.endsWith('.json')) {
        const { signed } = JSON.parse(await readFile(join(this.metadataDir, name), 'utf8')) as {
          readonly signed: { readonly version: number };
        };
        versions[name.slice(0, -'.json'.length)] = signed.version;
      }
    }
    return versions;
  }

  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }
}
