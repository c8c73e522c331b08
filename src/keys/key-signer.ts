import { constants, generateKeyPair, sign, type KeyObject, type SignKeyObjectInput } from 'node:crypto';
import { promisify } from 'node:util';
import type { Key } from '../tuf/key.ts';
import { Signature } from '../tuf/signature.ts';
import type { Signer } from '../tuf/signer.ts';
import { PrivateKeyError } from './errors.ts';
import { keyOf } from './public-keys.ts';

/** The schemes that keys are made for; verification knows more (tuf/public-key.ts). */
export type SignatureScheme = 'ed25519' | 'ecdsa-sha2-nistp256' | 'rsassa-pss-sha256';

/** Bits of a new RSA key; as strong as the other two schemes. */
const RSA_MODULUS_LENGTH = 3072;
const RSA_MODULUS_LENGTH_MINIMUM = 2048;
/** As securesystemslib signs: the length of the digest. */
const PSS_SALT_LENGTH = 32;

const signAsync = promisify<string | null, Uint8Array, SignKeyObjectInput, Buffer>(sign);
const generateKeyPairAsync = promisify(generateKeyPair);

/** A new random private key. Throws UNSUPPORTED_KEY for an unknown scheme. */
export async function generatePrivateKey(scheme: SignatureScheme): Promise<KeyObject> {
  switch (scheme) {
    case 'ed25519':
      return (await generateKeyPairAsync('ed25519')).privateKey;
    case 'ecdsa-sha2-nistp256':
      return (await generateKeyPairAsync('ec', { namedCurve: 'P-256' })).privateKey;
    case 'rsassa-pss-sha256':
      return (await generateKeyPairAsync('rsa', { modulusLength: RSA_MODULUS_LENGTH })).privateKey;
    default:
      throw new PrivateKeyError('UNSUPPORTED_KEY', `No keys are made for the scheme ${String(scheme)}.`);
  }
}

/** Signs with a private key in this process: Ed25519, ECDSA P-256 (DER signatures) or RSA-PSS with SHA-256. */
export class KeySigner implements Signer {
  readonly key: Key;
  readonly #privateKey: KeyObject;
  readonly #scheme: SignatureScheme;

  private constructor(key: Key, privateKey: KeyObject, scheme: SignatureScheme) {
    this.key = key;
    this.#privateKey = privateKey;
    this.#scheme = scheme;
  }

  /** The scheme follows from the type of the key. Throws UNSUPPORTED_KEY for other types, curves and short RSA keys. */
  static fromPrivateKey(privateKey: KeyObject): KeySigner {
    const scheme = schemeOf(privateKey);
    return new KeySigner(keyOf(privateKey), privateKey, scheme);
  }

  async sign(bytes: Uint8Array): Promise<Signature> {
    return Signature.fromBytes(this.key.keyId, await this.signBytes(bytes));
  }

  /** The bare signature. */
  signBytes(bytes: Uint8Array): Promise<Uint8Array> {
    const key = this.#privateKey;
    switch (this.#scheme) {
      case 'ed25519':
        return signAsync(null, bytes, { key });
      case 'ecdsa-sha2-nistp256':
        return signAsync('sha256', bytes, { key, dsaEncoding: 'der' });
      case 'rsassa-pss-sha256': {
        const padding = constants.RSA_PKCS1_PSS_PADDING;
        return signAsync('sha256', bytes, { key, padding, saltLength: PSS_SALT_LENGTH });
      }
    }
  }
}

function schemeOf(privateKey: KeyObject): SignatureScheme {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = privateKey;
  if (privateKey.type === 'private') {
    if (type === 'ed25519') return 'ed25519';
    if (type === 'ec' && details?.namedCurve === 'prime256v1') return 'ecdsa-sha2-nistp256';
    if (type === 'rsa' && (details?.modulusLength ?? 0) >= RSA_MODULUS_LENGTH_MINIMUM) {
      return 'rsassa-pss-sha256';
    }
  }
  throw new PrivateKeyError(
    'UNSUPPORTED_KEY',
    'Only private Ed25519, ECDSA P-256 and RSA keys of at least 2048 bits can sign.',
  );
}
