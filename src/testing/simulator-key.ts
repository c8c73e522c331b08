import { constants, createHash, generateKeyPairSync, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { encodeCanonicalJson } from '../tuf/canonical-json.ts';
import { toJsonValue } from './metadata-json.ts';
import type { KeyJson } from './metadata-json.ts';

/** The signature schemes of simulated keys (spec 4.2). */
export type SimulatorScheme = 'ed25519' | 'ecdsa-sha2-nistp256' | 'ecdsa-sha2-nistp384' | 'rsassa-pss-sha256';

/** A key pair of the simulated repository. Made for tests: the private half never leaves the object, but nothing protects it. */
export class SimulatorKey {
  readonly keyId: string;
  readonly json: KeyJson;
  readonly #private: KeyObject;

  private constructor(json: KeyJson, privateKey: KeyObject) {
    this.keyId = createHash('sha256')
      .update(encodeCanonicalJson(toJsonValue(json)))
      .digest('hex');
    this.json = json;
    this.#private = privateKey;
  }

  static generate(scheme: SimulatorScheme = 'ed25519'): SimulatorKey {
    const { publicKey, privateKey } = generatePair(scheme);
    if (scheme === 'ed25519') {
      const raw = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32);
      return new SimulatorKey(
        { keytype: 'ed25519', scheme, keyval: { public: raw.toString('hex') } },
        privateKey,
      );
    }
    const pem = publicKey.export({ format: 'pem', type: 'spki' }).toString();
    const keytype = scheme === 'rsassa-pss-sha256' ? 'rsa' : 'ecdsa';
    return new SimulatorKey({ keytype, scheme, keyval: { public: pem } }, privateKey);
  }

  /** The signature in lower-case hexadecimal. */
  sign(bytes: Uint8Array): string {
    switch (this.json.scheme) {
      case 'ed25519':
        return sign(null, bytes, this.#private).toString('hex');
      case 'rsassa-pss-sha256':
        return sign('sha256', bytes, {
          key: this.#private,
          padding: constants.RSA_PKCS1_PSS_PADDING,
          saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
        }).toString('hex');
      case 'ecdsa-sha2-nistp384':
        return sign('sha384', bytes, this.#private).toString('hex');
      default:
        return sign('sha256', bytes, this.#private).toString('hex');
    }
  }
}

function generatePair(scheme: SimulatorScheme): {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
} {
  switch (scheme) {
    case 'ed25519':
      return generateKeyPairSync('ed25519');
    case 'ecdsa-sha2-nistp256':
      return generateKeyPairSync('ec', { namedCurve: 'P-256' });
    case 'ecdsa-sha2-nistp384':
      return generateKeyPairSync('ec', { namedCurve: 'P-384' });
    case 'rsassa-pss-sha256':
      return generateKeyPairSync('rsa', { modulusLength: 2048 });
  }
}
