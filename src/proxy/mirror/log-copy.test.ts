import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { GrowingTree } from '../../transparency/growing-tree.ts';
import { LOG_FIELD } from '../../transparency/log-entry.ts';
import { tilePath } from '../../transparency/log-layout.ts';
import { leafHash } from '../../transparency/merkle.ts';
import { Timestamp } from '../../tuf/timestamp.ts';
import type { JsonObject, JsonValue } from '../../tuf/json.ts';
import { MetaFile } from '../../tuf/file.ts';
import { copyLog } from './log-copy.ts';
import { TreeFolder } from './tree-folder.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rind-log-'));
});
afterEach(() => rm(folder, { recursive: true }));

/** A log of so many entries, what a timestamp says of it, and its tiles as its index would serve them. */
function logOf(size: number) {
  const entries = Array.from({ length: size }, (_, index) => Buffer.from(`{"seq":${index + 1}}`));
  const tiles = new Map<string, Uint8Array>();
  let tree = GrowingTree.empty();
  for (const entry of entries) {
    const grown = tree.append(leafHash(entry));
    tree = grown.tree;
    for (const tile of grown.tiles) tiles.set(tilePath(tile), tile.hashes);
  }
  const value: JsonObject = new Map<string, JsonValue>([
    ['roles', '00'.repeat(32)],
    ['root', tree.head.root],
    ['size', size],
  ]);
  const timestamp = new Timestamp({
    version: 1,
    specVersion: '1.0.34',
    expires: new Date('2030-01-01T00:00:00Z'),
    snapshotMeta: new MetaFile({ version: 1 }),
    unrecognizedFields: new Map([[LOG_FIELD, value]]),
  });
  return { entries, tiles, timestamp };
}

function fetchFrom(entries: readonly Uint8Array[], asked: string[] = []) {
  return async (path: string): Promise<Uint8Array> => {
    asked.push(path);
    return entries[Number(/([0-9]+)\.json$/.exec(path)?.[1]) - 1] ?? new Uint8Array();
  };
}

describe('a copy of the public log', () => {
  it.each([1, 31, 32, 33, 70])('has the tiles that clients ask for at %i entries', async (size) => {
    const { entries, tiles, timestamp } = logOf(size);
    expect(await copyLog(timestamp, new TreeFolder(folder), fetchFrom(entries))).toBe(size);
    const files = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) =>
      entry.isFile(),
    );
    for (const { parentPath, name } of files.filter((file) => file.parentPath.includes('tile'))) {
      const path = join(parentPath, name).slice(folder.length + 1);
      expect(await readFile(join(folder, path)), path).toEqual(Buffer.from(tiles.get(path) ?? []));
    }
    const edge =
      size % 32 === 0 ? `log/tile/0/${size / 32 - 1}` : `log/tile/0/${Math.floor(size / 32)}.p/${size % 32}`;
    expect(await readFile(join(folder, edge))).toEqual(Buffer.from(tiles.get(edge) ?? []));
  });

  it('fetches new entries only, computes everything again, and mends what was damaged', async () => {
    const [first, second] = [logOf(40), logOf(45)];
    await copyLog(first.timestamp, new TreeFolder(folder), fetchFrom(first.entries));
    const asked: string[] = [];
    await copyLog(second.timestamp, new TreeFolder(folder), fetchFrom(second.entries, asked));
    // Several are asked for at once, in any order.
    expect(asked.toSorted()).toEqual([41, 42, 43, 44, 45].map((seq) => `log/${seq}.json`));
    await writeFile(join(folder, 'log/3.json'), '{"seq":4}');
    await copyLog(second.timestamp, new TreeFolder(folder), fetchFrom(second.entries));
    expect(await readFile(join(folder, 'log/3.json'))).toEqual(second.entries[2]);
  });

  it('refuses entries that are not those which the timestamp was built on', async () => {
    const { entries, timestamp } = logOf(5);
    entries[2] = Buffer.from('{"seq":3,"forged":true}');
    await expect(copyLog(timestamp, new TreeFolder(folder), fetchFrom(entries))).rejects.toMatchObject({
      code: 'fork',
    });
  });
});
