import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { appendAudit } from '../db/audit.ts';
import { listIndexes } from '../db/indexes.ts';
import type { Executor } from '../db/schema.ts';
import { writeTransaction } from '../db/transactions.ts';
import { writeArchive } from '../repository/archive-writer.ts';
import { errorFields } from '../repository/errors.ts';
import { HeadDelivery } from '../repository/head-delivery.ts';
import type { BucketSinkOptions } from '../repository/bucket-sink.ts';
import { headSinks, type WitnessSettings } from '../repository/head-sinks.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import type { Log } from '../telemetry/log.ts';
import type { DataFolder } from './data-folder.ts';

const DAY = 86_400_000;
const RETRY = 3_600_000;

/** What `rind serve` is told of evidence. */
export interface EvidenceOptions {
  /** Heads of the public log are appended to them. */
  readonly headsFiles?: readonly string[];
  /** Heads are posted there; `/api/v1/witness` of another rind is such a place. */
  readonly headsWebhook?: string;
  /** Heads are locked there. */
  readonly headsBucket?: BucketSinkOptions;
  /** An archive of each index is kept there, a folder each, and grows daily. */
  readonly archive?: string;
}

export interface EvidenceLoopOptions {
  readonly db: Executor;
  readonly store: ObjectStore;
  readonly settings: WitnessSettings;
  readonly archive: string | undefined;
  readonly publicUrl: string;
  readonly log: Log;
}

/** Keeps evidence elsewhere while the server runs: heads of the public log at once, an archive once a day. Nothing waits for either. */
export class EvidenceLoop {
  readonly #options: EvidenceLoopOptions;
  readonly #delivery: HeadDelivery;
  #timer: NodeJS.Timeout | undefined;
  #archiving: Promise<void> = Promise.resolve();
  #isStopped = false;

  constructor(options: EvidenceLoopOptions) {
    this.#options = options;
    const { db, publicUrl, log } = options;
    this.#delivery = new HeadDelivery({ db, publicUrl, log, sinks: headSinks(options.settings) });
  }

  /** How far behind each sink is, for metrics. */
  get delivery(): Pick<HeadDelivery, 'queueAges'> {
    return this.#delivery;
  }

  start(): void {
    this.#delivery.start();
    if (this.#options.archive !== undefined) this.#archiveAfter(0);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    await Promise.all([this.#delivery.stop(), this.#archiving]);
  }

  #archiveAfter(pause: number): void {
    if (this.#isStopped) return;
    this.#timer = setTimeout(() => {
      this.#archiving = this.#archiveAll().then((isDone) => this.#archiveAfter(isDone ? DAY : RETRY));
    }, pause);
    this.#timer.unref();
  }

  async #archiveAll(): Promise<boolean> {
    const { db, store, archive = '', log } = this.#options;
    try {
      for (const index of await listIndexes(db)) {
        const folder = join(archive, index.name === '' ? 'default' : index.name);
        const { manifest } = await writeArchive({ store, index: index.name, folder });
        const { timestampVersion, targets } = manifest;
        await writeTransaction(db, (tx) =>
          appendAudit(tx, {
            indexId: index.id,
            at: new Date(),
            actor: 'publisher',
            action: 'archive',
            subject: `timestamp ${timestampVersion}`,
            detail: { targets: targets.count, sha256: targets.sha256 },
          }),
        );
      }
      return true;
    } catch (error) {
      log.warn(errorFields(error), 'the index was not archived; it is tried again in an hour');
      return false;
    }
  }
}

/** The sinks of the command line; token and secret of the webhook lie beside the keys: `witness-token` and `witness-secret`. */
export async function witnessSettings(
  { headsFiles = [], headsWebhook, headsBucket }: EvidenceOptions,
  folder: DataFolder,
): Promise<WitnessSettings> {
  const secret = async (name: string) => {
    const text = await readFile(join(dirname(folder.onlineKey), name), 'utf8').catch(() => undefined);
    return text?.trim();
  };
  const [token, key] = [await secret('witness-token'), await secret('witness-secret')];
  const webhook = {
    url: headsWebhook ?? '',
    ...(token === undefined ? {} : { token }),
    ...(key === undefined ? {} : { secret: key }),
  };
  return {
    files: headsFiles,
    webhooks: headsWebhook === undefined ? [] : [webhook],
    buckets: headsBucket === undefined ? [] : [headsBucket],
  };
}
