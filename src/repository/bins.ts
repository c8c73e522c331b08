import { canonicalString } from '../tuf/canonical-json.ts';
import { compareCodePoints } from '../tuf/code-points.ts';
import type { Delegations } from '../tuf/delegations.ts';
import { formatExpires } from '../tuf/expiry.ts';
import { binName, binPathHashPrefixes } from '../tuf/layout.ts';
import { SPEC_VERSION } from '../tuf/signed.ts';
import { ROLE_NAME_FIELD } from '../tuf/targets.ts';
import { PublicationError } from './errors.ts';

/** One target of a bin. `length` in bytes, `sha256` in lower-case hex. */
export interface BinTarget {
  readonly path: string;
  readonly length: number;
  readonly sha256: string;
  /** Hashes listed beside it, as they stand in canonical JSON after sha256: `,"sha512":"…"`. */
  readonly others?: string;
}

/** Bits of sha256(path) that the database keeps with each target (`targets.path_prefix`): the finest cut that bins can make. */
const PREFIX_BITS = 24;

/** Which bin is responsible for which targets: 2^n bins, each a range of the first 24 bits of sha256(path). */
export class BinLayout {
  /** The names of the bins, in the order of their ranges. */
  readonly names: readonly string[];
  readonly #shift: number;
  readonly #indexes: ReadonlyMap<string, number>;

  /** Throws UNUSABLE_METADATA unless `count` is a power of two up to 2^24. */
  constructor(count: number) {
    const bits = Math.log2(count);
    if (!Number.isInteger(bits) || bits > PREFIX_BITS) {
      throw new PublicationError(
        'UNUSABLE_METADATA',
        `There cannot be ${count} bins: their number is a power of two up to 2^${PREFIX_BITS}.`,
      );
    }
    this.names = Array.from({ length: count }, (_, index) => binName('bin', index, count));
    this.#shift = PREFIX_BITS - bits;
    this.#indexes = new Map(this.names.map((name, index) => [name, index]));
  }

  /** The layout that the delegations of *bins* describe. Throws UNUSABLE_METADATA when they describe another. */
  static fromDelegations(delegations: Delegations): BinLayout {
    const { roles, succinctRoles } = delegations;
    const names = [...(roles?.keys() ?? succinctRoles?.roleNames() ?? [])];
    const layout = new BinLayout(names.length);
    if (names.some((name, index) => name !== layout.names[index])) {
      throw new PublicationError(
        'UNUSABLE_METADATA',
        'The role bins does not delegate to bins named as this version of Rind names them.',
        { role: 'bins' },
      );
    }
    return layout;
  }

  /** The bin of a target, from the first 24 bits of sha256(path). */
  nameOf(pathPrefix: number): string {
    return this.names[pathPrefix >>> this.#shift] ?? '';
  }

  has(role: string): boolean {
    return this.#indexes.has(role);
  }

  /** The first and the last 24-bit prefix of a bin, both inclusive. */
  rangeOf(role: string): { readonly first: number; readonly last: number } {
    const index = this.#indexOf(role);
    return { first: index << this.#shift, last: ((index + 1) << this.#shift) - 1 };
  }

  /** The `path_hash_prefixes` of a bin: together exactly its range. */
  pathHashPrefixesOf(role: string): readonly string[] {
    return binPathHashPrefixes(this.#indexOf(role), this.names.length);
  }

  #indexOf(role: string): number {
    const index = this.#indexes.get(role);
    if (index !== undefined) return index;
    throw new PublicationError('UNUSABLE_METADATA', `There is no bin named ${role}.`, { role });
  }
}

/** A target as it stands in canonical JSON between the braces of `targets`. */
export function encodeTargetEntry({ path, length, sha256, others = '' }: BinTarget): string {
  return `${canonicalString(path)}:{"hashes":{"sha256":"${sha256}"${others}},"length":${length}}`;
}

/**
 * The signed part of a bin as canonical JSON, joined from entries instead of built as a model and encoded: a bin of a large index has
 * thousands of targets and is made anew for each upload that touches it. `targets` in any order, paths unique; `expires` in whole seconds.
 */
export function encodeBin(bin: {
  /** The bin's own name, signed with it: all bins have the same key, so without it a mirror could serve one as another (ADR 12). */
  readonly role: string;
  readonly version: number;
  readonly expires: Date;
  readonly targets: readonly BinTarget[];
}): string {
  const entries = inOrder(bin.targets).map(encodeTargetEntry);
  return `{"_type":"targets","expires":"${formatExpires(bin.expires)}","spec_version":"${SPEC_VERSION}","targets":{${entries.join(',')}},"version":${bin.version},"${ROLE_NAME_FIELD}":${canonicalString(bin.role)}}`;
}

/** By code points. Without surrogates that is the order of `<`, which compares ten times faster; paths of an index have none. */
function inOrder(targets: readonly BinTarget[]): readonly BinTarget[] {
  if (targets.some(({ path }) => /[\ud800-\udfff]/.test(path)))
    return targets.toSorted((a, b) => compareCodePoints(a.path, b.path));
  return targets.toSorted((a, b) => (a.path < b.path ? -1 : 1));
}
