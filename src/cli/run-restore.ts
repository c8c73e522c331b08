import { appendAudit } from '../db/audit.ts';
import { findIndex, insertIndex, listIndexes } from '../db/indexes.ts';
import { openDatabase } from '../db/open.ts';
import { releaseHold } from '../db/publication-holds.ts';
import { currentRoles } from '../db/roles.ts';
import type { Executor, IndexRow } from '../db/schema.ts';
import { acquireStoreLock } from '../db/store-lock.ts';
import { writeTransaction } from '../db/transactions.ts';
import { readSource, storeSource } from '../repository/recovery/published-source.ts';
import { rebuildIndex, type RebuildReport } from '../repository/recovery/rebuild.ts';
import { restore } from '../repository/recovery/restore.ts';
import { sha256Hex } from '../repository/project-targets.ts';
import { ServedTree } from '../repository/served-tree.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { PosixStore } from '../storage/posix-store.ts';
import { metadataFileName } from '../tuf/layout.ts';
import { Metadata } from '../tuf/metadata.ts';
import { CliError } from './cli-error.ts';
import { openDataFolder, type DataFolder } from './data-folder.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { openSource, type OpenedSource } from './published-source.ts';
import { terminalProgress } from './progress-line.ts';
import { cliActor } from './run-backup.ts';
import { print, say } from './terminal.ts';

export interface RestoreOptions {
  readonly data: string;
  readonly published?: string;
}

export interface RebuildCommandOptions {
  readonly data: string;
  readonly from?: string;
  readonly index: string;
  readonly profile: string;
  readonly fingerprint: string;
  readonly rootVersion: string;
}

const MAX_ROOT = 1 << 20;

/** `rind restore` */
export async function runRestore(backup: string, options: RestoreOptions): Promise<ExitCode> {
  const line = terminalProgress();
  const { created, files, targets, absent } = await restore(backup, options.data, (progress) =>
    line?.show(progress),
  );
  say(`${options.data} is the index of ${created.toISOString()}: ${files} files, ${targets} targets`);
  if (absent > 0)
    say(
      `the files of ${absent} targets were not in the store when it was backed up; rind fsck names those that should be`,
    );
  const folder = await openDataFolder(options.data);
  const database = await openDatabase({ path: folder.database });
  try {
    await audit(database.db, 'restore', backup, { files, targets });
  } finally {
    await database.close();
  }
  if (options.published !== undefined) return goOnFrom(options.published, { data: options.data, index: '' });
  say('it publishes nothing yet: rind recover --published URL or FOLDER says what was published since');
  return EXIT.ok;
}

/** After a restore: everything that was published since the backup comes back, and versions go on above it. */
export async function goOnFrom(
  published: string,
  options: { readonly data: string; readonly index: string },
): Promise<ExitCode> {
  const folder = await openDataFolder(options.data);
  return withIndex(folder, options.index, async (db, store, index) => {
    const opened = await openSource(published);
    try {
      const pinnedRoot = await ownRoot(db, store, index);
      const report = await rebuildIndex({
        db,
        store,
        index,
        source: opened.source,
        pinnedRoot,
        now: new Date(),
      });
      await writeTransaction(db, (tx) => releaseHold(tx, index.id, 'backup'));
      await audit(db, 'recover', published, { targets: report.targets });
      return tell(report, folder);
    } finally {
      await opened.close();
    }
  });
}

/** `rind rebuild` */
export async function runRebuild(options: RebuildCommandOptions): Promise<ExitCode> {
  const folder = await openDataFolder(options.data);
  const store = await PosixStore.open({ root: folder.tree, temporaryFolder: folder.temporary });
  const lock = await acquireStoreLock(folder.path);
  const database = await openDatabase({ path: folder.database });
  const { db } = database;
  const opened = await sourceOf(options, store);
  try {
    const pinnedRoot = await pinned(opened, options);
    if (((await findIndex(db, options.index)) ?? undefined) !== undefined)
      throw new CliError('failure', `The database in ${folder.path} has that index already.`, [
        'move rind.db, rind.db-wal and rind.db-shm away first; rind fsck says what is wrong with them',
      ]);
    const index = await insertIndex(db, { name: options.index, profile: options.profile, now: new Date() });
    const report = await rebuildIndex({
      db,
      store,
      index,
      source: opened.source,
      pinnedRoot,
      now: new Date(),
    });
    await audit(db, 'restore', opened.source.name, { targets: report.targets });
    say('tokens and users were in the database alone: make new ones');
    return tell(report, folder);
  } finally {
    await opened.close();
    await database.close();
    lock.release();
  }
}

async function sourceOf({ from, index }: RebuildCommandOptions, store: ObjectStore): Promise<OpenedSource> {
  if (from !== undefined) return openSource(from);
  return { source: storeSource(store, new ServedTree(index).prefix), close: async () => undefined };
}

async function pinned(
  { source }: OpenedSource,
  { fingerprint, rootVersion }: RebuildCommandOptions,
): Promise<Uint8Array> {
  const path = `metadata/${metadataFileName('root', Number(rootVersion))}`;
  const bytes = await readSource(source, path, MAX_ROOT);
  if (bytes === undefined) throw new CliError('failure', `${source.name} has no ${path}.`);
  const found = sha256Hex(Metadata.fromBytes(bytes, 'root').signedBytes);
  if (found === fingerprint.toLowerCase()) return bytes;
  throw new CliError('verification', `${path} of ${source.name} has the fingerprint ${found}.`, [
    'nothing was changed; ask for the fingerprint that clients trust, or name its --root-version',
  ]);
}

/** The newest root of the restored database: what the published tree must go on from. */
async function ownRoot(db: Executor, store: ObjectStore, index: IndexRow): Promise<Uint8Array> {
  const row = (await currentRoles(db, index.id)).find(({ role }) => role === 'root');
  const bytes = await store.read(new ServedTree(index.name).metadata('root', row?.version ?? 1));
  if (bytes !== undefined) return bytes;
  throw new CliError('failure', 'The root of this index is not in its tree.', [
    'rind fsck says what else is',
  ]);
}

/** Opens an index that no server has open; its store lock is held meanwhile. */
export async function withIndex<T>(
  folder: DataFolder,
  name: string,
  work: (db: Executor, store: ObjectStore, index: IndexRow) => Promise<T>,
): Promise<T> {
  const store = await PosixStore.open({ root: folder.tree, temporaryFolder: folder.temporary });
  const lock = await acquireStoreLock(folder.path);
  const database = await openDatabase({ path: folder.database });
  try {
    const index = (await listIndexes(database.db)).find((row) => row.name === name);
    if (index === undefined) throw new CliError('failure', `There is no index "${name}" in ${folder.path}.`);
    return await work(database.db, store, index);
  } finally {
    await database.close();
    lock.release();
  }
}

function tell({ projects, files, targets, problems }: RebuildReport, folder: DataFolder): ExitCode {
  for (const problem of problems) print(problem);
  say(`${folder.path}: ${projects} projects with ${files} files, ${targets} targets, all of them verified`);
  return problems.length === 0 ? EXIT.ok : EXIT.failure;
}

async function audit(
  db: Executor,
  action: 'restore' | 'recover',
  subject: string,
  detail: Readonly<Record<string, number>>,
): Promise<void> {
  const entry = { indexId: null, at: new Date(), actor: cliActor(), action, subject, detail };
  await writeTransaction(db, (tx) => appendAudit(tx, entry));
}
