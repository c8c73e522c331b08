import { sha256 } from '../tuf/sha256.ts';

/** One complete subtree: 2^level leaves, beginning with the leaf `position` * 2^level. Level 0 are the leaves. */
export interface NodePlace {
  readonly level: number;
  readonly position: number;
}

/** Hands out the hash of a complete subtree. */
export type NodeReader = (level: number, position: number) => Uint8Array;

/** SHA-256; a writer with many hashes gives its own. */
export type Hash = (bytes: Uint8Array) => Uint8Array;

/** Bytes of a hash. */
export const HASH_LENGTH = 32;

/** The root of the tree without leaves: the hash of nothing (RFC 6962, 2.1). */
export const EMPTY_ROOT: Uint8Array = sha256(new Uint8Array());

/** RFC 6962, 2.1: a leaf can never be taken for a node. */
export function leafHash(bytes: Uint8Array, hash: Hash = sha256): Uint8Array {
  const input = new Uint8Array(1 + bytes.length);
  input.set(bytes, 1);
  return hash(input);
}

export function nodeHash(left: Uint8Array, right: Uint8Array, hash: Hash = sha256): Uint8Array {
  const input = new Uint8Array(1 + 2 * HASH_LENGTH);
  input[0] = 1;
  input.set(left, 1);
  input.set(right, 1 + HASH_LENGTH);
  return hash(input);
}

/** The complete subtrees that a tree of `size` leaves is made of, from the left: one for each bit of the size. */
export function peaks(size: number): readonly NodePlace[] {
  const found: NodePlace[] = [];
  for (let level = Math.floor(Math.log2(Math.max(size, 1))), start = 0; level >= 0; level -= 1) {
    const width = 2 ** level;
    if (size - start < width) continue;
    found.push({ level, position: start / width });
    start += width;
  }
  return found;
}

/** The root of the tree of the first `size` leaves. */
export function rootHash(size: number, node: NodeReader, hash: Hash = sha256): Uint8Array {
  return size === 0 ? EMPTY_ROOT : rangeHash(0, size, node, hash);
}

/**
 * The path from leaf `index` to the root of the first `size` leaves (RFC 6962, 2.1.1).
 * @throws {RangeError} unless there is such a leaf
 */
export function inclusionProof(
  index: number,
  size: number,
  node: NodeReader,
  hash: Hash = sha256,
): readonly Uint8Array[] {
  if (!(index >= 0 && index < size)) throw new RangeError(`there is no leaf ${index} of ${size}`);
  const proof: Uint8Array[] = [];
  for (let from = 0, to = size; to - from > 1;) {
    const middle = from + splitOf(to - from);
    const isLeft = index < middle;
    proof.unshift(isLeft ? rangeHash(middle, to, node, hash) : rangeHash(from, middle, node, hash));
    if (isLeft) to = middle;
    else from = middle;
  }
  return proof;
}

/**
 * What shows that the first `newSize` leaves begin with the first `oldSize` (RFC 6962, 2.1.2).
 * @throws {RangeError} unless 0 < oldSize <= newSize
 */
export function consistencyProof(
  oldSize: number,
  newSize: number,
  node: NodeReader,
  hash: Hash = sha256,
): readonly Uint8Array[] {
  if (!(oldSize > 0 && oldSize <= newSize))
    throw new RangeError(`${newSize} leaves do not follow ${oldSize}`);
  const proof: Uint8Array[] = [];
  let [from, to] = [0, newSize];
  // Whether the old leaves in this range are a whole range that the verifier knows as its old root.
  let isKnown = true;
  while (oldSize < to) {
    const middle = from + splitOf(to - from);
    if (oldSize <= middle) {
      proof.unshift(rangeHash(middle, to, node, hash));
      to = middle;
    } else {
      proof.unshift(rangeHash(from, middle, node, hash));
      from = middle;
      isKnown = false;
    }
  }
  if (!isKnown) proof.unshift(rangeHash(from, to, node, hash));
  return proof;
}

/** Whether `leaf` (a leaf hash) is leaf `index` of the tree with `size` leaves and this root. */
export function verifyInclusion(
  leaf: Uint8Array,
  index: number,
  size: number,
  root: Uint8Array,
  proof: readonly Uint8Array[],
): boolean {
  if (!(index >= 0 && index < size)) return false;
  let [position, last] = [index, size - 1];
  let current = leaf;
  for (const sibling of proof) {
    if (last === 0) return false;
    if (position % 2 === 1 || position === last) {
      current = nodeHash(sibling, current);
      while (position % 2 === 0 && position !== 0) [position, last] = [half(position), half(last)];
    } else {
      current = nodeHash(current, sibling);
    }
    [position, last] = [half(position), half(last)];
  }
  return last === 0 && isSameHash(current, root);
}

/** Whether the tree with `newSize` leaves and `newRoot` begins with the one of `oldSize` leaves and `oldRoot` (RFC 9162, 2.1.4.2). */
export function verifyConsistency(
  oldSize: number,
  oldRoot: Uint8Array,
  newSize: number,
  newRoot: Uint8Array,
  proof: readonly Uint8Array[],
): boolean {
  if (oldSize === newSize) return proof.length === 0 && isSameHash(oldRoot, newRoot);
  if (!(oldSize >= 0 && oldSize < newSize)) return false;
  if (oldSize === 0) return proof.length === 0 && isSameHash(oldRoot, EMPTY_ROOT);
  const path = isPowerOfTwo(oldSize) ? [oldRoot, ...proof] : proof;
  let [position, last] = [oldSize - 1, newSize - 1];
  while (position % 2 === 1) [position, last] = [half(position), half(last)];
  const [first, ...rest] = path;
  if (first === undefined) return false;
  let [before, after] = [first, first];
  for (const sibling of rest) {
    if (last === 0) return false;
    if (position % 2 === 1 || position === last) {
      before = nodeHash(sibling, before);
      after = nodeHash(sibling, after);
      while (position % 2 === 0 && position !== 0) [position, last] = [half(position), half(last)];
    } else {
      after = nodeHash(after, sibling);
    }
    [position, last] = [half(position), half(last)];
  }
  return last === 0 && isSameHash(before, oldRoot) && isSameHash(after, newRoot);
}

export function isSameHash(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, position) => byte === b[position]);
}

/** The hash over leaves `from` to `to`; every range that the proofs ask for begins where a complete subtree does. */
function rangeHash(from: number, to: number, node: NodeReader, hash: Hash): Uint8Array {
  const width = to - from;
  if (isPowerOfTwo(width)) return node(Math.log2(width), from / width);
  const middle = from + splitOf(width);
  return nodeHash(rangeHash(from, middle, node, hash), rangeHash(middle, to, node, hash), hash);
}

/** The largest power of two below `width`. */
function splitOf(width: number): number {
  const power = 2 ** Math.floor(Math.log2(width));
  return power === width ? power / 2 : power;
}

function isPowerOfTwo(value: number): boolean {
  return 2 ** Math.floor(Math.log2(value)) === value;
}

/** Not `>> 1`: sizes may be above 2^31. */
function half(value: number): number {
  return Math.floor(value / 2);
}
