import type { KeyObject } from 'node:crypto';
import type { DigestAlgorithm, TufCrypto } from './crypto.ts';
import { KeyError } from './errors.ts';
import type { Key } from './key.ts';
import { mlDsaMessage } from './ml-dsa.ts';

type NodeCryptoModule = typeof import('node:crypto');

/** Keys imported, most; a repository has tens. */
const MOST_KEY_OBJECTS = 256;

/** {@link TufCrypto} over `node:crypto`. */
export class NodeCrypto implements TufCrypto {
  readonly #module: NodeCryptoModule;
  /** Importing a key costs as much as verifying with it, and the same few come with every file of metadata: by their DER. */
  readonly #keyObjects = new Map<string, KeyObject>();

  private constructor(module: NodeCryptoModule) {
    this.#module = module;
  }

  /** Undefined where there is no Node.js. Asked for at run time, so that this file loads in a browser too. */
  static create(): NodeCrypto | undefined {
    if (typeof process === 'undefined' || typeof process.getBuiltinModule !== 'function') return undefined;
    return new NodeCrypto(process.getBuiltinModule('node:crypto'));
  }

  digest(algorithm: DigestAlgorithm, bytes: Uint8Array): Uint8Array {
    return this.#module.createHash(algorithm).update(bytes).digest();
  }

  verify(key: Key, signature: Uint8Array, bytes: Uint8Array): boolean {
    const { verify, constants } = this.#module;
    const { algorithm, signatureLength = signature.length } = key.publicKey;
    if (signature.length !== signatureLength) return false;
    const keyObject = this.#importKey(key);
    switch (algorithm.name) {
      case 'ed25519':
        return verify(null, bytes, keyObject, signature);
      case 'ecdsa':
        return verify(algorithm.digest, bytes, { key: keyObject, dsaEncoding: 'der' }, signature);
      case 'rsa-pss': {
        const padding = constants.RSA_PKCS1_PSS_PADDING;
        const saltLength = constants.RSA_PSS_SALTLEN_AUTO;
        return verify(algorithm.digest, bytes, { key: keyObject, padding, saltLength }, signature);
      }
      case 'ml-dsa':
        return verify(null, mlDsaMessage(this.digest('sha512', bytes)), keyObject, signature);
    }
  }

  #importKey(key: Key): KeyObject {
    const name = String.fromCharCode(...key.publicKey.spki);
    const known = this.#keyObjects.get(name);
    if (known !== undefined) return known;
    const keyObject = this.#createKeyObject(key);
    if (this.#keyObjects.size >= MOST_KEY_OBJECTS) this.#keyObjects.clear();
    this.#keyObjects.set(name, keyObject);
    return keyObject;
  }

  #createKeyObject({ publicKey, scheme }: Key): KeyObject {
    try {
      return this.#module.createPublicKey({ key: publicKey.spki as Buffer, format: 'der', type: 'spki' });
    } catch (cause) {
      if (publicKey.algorithm.name === 'ml-dsa') {
        throw new KeyError(
          'UNSUPPORTED_SCHEME',
          `unsupported scheme "${scheme}" in this Node.js`,
          scheme,
          cause,
        );
      }
      throw new KeyError(
        'MALFORMED_KEY',
        `the public key of scheme "${scheme}" is no valid key`,
        scheme,
        cause,
      );
    }
  }
}
