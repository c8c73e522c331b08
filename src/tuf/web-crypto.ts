import type { DigestAlgorithm, TufCrypto } from './crypto.ts';
import { ecdsaSignatureFromDer } from './ecdsa-signature.ts';
import { KeyError } from './errors.ts';
import type { Key } from './key.ts';
import type { Algorithm } from './public-key.ts';

type Subtle = typeof globalThis.crypto.subtle;
type CryptoKey = Awaited<ReturnType<Subtle['importKey']>>;
type SigningAlgorithm = Exclude<Algorithm, { readonly name: 'ml-dsa' }>;

const DIGEST_NAMES = { sha256: 'SHA-256', sha384: 'SHA-384', sha512: 'SHA-512' } as const;
const DIGEST_LENGTHS = { sha256: 32, sha384: 48, sha512: 64 } as const;
const POINT_LENGTHS = { 'P-256': 32, 'P-384': 48 } as const;

/**
 * {@link TufCrypto} over WebCrypto, for browsers. Two differences to Node's: ML-DSA is unsupported, and an RSA-PSS salt
 * must be as long as the digest or as long as fits, because WebCrypto cannot find its length out.
 */
export class WebCrypto implements TufCrypto {
  readonly #subtle: Subtle;
  readonly #keys = new WeakMap<Key, Promise<CryptoKey>>();

  constructor(subtle: Subtle = globalThis.crypto.subtle) {
    this.#subtle = subtle;
  }

  async digest(algorithm: DigestAlgorithm, bytes: Uint8Array): Promise<Uint8Array> {
    return new Uint8Array(await this.#subtle.digest(DIGEST_NAMES[algorithm], bytes));
  }

  async verify(key: Key, signature: Uint8Array, bytes: Uint8Array): Promise<boolean> {
    const { algorithm, signatureLength = signature.length } = key.publicKey;
    if (algorithm.name === 'ml-dsa') {
      throw new KeyError('UNSUPPORTED_SCHEME', `unsupported scheme "${key.scheme}" in WebCrypto`, key.scheme);
    }
    if (signature.length !== signatureLength) return false;
    const imported = await this.#importKey(key, algorithm);
    switch (algorithm.name) {
      case 'ed25519':
        return this.#subtle.verify('Ed25519', imported, signature, bytes);
      case 'ecdsa': {
        const raw = ecdsaSignatureFromDer(signature, POINT_LENGTHS[algorithm.curve]);
        const parameters = { name: 'ECDSA', hash: DIGEST_NAMES[algorithm.digest] };
        return raw !== undefined && this.#subtle.verify(parameters, imported, raw, bytes);
      }
      case 'rsa-pss':
        return this.#verifyRsa(imported, algorithm.digest, signature, bytes);
    }
  }

  async #verifyRsa(
    key: CryptoKey,
    digest: DigestAlgorithm,
    signature: Uint8Array,
    bytes: Uint8Array,
  ): Promise<boolean> {
    const digestLength = DIGEST_LENGTHS[digest];
    for (const saltLength of [digestLength, longestSalt(key, digestLength)]) {
      if (await this.#subtle.verify({ name: 'RSA-PSS', saltLength }, key, signature, bytes)) return true;
    }
    return false;
  }

  #importKey(key: Key, algorithm: SigningAlgorithm): Promise<CryptoKey> {
    const known = this.#keys.get(key);
    if (known !== undefined) return known;
    const imported = this.#import(key, algorithm);
    this.#keys.set(key, imported);
    return imported;
  }

  async #import(key: Key, algorithm: SigningAlgorithm): Promise<CryptoKey> {
    try {
      return await this.#subtle.importKey('spki', key.publicKey.spki, parameters(algorithm), false, [
        'verify',
      ]);
    } catch (cause) {
      const isUnsupported = cause instanceof Error && cause.name === 'NotSupportedError';
      const code = isUnsupported ? 'UNSUPPORTED_SCHEME' : 'MALFORMED_KEY';
      const reason = isUnsupported
        ? `unsupported scheme "${key.scheme}" in this WebCrypto`
        : `the public key of scheme "${key.scheme}" is no valid key`;
      throw new KeyError(code, reason, key.scheme, cause);
    }
  }
}

function parameters(algorithm: SigningAlgorithm) {
  switch (algorithm.name) {
    case 'ed25519':
      return { name: 'Ed25519' };
    case 'ecdsa':
      return { name: 'ECDSA', namedCurve: algorithm.curve };
    case 'rsa-pss':
      return { name: 'RSA-PSS', hash: DIGEST_NAMES[algorithm.digest] };
  }
}

/** The longest salt of RFC 8017 §9.1: what is left of the encoded message beside the digest and two bytes. */
function longestSalt(key: CryptoKey, digestLength: number): number {
  const { modulusLength } = key.algorithm as { readonly modulusLength: number } & typeof key.algorithm;
  return Math.ceil((modulusLength - 1) / 8) - digestLength - 2;
}
