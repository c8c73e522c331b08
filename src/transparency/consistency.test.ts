import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { isExtensionOf, tilesForExtension } from './consistency.ts';
import { GrowingTree } from './growing-tree.ts';
import { encodeLogEntry, type LogEntry, type LogHead } from './log-entry.ts';
import { tilePath } from './log-layout.ts';
import {
  consistencyProof,
  EMPTY_ROOT,
  inclusionProof,
  leafHash,
  nodeHash,
  rootHash,
  verifyConsistency,
  verifyInclusion,
  type NodeReader,
} from './merkle.ts';
import { encodeHex } from '../tuf/hex.ts';

/** As a server hashes. */
const hash = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();
const hex = (letter: string): string => letter.repeat(64);

/** A log as a server keeps it: every entry, head and tile there ever was. */
class Log {
  readonly entries: LogEntry[] = [];
  readonly heads: LogHead[] = [];
  readonly tiles = new Map<string, Uint8Array>();
  tree = GrowingTree.empty(hash);

  append(letter = 'a'): LogEntry {
    const seq = this.tree.size + 1;
    const entry: LogEntry = {
      seq,
      previous: this.tree.head,
      roles: hex('e'),
      snapshot: { version: seq, sha256: hex(letter) },
      timestamp: { version: seq, sha256: hex(letter) },
    };
    this.heads.push(this.tree.head);
    this.add(leafHash(encodeLogEntry(entry), hash));
    this.entries.push(entry);
    return entry;
  }

  add(leaf: Uint8Array): void {
    const { tree, tiles } = this.tree.append(leaf);
    for (const tile of tiles) this.tiles.set(tilePath(tile), tile.hashes);
    this.tree = tree;
  }

  /** What a client of `known` downloads to follow to `head`. */
  fetch(known: LogEntry, head: LogHead): Map<string, Uint8Array> {
    const paths = tilesForExtension(known, head.size).map(tilePath);
    return new Map(
      paths.flatMap((path) => {
        const tile = this.tiles.get(path);
        return tile === undefined ? [] : [[path, tile] as const];
      }),
    );
  }
}

function logOf(size: number, from = new Log()): Log {
  while (from.tree.size < size) from.append();
  return from;
}

const leaves = (count: number) =>
  Array.from({ length: count }, (_, index) => leafHash(new TextEncoder().encode(`leaf ${index}`)));

/** The definition, without any cleverness. */
function naiveRoot(of: readonly Uint8Array[]): Uint8Array {
  if (of.length === 0) return EMPTY_ROOT;
  const [only] = of;
  if (of.length === 1 && only !== undefined) return only;
  let split = 1;
  while (split * 2 < of.length) split *= 2;
  return nodeHash(naiveRoot(of.slice(0, split)), naiveRoot(of.slice(split)));
}

const readerOf =
  (of: readonly Uint8Array[]): NodeReader =>
  (level, position) =>
    naiveRoot(of.slice(position * 2 ** level, (position + 1) * 2 ** level));

describe('the Merkle tree', () => {
  it('has the roots of RFC 6962', () => {
    expect(encodeHex(EMPTY_ROOT)).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
    // The vectors of certificate-transparency's reference implementation.
    expect(encodeHex(leafHash(new Uint8Array()))).toBe(
      '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
    );
    const two = [leafHash(new Uint8Array()), leafHash(new Uint8Array([0]))];
    expect(encodeHex(rootHash(2, readerOf(two)))).toBe(
      'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
    );
  });

  it('proves every leaf and every earlier tree, for every size up to 70', () => {
    const all = leaves(70);
    for (let size = 1; size <= 70; size += 1) {
      const node = readerOf(all.slice(0, size));
      const root = rootHash(size, node);
      expect(root).toEqual(naiveRoot(all.slice(0, size)));
      for (let index = 0; index < size; index += 7) {
        const leaf = all[index] ?? EMPTY_ROOT;
        const proof = inclusionProof(index, size, node);
        expect(verifyInclusion(leaf, index, size, root, proof)).toBe(true);
        expect(verifyInclusion(all[index + 1] ?? EMPTY_ROOT, index, size, root, proof)).toBe(false);
      }
      for (let old = 1; old <= size; old += 5) {
        const proof = consistencyProof(old, size, node);
        expect(verifyConsistency(old, naiveRoot(all.slice(0, old)), size, root, proof)).toBe(true);
        expect(verifyConsistency(old, EMPTY_ROOT, size, root, proof)).toBe(false);
      }
    }
  });

  it('believes no proof that was changed, cut or lengthened', () => {
    const all = leaves(50);
    const node = readerOf(all);
    const root = rootHash(50, node);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 49 }), fc.nat(), fc.nat(2), (old, at, kind) => {
        const proof = [...consistencyProof(old, 50, node)];
        if (kind === 0) proof[at % proof.length] = EMPTY_ROOT;
        else if (kind === 1) proof.pop();
        else proof.push(EMPTY_ROOT);
        return !verifyConsistency(old, naiveRoot(all.slice(0, old)), 50, root, proof);
      }),
      { numRuns: 60 },
    );
  });

  it('grows leaf by leaf to the same root, whatever the size', () => {
    const all = leaves(1100);
    let tree = GrowingTree.empty();
    for (const [index, leaf] of all.entries()) {
      tree = tree.append(leaf).tree;
      if (index % 97 === 0 || index === 1023)
        expect(tree.head.root).toBe(encodeHex(naiveRoot(all.slice(0, index + 1))));
    }
  });

  it('goes on from its stored tiles as if it had never stopped', async () => {
    for (const size of [0, 1, 31, 32, 33, 1023, 1024, 1025]) {
      const log = logOf(size);
      const read = await GrowingTree.read(
        size,
        async (place) => log.tiles.get(tilePath(place)) ?? EMPTY_ROOT,
        hash,
      );
      expect(read.head).toEqual(log.tree.head);
      expect(read.append(EMPTY_ROOT).tree.head).toEqual(log.tree.append(EMPTY_ROOT).tree.head);
    }
  });
});

