import { setTimeout as sleep } from 'node:timers/promises';
import { DatabaseError } from '../db/errors.ts';
import { waitingSummary } from '../db/journal.ts';
import type { Executor, IndexRow } from '../db/schema.ts';
import { acquireStoreLock, type StoreLock } from '../db/store-lock.ts';
import { openSigners } from '../keys/key-choice.ts';
import type { IndexSettingsForm } from '../registry/index-settings.ts';
import { Publisher } from '../repository/publisher.ts';
import type { PosixStore } from '../storage/posix-store.ts';
import { folderOfIndex, type DataFolder } from './data-folder.ts';
import { requireOnlineKeys } from './online-keys.ts';
import { ProgressLine } from './progress-line.ts';

/** An index of a data folder into which something is imported. */
export interface ImportTarget {
  readonly folder: DataFolder;
  readonly db: Executor;
  readonly store: PosixStore;
  readonly index: IndexRow;
  /** The upload rules of rind.toml, for an index that was not told otherwise. */
  readonly indexDefaults: IndexSettingsForm;
}

/** Works with the only publisher of the index; the caller holds the store's lock. */
export async function withPublisher<T>(
  { folder, db, store, index }: ImportTarget,
  work: (publisher: Publisher) => Promise<T>,
): Promise<T> {
  const keys = await openSigners(await requireOnlineKeys(folderOfIndex(folder, index.name)));
  try {
    const publisher = new Publisher({ db, store, index, signers: keys.signers });
    await publisher.start();
    try {
      return await work(publisher);
    } finally {
      await publisher.close();
    }
  } finally {
    await keys.close();
  }
}

/** Signs what waits, or leaves it to the server that runs. */
export async function publishAll(target: ImportTarget): Promise<void> {
  let lock: StoreLock;
  try {
    lock = await acquireStoreLock(target.folder.path);
  } catch (error) {
    if (!(error instanceof DatabaseError) || error.code !== 'STORE_LOCKED') throw error;
    await signedByServer(target);
    return;
  }
  try {
    await withPublisher(target, async (publisher) => {
      while ((await publisher.publishOnce()) !== undefined);
    });
  } finally {
    lock.release();
  }
}

async function signedByServer({ db, index }: ImportTarget): Promise<void> {
  const line = new ProgressLine();
  const total = (await waitingSummary(db, index.id)).count;
  for (;;) {
    const { count } = await waitingSummary(db, index.id);
    line.show({ phase: 'signing', done: Math.max(0, total - count), total });
    if (count === 0) return;
    await sleep(250);
  }
}
