import { canonicalString, encodeUtf8 } from '../tuf/canonical-json.ts';
import { compareCodePoints } from '../tuf/code-points.ts';
import { encodeHex } from '../tuf/hex.ts';
import { sha256 } from '../tuf/sha256.ts';
import { EMPTY_ROOT, leafHash, nodeHash, type Hash } from './merkle.ts';

/** One version of a role; `sha256` is that of its file. */
export interface RoleDigest {
  readonly role: string;
  readonly version: number;
  readonly sha256: string;
}

/** Roles that no tree contains: the entry of the log names their hashes itself. */
const APART: ReadonlySet<string> = new Set(['timestamp', 'snapshot']);

/**
 * The Merkle tree (RFC 6962) over every public role but timestamp and snapshot, in the order of their names; leaves are canonical JSON of role,
 * sha256 and version. Immutable. A change of a role costs one path, whatever the number of roles; a new or a forgotten role costs the whole tree.
 */
export class RoleTree {
  readonly #names: readonly string[];
  readonly #positions: ReadonlyMap<string, number>;
  /** From the leaves up; the last node of an odd level is also the last of the next. */
  readonly #levels: readonly (readonly Uint8Array[])[];
  readonly #hash: Hash;

  private constructor(
    names: readonly string[],
    positions: ReadonlyMap<string, number>,
    levels: readonly (readonly Uint8Array[])[],
    hash: Hash,
  ) {
    this.#names = names;
    this.#positions = positions;
    this.#levels = levels;
    this.#hash = hash;
  }

  static of(roles: Iterable<RoleDigest>, hash: Hash = sha256): RoleTree {
    const leaves = new Map<string, Uint8Array>();
    for (const role of roles) if (!APART.has(role.role)) leaves.set(role.role, leafOf(role, hash));
    return RoleTree.#build(leaves, hash);
  }

  /** Lower-case hex. */
  get root(): string {
    return encodeHex(this.#levels.at(-1)?.[0] ?? EMPTY_ROOT);
  }

  /** A tree with some roles added or replaced; this one stays as it is. */
  with(changes: readonly RoleDigest[]): RoleTree {
    const changed = changes.filter(({ role }) => !APART.has(role));
    if (changed.length === 0) return this;
    if (changed.some(({ role }) => !this.#positions.has(role))) {
      const leaves = new Map(
        this.#names.map((name, position) => [name, this.#levels[0]?.[position] ?? EMPTY_ROOT]),
      );
      for (const role of changed) leaves.set(role.role, leafOf(role, this.#hash));
      return RoleTree.#build(leaves, this.#hash);
    }
    const levels = this.#levels.map((level) => [...level]);
    let touched = new Set<number>();
    for (const role of changed) {
      const position = this.#positions.get(role.role) ?? 0;
      (levels[0] ?? [])[position] = leafOf(role, this.#hash);
      touched.add(position);
    }
    for (let level = 1; level < levels.length; level += 1) {
      touched = new Set([...touched].map((position) => position >>> 1));
      for (const position of touched)
        setParent(levels[level - 1] ?? [], levels[level] ?? [], position, this.#hash);
    }
    return new RoleTree(this.#names, this.#positions, levels, this.#hash);
  }

  static #build(leaves: ReadonlyMap<string, Uint8Array>, hash: Hash): RoleTree {
    const names = [...leaves.keys()].toSorted(compareCodePoints);
    const levels: Uint8Array[][] = [names.map((name) => leaves.get(name) ?? EMPTY_ROOT)];
    for (let below = levels[0] ?? []; below.length > 1;) {
      const above: Uint8Array[] = [];
      for (let position = 0; 2 * position < below.length; position += 1)
        setParent(below, above, position, hash);
      levels.push(above);
      below = above;
    }
    return new RoleTree(names, new Map(names.map((name, position) => [name, position])), levels, hash);
  }
}

function leafOf({ role, version, sha256: digest }: RoleDigest, hash: Hash): Uint8Array {
  const text = `{"role":${canonicalString(role)},"sha256":"${digest}","version":${version}}`;
  return leafHash(encodeUtf8(text), hash);
}

function setParent(below: readonly Uint8Array[], above: Uint8Array[], position: number, hash: Hash): void {
  const [left, right] = [below[2 * position], below[2 * position + 1]];
  if (left !== undefined) above[position] = right === undefined ? left : nodeHash(left, right, hash);
}
