import { errorFields } from '../repository/errors.ts';
import type { Publication, Publisher, PublisherLog } from '../repository/publisher.ts';

/** What people want to know about a publisher. */
export interface PublisherState {
  readonly snapshotVersion: number | undefined;
  readonly timestampVersion: number | undefined;
  readonly timestampExpires: Date | undefined;
  /** When the public timestamp was signed. */
  readonly lastPublished: Date | undefined;
  /** Changes that wait to be signed. */
  readonly waiting: number;
  /** Why the last attempt failed; undefined after one that did not. */
  readonly lastError: string | undefined;
}

export interface PublisherLoopOptions {
  readonly publisher: Publisher;
  readonly log: PublisherLog;
  /** How many changes wait. */
  readonly countWaiting: () => Promise<number>;
  readonly onPublished: (publication: Publication) => void;
  readonly onState: (state: PublisherState) => void;
  /** This publisher must not go on in this process: another one took over, or the store's state on its medium is unknown. */
  readonly onFatal: (error: unknown) => void;
  /** A short piece of the work that is done beside publishing, at most one after each look for changes; true when there is more of it. */
  readonly upkeep?: (() => Promise<boolean>) | undefined;
  readonly clock?: () => Date;
  /** Pause after the first failure in milliseconds; doubles up to `maxPause`. */
  readonly firstPause?: number;
  readonly maxPause?: number;
}

/**
 * Even without anything due, look again: another process (`rind project`, `rind promote`) may have written a change, a ceremony's bundle may
 * wait, the clock may have been set, a wake-up lost. Costs two small queries. Milliseconds.
 */
const LONGEST_SLEEP = 1000;
/** Errors after which only a new process may publish. */
const FATAL_CODES: ReadonlySet<string> = new Set([
  'LEASE_LOST',
  'CLOSED',
  'SYNC_FAILED',
  'WRITE_FAILED',
  'THREAD_DIED',
]);

/**
 * Keeps one publisher at work: publishes when woken and when renewals come due. A failure leaves the changes waiting and is tried again
 * after a pause that grows with each failure, however often it is woken meanwhile.
 */
export class PublisherLoop {
  readonly #options: PublisherLoopOptions;
  #lastError: string | undefined;
  #failures = 0;
  #isWoken = true;
  #isClosed = false;
  #interrupt: (() => void) | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(options: PublisherLoopOptions) {
    this.#options = options;
  }

  /** Begins to work, first with whatever waits already. The publisher must be started. */
  start(): void {
    this.#running = this.#run();
  }

  /** Something waits. */
  wake(): void {
    this.#isWoken = true;
    if (this.#failures === 0) this.#interrupt?.();
  }

  /** Ends after the publication that is being made. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#interrupt?.();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#isClosed) {
      this.#isWoken = false;
      const published = await this.#attempt();
      const hasMore = await this.#keepUp();
      if (published || hasMore || this.#isClosed) continue;
      await this.#reportState();
      await this.#sleep(this.#pause());
    }
  }

  /** True when something was published: then there may be more. */
  async #attempt(): Promise<boolean> {
    const { publisher, log, onPublished, onFatal } = this.#options;
    try {
      const publication = await publisher.publishOnce();
      this.#failures = 0;
      this.#lastError = undefined;
      if (publication === undefined) return false;
      onPublished(publication);
      return true;
    } catch (error) {
      const fields = errorFields(error);
      this.#failures += 1;
      this.#lastError = fields.error;
      if (FATAL_CODES.has(fields.code ?? '')) {
        this.#isClosed = true;
        await this.#reportState();
        onFatal(error);
      } else {
        log.warn(
          { ...fields, failures: this.#failures },
          'publishing failed, changes wait for the next attempt',
        );
      }
      return false;
    }
  }

  /** Never while publishing fails: first things first. */
  async #keepUp(): Promise<boolean> {
    const { upkeep, log } = this.#options;
    if (upkeep === undefined || this.#isClosed || this.#failures > 0) return false;
    try {
      return await upkeep();
    } catch (error) {
      log.warn(errorFields(error), 'upkeep failed, it is tried again later');
      return false;
    }
  }

  #pause(): number {
    const { publisher, clock = () => new Date(), firstPause = 100, maxPause = 30_000 } = this.#options;
    if (this.#failures > 0) return Math.min(maxPause, firstPause * 2 ** Math.min(this.#failures - 1, 20));
    const untilRenewal = publisher.nextRenewal().getTime() - clock().getTime();
    return Math.min(LONGEST_SLEEP, Math.max(0, untilRenewal));
  }

  async #sleep(milliseconds: number): Promise<void> {
    if (this.#isClosed || (this.#isWoken && this.#failures === 0)) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.#interrupt = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#interrupt = undefined;
  }

  async #reportState(): Promise<void> {
    const { publisher, countWaiting, onState, log } = this.#options;
    try {
      const waiting = await countWaiting();
      const state = publisher.publicState();
      onState({
        snapshotVersion: state?.snapshotVersion,
        timestampVersion: state?.timestampVersion,
        timestampExpires: state?.timestampExpires,
        lastPublished: state?.lastPublished,
        waiting,
        lastError: this.#lastError,
      });
    } catch (error) {
      log.warn(errorFields(error), 'the state of the publisher cannot be read');
    }
  }
}
