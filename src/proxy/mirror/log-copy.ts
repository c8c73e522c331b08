import { GrowingTree, type Tile } from '../../transparency/growing-tree.ts';
import { encodeLogHead, logCommitment } from '../../transparency/log-entry.ts';
import { LOG_HEAD_PATH, logEntryPath, TILE_WIDTH, tilePath } from '../../transparency/log-layout.ts';
import { leafHash } from '../../transparency/merkle.ts';
import type { Timestamp } from '../../tuf/timestamp.ts';
import { VerdictError } from '../verdict.ts';
import type { TreeFolder } from './tree-folder.ts';

/** Bytes. */
const MAX_ENTRY = 65_536;
const AT_ONCE = 16;

/**
 * Copies the public log up to where a verified timestamp says it ends. The entries have to give the root that the timestamp names; the
 * tiles are computed from them, so that nothing of them has to be believed.
 *
 * @throws VerdictError `fork` when they do not
 * @returns the number of entries; 0 for an index without a log
 */
export async function copyLog(
  timestamp: Timestamp,
  folder: TreeFolder,
  fetch: (path: string, maxLength: number) => Promise<Uint8Array>,
  isAnew = false,
): Promise<number> {
  const commitment = logCommitment(timestamp);
  if (commitment === undefined) return 0;
  const { size, root } = commitment;
  let tree = GrowingTree.empty();
  const edge = new Map<number, Tile>();
  for (let first = 1; first <= size; first += AT_ONCE) {
    const numbers = Array.from(
      { length: Math.min(AT_ONCE, size - first + 1) },
      (_, offset) => first + offset,
    );
    const entries = await Promise.all(numbers.map((seq) => obtain(logEntryPath(seq), folder, fetch, isAnew)));
    for (const entry of entries) {
      const { tree: next, tiles } = tree.append(leafHash(entry));
      tree = next;
      for (const tile of tiles) {
        if (tile.width < TILE_WIDTH) edge.set(tile.level, tile);
        else {
          edge.delete(tile.level);
          await writeTile(tile, folder);
        }
      }
    }
  }
  if (size > 0 && tree.head.root !== root) {
    // What is kept here may be what is damaged.
    if (!isAnew) return copyLog(timestamp, folder, fetch, true);
    throw new VerdictError(
      'fork',
      `The entries of the log do not give the root that timestamp ${timestamp.version} names`,
    );
  }
  for (const tile of edge.values()) await writeTile(tile, folder);
  await folder.write(LOG_HEAD_PATH, encodeLogHead({ size, root }));
  return size;
}

async function obtain(
  path: string,
  folder: TreeFolder,
  fetch: (path: string, maxLength: number) => Promise<Uint8Array>,
  isAnew: boolean,
): Promise<Uint8Array> {
  const known = isAnew ? undefined : await folder.read(path);
  if (known !== undefined) return known;
  const bytes = await fetch(path, MAX_ENTRY);
  await folder.write(path, bytes);
  return bytes;
}

async function writeTile(tile: Tile, folder: TreeFolder): Promise<void> {
  const path = tilePath(tile);
  const present = await folder.read(path);
  if (present === undefined || Buffer.compare(present, tile.hashes) !== 0)
    await folder.write(path, tile.hashes);
}
