import type { Executor } from '../db/schema.ts';
import type { DocumentCache } from './document-cache.ts';
import type { Log } from './options.ts';
import type { Site } from './site.ts';

/** Milliseconds between two looks at who may read: another process may have changed it. */
const INTERVAL = 1_000;

export interface AccessWatchOptions {
  readonly db: Executor;
  readonly sites: () => Iterable<Site>;
  readonly cache: DocumentCache;
  readonly log: Log;
}

/** Keeps the read access of every served index as its row says. An index without a row is closed. */
export class AccessWatch {
  readonly #options: AccessWatchOptions;
  #timer: NodeJS.Timeout | undefined;
  #looking = false;

  constructor(options: AccessWatchOptions) {
    this.#options = options;
  }

  /** Looks once, then once a second until `stop`. */
  async start(): Promise<void> {
    await this.look();
    this.#timer = setInterval(() => void this.#lookAgain(), INTERVAL);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Reads the rows now: after a change through this process. */
  async look(): Promise<void> {
    const rows = await this.#options.db.selectFrom('indexes').select(['id', 'read_access']).execute();
    const access = new Map(rows.map(({ id, read_access }) => [id, read_access]));
    let changed = false;
    for (const site of this.#options.sites()) {
      const now = access.get(site.id) ?? 'token';
      changed ||= now !== site.readAccess;
      site.readAccess = now;
    }
    // Documents carry the headers of the access they were made under.
    if (changed) this.#options.cache.clear();
  }

  async #lookAgain(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    try {
      await this.look();
    } catch (error) {
      this.#options.log.warn({ err: error }, 'who may read could not be looked up');
    } finally {
      this.#looking = false;
    }
  }
}
