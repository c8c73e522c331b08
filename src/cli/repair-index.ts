import { userInfo } from 'node:os';
import type { Executor, IndexRow } from '../db/schema.ts';
import { openSigners } from '../keys/key-choice.ts';
import { errorFields, PublicationError } from '../repository/errors.ts';
import { fsck } from '../repository/fsck.ts';
import { repair, type Repaired, type RepairReport } from '../repository/fsck-repair.ts';
import { Publisher } from '../repository/publisher.ts';
import type { PosixStore } from '../storage/posix-store.ts';
import { type DataFolder, folderOfIndex } from './data-folder.ts';
import { onlineKeys } from './online-keys.ts';
import { say } from './terminal.ts';

/** A walk ends at lost metadata, so what lies behind shows only in the next round: timestamp, snapshot, bins, objects. */
const ROUNDS = 6;

/** Mends an index round by round and publishes what waits for it. The store lock is held. */
export async function repairIndex(
  folder: DataFolder,
  db: Executor,
  store: PosixStore,
  index: IndexRow,
): Promise<RepairReport> {
  const keys = await openSigners(await onlineKeys(folderOfIndex(folder, index.name)));
  try {
    const { signers } = keys;
    const actor = `cli:${userInfo().username}`;
    const repaired: Repaired[] = [];
    let left: RepairReport['left'] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const { findings } = await fsck({ db, store, index });
      const report = await repair({ db, store, index, signers, actor }, findings);
      repaired.push(...report.repaired);
      left = report.left;
      if (report.repaired.length === 0) break;
    }
    const publisher = new Publisher({ db, store, index, signers, holder: 'rind fsck' });
    await publishWaiting(publisher);
    return { repaired, left };
  } finally {
    await keys.close();
  }
}

async function publishWaiting(publisher: Publisher): Promise<void> {
  try {
    await publisher.start();
    while ((await publisher.publishOnce()) !== undefined);
  } catch (error) {
    if (!(error instanceof PublicationError)) throw error;
    say(`nothing can be published yet: ${errorFields(error).error}`);
  } finally {
    await publisher.close();
  }
}
