import { uptime } from 'node:os';
import { parentPort } from 'node:worker_threads';
import { listIndexes } from '../db/indexes.ts';
import { journalState, waitingSummary } from '../db/journal.ts';
import { openDatabase, type Database } from '../db/open.ts';
import type { Executor } from '../db/schema.ts';
import { acquireStoreLock } from '../db/store-lock.ts';
import { openSigners, type OpenedSigners } from '../keys/key-choice.ts';
import type { CollectionSettings } from '../repository/collection-settings.ts';
import { errorFields } from '../repository/errors.ts';
import { expirySettingsOf } from '../repository/expiry-settings.ts';
import { profileNamed } from '../repository/profile.ts';
import { Publisher, type PublisherLog } from '../repository/publisher.ts';
import { Upkeep } from '../repository/upkeep.ts';
import { FaultInjector } from '../storage/fault-injector.ts';
import { PosixStore } from '../storage/posix-store.ts';
import { Histogram } from '../telemetry/metrics.ts';
import type { Signer } from '../tuf/signer.ts';
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
  let database: Database | undefined;
  let loops: IndexLoops | undefined;
  try {
    const faults = FaultInjector.fromEnvironment();
    const opened = await openDatabase({
      path: data.databasePath,
      ...(faults === undefined ? {} : { beforeCommit: () => faults.before('commit') }),
    });
    database = opened;
    const { storeRoot: root, temporaryFolder } = data;
    const store = await PosixStore.open({ root, temporaryFolder, faults });
    await store.removeStaleTemporaries(new Date(Date.now() - STALE));
    const work = new IndexLoops(opened.db, store, data);
    loops = work;
    for (const index of data.indexes) await work.add(index);
    listen(opened.db, work, async () => {
      await work.close();
      await opened.close();
      lock.release();
    });
    post({ kind: 'ready' });
  } catch (error) {
    // An index that began before another could not may publish only while the lock is held.
    await loops?.close();
    await database?.close();
    lock.release();
    throw error;
  }
}

/** Milliseconds since the machine started, suspended time included: no clock that somebody sets. */
function machineUptime(): number {
  return uptime() * 1000;
}

/** The publishers at work in this thread, one per index, with the keys they sign with. */
class IndexLoops {
  readonly #db: Executor;
  readonly #store: PosixStore;
  readonly #data: PublisherThreadData;
  readonly #entries = new Map<number, { readonly loop: PublisherLoop; readonly keys: OpenedSigners }>();

  constructor(db: Executor, store: PosixStore, data: PublisherThreadData) {
    this.#db = db;
    this.#store = store;
    this.#data = data;
  }

