import { logEntries } from '../../db/log-entries.ts';
import { GrowingTree } from '../../transparency/growing-tree.ts';
import { encodeLogHead, type LogHead } from '../../transparency/log-entry.ts';
import {
  LOG_FOLDER,
  LOG_HEAD_PATH,
  logEntryPath,
  TILE_WIDTH,
  tilePath,
} from '../../transparency/log-layout.ts';
import { leafHash } from '../../transparency/merkle.ts';
import type { NewObject } from '../../storage/object-store.ts';
import { sha256Hex } from '../project-targets.ts';
import { nodeSha256, type LogContext } from '../public-log.ts';

/** An object that the log of a database consists of. A tile that is not full may be gone: it was collected. */
interface OwnObject extends NewObject {
  readonly isNeeded: boolean;
}

/**
 * Takes everything out of the public log in the store that is not the log of this database, after `keep` has put its bytes aside: entries that
 * somebody else wrote, tiles over them, a false head; then writes what is missing of its own. The next publication goes on from the last entry
 * that this database knows. The store lock must be held. Returns the keys that were taken out.
 */
export async function removeForeignLog(
  context: LogContext,
  keep: (key: string, bytes: Uint8Array) => Promise<void>,
): Promise<readonly string[]> {
  const { store, tree } = context;
  const own = new Map<string, string>();
  let head: LogHead = GrowingTree.empty(nodeSha256).head;
  for await (const step of ownLog(context)) {
    head = step.head;
    for (const { key, bytes } of step.objects) own.set(key, sha256Hex(bytes));
  }
  const headKey = tree.plain(LOG_HEAD_PATH);
  if (head.size > 0) own.set(headKey, sha256Hex(encodeLogHead(head)));
  const present = new Set<string>();
  const foreign: string[] = [];
  for await (const { key } of store.list(tree.plain(LOG_FOLDER))) {
    const bytes = await store.read(key);
    if (bytes === undefined) continue;
    if (own.get(key) === sha256Hex(bytes)) {
      present.add(key);
      continue;
    }
    await keep(key, bytes);
    foreign.push(key);
  }
  for (const key of foreign) await store.remove(key);
  for await (const { objects } of ownLog(context)) {
    const missing = objects.filter(({ key, isNeeded }) => isNeeded && !present.has(key));
    if (missing.length > 0) await store.createMany(missing);
  }
  if (head.size > 0 && !present.has(headKey)) await store.put(headKey, encodeLogHead(head));
  return foreign;
}

/** The log as the rows have it, entry by entry: its objects, and the head with it. */
async function* ownLog({
  db,
  tree,
  indexId,
}: LogContext): AsyncGenerator<{ readonly head: LogHead; readonly objects: readonly OwnObject[] }> {
  let log = GrowingTree.empty(nodeSha256);
  for await (const row of logEntries(db, indexId)) {
    const bytes = new TextEncoder().encode(row.entry);
    const grown = log.append(leafHash(bytes, nodeSha256));
    log = grown.tree;
    const objects: OwnObject[] = [{ key: tree.plain(logEntryPath(row.seq)), bytes, isNeeded: true }];
    for (const tile of grown.tiles)
      objects.push({
        key: tree.plain(tilePath(tile)),
        bytes: tile.hashes,
        isNeeded: tile.width === TILE_WIDTH,
      });
    yield { head: log.head, objects };
  }
}
