import { appendAudit } from '../db/audit.ts';
import { areCollectionsHeld } from '../db/collection-holds.ts';
import { finishCollections, isCollectionWanted, lastRequest } from '../db/collections.ts';
import { requireLease } from '../db/leases.ts';
import { writeTransaction } from '../db/transactions.ts';
import { DEFAULT_COLLECTION_SETTINGS, type CollectionSettings } from './collection-settings.ts';
import { errorFields, PublicationError } from './errors.ts';
import { GarbageCollection, type CollectionReport } from './garbage-collection.ts';
import { HashTransition } from './other-hashes.ts';
import type { PublicationContext } from './publication.ts';
import type { Publisher, PublisherLog } from './publisher.ts';

export interface UpkeepOptions {
  readonly publisher: Publisher;
  readonly settings?: CollectionSettings | undefined;
  readonly clock?: () => Date;
  readonly log?: PublisherLog | undefined;
  /** Takes away temporary files that nobody has touched since then; returns how many. */
  readonly removeTemporaries?: ((before: Date) => Promise<number>) | undefined;
}

/** After a start, publishing has the machine for itself for a while. Milliseconds. */
const FIRST_COLLECTION = 60_000;
/** A pause after a failure. */
const AFTER_FAILURE = 60_000;
/** Far longer than any upload takes. */
const TEMPORARY_LIFETIME = 86_400_000;

interface Running {
  readonly collection: GarbageCollection;
  /** Requests up to this one are answered by it. */
  readonly requestedUntil: number;
}

/** What goes on beside publishing: collections by the clock and on request, further hashes of what is public; slice by slice between publications. */
export class Upkeep {
  readonly #publisher: Publisher;
  readonly #settings: CollectionSettings;
  readonly #clock: () => Date;
  readonly #log: PublisherLog | undefined;
  readonly #removeTemporaries: UpkeepOptions['removeTemporaries'];
  readonly #hashes = new HashTransition();
  #next: Date;
  #running: Running | undefined;

  constructor(options: UpkeepOptions) {
    this.#publisher = options.publisher;
    this.#settings = options.settings ?? DEFAULT_COLLECTION_SETTINGS;
    this.#clock = options.clock ?? (() => new Date());
    this.#log = options.log;
    this.#removeTemporaries = options.removeTemporaries;
    this.#next = new Date(this.#clock().getTime() + FIRST_COLLECTION);
  }

  /** One slice, if there is anything to do; true when there is more. Throws as `Publisher.exclusively`. */
  async step(): Promise<boolean> {
    try {
      return await this.#publisher.exclusively((context) => this.#stepWith(context));
    } catch (error) {
      await this.#fail(error);
      throw error;
    }
  }

  /** A whole collection at once, for whoever holds the store lock and serves nobody. */
  async collect(): Promise<CollectionReport> {
    return this.#publisher.exclusively(async (context) => {
      if (await areCollectionsHeld(context.db, context.clock())) throw heldError();
      const running = await this.#begin(context);
      for (;;) {
        const removed = await running.collection.removeNext(context.epoch, context.clock());
        if (removed === 'held') throw heldError();
        if (removed === 'nothing left') break;
      }
      await this.#finish(context, running);
      return running.collection.report;
    });
  }

  async #stepWith(context: PublicationContext): Promise<boolean> {
    if (this.#running === undefined) {
      if (!(await this.#isDue(context))) return this.#hashes.step(context, this.#settings.interval);
      this.#running = await this.#begin(context);
    }
    const removed = await this.#running.collection.removeNext(context.epoch, context.clock());
    if (removed !== 'nothing left') return removed === 'removed';
    await this.#finish(context, this.#running);
    this.#running = undefined;
    return false;
  }

  async #isDue({ db, indexId, clock }: PublicationContext): Promise<boolean> {
    const now = clock().getTime();
    if (await areCollectionsHeld(db, clock())) return false;
    // What was published right before the clock jumped ahead looks old and may be young.
    const stepped = this.#publisher.clockSteppedForward();
    if (stepped !== undefined && now - stepped.getTime() < this.#settings.gracePeriod) return false;
    // A clock that was set back does not put the next collection off for long.
    if (this.#next.getTime() > now + this.#settings.interval)
      this.#next = new Date(now + this.#settings.interval);
    return now >= this.#next.getTime() || isCollectionWanted(db, indexId);
  }

  async #begin({ db, store, tree, indexId, clock }: PublicationContext): Promise<Running> {
    const now = clock();
    const requestedUntil = await lastRequest(db, indexId);
    const settings = this.#settings;
    return {
      requestedUntil,
      collection: await GarbageCollection.begin({ db, store, tree, indexId, settings, now }),
    };
  }

  async #finish({ db, indexId, epoch, clock }: PublicationContext, running: Running): Promise<void> {
    const now = clock();
    this.#next = new Date(now.getTime() + this.#settings.interval);
    const { report } = running.collection;
    const temporaries = (await this.#removeTemporaries?.(new Date(now.getTime() - TEMPORARY_LIFETIME))) ?? 0;
    const { requestedUntil } = running;
    const { objects, bytes } = report;
    await writeTransaction(db, async (tx) => {
      await requireLease(tx, indexId, epoch);
      await finishCollections(tx, indexId, { requestedUntil, now, objects, bytes, error: null });
      if (objects > 0) await appendAudit(tx, auditEntry(indexId, now, report));
    });
    if (objects + temporaries > 0) this.#log?.info({ ...report, temporaries }, 'garbage collected');
  }

  /** The next collection begins from the beginning; whoever asked for this one learns why it failed. */
  async #fail(error: unknown): Promise<void> {
    const running = this.#running;
    this.#running = undefined;
    const now = this.#clock();
    this.#next = new Date(now.getTime() + AFTER_FAILURE);
    if (running === undefined) return;
    const { requestedUntil, collection } = running;
    const { objects, bytes } = collection.report;
    const result = { requestedUntil, now, objects, bytes, error: errorFields(error).error };
    await this.#publisher
      .exclusively(({ db, indexId }) => writeTransaction(db, (tx) => finishCollections(tx, indexId, result)))
      .catch(() => undefined);
  }
}

function heldError(): PublicationError {
  return new PublicationError(
    'ON_HOLD',
    'A backup of this data folder is being made; collect when it is done. One that was killed is waited for one day at most.',
  );
}

function auditEntry(indexId: number, at: Date, report: CollectionReport): Parameters<typeof appendAudit>[1] {
  const { boundary = null, versions, pages, files, objects, bytes } = report;
  return {
    indexId,
    at,
    actor: 'publisher',
    action: 'gc',
    subject: `${objects} objects`,
    detail: { boundary, versions, pages, files, objects, bytes },
  };
}
