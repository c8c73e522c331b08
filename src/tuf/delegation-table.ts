import type { DelegatedRole } from './delegated-role.ts';
import { hasWildcard, matchesPathPattern } from './path-pattern.ts';

/** A role and its place among the delegations. */
interface Entry {
  readonly role: DelegatedRole;
  readonly order: number;
}

interface PatternEntry extends Entry {
  readonly pattern: string;
}

/**
 * Finds the delegations that match a path without looking at all of them: hash prefixes by table, patterns by their
 * leading segments without wildcards. Built in one pass over the delegations.
 */
export class DelegationTable {
  readonly #byHashPrefix = new Map<string, Entry[]>();
  readonly #prefixLengths = new Set<number>();
  readonly #byLiteralStart = new Map<string, PatternEntry[]>();

  constructor(roles: Iterable<DelegatedRole>) {
    let order = 0;
    for (const role of roles) {
      for (const prefix of role.pathHashPrefixes ?? []) {
        this.#prefixLengths.add(prefix.length);
        push(this.#byHashPrefix, prefix, { role, order });
      }
      for (const pattern of role.paths ?? []) {
        push(this.#byLiteralStart, literalStart(pattern), { role, order, pattern });
      }
      order++;
    }
  }

  /** The matching delegations in their order of appearance. */
  find(path: string, pathHash: string): readonly DelegatedRole[] {
    const found = new Map<number, DelegatedRole>();
    for (const length of this.#prefixLengths) {
      const entries = this.#byHashPrefix.get(pathHash.slice(0, length)) ?? [];
      for (const { role, order } of entries) found.set(order, role);
    }
    for (const start of starts(path)) {
      for (const { role, order, pattern } of this.#byLiteralStart.get(start) ?? []) {
        if (!found.has(order) && matchesPathPattern(path, pattern)) found.set(order, role);
      }
    }
    return [...found].sort(([a], [b]) => a - b).map(([, role]) => role);
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
