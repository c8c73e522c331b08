import { hash } from 'node:crypto';
import { insertLogEntry, lastLogEntry, logEntries } from '../db/log-entries.ts';
import type { Executor } from '../db/schema.ts';
import type { NewObject, ObjectStore } from '../storage/object-store.ts';
import { GrowingTree, type Tile } from '../transparency/growing-tree.ts';
import {
  encodeLogEntry,
  encodeLogHead,
  entryOfTimestamp,
  type LogEntry,
  type LogHead,
} from '../transparency/log-entry.ts';
import { LOG_HEAD_PATH, logEntryPath, tilePath } from '../transparency/log-layout.ts';
import { leafHash, type Hash } from '../transparency/merkle.ts';
import { Metadata } from '../tuf/metadata.ts';
import { PublicationError } from './errors.ts';
import type { ServedTree } from './served-tree.ts';

/** Where a log lies. */
export interface LogContext {
  readonly db: Executor;
  readonly store: ObjectStore;
  readonly tree: ServedTree;
  readonly indexId: number;
}

/** The server's SHA-256, faster than the one of browsers. */
export const nodeSha256: Hash = (bytes) => hash('sha256', bytes, 'buffer');

/**
 * The public log of an index: one entry for each publication, in a Merkle tree whose right edge is kept in memory. Immutable, so that a
 * publication that fails leaves it as it was.
 *
 * The timestamp of a publication commits to the log *before* it. Its own entry follows from its bytes, is written after it became public, and
 * before the publication is finished: a crash in between is mended by writing the same objects again. So an entry exists if and only if its
 * timestamp was public, and a number never has two entries (I2).
 */
export class PublicLog {
  readonly #tree: GrowingTree;

  private constructor(tree: GrowingTree) {
    this.#tree = tree;
  }

  static empty(): PublicLog {
    return new PublicLog(GrowingTree.empty(nodeSha256));
  }

  /** Reads the edge of the tree from the store; what is missing or damaged there is computed from the database and written again. */
  static async open(context: LogContext): Promise<PublicLog> {
    const last = await lastLogEntry(context.db, context.indexId);
    if (last === undefined) return PublicLog.empty();
    const tree = await GrowingTree.read(
      last.seq,
      async (place) => readTile(context, tilePath(place), place.width),
      nodeSha256,
    ).catch((error: unknown) => {
      if (error instanceof MissingTileError) return undefined;
      throw error;
    });
    return tree?.head.root === last.root ? new PublicLog(tree) : PublicLog.#rebuild(context, last.root);
  }

  /** From the entries in the database; the tiles that clients ask for are written again where they are missing. */
  static async #rebuild(context: LogContext, root: string): Promise<PublicLog> {
    const { db, indexId } = context;
    let tree = GrowingTree.empty(nodeSha256);
    for await (const row of logEntries(db, indexId)) {
      const bytes = new TextEncoder().encode(row.entry);
      const grown = tree.append(leafHash(bytes, nodeSha256));
      await writeObjects(context, { entry: { seq: row.seq }, bytes }, grown.tiles);
      tree = grown.tree;
    }
    if (tree.head.root === root) return new PublicLog(tree);
    throw new PublicationError(
      'UNUSABLE_METADATA',
      'The public log in the database does not add up to its own root; restore the database from a backup.',
    );
  }

  /** How many publications it has, and the root over them. */
  get head(): LogHead {
    return this.#tree.head;
  }

  /**
   * Writes the entry of a public timestamp and everything that follows from it; the row is the caller's to insert ({@link record}).
   * Undefined for a timestamp that knows no log: it was made by an earlier version of this program.
   * @throws {PublicationError} FOREIGN_OBJECT when it continues another log than this
   */
  async append(context: LogContext, timestamp: Uint8Array): Promise<AppendedEntry | undefined> {
    const metadata = Metadata.fromBytes(timestamp, 'timestamp');
    const entry = entryOfTimestamp(metadata.signed, metadata.signedBytes);
    if (entry === undefined) return undefined;
    const { size, root } = this.head;
    if (entry.previous.size !== size || entry.previous.root !== root) {
      throw new PublicationError(
        'FOREIGN_OBJECT',
        `timestamp ${metadata.signed.version} continues a log of ${entry.previous.size} entries, but this database has another one of ${size}; restore store and database from the same backup.`,
        { role: 'timestamp', version: metadata.signed.version },
      );
    }
    const bytes = encodeLogEntry(entry);
    const { tree, tiles } = this.#tree.append(leafHash(bytes, nodeSha256));
    const next = new PublicLog(tree);
    await writeObjects(context, { entry, bytes }, tiles);
    await context.store.put(context.tree.plain(LOG_HEAD_PATH), encodeLogHead(next.head));
    return { log: next, entry, head: next.head };
  }
}

/** An entry that was written. */
export interface AppendedEntry {
  readonly log: PublicLog;
  readonly entry: LogEntry;
  /** The log with it. */
  readonly head: LogHead;
}

/** Records that an entry is public; in the transaction that finishes the publication. */
export async function recordEntry(
  tx: Executor,
  indexId: number,
  publicationId: number,
  { entry, head }: AppendedEntry,
): Promise<void> {
  await insertLogEntry(tx, {
    index_id: indexId,
    seq: entry.seq,
    publication_id: publicationId,
    entry: new TextDecoder().decode(encodeLogEntry(entry)),
    root: head.root,
  });
}

class MissingTileError extends Error {
  override readonly name = 'MissingTileError';
  readonly code = 'MISSING_TILE';
}

async function readTile({ store, tree }: LogContext, path: string, width: number): Promise<Uint8Array> {
  const bytes = await store.read(tree.plain(path), { maxLength: 4096 }).catch(() => undefined);
  if (bytes?.length !== width * 32) throw new MissingTileError(`${path} is missing or damaged.`);
  return bytes;
}

/** Create-only: an entry or a tile of other bytes under the same number would be equivocation. */
async function writeObjects(
  { store, tree }: LogContext,
  { entry, bytes }: { readonly entry: Pick<LogEntry, 'seq'>; readonly bytes: Uint8Array },
  tiles: readonly Tile[],
): Promise<void> {
  const objects: NewObject[] = [
    { key: tree.plain(logEntryPath(entry.seq)), bytes },
    ...tiles.map((tile) => ({ key: tree.plain(tilePath(tile)), bytes: tile.hashes })),
  ];
  const outcomes = await store.createMany(objects);
  for (const [position, object] of objects.entries()) {
    if (outcomes[position] === 'created') continue;
    const stored = await store.read(object.key);
    if (stored !== undefined && Buffer.compare(stored, object.bytes) === 0) continue;
    throw new PublicationError(
      'FOREIGN_OBJECT',
      `${object.key} has other bytes than the public log of this database; restore it from a backup or a mirror.`,
    );
  }
}
