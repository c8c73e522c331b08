import type { DigestAlgorithm, TufCrypto } from '../tuf/crypto.ts';
import { defaultCrypto } from '../tuf/default-crypto.ts';
import { encodeHex } from '../tuf/hex.ts';
import type { Key } from '../tuf/key.ts';
import { Metadata } from '../tuf/metadata.ts';
import type { MetadataOptions, SignedByType } from '../tuf/metadata.ts';
import type { Signed, SignedType } from '../tuf/signed.ts';

interface Entry {
  readonly bytes: Uint8Array;
  readonly metadata: Metadata<Signed>;
}

/** Bytes of metadata kept; the models take about four times as much. */
const DEFAULT_MAX_BYTES = 16 << 20;

/**
 * What several sessions of one process need not compute again: equal bytes are the same metadata, and a signature or
 * hash that was right for these bytes is right again. It decides nothing: keys, thresholds, versions and expiry are
 * checked by every session anew.
 */
export class MetadataMemory {
  /** The cryptography of the sessions, remembering what it verified about bytes that are in memory. */
  readonly crypto: TufCrypto;
  readonly #entries = new Map<string, Entry>();
  readonly #maxBytes: number;
  #size = 0;

  constructor(options: { readonly crypto?: TufCrypto | undefined; readonly maxBytes?: number } = {}) {
    this.crypto = remembering(options.crypto ?? defaultCrypto);
    this.#maxBytes = options.maxBytes ?? DEFAULT_MAX_BYTES;
  }

  /** As `Metadata.fromBytes`; equal bytes of the same role are read once. */
  readonly read = <K extends SignedType>(
    bytes: Uint8Array,
    type: K,
    options: MetadataOptions = {},
  ): Metadata<SignedByType[K]> => {
    const name = JSON.stringify([type, options.role ?? type]);
    const known = this.#entries.get(name);
    if (known !== undefined && Buffer.compare(known.bytes, bytes) === 0) {
      this.#entries.delete(name);
      this.#entries.set(name, known);
      return known.metadata as Metadata<SignedByType[K]>;
    }
    const metadata = Metadata.fromBytes(bytes, type, options);
    this.#remember(name, { bytes, metadata });
    return metadata;
  };

  /** The remembered bytes if they equal these: what was computed about an object is found by that object. */
  intern(bytes: Uint8Array, type: SignedType, role: string = type): Uint8Array {
    const known = this.#entries.get(JSON.stringify([type, role]));
    return known !== undefined && Buffer.compare(known.bytes, bytes) === 0 ? known.bytes : bytes;
  }

  #remember(name: string, entry: Entry): void {
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
