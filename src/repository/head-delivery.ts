import { auditHead } from '../db/audit.ts';
import { listIndexes } from '../db/indexes.ts';
import { lastLogEntry } from '../db/log-entries.ts';
import type { Executor, IndexRow } from '../db/schema.ts';
import { writeTransaction } from '../db/transactions.ts';
import { findDelivery, oldestUndelivered, putDelivery } from '../db/witness.ts';
import { errorFields } from './errors.ts';
import type { HeadSink } from './head-sinks.ts';
import type { PublisherLog } from './publisher.ts';
import { ServedTree } from './served-tree.ts';

const FIRST_RETRY = 5_000;
const LONGEST_RETRY = 3_600_000;
const LOOK_AGAIN = 5_000;

export interface HeadDeliveryOptions {
  readonly db: Executor;
  readonly sinks: readonly HeadSink[];
  /** The public URL of the server, ending with `/`: the name under which witnesses keep its logs. */
  readonly publicUrl: string;
  readonly log?: PublisherLog | undefined;
  readonly clock?: () => Date;
}

/** What a sink has not been told yet, for metrics. */
export interface QueueAge {
  readonly sink: string;
  readonly index: string;
  /** Seconds since the oldest publication that it does not know of; 0 when it knows all. */
  readonly seconds: number;
  readonly failures: number;
}

/**
 * Tells every sink of the newest head of every index. A head stands for all before it, so only the newest waits; what a sink has is written down
 * in the database, and a failure is tried again after 5 seconds, then 10, up to an hour. No publication waits for it.
 */
export class HeadDelivery {
  readonly #options: HeadDeliveryOptions;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();
  #isStopped = false;

  constructor(options: HeadDeliveryOptions) {
    this.#options = options;
  }

  start(): void {
    if (this.#options.sinks.length === 0 || this.#isStopped) return;
    this.#running = this.deliver()
      .catch((error: unknown) =>
        this.#options.log?.warn({ ...errorFields(error) }, 'heads could not be delivered'),
      )
      .then(() => {
        if (this.#isStopped) return;
        this.#timer = setTimeout(() => this.start(), LOOK_AGAIN);
        this.#timer.unref();
      });
  }

  /** Waits for what is under way. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  /** One round: each sink gets what it lacks, unless it failed a moment ago. */
  async deliver(): Promise<void> {
    for (const index of await listIndexes(this.#options.db))
      await Promise.all(this.#options.sinks.map((sink) => this.#tell(sink, index)));
  }

  async queueAges(): Promise<readonly QueueAge[]> {
    const { db, sinks } = this.#options;
    const ages: QueueAge[] = [];
    for (const index of await listIndexes(db)) {
      for (const sink of sinks) {
        const row = await findDelivery(db, sink.name, index.id);
        const oldest = await oldestUndelivered(db, index.id, row?.size ?? 0);
        const seconds =
          oldest === undefined ? 0 : Math.max(0, (this.#now().getTime() - Date.parse(oldest)) / 1000);
        ages.push({ sink: sink.name, index: index.name, seconds, failures: row?.failures ?? 0 });
      }
    }
    return ages;
  }

  async #tell(sink: HeadSink, index: IndexRow): Promise<void> {
    const { db, publicUrl, log } = this.#options;
    const [last, row, audit] = [
      await lastLogEntry(db, index.id),
      await findDelivery(db, sink.name, index.id),
      await auditHead(db),
    ];
    const now = this.#now();
    const known = row?.size ?? 0;
    if (last === undefined || last.seq <= known) return;
    if (row?.retry_at !== null && row !== undefined && now < new Date(row.retry_at)) return;
    const place = { sink: sink.name, index_id: index.id };
    try {
      await sink.deliver({
        origin: publicUrl + new ServedTree(index.name).prefix,
        index: index.name,
        size: last.seq,
        root: last.root,
        at: now.toISOString(),
        auditSeq: audit.seq,
        auditSha256: audit.sha256,
      });
      const delivered = {
        size: last.seq,
        delivered_at: now.toISOString(),
        failures: 0,
        retry_at: null,
        last_error: null,
      };
      await writeTransaction(db, (tx) => putDelivery(tx, { ...place, ...delivered }));
    } catch (error) {
      const failures = (row?.failures ?? 0) + 1;
      const wait = Math.min(LONGEST_RETRY, FIRST_RETRY * 2 ** Math.min(failures - 1, 20));
      const failed = {
        size: known,
        delivered_at: row?.delivered_at ?? null,
        failures,
        retry_at: new Date(now.getTime() + wait).toISOString(),
        last_error: errorFields(error).error,
      };
      await writeTransaction(db, (tx) => putDelivery(tx, { ...place, ...failed }));
      log?.warn(
        { sink: sink.name, index: index.name, failures, ...errorFields(error) },
        'a sink did not take the head of the log',
      );
    }
  }

  #now(): Date {
    return this.#options.clock?.() ?? new Date();
  }
}
