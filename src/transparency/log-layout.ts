import type { NodePlace } from './merkle.ts';

/** Levels of the tree in one tile: 32 hashes, 1 KiB. A client that returns after 10,000 publications fetches five or six of them. */
export const TILE_HEIGHT = 5;
/** Hashes of a full tile. */
export const TILE_WIDTH = 2 ** TILE_HEIGHT;

/** The folder of the log, beside `metadata/`. */
export const LOG_FOLDER = 'log/';
/** Where the log ends now; the only object of the folder that is ever replaced. */
export const LOG_HEAD_PATH = 'log/head.json';

/** Some of the hashes of one level: those of the complete subtrees `index` * 32 and following of tree level `level` * 5. */
export interface TilePlace {
  readonly level: number;
  readonly index: number;
  /** How many hashes it holds: 1 to 32. */
  readonly width: number;
}

/** The entry of one publication; the first has the seq 1. */
export function logEntryPath(seq: number): string {
  return `${LOG_FOLDER}${seq}.json`;
}

/** A tile: `log/tile/0/7` when it is full, `log/tile/0/7.p/12` while it has 12 hashes. Each has one content for ever. */
export function tilePath({ level, index, width }: TilePlace): string {
  const full = `${LOG_FOLDER}tile/${level}/${index}`;
  return width === TILE_WIDTH ? full : `${full}.p/${width}`;
}

/** The tile in which a client of the tree with `size` leaves finds a node. */
export function tileOfNode({ level, position }: NodePlace, size: number): TilePlace {
  const tileLevel = Math.floor(level / TILE_HEIGHT);
  const first = position * 2 ** (level - tileLevel * TILE_HEIGHT);
  const index = Math.floor(first / TILE_WIDTH);
  const complete = Math.floor(size / 2 ** (tileLevel * TILE_HEIGHT));
  return { level: tileLevel, index, width: Math.min(TILE_WIDTH, complete - index * TILE_WIDTH) };
}

/** The tiles that change when the tree grows from `size` - 1 to `size` leaves, in their new form. */
export function tilesOfLeaf(size: number): readonly TilePlace[] {
  const tiles: TilePlace[] = [];
  for (let level = 0, count = size; ; level += 1, count /= TILE_WIDTH) {
    const index = Math.floor((count - 1) / TILE_WIDTH);
    tiles.push({ level, index, width: count - index * TILE_WIDTH });
    if (count % TILE_WIDTH !== 0) return tiles;
  }
}

/** What a path below `log/` is; undefined when the log has nothing of that name. */
export function parseLogPath(path: string): 'head' | 'entry' | 'tile' | undefined {
  if (path === LOG_HEAD_PATH) return 'head';
  if (/^log\/[1-9][0-9]{0,12}\.json$/.test(path)) return 'entry';
  return /^log\/tile\/[0-9]\/(?:0|[1-9][0-9]{0,12})(?:\.p\/[1-9][0-9]?)?$/.test(path) ? 'tile' : undefined;
}
