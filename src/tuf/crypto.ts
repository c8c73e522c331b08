import type { Key } from './key.ts';

/** A value, or a promise of it: Node computes at once, WebCrypto later. */
export type MaybePromise<T> = T | Promise<T>;

/** The hash algorithms that may stand in metadata. */
export type DigestAlgorithm = 'sha256' | 'sha384' | 'sha512';

/** Type guard for names found in metadata. */
export function isDigestAlgorithm(name: string): name is DigestAlgorithm {
  return name === 'sha256' || name === 'sha384' || name === 'sha512';
}

/** The one seam to cryptography: Node's own and WebCrypto's implementation stand behind it. */
export interface TufCrypto {
  digest(algorithm: DigestAlgorithm, bytes: Uint8Array): MaybePromise<Uint8Array>;
  /**
   * Whether the signature is the key's signature over the bytes; malformed signatures are false.
   * @throws {KeyError} when the key's scheme is not supported here or the key is malformed
   */
  verify(key: Key, signature: Uint8Array, bytes: Uint8Array): MaybePromise<boolean>;
}
