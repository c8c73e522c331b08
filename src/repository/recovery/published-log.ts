import { insertLogEntry, lastLogEntry } from '../../db/log-entries.ts';
import type { Executor } from '../../db/schema.ts';
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

/** An entry of a public log as it was published, and the root over the log with it. */
export interface PublishedLogEntry {
  readonly seq: number;
  readonly entry: string;
  readonly root: string;
}

/**
 * Reads the public log that a verified timestamp is built on, from the first entry on, checks it against what the timestamp commits to, and
 * writes entries and tiles to the store where they are missing. Empty for an index without a log. Throws INCOMPLETE_SOURCE, UNVERIFIED_SOURCE.
 */
export async function readPublishedLog(
  { store, tree, source }: GoodProjectContext,
  timestamp: Uint8Array,
): Promise<readonly PublishedLogEntry[]> {
  const metadata = Metadata.fromBytes(timestamp, 'timestamp');
  const own = entryOfTimestamp(metadata.signed, metadata.signedBytes);
  if (own === undefined) return [];
  const entries: PublishedLogEntry[] = [];
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
    const tiles = grown.tiles.map((tile) => ({ key: tree.plain(tilePath(tile)), bytes: tile.hashes }));
    await store.createMany([{ key: tree.plain(path), bytes }, ...tiles]);
    entries.push({ seq, entry: new TextDecoder().decode(bytes), root: log.head.root });
  }
  await store.put(tree.plain(LOG_HEAD_PATH), encodeLogHead(log.head));
  return entries;
}

/** Adds the rows that the database has not; in the transaction that takes over the publication. */
export async function recordPublishedLog(
  tx: Executor,
  indexId: number,
  publicationId: number,
  entries: readonly PublishedLogEntry[],
): Promise<void> {
  const last = (await lastLogEntry(tx, indexId))?.seq ?? 0;
  for (const { seq, entry, root } of entries)
    if (seq > last)
      await insertLogEntry(tx, { index_id: indexId, seq, publication_id: publicationId, entry, root });
}
