import { createECDH, createHash, createPrivateKey, createPublicKey, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import type { KeyJson } from '../../src/testing/index.ts';
import { plainObject } from '../../src/testing/index.ts';
import { loose, tolerantCanonical } from './loose-json.ts';

export type SeededScheme = 'ed25519' | 'ecdsa-sha2-nistp256';

/** A key pair that the same seed makes again, so that a failing case can be repeated on another day. */
export class SeededKey {
  readonly keyId: string;
  readonly json: KeyJson;
  readonly #private: KeyObject;

  constructor(seed: string, scheme: SeededScheme = 'ed25519') {
    const secret = createHash('sha256').update(seed).digest();
    this.#private = scheme === 'ed25519' ? ed25519Key(secret) : p256Key(secret);
    const publicKey = createPublicKey(this.#private);
    const text =
      scheme === 'ed25519'
        ? publicKey.export({ format: 'der', type: 'spki' }).subarray(-32).toString('hex')
        : publicKey.export({ format: 'pem', type: 'spki' }).toString();
    this.json = { keytype: scheme === 'ed25519' ? 'ed25519' : 'ecdsa', scheme, keyval: { public: text } };
    this.keyId = createHash('sha256')
      .update(tolerantCanonical(loose(this.json)))
      .digest('hex');
  }

  /** Lower-case hexadecimal. */
  sign(bytes: Uint8Array): string {
    return sign(this.json.scheme === 'ed25519' ? null : 'sha256', bytes, this.#private).toString('hex');
  }
}

/** The keys by their ids, as metadata lists them. */
export function keysJson(keys: readonly SeededKey[]): Record<string, KeyJson> {
  return plainObject(keys.map((key) => [key.keyId, key.json]));
}

function ed25519Key(secret: Buffer): KeyObject {
  const prefix = Buffer.from('302e020100300506032b657004220420', 'hex');
  return createPrivateKey({ key: Buffer.concat([prefix, secret]), format: 'der', type: 'pkcs8' });
}

function p256Key(secret: Buffer): KeyObject {
  const ecdh = createECDH('prime256v1');
  ecdh.setPrivateKey(secret);
  const point = ecdh.getPublicKey();
  const jwk = {
    kty: 'EC',
    crv: 'P-256',
    d: secret.toString('base64url'),
    x: point.subarray(1, 33).toString('base64url'),
    y: point.subarray(33).toString('base64url'),
  };
  return createPrivateKey({ key: jwk, format: 'jwk' });
}
