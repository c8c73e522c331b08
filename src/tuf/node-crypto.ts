import { constants, createHash, createPublicKey, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import type { DigestAlgorithm, TufCrypto } from './crypto.ts';
import { KeyError } from './errors.ts';
import type { Key } from './key.ts';
import { mlDsaMessage } from './ml-dsa.ts';

/** Importing a key costs as much as verifying with it, so each is imported once. */
const keyObjects = new WeakMap<Key, KeyObject>();

/** {@link TufCrypto} over `node:crypto`. */
export const nodeCrypto: TufCrypto = {
  digest: (algorithm, bytes) => digest(algorithm, bytes),

  verify(key, signature, bytes) {
    const { algorithm } = key.publicKey;
    const keyObject = importKey(key);
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
        return verify(null, mlDsaMessage(digest('sha512', bytes)), keyObject, signature);
    }
  },
};

function digest(algorithm: DigestAlgorithm, bytes: Uint8Array): Uint8Array {
  return createHash(algorithm).update(bytes).digest();
}

function importKey(key: Key): KeyObject {
  const known = keyObjects.get(key);
  if (known !== undefined) return known;
  const { spki, algorithm } = key.publicKey;
  const keyObject = createKeyObject(spki, key.scheme, algorithm.name === 'ml-dsa');
  keyObjects.set(key, keyObject);
  return keyObject;
}

function createKeyObject(spki: Uint8Array, scheme: string, mayBeMissing: boolean): KeyObject {
  try {
    return createPublicKey({ key: spki as Buffer, format: 'der', type: 'spki' });
  } catch (cause) {
    if (mayBeMissing) {
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