describe('a client that remembers the log', () => {
  it('follows it from any entry to any later head', () => {
    const log = logOf(1100);
    for (const [from, to] of [
      [0, 1],
      [0, 1099],
      [1, 2],
      [30, 32],
      [31, 33],
      [32, 1000],
      [500, 501],
      [1023, 1099],
      [700, 1099],
    ] as const) {
      const [known, head] = [log.entries[from], log.heads[to]];
      if (known === undefined || head === undefined) throw new Error('no such entry');
      expect(isExtensionOf(known, head, log.fetch(known, head)), `${from} to ${to}`).toBe(true);
    }
  });

  it('refuses a fork that began after what both have in common', () => {
    const [honest, forked] = [logOf(40), logOf(40)];
    const known = honest.append('a');
    forked.append('b');
    logOf(100, forked);
    const head = forked.tree.head;
    expect(isExtensionOf(known, head, forked.fetch(known, head))).toBe(false);
  });

  it('refuses a history that was rewritten before the entry it knows', () => {
    const honest = logOf(50);
    const known = honest.append();
    const rewritten = new Log();
    for (let seq = 1; seq <= 80; seq += 1) rewritten.append(seq === 7 ? 'b' : 'a');
    const head = rewritten.tree.head;
    expect(isExtensionOf(known, head, rewritten.fetch(known, head))).toBe(false);
  });

  it('refuses a log that became shorter, or stands still under a new timestamp', () => {
    const log = logOf(60);
    const known = log.entries[50];
    if (known === undefined) throw new Error('no such entry');
    expect(isExtensionOf(known, log.heads[40] ?? log.tree.head, log.tiles)).toBe(false);
    expect(isExtensionOf(known, known.previous, log.tiles)).toBe(false);
  });

  it('believes no tile that is missing, short or changed', () => {
    const log = logOf(300);
    const [known, head] = [log.entries[40], log.tree.head];
    if (known === undefined) throw new Error('no such entry');
    const tiles = log.fetch(known, head);
    for (const [path, bytes] of tiles) {
      const changed = bytes.slice();
      changed.fill(1, changed.length - 32);
      for (const other of [changed, bytes.subarray(0, bytes.length - 32), undefined]) {
        const damaged = new Map(tiles);
        if (other === undefined) damaged.delete(path);
        else damaged.set(path, other);
        // A tile may hold hashes that this proof does not need; what it needs is never taken from a damaged one.
        if (other === undefined || other.length < bytes.length)
          expect(isExtensionOf(known, head, damaged)).toBe(false);
      }
    }
    const allChanged = new Map([...tiles].map(([path, bytes]) => [path, new Uint8Array(bytes.length)]));
    expect(isExtensionOf(known, head, allChanged)).toBe(false);
  });

  it('fetches at most 8 KB in 8 requests after 10,000 publications, and half a KB after one', () => {
    const log = new Log();
    const grow = (size: number): void => {
      while (log.tree.size < size) log.add(EMPTY_ROOT);
    };
    const cost = (known: LogEntry) => {
      const tiles = log.fetch(known, log.tree.head);
      expect(isExtensionOf(known, log.tree.head, tiles)).toBe(true);
      return {
        requests: tiles.size,
        bytes: [...tiles.values()].reduce((sum, { length }) => sum + length, 0),
      };
    };
    grow(2_321);
    const early = log.append();
    grow(12_321);
    const known = log.append();
    const late = cost(early);
    expect(late.requests).toBeLessThanOrEqual(8);
    expect(late.bytes).toBeLessThanOrEqual(8 * 1024);
    const soon = cost(known);
    expect(soon.requests).toBeLessThanOrEqual(3);
    expect(soon.bytes).toBeLessThanOrEqual(512);
  });
});
