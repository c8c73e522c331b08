import { createReadStream } from 'node:fs';
import { chmod, mkdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { requireWholeDatabase } from '../../db/copy-database.ts';
import { listIndexes } from '../../db/indexes.ts';
import { openDatabase } from '../../db/open.ts';
import type { Executor } from '../../db/schema.ts';
import { metadataSidecarPath, parseIndexPath } from '../../pypi/layout.ts';
import { StorageError } from '../../storage/errors.ts';
import { checkObjectKey } from '../../storage/object-key.ts';
import type { ObjectStore } from '../../storage/object-store.ts';
import { PosixStore } from '../../storage/posix-store.ts';
import { ServedTree } from '../served-tree.ts';
import {
  BACKUP_HEADER,
  type BackupManifest,
  copyFile,
  type OnProgress,
  readBackup,
  storedFile,
  syncFolder,
  syncFolders,
  writeChunks,
} from './backup.ts';
import { RecoveryError } from './errors.ts';
import { readTar } from './tar.ts';

export interface RestoreReport {
  readonly created: Date;
  readonly files: number;
  readonly targets: number;
  /** Of these, targets that were not in the store when it was backed up: imported ones whose files lie elsewhere, or lost ones. */
  readonly absent: number;
}

const PAGE = 500;
/** Public objects are for everybody's eyes, whatever else a data folder holds is not. */
const PUBLIC = 0o644;

/**
 * Makes a new data folder of a backup: every file is checked on its way, the database is checked by SQLite, the plain-named copies are made
 * again; only then the folder gets its name. Throws DAMAGED_BACKUP with what is wrong, FOLDER_EXISTS; then nothing is there.
 */
export async function restore(backup: string, data: string, onProgress?: OnProgress): Promise<RestoreReport> {
  const path = resolve(data);
  if ((await stat(path).catch(() => undefined)) !== undefined)
    throw new RecoveryError('FOLDER_EXISTS', `${path} exists and is never overwritten; name a new folder.`, {
      path,
    });
  const isFile = (await stat(backup).catch(() => undefined))?.isFile() === true;
  const building = `${path}.restoring`;
  await rm(building, { recursive: true, force: true });
  await mkdir(building, { recursive: true, mode: 0o700 });
  try {
    const { header, manifest } = await (isFile
      ? unpack(backup, building, onProgress)
      : copyFolder(backup, building, onProgress));
    for (const name of manifest.keys())
      if (name.startsWith('tree/')) await chmod(join(building, name), PUBLIC);
    await requireWholeDatabase(join(building, 'rind.db'));
    const { targets, absent } = await copyPlain(backup, building, manifest);
    await syncFolders(building);
    await rename(building, path);
    await syncFolder(dirname(path));
    return { created: new Date(header.created), files: manifest.size, targets, absent };
  } catch (error) {
    await rm(building, { recursive: true, force: true });
    throw error;
  }
}

type ReadBackup = Awaited<ReturnType<typeof readBackup>>;

async function copyFolder(
  backup: string,
  building: string,
  onProgress: OnProgress | undefined,
): Promise<ReadBackup> {
  const { header, manifest } = await readBackup(backup);
  let done = 0;
  for (const [name, expected] of manifest) {
    checkName(backup, name);
    const to = join(building, name === header.database ? 'rind.db' : name);
    const found = await copyFile(await storedFile(backup, name, expected), to).catch((cause: unknown) => damaged(backup, name, cause)); // prettier-ignore
    if (found.sha256 !== expected.sha256 || found.length !== expected.length) return damaged(backup, name);
    onProgress?.({ phase: 'restore', done: ++done, total: manifest.size });
  }
  return { header, manifest };
}

/** Everything in one pass; whether it is what was backed up is known at its end, from the manifest. */
async function unpack(
  backup: string,
  building: string,
  onProgress: OnProgress | undefined,
): Promise<ReadBackup> {
  const found: BackupManifest = new Map();
  // In bytes: how many files there are is known at the end.
  const { size } = await stat(backup);
  let done = 0;
  for await (const { name, length, bytes } of readTar(createReadStream(backup), backup)) {
    checkName(backup, name);
    if (found.has(name)) damaged(backup, name);
    const { sha256 } = await writeChunks(bytes, join(building, name));
    found.set(name, { length, sha256 });
    done += length;
    onProgress?.({ phase: 'restore', done: Math.min(done, size - 1), total: size });
  }
  onProgress?.({ phase: 'restore', done: size, total: size });
  const { header, manifest } = await readBackup(building).catch((cause: unknown) => {
    if (cause instanceof RecoveryError) damaged(backup, BACKUP_HEADER, cause);
    throw cause;
  });
  for (const name of [BACKUP_HEADER, header.manifest]) {
    found.delete(name);
    await rm(join(building, name));
  }
  for (const [name, expected] of manifest)
    if (found.get(name)?.sha256 !== expected.sha256) damaged(backup, name);
  for (const name of found.keys()) if (!manifest.has(name)) damaged(backup, name);
  await rename(join(building, header.database), join(building, 'rind.db'));
  return { header, manifest };
}

function checkName(backup: string, name: string): void {
  try {
    checkObjectKey(name);
  } catch (cause) {
    damaged(backup, name, cause);
  }
}

function damaged(backup: string, name: string, cause?: unknown): never {
  throw new RecoveryError(
    'DAMAGED_BACKUP',
    `${name} in ${backup} is missing or not what was backed up; nothing was restored, use another backup.`,
    { cause, path: name },
  );
}

async function copyPlain(backup: string, folder: string, manifest: BackupManifest): Promise<PlainCopies> {
  const tree = join(folder, 'tree');
  const store = await PosixStore.open({ root: tree, temporaryFolder: join(folder, 'temporary') });
  const database = await openDatabase({ path: join(folder, 'rind.db') });
  const copies = { targets: 0, absent: 0 };
  try {
    for (const { id, name } of await listIndexes(database.db)) {
      const source = { backup, manifest, id, tree: new ServedTree(name) };
      await copyPlainOfIndex(source, database.db, store, copies);
    }
  } finally {
    await database.close();
  }
  return copies;
}

interface PlainCopies {
  targets: number;
  absent: number;
}

interface PlainSource {
  readonly backup: string;
  readonly manifest: BackupManifest;
  readonly id: number;
  readonly tree: ServedTree;
}

async function copyPlainOfIndex(
  source: PlainSource,
  db: Executor,
  store: ObjectStore,
  copies: PlainCopies,
): Promise<void> {
  let last = { prefix: -1, path: '' };
  for (;;) {
    const rows = await db
      .selectFrom('targets')
      .select(['path', 'path_prefix', 'sha256'])
      .where('index_id', '=', source.id)
      .where((eb) =>
        eb.or([
          eb('path_prefix', '>', last.prefix),
          eb.and([eb('path_prefix', '=', last.prefix), eb('path', '>', last.path)]),
        ]),
      )
      .orderBy('path_prefix')
      .orderBy('path')
      .limit(PAGE)
      .execute();
    if (rows.length === 0) return;
    for (const { path, path_prefix: prefix, sha256 } of rows) {
      last = { prefix, path };
      copies.targets += 1;
      if (!(await copyPlainTarget(source, store, path, sha256))) copies.absent += 1;
    }
  }
}

/** False for a target that was not in the store when it was backed up: a backup is no worse than what it is of. */
async function copyPlainTarget(
  { backup, manifest, tree }: PlainSource,
  store: ObjectStore,
  path: string,
  sha256: string,
): Promise<boolean> {
  const from = tree.hashed(path, sha256);
  if (!manifest.has(`tree/${from}`)) return false;
  await copyOrDamaged(backup, store, from, tree.plain(path));
  const parsed = parseIndexPath(path);
  if (parsed?.kind !== 'file') return true;
  const sidecar = metadataSidecarPath(parsed.project, parsed.filename);
  const hashed = tree.hashed(sidecar, sha256);
  if ((await store.stat(hashed)) !== undefined) await store.copy(hashed, tree.plain(sidecar));
  return true;
}

async function copyOrDamaged(backup: string, store: ObjectStore, from: string, to: string): Promise<void> {
  try {
    await store.copy(from, to);
  } catch (cause) {
    if (cause instanceof StorageError && cause.code === 'OBJECT_NOT_FOUND') damaged(backup, `tree/${from}`, cause); // prettier-ignore
    throw cause;
  }
}
