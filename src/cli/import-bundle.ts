import { setTimeout as pause } from 'node:timers/promises';
import { verifyBundle, type VerifiedBundle } from '../ceremony/bundle.ts';
import { CeremonyError } from '../ceremony/errors.ts';
import { findIndex, insertIndex } from '../db/indexes.ts';
import { DatabaseError } from '../db/errors.ts';
import { findOfflineBundle, submitOfflineBundle } from '../db/offline-bundles.ts';
import { openDatabase } from '../db/open.ts';
import { lastPublication } from '../db/publications.ts';
import type { Executor, IndexRow } from '../db/schema.ts';
import { acquireStoreLock, type StoreLock } from '../db/store-lock.ts';
import { writeTransaction } from '../db/transactions.ts';
import { openSigners } from '../keys/key-choice.ts';
import { checkedIndexName } from '../registry/indexes.ts';
import { createRepository } from '../repository/create-repository.ts';
import { Publisher } from '../repository/publisher.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { PosixStore } from '../storage/posix-store.ts';
import { CliError } from './cli-error.ts';
import type { ImportOptions } from './commands/ceremony.ts';
import { folderOfIndex, openDataFolder, type DataFolder } from './data-folder.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { requireOnlineKeys } from './online-keys.ts';
import { keepBundle } from './renewal-opener.ts';
import { print, say } from './terminal.ts';

/** Between two looks at what a running server did with the bundle, in milliseconds. */
const LOOK_AGAIN = 1000;
/** A server that did not finish by then is not running, or in trouble. */
const PATIENCE = 15 * 60_000;

/** `rind ceremony import` */
export async function importBundle(path: string, options: ImportOptions): Promise<ExitCode> {
  const bundle = await verifyBundle(path);
  if (bundle.event.candidate.rehearsal)
    throw new CeremonyError(
      'REHEARSAL',
      `${path} is a rehearsal and is never imported; hold the ceremony without --rehearsal.`,
    );
  const folder = await openDataFolder(options.data);
  const store = await PosixStore.open({ root: folder.tree, temporaryFolder: folder.temporary });
  const database = await openDatabase({ path: folder.database });
  try {
    const index = await findIndex(database.db, checkedIndexName(options.index));
    if (index === undefined || (await lastPublication(database.db, index.id)) === undefined)
      await create(folder, store, database.db, options.index, bundle);
    else await change(folder, store, database.db, index, bundle, Number(options.rootGrace) * 1000);
    await keepBundle(folder.path, path, bundle.event.id);
    return EXIT.ok;
  } finally {
    await database.close();
  }
}

async function indexFor(db: Executor, name: string, { event }: VerifiedBundle): Promise<IndexRow> {
  return (
    (await findIndex(db, checkedIndexName(name))) ??
    insertIndex(db, { name, profile: event.candidate.profile, now: new Date() })
  );
}

/** The first metadata, and at once whatever the index has already. */
async function create(
  folder: DataFolder,
  store: ObjectStore,
  db: Executor,
  name: string,
  bundle: VerifiedBundle,
): Promise<void> {
  if (bundle.event.candidate.kind !== 'ceremony')
    throw new CliError('failure', 'This index has no repository yet, and the bundle renews one.', [
      'import the bundle of the first ceremony first',
    ]);
  const own = folderOfIndex(folder, checkedIndexName(name));
  const keys = await requireOnlineKeys(own);
  const whole = await lockUnlessServed(folder.path);
  if (whole === undefined && name === '')
    throw new CliError(
      'failure',
      'A server runs on this data folder, and the first metadata of its default index is made while none does.',
      ['stop rind serve, import the bundle, and start it again'],
    );
  // Beside a running server a lock of its own is enough: nobody publishes for this index yet, and the server takes it over.
  const lock = whole ?? (await acquireStoreLock(own.path));
  try {
    const opened = await openSigners(keys);
    try {
      const index = await indexFor(db, name, bundle);
      const { signers: online } = opened;
      const { fingerprint } = await createRepository({ db, store, index, offline: bundle.roles, online });
      if (whole !== undefined) {
        const publisher = new Publisher({ db, store, index, signers: online });
        await publisher.start();
        while ((await publisher.publishOnce()) !== undefined);
        await publisher.close();
      }
      print(`fingerprint ${fingerprint}`);
      say(
        whole === undefined
          ? `the repository is made; the running server serves it at index/${name}/ in a moment`
          : `the repository is made; start it with: rind serve --data ${folder.path}`,
      );
    } finally {
      await opened.close();
    }
  } finally {
    lock.release();
  }
}

/** A running server adopts the bundle; without one this process does what it would do. */
async function change(
  folder: DataFolder,
  store: ObjectStore,
  db: Executor,
  index: IndexRow,
  bundle: VerifiedBundle,
  rootGrace: number,
): Promise<void> {
  const { id } = bundle.event;
  const roles = [...bundle.metadata].map(([role, metadata]) => ({
    role,
    version: metadata.signed.version,
    bytes: metadata.toBytes(),
  }));
  if (bundle.event.candidate.kind === 'ceremony')
    throw new CliError('failure', 'This index has a repository, and the bundle is of a first ceremony.', [
      'make one on top of it: rind ceremony export, then rind ceremony renew',
    ]);
  await writeTransaction(db, (tx) =>
    submitOfflineBundle(tx, { indexId: index.id, event: id, roles, now: new Date() }),
  );
  const lock = await lockUnlessServed(folder.path);
  if (lock === undefined) {
    say('the server takes it over; this waits until it is public');
    await waitUntilPublished(db, index.id, id, () => pause(LOOK_AGAIN));
  } else {
    const keys = folderOfIndex(folder, index.name);
    const opened = await openSigners(await requireOnlineKeys(keys)).catch((error: unknown) => {
      lock.release();
      throw error;
    });
    try {
      const publisher = new Publisher({ db, store, index, signers: opened.signers, rootGrace });
      await publisher.start();
      await waitUntilPublished(db, index.id, id, async () => {
        if ((await publisher.publishOnce()) === undefined) await pause(LOOK_AGAIN);
      });
      await publisher.close();
    } finally {
      await opened.close();
      lock.release();
    }
  }
  say('the bundle is public');
}

async function waitUntilPublished(
  db: Executor,
  indexId: number,
  event: string,
  step: () => Promise<void>,
): Promise<void> {
  const end = Date.now() + PATIENCE;
  let saidRoot = false;
  while (Date.now() < end) {
    const row = await findOfflineBundle(db, indexId, event);
    if (row?.state === 'published') return;
    if (row?.state === 'refused')
      throw new CliError('failure', `The publisher refused the bundle: ${row.reason ?? ''}`, [
        'mend the reason, then import the same bundle again',
      ]);
    if (row?.state === 'root-published' && !saidRoot) {
      say('its root is public; the rest follows when clients had time to read it');
      saidRoot = true;
    }
    await step();
  }
  throw new CliError('failure', 'The bundle is handed over, but not public yet.', [
    'look at the log of the server; importing it again goes on waiting',
  ]);
}

async function lockUnlessServed(path: string): Promise<StoreLock | undefined> {
  try {
    return await acquireStoreLock(path);
  } catch (error) {
    if (error instanceof DatabaseError && error.code === 'STORE_LOCKED') return undefined;
    throw error;
  }
}
