import { decodeHex, encodeHex } from '../tuf/hex.ts';
import { sha256 } from '../tuf/sha256.ts';
import { HASH_LENGTH, nodeHash, rootHash, type Hash, type NodePlace } from './merkle.ts';
import type { LogHead } from './log-entry.ts';
import { TILE_HEIGHT, TILE_WIDTH, tilesOfLeaf, type TilePlace } from './log-layout.ts';

/** A tile with its hashes. */
export interface Tile extends TilePlace {
  readonly hashes: Uint8Array;
}

/**
 * The right edge of the log's tree, which is all that growing needs: for each level of tiles the last one, not yet full. Immutable: `append`
 * gives a new one, so that a publication that fails leaves nothing behind.
 */
export class GrowingTree {
  readonly size: number;
  /** By tile level: the hashes of the tile that is not full. */
  readonly #edge: readonly Uint8Array[];
  readonly #hash: Hash;
  #head: LogHead | undefined;

  private constructor(size: number, edge: readonly Uint8Array[], hash: Hash) {
    this.size = size;
    this.#edge = edge;
    this.#hash = hash;
  }

  static empty(hash: Hash = sha256): GrowingTree {
    return new GrowingTree(0, [], hash);
  }

  /** From the last tiles of each level, as {@link edgeTiles} names them. */
  static async read(
    size: number,
    tile: (place: TilePlace) => Promise<Uint8Array>,
    hash: Hash = sha256,
  ): Promise<GrowingTree> {
    const edge: Uint8Array[] = [];
    for (const place of edgeTiles(size))
      edge[place.level] = place.width === 0 ? new Uint8Array() : await tile(place);
    return new GrowingTree(size, edge, hash);
  }

  get head(): LogHead {
    const node = (level: number, position: number) => this.#node({ level, position });
    this.#head ??= { size: this.size, root: encodeHex(rootHash(this.size, node, this.#hash)) };
    return this.#head;
  }

  /** One leaf more (its hash), and the tiles that this makes, to be stored. */
  append(leaf: Uint8Array): { readonly tree: GrowingTree; readonly tiles: readonly Tile[] } {
    const edge = [...this.#edge];
    const tiles: Tile[] = [];
    let next = leaf;
    for (const place of tilesOfLeaf(this.size + 1)) {
      const before = edge[place.level] ?? new Uint8Array();
      const hashes = new Uint8Array(before.length + HASH_LENGTH);
      hashes.set(before);
      hashes.set(next, before.length);
      tiles.push({ ...place, hashes });
      const isFull = place.width === TILE_WIDTH;
      edge[place.level] = isFull ? new Uint8Array() : hashes;
      if (isFull) next = subtree(hashes, 0, TILE_HEIGHT, this.#hash);
    }
    return { tree: new GrowingTree(this.size + 1, edge, this.#hash), tiles };
  }

  /** A peak: all of them lie in the tiles of the edge. */
  #node({ level, position }: NodePlace): Uint8Array {
    const tileLevel = Math.floor(level / TILE_HEIGHT);
    const height = level - tileLevel * TILE_HEIGHT;
    const tile = this.#edge[tileLevel] ?? new Uint8Array();
    return subtree(tile, (position * 2 ** height) % TILE_WIDTH, height, this.#hash);
  }
}

/** The tiles that are not full in a tree of `size` leaves, one for each level; width 0: none at this level. */
export function edgeTiles(size: number): readonly TilePlace[] {
  const tiles: TilePlace[] = [];
  for (let level = 0, count = size; count > 0; level += 1, count = Math.floor(count / TILE_WIDTH)) {
    tiles.push({ level, index: Math.floor(count / TILE_WIDTH), width: count % TILE_WIDTH });
  }
  return tiles;
}

/** Reads a hash that is known to be one. */
export function hashOf(hex: string): Uint8Array {
  const bytes = decodeHex(hex);
  if (bytes?.length !== HASH_LENGTH) throw new TypeError(`${hex} is no SHA-256 in hexadecimal`);
  return bytes;
}

function subtree(hashes: Uint8Array, first: number, height: number, hash: Hash): Uint8Array {
  if (height === 0) return hashes.slice(first * HASH_LENGTH, (first + 1) * HASH_LENGTH);
  const half = 2 ** (height - 1);
  return nodeHash(
    subtree(hashes, first, height - 1, hash),
    subtree(hashes, first + half, height - 1, hash),
    hash,
  );
}
