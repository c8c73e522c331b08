import { createPublicKey, type KeyObject } from 'node:crypto';
import { Key } from '../tuf/key.ts';
import { PrivateKeyError } from './errors.ts';

const RSA_MODULUS_LENGTH_MINIMUM = 2048;

/** SubjectPublicKeyInfo in front of a raw public key. */
const SPKI_PREFIX = {
  'P-256': '3059301306072a8648ce3d020106082a8648ce3d030107034200',
  'P-384': '3076301006072a8648ce3d020106052b81040022036200',
  Ed25519: '302a300506032b6570032100',
} as const;

export type Curve = keyof typeof SPKI_PREFIX;

/** Bytes of a raw public key: an uncompressed point, or an Ed25519 key. */
export const RAW_LENGTH: Readonly<Record<Curve, number>> = { 'P-256': 65, 'P-384': 97, Ed25519: 32 };

/** The TUF key of a public or private key, written as securesystemslib writes it. Throws UNSUPPORTED_KEY. */
export function keyOf(keyObject: KeyObject): Key {
  const publicKey = keyObject.type === 'private' ? createPublicKey(keyObject) : keyObject;
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = publicKey;
  if (type === 'ed25519') {
    const { x = '' } = publicKey.export({ format: 'jwk' });
    return Key.fromPublicKey('ed25519', 'ed25519', Buffer.from(x, 'base64url').toString('hex'));
  }
  const pem = publicKey.export({ format: 'pem', type: 'spki' }).toString();
  if (type === 'ec' && details?.namedCurve === 'prime256v1') {
    return Key.fromPublicKey('ecdsa', 'ecdsa-sha2-nistp256', pem);
  }
  if (type === 'ec' && details?.namedCurve === 'secp384r1') {
    return Key.fromPublicKey('ecdsa', 'ecdsa-sha2-nistp384', pem);
  }
  if (type === 'rsa' && (details?.modulusLength ?? 0) >= RSA_MODULUS_LENGTH_MINIMUM) {
    return Key.fromPublicKey('rsa', 'rsassa-pss-sha256', pem);
  }
  throw new PrivateKeyError(
    'UNSUPPORTED_KEY',
    'Only Ed25519, ECDSA P-256 and P-384, and RSA keys of at least 2048 bits can sign.',
  );
}

/** The TUF key of a raw public key. Throws when the bytes are no point of the curve. */
export function keyOfRaw(curve: Curve, raw: Uint8Array): Key {
  const spki = Buffer.concat([Buffer.from(SPKI_PREFIX[curve], 'hex'), raw]);
  return keyOf(createPublicKey({ key: spki, format: 'der', type: 'spki' }));
}

/** A public key in PEM, for people and other programs. */
export function publicKeyPem({ publicKey }: Key): string {
  const key = createPublicKey({ key: Buffer.from(publicKey.spki), format: 'der', type: 'spki' });
  return key.export({ format: 'pem', type: 'spki' }).toString();
}
