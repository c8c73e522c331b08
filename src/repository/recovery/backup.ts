import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import { copyDatabase, settleDatabaseFile } from '../../db/copy-database.ts';
import { listIndexes } from '../../db/indexes.ts';
import { openDatabase } from '../../db/open.ts';
import { holdPublication } from '../../db/publication-holds.ts';
import { findReservedPublication, lastPublication } from '../../db/publications.ts';
import { writeTransaction } from '../../db/transactions.ts';
import { parseIndexPath } from '../../pypi/layout.ts';
import { sha256Hex } from '../project-targets.ts';
import { ServedTree } from '../served-tree.ts';
import { RecoveryError } from './errors.ts';

/** What a backup is made of, and where it goes. */
export interface BackupOptions {
  readonly database: string;
  readonly tree: string;
  /** Further files and folders, by their path in the backup. */
  readonly others: ReadonlyMap<string, string>;
  /** A folder; one that holds an older backup of the same index is brought up to date, and stays whole meanwhile. */
  readonly out: string;
  readonly now: Date;
  readonly onProgress?: OnProgress | undefined;
}

/** Told how far something long is, in files. */
export type OnProgress = (progress: {
  readonly phase: string;
  readonly done: number;
  readonly total: number;
}) => void;

export interface BackupReport {
  readonly files: number;
  readonly bytes: number;
  /** Files that were not in the folder already. */
  readonly copied: number;
}

const FORMAT = 'rind-backup-1';
export const BACKUP_HEADER = 'backup.json';
const ATTEMPTS = 20;
/** Files that change under their name, by their hash: an older backup in the same folder keeps its own until the newer one is whole. */
const CHANGING = 'changing';

export const backupHeader = z.strictObject({
  format: z.literal(FORMAT),
  created: z.iso.datetime(),
  database: z.string().regex(/^rind-[0-9]+\.db$/),
  manifest: z.string().regex(/^manifest-[0-9a-f]{64}\.json$/),
  /** sha256 over the other fields: against damage, not against an attacker. */
  check: z.string(),
});
/** `[path, length, sha256]` of every file. */
export const backupManifest = z.array(
  z.tuple([z.string(), z.number().int().nonnegative(), z.string().regex(/^[0-9a-f]{64}$/)]),
);
export type BackupManifest = Map<string, { readonly length: number; readonly sha256: string }>;

/**
 * Copies database, objects and other files of a data folder that may be in use. The database in the backup publishes nothing before somebody
 * says what was published after it (see publication-holds.ts). Plain-named copies of objects are left out, a restore makes them again.
 * The header is written last: a folder without it is no backup. Throws DatabaseError, RecoveryError.
 */
export async function backUp(options: BackupOptions): Promise<BackupReport> {
  const { out, now } = options;
  await mkdir(out, { recursive: true, mode: 0o700 });
  const old = await readBackup(out).catch(() => undefined);
  const database = `rind-${now.getTime()}.db`;
  const { timestamps, early } = await copyWithTimestamps(options, join(out, database));
  const manifest: BackupManifest = new Map();
  let copied = 0;
  const files = await filesOf(options, early);
  for (const [done, { path, from, isImmutable }] of files.entries()) {
    options.onProgress?.({ phase: 'backup', done, total: files.length });
    if (!isImmutable) {
      copied += 1;
      manifest.set(path, await keepChanging(out, (incoming) => copyFile(from, incoming)));
      continue;
    }
    const to = join(out, path);
    const known = old?.manifest.get(path);
    const found = known === undefined ? undefined : await stat(to).catch(() => undefined);
    const isThere = known !== undefined && found?.size === known.length;
    if (!isThere) copied += 1;
    manifest.set(path, isThere ? known : await copyFile(from, to));
  }
  options.onProgress?.({ phase: 'backup', done: files.length, total: files.length });
  for (const [key, bytes] of timestamps) {
    const write = async (incoming: string) => {
      await writeFile(incoming, bytes, { flush: true, mode: 0o600 });
      return { length: bytes.length, sha256: sha256Hex(bytes) };
    };
    manifest.set(`tree/${key}`, await keepChanging(out, write));
  }
  manifest.set(database, await digestFile(join(out, database)));
  await seal(out, { database, manifest, now }, old?.header);
  const bytes = [...manifest.values()].reduce((sum, { length }) => sum + length, 0);
  return { files: manifest.size, bytes, copied };
}

/** Stores a file that changes under its name: by its hash, durable with the folders. */
async function keepChanging(
  out: string,
  write: (incoming: string) => Promise<{ readonly length: number; readonly sha256: string }>,
): Promise<{ readonly length: number; readonly sha256: string }> {
  await mkdir(join(out, CHANGING), { recursive: true, mode: 0o700 });
  const incoming = join(out, CHANGING, 'incoming');
  const file = await write(incoming);
  await rename(incoming, join(out, CHANGING, file.sha256));
  return file;
}