  /** Opens the keys, takes the lease, recovers, and goes to work. Throws; then nothing of it is left. */
  async add({ indexId, keys: choices }: PublishedIndex): Promise<void> {
    if (this.#entries.has(indexId)) return;
    const index = (await listIndexes(this.#db)).find(({ id }) => id === indexId);
    if (index === undefined) throw new Error(`The database has no index ${indexId}.`);
    const keys = await openSigners(choices);
    try {
      const signers = keys.signers.map(timed);
      const profile = profileNamed(index.profile);
      const { expiry, trustClock } = this.#data;
      const publisher = new Publisher({
        db: this.#db,
        store: this.#store,
        index,
        signers,
        log: threadLog,
        elapsed: machineUptime,
        isClockTrusted: trustClock === true,
        expiry: profile === undefined ? undefined : { ...expirySettingsOf(profile), ...expiry },
      });
      await publisher.start();
      const loop = newLoop(this.#db, indexId, publisher, this.#store, this.#data.collection);
      this.#entries.set(indexId, { loop, keys });
      loop.start();
    } catch (error) {
      await keys.close();
      throw error;
    }
  }

  wake(indexId: number): void {
    this.#entries.get(indexId)?.loop.wake();
  }

  /** Ends after the publication that is being made. */
  async remove(indexId: number): Promise<void> {
    const entry = this.#entries.get(indexId);
    this.#entries.delete(indexId);
    await entry?.loop.close();
    await entry?.keys.close();
  }

  async close(): Promise<void> {
    await Promise.all([...this.#entries.keys()].map((indexId) => this.remove(indexId)));
  }
}

function listen(db: Executor, loops: IndexLoops, close: () => Promise<void>): void {
  requests.take((request) => {
    switch (request.kind) {
      case 'begin':
        break;
      case 'wake':
        loops.wake(request.indexId);
        break;
      case 'await':
        void answer(db, request.journalId);
        break;
      case 'add':
        void add(loops, request.index);
        break;
      case 'remove':
        void loops.remove(request.indexId).finally(() => post({ kind: 'removed', indexId: request.indexId }));
        break;
      case 'close':
        void close().finally(() => parentPort?.close());
        break;
    }
  });
}

async function add(loops: IndexLoops, index: PublishedIndex): Promise<void> {
  const { indexId } = index;
  try {
    await loops.add(index);
    post({ kind: 'added', indexId });
  } catch (error) {
    post({ kind: 'not-added', indexId, reason: errorFields(error) });
  }
}

/** Says so when the change is public already; otherwise the message about its publication is the answer. */
async function answer(db: Executor, journalId: number): Promise<void> {
  try {
    if ((await journalState(db, journalId)) === 'published') post({ kind: 'already', journalId });
  } catch (error) {
    threadLog.warn({ journalId, ...errorFields(error) }, 'the state of a change cannot be read');
  }
}

const signing = new Histogram('signing', '');
let signaturesTold = 0;

/** The same signer, its time taken. */
function timed(signer: Signer): Signer {
  const sign: Signer['sign'] = async (bytes, context) => {
    const started = performance.now();
    try {
      return await signer.sign(bytes, context);
    } finally {
      signing.observe((performance.now() - started) / 1000);
    }
  };
  const signedVersions = signer.signedVersions?.bind(signer);
  return { key: signer.key, sign, ...(signedVersions === undefined ? {} : { signedVersions }) };
}

function tellSigning(): void {
  const { state } = signing;
  const signatures = state.counts.reduce((sum, count) => sum + count, 0);
  if (signatures === signaturesTold) return;
  signaturesTold = signatures;
  post({ kind: 'signing', latency: state });
}

function newLoop(
  db: Executor,
  indexId: number,
  publisher: Publisher,
  store: PosixStore,
  settings: CollectionSettings | undefined,
): PublisherLoop {
  const upkeep = new Upkeep({
    publisher,
    settings,
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
    onState: (state) => {
      post({ kind: 'state', indexId, state });
      tellSigning();
    },
    onFatal: (error) => post({ kind: 'fatal', indexId, reason: errorFields(error) }),
  });
}

const threadLog: PublisherLog = {
  info: (fields, message) => post({ kind: 'log', level: 'info', fields, message }),
  warn: (fields, message) => post({ kind: 'log', level: 'warn', fields, message }),
};

function post(message: PublisherMessage): void {
  parentPort?.postMessage(message);
}

/** What the main thread says; from its first word on, while the publisher is still being opened. */
class Requests {
  readonly #waiting: PublisherRequest[] = [];
  #handle: ((request: PublisherRequest) => void) | undefined;

  receive(request: PublisherRequest): void {
    if (this.#handle === undefined) this.#waiting.push(request);
    else this.#handle(request);
  }

  take(handle: (request: PublisherRequest) => void): void {
    this.#handle = handle;
    for (const request of this.#waiting.splice(0)) handle(request);
  }
}

const requests = new Requests();
parentPort?.on('message', (request: PublisherRequest) => {
  requests.receive(request);
  if (request.kind !== 'begin') return;
  run(request.data).catch((error: unknown) => {
    post({ kind: 'refused', reason: errorFields(error) });
    parentPort?.close();
  });
});
