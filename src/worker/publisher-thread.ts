import { parentPort, workerData } from 'node:worker_threads';
import { listIndexes } from '../db/indexes.ts';
import { journalState, waitingSummary } from '../db/journal.ts';
import { openDatabase } from '../db/open.ts';
import type { Executor, IndexRow } from '../db/schema.ts';
import { acquireStoreLock } from '../db/store-lock.ts';
import { openSigners, type OpenedSigners } from '../keys/key-choice.ts';
import { errorFields } from '../repository/errors.ts';
import { Publisher, type PublisherLog } from '../repository/publisher.ts';
import { Upkeep } from '../repository/upkeep.ts';
import { FaultInjector } from '../storage/fault-injector.ts';
import { PosixStore } from '../storage/posix-store.ts';
import { PublisherLoop } from './publisher-loop.ts';
import type {
  PublishedIndex,
  PublisherMessage,
  PublisherRequest,
  PublisherThreadData,
} from './publisher-protocol.ts';

/** Temporary files that nobody has written to for so long are of processes that died. Milliseconds. */
const STALE = 3_600_000;

/** The publisher's thread: own database connection, own keys, one loop per index; the store lock keeps other processes out. */
async function run(data: PublisherThreadData): Promise<void> {
  const lock = await acquireStoreLock(data.lockFolder);
  try {
    const faults = FaultInjector.fromEnvironment();
    const database = await openDatabase({
      path: data.databasePath,
      ...(faults === undefined ? {} : { beforeCommit: () => faults.before('commit') }),
    });
    const { storeRoot: root, temporaryFolder } = data;
    const store = await PosixStore.open({ root, temporaryFolder, faults });
    await store.removeStaleTemporaries(new Date(Date.now() - STALE));
    const opened: OpenedSigners[] = [];
    const loops = await startLoops(database.db, store, data.indexes, opened);
    listen(database.db, loops, async () => {
      await Promise.all([...loops.values()].map((loop) => loop.close()));
      await Promise.all(opened.map((signers) => signers.close()));
      await database.close();
      lock.release();
    });
    post({ kind: 'ready' });
  } catch (error) {
    lock.release();
    throw error;
  }
}

async function startLoops(
  db: Executor,
  store: PosixStore,
  indexes: readonly PublishedIndex[],
  opened: OpenedSigners[],
): Promise<ReadonlyMap<number, PublisherLoop>> {
  const rows = new Map((await listIndexes(db)).map((row) => [row.id, row]));
  const loops = new Map<number, PublisherLoop>();
  for (const index of indexes) {
    const keys = await openSigners(index.keys);
    opened.push(keys);
    const { signers } = keys;
    const publisher = new Publisher({ db, store, index: requireRow(rows, index), signers, log: threadLog });
    await publisher.start();
    loops.set(index.indexId, newLoop(db, index.indexId, publisher, store));
  }
  for (const loop of loops.values()) loop.start();
  return loops;
}

function listen(db: Executor, loops: ReadonlyMap<number, PublisherLoop>, close: () => Promise<void>): void {
  parentPort?.on('message', (request: PublisherRequest) => {
    switch (request.kind) {
      case 'wake':
        loops.get(request.indexId)?.wake();
        break;
      case 'await':
        void answer(db, request.journalId);
        break;
      case 'close':
        void close().finally(() => parentPort?.close());
        break;
    }
  });
}

/** Says so when the change is public already; otherwise the message about its publication is the answer. */
async function answer(db: Executor, journalId: number): Promise<void> {
  try {
    if ((await journalState(db, journalId)) === 'published') post({ kind: 'already', journalId });
  } catch (error) {
    threadLog.warn({ journalId, ...errorFields(error) }, 'the state of a change cannot be read');
  }
}

function newLoop(db: Executor, indexId: number, publisher: Publisher, store: PosixStore): PublisherLoop {
  const upkeep = new Upkeep({
    publisher,
    log: threadLog,
    removeTemporaries: (before) => store.removeStaleTemporaries(before),
  });
  return new PublisherLoop({
    publisher,
    log: threadLog,
    upkeep: () => upkeep.step(),
    countWaiting: async () => (await waitingSummary(db, indexId)).count,
    onPublished: ({ journalIds, changedPaths }) =>
      post({ kind: 'published', indexId, journalIds, changedPaths }),
    onState: (state) => post({ kind: 'state', indexId, state }),
    onFatal: (error) => post({ kind: 'fatal', indexId, reason: errorFields(error) }),
  });
}

function requireRow(rows: ReadonlyMap<number, IndexRow>, { indexId }: PublishedIndex): IndexRow {
  const row = rows.get(indexId);
  if (row === undefined) throw new Error(`The database has no index ${indexId}.`);
  return row;
}

const threadLog: PublisherLog = {
  info: (fields, message) => post({ kind: 'log', level: 'info', fields, message }),
  warn: (fields, message) => post({ kind: 'log', level: 'warn', fields, message }),
};

function post(message: PublisherMessage): void {
  parentPort?.postMessage(message);
}

run(workerData as PublisherThreadData).catch((error: unknown) => {
  post({ kind: 'refused', reason: errorFields(error) });
  parentPort?.close();
});