/** A file of a backup: its path there, and where it is now. */
interface BackupFile {
  readonly path: string;
  readonly from: string;
  readonly isImmutable: boolean;
}

/** Metadata and log as they were before the database was copied, files as they are after it: nothing that it does not know, and all that it needs. */
export async function filesOf(
  { tree, others }: Pick<BackupOptions, 'tree' | 'others'>,
  early: readonly TreeKey[],
): Promise<readonly BackupFile[]> {
  const late = (await treeKeys(tree)).filter(({ key }) => !isPublished(key));
  return [
    ...[...others].map(([path, from]) => ({ path, from, isImmutable: false })),
    ...[...early, ...late].map(({ key, isImmutable }) => ({
      path: `tree/${key}`,
      from: join(tree, key),
      isImmutable,
    })),
  ];
}

/** Manifest and header of a backup: the last of its files. */
export function sealOf(
  database: string,
  manifest: BackupManifest,
  now: Date,
): { readonly name: string; readonly text: string; readonly header: string } {
  const rows = [...manifest].map(([path, { length, sha256 }]) => [path, length, sha256]);
  const text = JSON.stringify(rows);
  const name = `manifest-${sha256Hex(new TextEncoder().encode(text))}.json`;
  const fields = { format: FORMAT, created: now.toISOString(), database, manifest: name } as const;
  return { name, text, header: JSON.stringify({ ...fields, check: checkOf(fields) }, undefined, 2) };
}

async function seal(
  out: string,
  {
    database,
    manifest,
    now,
  }: { readonly database: string; readonly manifest: BackupManifest; readonly now: Date },
  old: z.infer<typeof backupHeader> | undefined,
): Promise<void> {
  const { name, text, header } = sealOf(database, manifest, now);
  await writeFile(join(out, name), text, { flush: true, mode: 0o600 });
  await writeFile(join(out, `${BACKUP_HEADER}.tmp`), header, { flush: true, mode: 0o600 });
  // Whatever the header promises is there when it is.
  await syncFolders(out);
  await rename(join(out, `${BACKUP_HEADER}.tmp`), join(out, BACKUP_HEADER));
  await syncFolder(out);
  await syncFolder(dirname(resolve(out)));
  const hashes = new Set([...manifest.values()].map(({ sha256 }) => sha256));
  for (const changing of await readdir(join(out, CHANGING)).catch(() => []))
    if (!hashes.has(changing)) await rm(join(out, CHANGING, changing), { force: true });
  for (const stale of [old?.database, old?.manifest])
    if (stale !== undefined && stale !== database && stale !== name)
      await rm(join(out, stale), { force: true });
}

/** Makes the names in a folder, and in all folders below it, durable. */
export async function syncFolders(path: string): Promise<void> {
  for (const entry of await readdir(path, { recursive: true, withFileTypes: true }))
    if (entry.isDirectory()) await syncFolder(join(entry.parentPath, entry.name));
  await syncFolder(path);
}

export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Where a file of the manifest lies in a backup. */
export async function storedFile(
  backup: string,
  name: string,
  { sha256 }: { readonly sha256: string },
): Promise<string> {
  const changing = join(backup, CHANGING, sha256);
  return (await stat(changing).catch(() => undefined)) === undefined ? join(backup, name) : changing;
}

/** Reads header and manifest of a backup. Throws DAMAGED_BACKUP. */
export async function readBackup(
  path: string,
): Promise<{ readonly header: z.infer<typeof backupHeader>; readonly manifest: BackupManifest }> {
  try {
    const header = backupHeader.parse(JSON.parse(await readFile(join(path, BACKUP_HEADER), 'utf8')));
    if (header.check !== checkOf(header)) throw new Error('its header was changed');
    const bytes = await readFile(join(path, header.manifest));
    if (`manifest-${sha256Hex(bytes)}.json` !== header.manifest) throw new Error('its manifest was changed');
    const rows = backupManifest.parse(JSON.parse(bytes.toString('utf8')));
    return { header, manifest: new Map(rows.map(([name, length, sha256]) => [name, { length, sha256 }])) };
  } catch (cause) {
    const reason = cause instanceof Error ? (cause.message.split('\n')[0] ?? '') : '';
    throw new RecoveryError(
      'DAMAGED_BACKUP',
      `${path} is no whole backup (${reason}); it was interrupted or damaged, use another.`,
      { cause, path },
    );
  }
}

function checkOf(header: Omit<z.infer<typeof backupHeader>, 'check'>): string {
  const { format, created, database, manifest } = header;
  return sha256Hex(new TextEncoder().encode([format, created, database, manifest].join('\n')));
}

