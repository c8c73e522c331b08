import type { DelegatedRole } from './delegated-role.ts';
import { hasWildcard, matchesPathPattern } from './path-pattern.ts';

/** A pattern and the place of its role among the delegations. */
interface PatternEntry {
  readonly pattern: string;
  readonly order: number;
}

/**
 * Finds the delegations that match a path without looking at all of them: hash prefixes by table, patterns by their
 * leading segments without wildcards. Built in one pass over the delegations.
 */
export class DelegationTable {
  readonly #roles: readonly DelegatedRole[];
  /** The first role of each prefix; bins share none, so that numbers suffice for tens of thousands of them. */
  readonly #byHashPrefix = new Map<string, number>();
  readonly #furtherByHashPrefix = new Map<string, number[]>();
  readonly #prefixLengths = new Set<number>();
  readonly #byLiteralStart = new Map<string, PatternEntry[]>();

  constructor(roles: readonly DelegatedRole[]) {
    this.#roles = roles;
    roles.forEach((role, order) => {
      for (const prefix of role.pathHashPrefixes ?? []) this.#addPrefix(prefix, order);
      for (const pattern of role.paths ?? [])
        push(this.#byLiteralStart, literalStart(pattern), { pattern, order });
    });
  }

  /** The matching delegations in their order of appearance. */
  find(path: string, pathHash: string): readonly DelegatedRole[] {
    const orders = new Set<number>();
    for (const length of this.#prefixLengths) {
      const prefix = pathHash.slice(0, length);
      const first = this.#byHashPrefix.get(prefix);
      if (first !== undefined) orders.add(first);
      for (const order of this.#furtherByHashPrefix.get(prefix) ?? []) orders.add(order);
    }
    for (const start of starts(path)) {
      for (const { pattern, order } of this.#byLiteralStart.get(start) ?? []) {
        if (!orders.has(order) && matchesPathPattern(path, pattern)) orders.add(order);
      }
    }
    return [...orders].sort((a, b) => a - b).map((order) => this.#roles[order] as DelegatedRole);
  }

  #addPrefix(prefix: string, order: number): void {
    this.#prefixLengths.add(prefix.length);
    if (this.#byHashPrefix.has(prefix)) push(this.#furtherByHashPrefix, prefix, order);
    else this.#byHashPrefix.set(prefix, order);
  }
}

function push<T>(table: Map<string, T[]>, key: string, entry: T): void {
  const entries = table.get(key);
  if (entries === undefined) table.set(key, [entry]);
  else entries.push(entry);
}

/** The segments before the first with a wildcard, each with its slash: `simple/foo/` of `simple/foo/*`. */
function literalStart(pattern: string): string {
  const segments = pattern.split('/');
  const wildcard = segments.findIndex(hasWildcard);
  return segments
    .slice(0, wildcard === -1 ? segments.length : wildcard)
    .map((segment) => `${segment}/`)
    .join('');
}

/** Every start a pattern matching the path can have. */
function* starts(path: string): Generator<string> {
  let start = '';
  yield start;
  for (const segment of path.split('/')) {
    start += `${segment}/`;
    yield start;
  }
}
