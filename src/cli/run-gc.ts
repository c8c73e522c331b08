import { setTimeout as sleep } from 'node:timers/promises';
import { findCollection, requestCollection } from '../db/collections.ts';
import { DatabaseError } from '../db/errors.ts';
import { listIndexes } from '../db/indexes.ts';
import { openDatabase } from '../db/open.ts';
import { lastPublication } from '../db/publications.ts';
import type { Executor, IndexRow } from '../db/schema.ts';
import { acquireStoreLock, type StoreLock } from '../db/store-lock.ts';
import { writeTransaction } from '../db/transactions.ts';
import { openSigners } from '../keys/key-choice.ts';
import type { CollectionSettings } from '../repository/collection-settings.ts';
import { GarbageCollection } from '../repository/garbage-collection.ts';
import { Publisher } from '../repository/publisher.ts';
import { ServedTree } from '../repository/served-tree.ts';
import { Upkeep } from '../repository/upkeep.ts';
import { PosixStore } from '../storage/posix-store.ts';
import { CliError } from './cli-error.ts';
import { existingDataFolder, type DataFolder, folderOfIndex } from './data-folder.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { onlineKeys } from './online-keys.ts';
import { collectionSettings, settingsBeside } from './serve-settings.ts';
import { print, say } from './terminal.ts';

/** What `rind gc` is told. */
export interface RunGcOptions {
  readonly data: string;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

/** What was taken away of one index, or would be. */
interface Collected {
  readonly index: string;
  readonly objects: number;
  readonly bytes: number;
}

/** How long a running server may take. */
const PATIENCE_MS = 600_000;
const LOOK_EVERY_MS = 200;

/** Collects garbage in every index of a data folder: by itself, or by the server that publishes from it. */
export async function runGc(options: RunGcOptions): Promise<ExitCode> {
  const folder = await existingDataFolder(options.data);
  const settings = collectionSettings(await settingsBeside(options.data));
  const database = await openDatabase({ path: folder.database });
  try {
    const results: Collected[] = [];
    const indexes = await publishedIndexes(database.db);
    const lock = options.dryRun === true ? undefined : await tryStoreLock(folder);
    try {
      const store = await PosixStore.open({ root: folder.tree, temporaryFolder: folder.temporary });
      for (const index of indexes) {
        const collect =
          options.dryRun === true
            ? countOnly(settings)
            : lock === undefined
              ? askServer
              : collectHere(folder, settings);
        results.push({ index: index.name, ...(await collect(database.db, store, index)) });
      }
    } finally {
      lock?.release();
    }
    tell(results, options);
    return EXIT.ok;
  } finally {
    await database.close();
  }
}

type Collect = (db: Executor, store: PosixStore, index: IndexRow) => Promise<Omit<Collected, 'index'>>;

function countOnly(settings: CollectionSettings): Collect {
  return async (db, store, index) => {
    const tree = new ServedTree(index.name);
    const now = new Date();
    return (await GarbageCollection.begin({ db, store, tree, indexId: index.id, settings, now })).countAll();
  };
}

const askServer: Collect = async (db, _store, index) => {
  const id = await writeTransaction(db, (tx) => requestCollection(tx, index.id, new Date()));
  for (let waited = 0; waited < PATIENCE_MS; waited += LOOK_EVERY_MS) {
    const row = await findCollection(db, id);
    if (row?.error !== undefined && row.error !== null)
      throw new CliError('failure', `The server could not collect: ${row.error}`, []);
    if (row !== undefined && row.finished_at !== null) return { objects: row.objects, bytes: row.bytes };
    await sleep(LOOK_EVERY_MS);
  }
  throw new CliError(
    'failure',
    'Another process publishes from this folder and did not collect within ten minutes.',
    ['look into its log'],
  );
};

function collectHere(folder: DataFolder, settings: CollectionSettings): Collect {
  return async (db, store, index) => {
    const keys = await openSigners(await onlineKeys(folderOfIndex(folder, index.name)));
    try {
      const publisher = new Publisher({ db, store, index, signers: keys.signers, holder: 'rind gc' });
      await publisher.start();
      const removeTemporaries = (before: Date): Promise<number> => store.removeStaleTemporaries(before);
      return await new Upkeep({ publisher, settings, removeTemporaries }).collect();
    } finally {
      await keys.close();
    }
  };
}

async function publishedIndexes(db: Executor): Promise<readonly IndexRow[]> {
  const indexes: IndexRow[] = [];
  for (const index of await listIndexes(db))
    if ((await lastPublication(db, index.id)) !== undefined) indexes.push(index);
  return indexes;
}

/** Undefined while another process publishes. */
async function tryStoreLock(folder: DataFolder): Promise<StoreLock | undefined> {
  try {
    return await acquireStoreLock(folder.path);
  } catch (error) {
    if (error instanceof DatabaseError && error.code === 'STORE_LOCKED') return undefined;
    throw error;
  }
}

function tell(results: readonly Collected[], { json, dryRun }: RunGcOptions): void {
  if (json === true) {
    print(JSON.stringify(results, undefined, 2));
    return;
  }
  for (const { index, objects, bytes } of results) {
    const name = index === '' ? 'the default index' : `index ${index}`;
    say(
      `${name}: ${objects} objects (${bytes} bytes) ${dryRun === true ? 'would be removed' : 'were removed'}`,
    );
  }
}