/** The database and the timestamps that belong to it: a publication in between means another attempt. */
export async function copyWithTimestamps(
  options: Pick<BackupOptions, 'database' | 'tree' | 'now'>,
  to: string,
): Promise<{ readonly timestamps: ReadonlyMap<string, Uint8Array>; readonly early: readonly TreeKey[] }> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    await rm(to, { force: true });
    const timestamps = await treeTimestamps(options.tree);
    const early = (await treeKeys(options.tree)).filter(({ key }) => isPublished(key));
    await copyDatabase(options.database, to);
    if (!(await holdCopy(to, timestamps, options.now))) continue;
    await settleDatabaseFile(to);
    return { timestamps, early };
  }
  throw new RecoveryError(
    'CANNOT_PROCEED',
    `Something was published each of the ${ATTEMPTS} times that the database was copied; try again when less is uploaded.`,
  );
}

async function treeTimestamps(tree: string): Promise<ReadonlyMap<string, Uint8Array>> {
  const found = new Map<string, Uint8Array>();
  const indexes = await readdir(join(tree, 'index')).catch(() => []);
  for (const prefix of ['', ...indexes.map((name) => `index/${name}/`)]) {
    const key = `${prefix}metadata/timestamp.json`;
    const bytes = await readFile(join(tree, key)).catch(() => undefined);
    if (bytes !== undefined) found.set(key, bytes);
  }
  return found;
}

async function holdCopy(
  path: string,
  timestamps: ReadonlyMap<string, Uint8Array>,
  now: Date,
): Promise<boolean> {
  const database = await openDatabase({ path });
  const { db } = database;
  try {
    await db.deleteFrom('collection_holds').execute();
    for (const { id, name } of await listIndexes(db)) {
      const bytes = timestamps.get(new ServedTree(name).metadata('timestamp'));
      const last = await lastPublication(db, id);
      const own = [last, await findReservedPublication(db, id)];
      const matches = own.some((one) => bytes !== undefined && one?.timestamp_sha256 === sha256Hex(bytes));
      if (!matches && (bytes !== undefined || last !== undefined)) return false;
      const reason = `This is the backup of ${now.toISOString()}: what was published after it is not known here, and a lower version would lock clients out. Say what is public with rind recover --published URL or FOLDER, or, when nobody has it any more, rind recover --raise-versions BUNDLE.`;
      if (last !== undefined)
        await writeTransaction(db, (tx) => holdPublication(tx, { indexId: id, kind: 'backup', reason, now }));
    }
    return true;
  } finally {
    await database.close();
  }
}

export interface TreeKey {
  readonly key: string;
  readonly isImmutable: boolean;
}

/** Written by publications alone. */
function isPublished(key: string): boolean {
  return /^(?:index\/[^/]+\/)?(?:metadata|log)\//.test(key);
}

/** Everything of the served tree but plain-named copies and timestamps. */
async function treeKeys(tree: string): Promise<readonly TreeKey[]> {
  const keys: TreeKey[] = [];
  const entries = await readdir(tree, { recursive: true, withFileTypes: true }).catch(() => []);
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    const key = join(entry.parentPath, entry.name).slice(tree.length + 1);
    const path = key.replace(/^index\/[^/]+\//, '');
    const parsed = parseIndexPath(path);
    const isNumbered = /^metadata\/[1-9][0-9]*\./.test(path);
    if (path === 'metadata/timestamp.json' || (parsed !== undefined && parsed.sha256 === undefined)) continue;
    keys.push({ key, isImmutable: isNumbered || parsed !== undefined });
  }
  return keys;
}

/** Copies a file and says what it is. Whole and durable, or not there under its name. */
export async function copyFile(
  from: string,
  to: string,
): Promise<{ readonly length: number; readonly sha256: string }> {
  return writeChunks(chunksOf(from), to);
}

/** Opened when it is read, so that a file that is not there is an error of the reader. */
async function* chunksOf(path: string): AsyncIterable<Uint8Array> {
  yield* createReadStream(path);
}

/** The same from a stream. */
export async function writeChunks(
  bytes: AsyncIterable<Uint8Array>,
  to: string,
): Promise<{ readonly length: number; readonly sha256: string }> {
  await mkdir(dirname(to), { recursive: true, mode: 0o700 });
  const temporary = `${to}.tmp`;
  const hash = createHash('sha256');
  let length = 0;
  const count = async function* (chunks: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
    for await (const chunk of chunks) {
      hash.update(chunk);
      length += chunk.length;
      yield chunk;
    }
  };
  await pipeline(bytes, count, createWriteStream(temporary, { mode: 0o600, flush: true }));
  await rename(temporary, to);
  return { length, sha256: hash.digest('hex') };
}

async function digestFile(path: string): Promise<{ readonly length: number; readonly sha256: string }> {
  const hash = createHash('sha256');
  let length = 0;
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
    hash.update(chunk);
    length += chunk.length;
  }
  return { length, sha256: hash.digest('hex') };
}
