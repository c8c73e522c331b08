import { listIndexes } from '../db/indexes.ts';
import { lastPublication } from '../db/publications.ts';
import type { Executor, IndexRow } from '../db/schema.ts';
import type { RunningServer } from '../server/start.ts';
import type { Log } from '../telemetry/log.ts';
import type { PublisherClient } from '../worker/publisher-client.ts';
import type { PublishedIndex } from '../worker/publisher-protocol.ts';
import { folderOfIndex, type DataFolder } from './data-folder.ts';
import { onlineKeys } from './online-keys.ts';

export interface IndexWatchOptions {
  readonly db: Executor;
  readonly folder: DataFolder;
  readonly publisher: Pick<PublisherClient, 'add' | 'remove'>;
  readonly server: Pick<RunningServer, 'mount' | 'unmount'>;
  readonly log: Log;
  /** Those that are served already. */
  readonly served: readonly IndexRow[];
}

/** Milliseconds between two looks at which indexes there are. */
const INTERVAL = 1000;

/** The indexes of a server that have a repository. */
export async function servableIndexes(db: Executor): Promise<readonly IndexRow[]> {
  const servable: IndexRow[] = [];
  for (const index of await listIndexes(db)) {
    if ((await lastPublication(db, index.id)) !== undefined) servable.push(index);
  }
  return servable;
}

/** With the keys that sign for each. */
export async function publishedIndexes(
  folder: DataFolder,
  indexes: readonly IndexRow[],
): Promise<readonly PublishedIndex[]> {
  return Promise.all(
    indexes.map(async ({ id, name }) => ({
      indexId: id,
      keys: await onlineKeys(folderOfIndex(folder, name)),
    })),
  );
}

/** Begins to serve indexes that another process made (`rind index create`, a ceremony's bundle), and ends to serve those it removed. */
export class IndexWatch {
  readonly #options: IndexWatchOptions;
  readonly #served: Map<number, string>;
  readonly #failed = new Set<number>();
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;

  constructor(options: IndexWatchOptions) {
    this.#options = options;
    this.#served = new Map(options.served.map(({ id, name }) => [id, name]));
  }

  start(): void {
    this.#timer = setInterval(() => {
      this.#looking ??= this.#lookSafely().finally(() => (this.#looking = undefined));
    }, INTERVAL);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#looking;
  }

  /** Compares what there is with what is served, once. */
  async look(): Promise<void> {
    const { db, folder, publisher, server } = this.#options;
    const indexes = await servableIndexes(db);
    const wanted = new Set(indexes.map(({ id }) => id));
    for (const [id, name] of this.#served) {
      if (wanted.has(id)) continue;
      this.#served.delete(id);
      server.unmount(name);
      await publisher.remove(id);
    }
    for (const index of indexes) {
      if (this.#served.has(index.id) || this.#failed.has(index.id)) continue;
      try {
        for (const published of await publishedIndexes(folder, [index])) await publisher.add(published);
        await server.mount(index);
        this.#served.set(index.id, index.name);
      } catch (error) {
        // Its keys do not get better by trying every second; the others are served.
        this.#failed.add(index.id);
        this.#options.log.error(
          { err: error, index: index.name },
          'a new index cannot be served; restart when mended',
        );
      }
    }
  }

  async #lookSafely(): Promise<void> {
    try {
      await this.look();
    } catch (error) {
      this.#options.log.warn({ err: error }, 'the indexes could not be looked up');
    }
  }
}
