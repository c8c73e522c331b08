import { insertLogEntry, lastLogEntry } from '../../db/log-entries.ts';
import type { Executor } from '../../db/schema.ts';
import type { NewObject, ObjectStore } from '../../storage/object-store.ts';
import { GrowingTree } from '../../transparency/growing-tree.ts';
import { encodeLogEntry, encodeLogHead, entryOfTimestamp } from '../../transparency/log-entry.ts';
import { LOG_HEAD_PATH, logEntryPath, tilePath } from '../../transparency/log-layout.ts';
import { leafHash } from '../../transparency/merkle.ts';
import { Metadata } from '../../tuf/metadata.ts';
import { nodeSha256 } from '../public-log.ts';
import { RecoveryError } from './errors.ts';
import type { GoodProjectContext } from './good-project.ts';
import { readSource } from './published-source.ts';

const MAX_ENTRY = 64 << 10;

/** A public log as it was published, with the entry of the timestamp that it was read for. */
export interface PublishedLog {
  readonly entries: readonly PublishedLogEntry[];
  /** Entries and tiles, by their keys in the store. */
  readonly objects: readonly NewObject[];
  readonly head: Uint8Array;
}

/** An entry, and the root over the log with it. */
interface PublishedLogEntry {
  readonly seq: number;
  readonly entry: string;
  readonly root: string;
}

/**
 * Reads the public log that a verified timestamp is built on, from the first entry on, and checks it against what the timestamp commits to,
 * the log that the database knows, and what is in the store; changes nothing. Undefined for an index without a log. Throws INCOMPLETE_SOURCE,
 * UNVERIFIED_SOURCE, CANNOT_PROCEED.
 */
export async function readPublishedLog(
  { db, store, tree, source, indexId }: GoodProjectContext,
  timestamp: Uint8Array,
): Promise<PublishedLog | undefined> {
  const metadata = Metadata.fromBytes(timestamp, 'timestamp');
  const own = entryOfTimestamp(metadata.signed, metadata.signedBytes);
  if (own === undefined) return undefined;
  const entries: PublishedLogEntry[] = [];
  const objects: NewObject[] = [];
  let log = GrowingTree.empty(nodeSha256);
  for (let seq = 1; seq <= own.previous.size + 1; seq++) {
    if (seq === own.seq && log.head.root !== own.previous.root)
      throw new RecoveryError(
        'UNVERIFIED_SOURCE',
        `The public log of ${source.name} is not the one that its timestamp is built on.`,
      );
    const path = logEntryPath(seq);
    const bytes = seq === own.seq ? encodeLogEntry(own) : await readSource(source, path, MAX_ENTRY);
    if (bytes === undefined)
      throw new RecoveryError(
        'INCOMPLETE_SOURCE',
        `${source.name} has no ${path}; without its public log, clients would take what follows for another history. Name a source that has it.`,
        { path },
      );
    const grown = log.append(leafHash(bytes, nodeSha256));
    log = grown.tree;
    objects.push({ key: tree.plain(path), bytes });
    for (const tile of grown.tiles) objects.push({ key: tree.plain(tilePath(tile)), bytes: tile.hashes });
    entries.push({ seq, entry: new TextDecoder().decode(bytes), root: log.head.root });
  }
  await requireContinued(db, indexId, entries);
  for (const object of objects) await requireSame(store, object);
  const beyond = tree.plain(logEntryPath(own.seq + 1));
  if ((await store.stat(beyond)) !== undefined) throw foreignLog(beyond);
  return { entries, objects, head: encodeLogHead(log.head) };
}

/** Puts the log into the store, where it is not there yet. */
export async function writePublishedLog(
  { store, tree }: GoodProjectContext,
  { objects, head }: PublishedLog,
): Promise<void> {
  for (let start = 0; start < objects.length; start += BATCH)
    await store.createMany(objects.slice(start, start + BATCH));
  await store.put(tree.plain(LOG_HEAD_PATH), head);
}

const BATCH = 512;

/** Adds the rows that the database has not; in the transaction that takes over the publication. */
export async function recordPublishedLog(
  tx: Executor,
  indexId: number,
  publicationId: number,
  { entries }: PublishedLog,
): Promise<void> {
  const last = (await lastLogEntry(tx, indexId))?.seq ?? 0;
  for (const { seq, entry, root } of entries)
    if (seq > last)
      await insertLogEntry(tx, { index_id: indexId, seq, publication_id: publicationId, entry, root });
}

async function requireContinued(
  db: Executor,
  indexId: number,
  entries: readonly PublishedLogEntry[],
): Promise<void> {
  const last = await lastLogEntry(db, indexId);
  if (last === undefined || entries[last.seq - 1]?.root === last.root) return;
  const problem =
    entries.length < last.seq
      ? `The source has ${entries.length} publications in its public log, this database knows ${last.seq}: the source is older. Name one that has the newest timestamp.`
      : `The public log of the source does not go on from entry ${last.seq} of this database: one of the two is another history. Compare both with a witness; after a theft of keys use rind recover FOLDER.`;
  throw new RecoveryError('UNVERIFIED_SOURCE', `${problem} Nothing was changed.`);
}

async function requireSame(store: ObjectStore, { key, bytes }: NewObject): Promise<void> {
  const stored = await store.read(key);
  if (stored !== undefined && Buffer.compare(stored, bytes) !== 0) throw foreignLog(key);
}

function foreignLog(key: string): RecoveryError {
  return new RecoveryError(
    'CANNOT_PROCEED',
    `${key} in the store does not belong to the public log that the timestamp is built on: the timestamp is older than the log, or somebody wrote into the log. Name a source with the newest timestamp (--from, --published) and a --data folder of which the tree is empty; after a theft of keys, use rind recover FOLDER.`,
    { path: key },
  );
}
