import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { NodeCrypto } from '../tuf/node-crypto.ts';
import { KeySigner, generatePrivateKey, type SignatureScheme } from './key-signer.ts';

const BYTES = new TextEncoder().encode('{"_type":"root"}');
const SCHEMES: readonly SignatureScheme[] = ['ed25519', 'ecdsa-sha2-nistp256', 'rsassa-pss-sha256'];

describe.each(SCHEMES)('KeySigner for %s', (scheme) => {
  it('makes signatures that TUF verifies, over these bytes and no others', async () => {
    const signer = KeySigner.fromPrivateKey(await generatePrivateKey(scheme));
    const crypto = NodeCrypto.create()!;
    expect(signer.key.scheme).toBe(scheme);
    expect(signer.key.keyId).toMatch(/^[0-9a-f]{64}$/);
    const signature = await signer.sign(BYTES);
    expect(signature.keyId).toBe(signer.key.keyId);
    expect(crypto.verify(signer.key, signature.bytes!, BYTES)).toBe(true);
    const changed = BYTES.slice();
    changed[0]! ^= 1;
    expect(crypto.verify(signer.key, signature.bytes!, changed)).toBe(false);
    const other = KeySigner.fromPrivateKey(await generatePrivateKey(scheme));
    expect(crypto.verify(other.key, signature.bytes!, BYTES)).toBe(false);
  });
});

describe('KeySigner', () => {
  it('writes ed25519 keys as hex and the others as PEM, with the key types of securesystemslib', async () => {
    const keys = await Promise.all(
      SCHEMES.map(async (scheme) => KeySigner.fromPrivateKey(await generatePrivateKey(scheme)).key),
    );
    expect(keys.map(({ keyType }) => keyType)).toEqual(['ed25519', 'ecdsa', 'rsa']);
    expect(keys[0]!.public).toMatch(/^[0-9a-f]{64}$/);
    expect(keys[1]!.public).toMatch(/^-----BEGIN PUBLIC KEY-----\n/);
    expect(keys[2]!.public).toMatch(/^-----BEGIN PUBLIC KEY-----\n/);
  });

  it('signs ECDSA in DER and RSA-PSS with a salt as long as the digest', async () => {
    const ecdsa = KeySigner.fromPrivateKey(await generatePrivateKey('ecdsa-sha2-nistp256'));
    expect((await ecdsa.sign(BYTES)).bytes![0]).toBe(0x30);
    const pair = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const { bytes } = await KeySigner.fromPrivateKey(pair.privateKey).sign(BYTES);
    const { constants, verify } = await import('node:crypto');
    const padding = constants.RSA_PKCS1_PSS_PADDING;
    expect(verify('sha256', BYTES, { key: pair.publicKey, padding, saltLength: 32 }, bytes!)).toBe(true);
    expect(verify('sha256', BYTES, { key: pair.publicKey, padding, saltLength: 20 }, bytes!)).toBe(false);
  });

  it.each([
    ['another curve', () => generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).privateKey],
    ['a short RSA key', () => generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey],
    ['Ed448', () => generateKeyPairSync('ed448').privateKey],
    ['a public key', () => generateKeyPairSync('ed25519').publicKey],
  ])('refuses %s', (_name, make) => {
    expect(() => KeySigner.fromPrivateKey(make())).toThrow(
      expect.objectContaining({ code: 'UNSUPPORTED_KEY' }),
    );
  });

  it('shows nothing of the private key when printed', async () => {
    const signer = KeySigner.fromPrivateKey(await generatePrivateKey('ed25519'));
    const { inspect } = await import('node:util');
    expect(inspect(signer, { depth: 9, showHidden: true })).not.toMatch(/PrivateKeyObject|privateKey/);
    expect(Object.keys(JSON.parse(JSON.stringify(signer)) as object)).toEqual(['key']);
  });
});
