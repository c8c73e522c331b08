import { logEntries } from '../db/log-entries.ts';
import { GrowingTree } from '../transparency/growing-tree.ts';
import { LOG_HEAD_PATH, logEntryPath } from '../transparency/log-layout.ts';
import { leafHash } from '../transparency/merkle.ts';
import { parseLogEntry, parseLogHead } from '../transparency/log-entry.ts';
import { RepositoryError } from '../tuf/errors.ts';
import type { Findings } from './finding.ts';
import { nodeSha256, type LogContext } from './public-log.ts';

/** That the public log is a chain without a gap, the same in store and database, and adds up to its head. */
export async function checkLog({ db, store, tree, indexId }: LogContext, findings: Findings): Promise<void> {
  let grown = GrowingTree.empty(nodeSha256);
  const add = (message: string, path?: string) =>
    findings.add('LOG_BROKEN', message, path === undefined ? {} : { path });
  for await (const row of logEntries(db, indexId)) {
    const bytes = new TextEncoder().encode(row.entry);
    const { head } = grown;
    try {
      const { previous, seq } = parseLogEntry(bytes);
      if (seq !== row.seq || previous.size !== head.size || previous.root !== head.root)
        return add(`Entry ${row.seq} of the public log does not follow the one before it.`);
    } catch (error) {
      if (!(error instanceof RepositoryError)) throw error;
      return add(`Entry ${row.seq} of the public log cannot be read: ${error.message}.`);
    }
    grown = grown.append(leafHash(bytes, nodeSha256)).tree;
    if (grown.head.root !== row.root)
      return add(`The root of entry ${row.seq} of the public log is not its own.`);
    const path = tree.plain(logEntryPath(row.seq));
    const stored = await store.read(path);
    if (stored === undefined) add(`${path} is not in the store.`, path);
    else if (Buffer.compare(stored, bytes) !== 0)
      add(`${path} is not the entry that this database published.`, path);
  }
  const key = tree.plain(LOG_HEAD_PATH);
  const stored = await store.read(key);
  if (stored === undefined ? grown.size === 0 : isHead(stored, grown)) return;
  add(`${key} is not the head of the public log of this database.`, key);
}

function isHead(bytes: Uint8Array, { head }: GrowingTree): boolean {
  try {
    const { size, root } = parseLogHead(bytes);
    // A publication that is being finished has written its head already, and not yet its row.
    return size === head.size + 1 || (size === head.size && root === head.root);
  } catch (error) {
    if (error instanceof RepositoryError) return false;
    throw error;
  }
}
