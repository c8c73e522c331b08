import { userInfo } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { DatabaseError } from '../db/errors.ts';
import { journalState } from '../db/journal.ts';
import { openDatabase } from '../db/open.ts';
import type { Executor, IndexRow } from '../db/schema.ts';
import { acquireStoreLock, type StoreLock } from '../db/store-lock.ts';
import { openSigners } from '../keys/key-choice.ts';
import { RegistryError } from '../registry/errors.ts';
import { requireIndex } from '../registry/indexes.ts';
import type { Principal } from '../registry/principal.ts';
import { errorFields } from '../repository/errors.ts';
import { Publisher } from '../repository/publisher.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { PosixStore } from '../storage/posix-store.ts';
import { CliError } from './cli-error.ts';
import { existingDataFolder, folderOfIndex, type DataFolder } from './data-folder.ts';
import { requireOnlineKeys } from './online-keys.ts';
import { say } from './terminal.ts';

/** A data folder opened by a command that may run beside its server. */
export interface OpenedData {
  readonly folder: DataFolder;
  readonly db: Executor;
  readonly store: ObjectStore;
  readonly clock: () => Date;
  /** Whoever runs the command: the data folder is hers. */
  readonly principal: Principal;
}

/** Milliseconds between two looks at what the server did, and how long it is waited for. */
const LOOK_AGAIN = 200;
const PATIENCE = 120_000;

/** Opens a data folder, runs `work`, closes it. A refusal of the registry becomes an error of the command. */
export async function withData<Result>(
  data: string,
  work: (opened: OpenedData) => Promise<Result>,
): Promise<Result> {
  const folder = await existingDataFolder(data);
  const store = await PosixStore.open({ root: folder.tree, temporaryFolder: folder.temporary });
  const database = await openDatabase({ path: folder.database });
  try {
    const principal: Principal = { kind: 'cli', name: userInfo().username };
    return await work({ folder, db: database.db, store, clock: () => new Date(), principal });
  } catch (error) {
    if (error instanceof RegistryError) throw new CliError('failure', error.message, [], { cause: error });
    throw error;
  } finally {
    await database.close();
  }
}

/** As `withData`, with one index of it. */
export function withIndex<Result>(
  data: string,
  name: string,
  work: (opened: OpenedData & { readonly index: IndexRow }) => Promise<Result>,
): Promise<Result> {
  return withData(data, async (opened) => work({ ...opened, index: await requireIndex(opened.db, name) }));
}

/**
 * Waits until the running server made the changes public; without one this process publishes them. Throws CliError when that takes too
 * long: they are stored, and will be public.
 */
export async function publishChanges(
  opened: OpenedData,
  index: IndexRow,
  journalIds: readonly number[],
): Promise<void> {
  const last = journalIds.at(-1);
  if (last === undefined) return;
  const lock = await lockUnlessServed(opened.folder.path);
  if (lock === undefined) {
    await waitForServer(opened.db, last);
    return;
  }
  try {
    const keys = await openSigners(await requireOnlineKeys(folderOfIndex(opened.folder, index.name)));
    try {
      const { db, store } = opened;
      const publisher = new Publisher({ db, store, index, signers: keys.signers });
      await publisher.start();
      while ((await journalState(db, last)) !== 'published') {
        if ((await publisher.publishOnce()) === undefined) throw heldBackError(publisher);
      }
      await publisher.close();
    } finally {
      await keys.close();
    }
  } finally {
    lock.release();
  }
}

/** Nothing more can be published, and the change is not public: its project is one of those that cannot be. */
function heldBackError({ heldBack }: Publisher): CliError {
  const [first] = heldBack;
  const more = heldBack.length > 1 ? ` (and ${heldBack.length - 1} more)` : '';
  const problem =
    first === undefined
      ? ''
      : `: ${first.project}${more} cannot be published. ${errorFields(first.error).error}`;
  return new CliError('failure', `The change is stored, but not signed${problem}`, [
    'rind fsck says what is missing; what waits is signed when it is there again',
  ]);
}

async function waitForServer(db: Executor, journalId: number): Promise<void> {
  const end = performance.now() + PATIENCE;
  while ((await journalState(db, journalId)) !== 'published') {
    if (performance.now() > end) {
      throw new CliError('failure', 'The change is stored, but the server has not signed it yet.', [
        'look at the log of the server; nothing has to be done again',
      ]);
    }
    await pause(LOOK_AGAIN);
  }
}

async function lockUnlessServed(path: string): Promise<StoreLock | undefined> {
  try {
    return await acquireStoreLock(path);
  } catch (error) {
    if (!(error instanceof DatabaseError) || error.code !== 'STORE_LOCKED') throw error;
    say('the server signs it');
    return undefined;
  }
}
