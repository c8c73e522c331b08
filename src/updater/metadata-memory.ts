import type { DigestAlgorithm, TufCrypto } from '../tuf/crypto.ts';
import { defaultCrypto } from '../tuf/default-crypto.ts';
import { encodeHex } from '../tuf/hex.ts';
import type { Key } from '../tuf/key.ts';
import { Metadata } from '../tuf/metadata.ts';
import type { MetadataOptions, SignedByType } from '../tuf/metadata.ts';
import type { Signed, SignedType } from '../tuf/signed.ts';
import { Targets } from '../tuf/targets.ts';

interface Entry {
  readonly bytes: Uint8Array;
  readonly metadata: Metadata<Signed>;
}

/** Bytes of metadata kept, for what every search passes and for the bins at its end; their text takes as much again. */
const DEFAULT_MAX_BYTES = 16 << 20;
const DEFAULT_MAX_LEAF_BYTES = 1 << 20;

/**
 * What several sessions of one process need not compute again: equal bytes are the same metadata, and a signature or
 * hash that was right for these bytes is right again. It decides nothing: keys, thresholds, versions and expiry are
 * checked by every session anew.
 */
export class MetadataMemory {
  /** The cryptography of the sessions, remembering what it verified about bytes that are in memory. */
  readonly crypto: TufCrypto;
  readonly #main: RecentEntries;
  readonly #leaves: RecentEntries;

  constructor(
    options: {
      readonly crypto?: TufCrypto | undefined;
      /** Bytes of top-level metadata and of roles that delegate. */
      readonly maxBytes?: number;
      /** Bytes of roles that do not delegate. */
      readonly maxLeafBytes?: number;
    } = {},
  ) {
    this.crypto = remembering(options.crypto ?? defaultCrypto);
    this.#main = new RecentEntries(options.maxBytes ?? DEFAULT_MAX_BYTES);
    this.#leaves = new RecentEntries(options.maxLeafBytes ?? DEFAULT_MAX_LEAF_BYTES);
  }

  /** As `Metadata.fromBytes`; equal bytes of the same role are read once. */
  readonly read = <K extends SignedType>(
    bytes: Uint8Array,
    type: K,
    options: MetadataOptions = {},
  ): Metadata<SignedByType[K]> => {
    const name = nameOf(type, options.role);
    const known = this.#find(name, bytes);
    if (known !== undefined) {
      return known.metadata as Metadata<SignedByType[K]>;
    }
    const metadata = Metadata.fromBytes(bytes, type, options);
    const isLeaf = metadata.signed instanceof Targets && metadata.signed.delegations === undefined;
    (isLeaf ? this.#leaves : this.#main).set(name, { bytes, metadata });
    return metadata;
  };

  /** The remembered bytes if they equal these: what was computed about an object is found by that object. */
  intern(bytes: Uint8Array, type: SignedType, role?: string): Uint8Array {
    return this.#find(nameOf(type, role), bytes)?.bytes ?? bytes;
  }

  /** The bytes that were read last for a role, by whichever session; undefined when they are forgotten. */
  recall(type: SignedType, role?: string): Uint8Array | undefined {
    const name = nameOf(type, role);
    return (this.#main.get(name) ?? this.#leaves.get(name))?.bytes;
  }

  #find(name: string, bytes: Uint8Array): Entry | undefined {
    const known = this.#main.get(name) ?? this.#leaves.get(name);
    return known !== undefined && Buffer.compare(known.bytes, bytes) === 0 ? known : undefined;
  }
}

function nameOf(type: SignedType, role: string = type): string {
  return JSON.stringify([type, role]);
}

/** Entries of so many bytes in all; those used longest ago are forgotten first, the newest never. */
class RecentEntries {
  readonly #entries = new Map<string, Entry>();
  readonly #maxBytes: number;
  #size = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get(name: string): Entry | undefined {
    const entry = this.#entries.get(name);
    if (entry !== undefined) {
      this.#entries.delete(name);
      this.#entries.set(name, entry);
    }
    return entry;
  }

  set(name: string, entry: Entry): void {
    this.#forget(name);
    this.#entries.set(name, entry);
    this.#size += entry.bytes.length;
    for (const oldest of this.#entries.keys()) {
      if (this.#size <= this.#maxBytes || oldest === name) {
        break;
      }
      this.#forget(oldest);
    }
  }

  #forget(name: string): void {
    this.#size -= this.#entries.get(name)?.bytes.length ?? 0;
    this.#entries.delete(name);
  }
}

/** Results live as long as the bytes they are about. */
function remembering(crypto: TufCrypto): TufCrypto {
  const verified = new WeakMap<Uint8Array, Set<string>>();
  const digests = new WeakMap<Uint8Array, Map<DigestAlgorithm, Uint8Array>>();
  return {
    async verify(key: Key, signature: Uint8Array, bytes: Uint8Array): Promise<boolean> {
      const { keyType, scheme } = key;
      const name = JSON.stringify([keyType, scheme, key.public, encodeHex(signature)]);
      if (verified.get(bytes)?.has(name) === true) {
        return true;
      }
      const isValid = await crypto.verify(key, signature, bytes);
      if (isValid) {
        verified.set(bytes, (verified.get(bytes) ?? new Set()).add(name));
      }
      return isValid;
    },
    async digest(algorithm: DigestAlgorithm, bytes: Uint8Array): Promise<Uint8Array> {
      const known = digests.get(bytes)?.get(algorithm);
      if (known !== undefined) {
        return known;
      }
      const digest = await crypto.digest(algorithm, bytes);
      digests.set(
        bytes,
        (digests.get(bytes) ?? new Map<DigestAlgorithm, Uint8Array>()).set(algorithm, digest),
      );
      return digest;
    },
  };
}
