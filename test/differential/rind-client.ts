import { DownloadError, DownloadHttpError, RepositoryError } from '../../src/tuf/index.ts';
import { MetadataDir, Updater } from '../../src/updater/index.ts';
import type { Fetcher, FetchOptions } from '../../src/updater/index.ts';
import type { ClientCase } from './client-cases.ts';
import { NOW } from './tuf-world.ts';

/** The length of what was found, null for nothing, or that it was refused; and the requests. */
export type SessionOutcome = readonly [found: number | null | 'refused', requests: readonly string[]];

export const METADATA_URL = 'https://repository.invalid/metadata/';

/** The client of this project, one session for each target. */
export async function runRindClient({
  root,
  files,
  targets,
}: ClientCase): Promise<readonly SessionOutcome[]> {
  const outcomes: SessionOutcome[] = [];
  for (const target of targets) {
    const fetcher = new FilesFetcher(files);
    const updater = new Updater({
      metadataDir: new MemoryMetadataDir(),
      metadataBaseUrl: METADATA_URL,
      targetBaseUrl: 'https://repository.invalid/targets/',
      fetcher,
      bootstrapRoot: root,
      clock: () => new Date(NOW),
      config: { maxSupersessions: 0 },
    });
    outcomes.push([await find(updater, target), fetcher.requests]);
  }
  return outcomes;
}

async function find(updater: Updater, target: string): Promise<number | null | 'refused'> {
  try {
    return (await updater.getTargetInfo(target))?.length ?? null;
  } catch (error) {
    if (error instanceof RepositoryError || error instanceof DownloadError) return 'refused';
    throw error;
  }
}

/** Serves files from memory. */
class FilesFetcher implements Fetcher {
  readonly requests: string[] = [];
  readonly #files: ReadonlyMap<string, Uint8Array>;

  constructor(files: ReadonlyMap<string, Uint8Array>) {
    this.#files = files;
  }

  // oxlint-disable-next-line require-yield
  async *fetch(url: string, _options: FetchOptions): AsyncGenerator<Uint8Array, void, undefined> {
    const path = url.slice(METADATA_URL.length);
    this.requests.push(path);
    const bytes = this.#files.get(path);
    if (bytes === undefined) throw new DownloadHttpError('no such file', 404, { url });
    yield bytes;
  }
}

/** A metadata folder without a disk, for sessions that are meant to be fast. */
export class MemoryMetadataDir extends MetadataDir {
  readonly roles = new Map<string, Uint8Array>();
  readonly roots = new Map<number, Uint8Array>();
  #retired: ReadonlySet<string> = new Set();
  #mirrorHealth: string | undefined;

  constructor() {
    super('/nonexistent');
  }

  override prepare(): Promise<void> {
    return Promise.resolve();
  }

  override read(role: string, maxLength: number): Promise<Uint8Array | undefined> {
    const bytes = this.roles.get(role);
    return Promise.resolve(bytes !== undefined && bytes.length <= maxLength ? bytes : undefined);
  }

  override readRoot(version: number): Promise<Uint8Array | undefined> {
    return Promise.resolve(this.roots.get(version));
  }

  override write(role: string, bytes: Uint8Array): Promise<void> {
    this.roles.set(role, bytes);
    return Promise.resolve();
  }

  override writeRoot(version: number, bytes: Uint8Array): Promise<void> {
    this.roots.set(version, bytes);
    return Promise.resolve();
  }

  override readRetired(): Promise<ReadonlySet<string>> {
    return Promise.resolve(this.#retired);
  }

  override writeRetired(hashes: ReadonlySet<string>): Promise<void> {
    this.#retired = hashes;
    return Promise.resolve();
  }

  override readMirrorHealth(): Promise<string | undefined> {
    return Promise.resolve(this.#mirrorHealth);
  }

  override writeMirrorHealth(text: string): Promise<void> {
    this.#mirrorHealth = text;
    return Promise.resolve();
  }

  override exclusively<T>(action: () => Promise<T>): Promise<T> {
    return action();
  }
}
