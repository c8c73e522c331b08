import { decodeHex } from '../tuf/hex.ts';
import { encodeLogEntry, type LogEntry, type LogHead } from './log-entry.ts';
import { TILE_HEIGHT, TILE_WIDTH, tileOfNode, tilePath, type TilePlace } from './log-layout.ts';
import {
  consistencyProof,
  HASH_LENGTH,
  inclusionProof,
  leafHash,
  nodeHash,
  verifyConsistency,
  verifyInclusion,
  type NodeReader,
} from './merkle.ts';

/** The hashes of tiles, by path of the tile; untrusted. */
export type Tiles = ReadonlyMap<string, Uint8Array>;

/** The tiles needed to show that a log of `size` entries goes on from `known` and what was before it. */
export function tilesForExtension(known: LogEntry, size: number): readonly TilePlace[] {
  const tiles = new Map<string, TilePlace>();
  const blank = new Uint8Array(HASH_LENGTH);
  prove(known, size, (level, position) => {
    const tile = tileOfNode({ level, position }, size);
    tiles.set(tilePath(tile), tile);
    return blank;
  });
  return [...tiles.values()];
}

/**
 * Whether the log `next` has everything that `known` was built on, unchanged, and `known` itself as the entry after that. False for a fork, for
 * a log that became shorter, and for tiles that are not those of `next`.
 */
export function isExtensionOf(known: LogEntry, next: LogHead, tiles: Tiles): boolean {
  if (next.size <= known.previous.size) return false;
  const [oldRoot, newRoot] = [decodeHex(known.previous.root), decodeHex(next.root)];
  if (oldRoot === undefined || newRoot === undefined) return false;
  const proofs = prove(known, next.size, tileReader(tiles, next.size));
  if (proofs === undefined) return false;
  const oldSize = known.previous.size;
  return (
    verifyConsistency(oldSize, oldRoot, next.size, newRoot, proofs.consistency) &&
    verifyInclusion(leafHash(encodeLogEntry(known)), oldSize, next.size, newRoot, proofs.inclusion)
  );
}

function prove(
  known: LogEntry,
  size: number,
  node: (level: number, position: number) => Uint8Array | undefined,
) {
  const oldSize = known.previous.size;
  let isComplete = true;
  const read: NodeReader = (level, position) => {
    const hash = node(level, position);
    if (hash === undefined) isComplete = false;
    return hash ?? new Uint8Array(HASH_LENGTH);
  };
  const consistency = oldSize === 0 ? [] : consistencyProof(oldSize, size, read);
  const inclusion = inclusionProof(oldSize, size, read);
  return isComplete ? { consistency, inclusion } : undefined;
}

function tileReader(tiles: Tiles, size: number): (level: number, position: number) => Uint8Array | undefined {
  return (level, position) => {
    const place = tileOfNode({ level, position }, size);
    const tile = tiles.get(tilePath(place));
    if (tile === undefined || tile.length < place.width * HASH_LENGTH) return undefined;
    const height = level - place.level * TILE_HEIGHT;
    return nodeInTile(tile, position * 2 ** height - place.index * TILE_WIDTH, height);
  };
}

/** A node of a tile: its own hashes are the lowest level, those above are computed. */
function nodeInTile(tile: Uint8Array, first: number, height: number): Uint8Array {
  if (height === 0) return tile.subarray(first * HASH_LENGTH, (first + 1) * HASH_LENGTH);
  const half = 2 ** (height - 1);
  return nodeHash(nodeInTile(tile, first, height - 1), nodeInTile(tile, first + half, height - 1));
}
