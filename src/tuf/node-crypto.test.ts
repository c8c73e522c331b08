import { constants, createHash, randomBytes, sign } from 'node:crypto';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { generateSigner } from '../../test/tools/tuf-signers.ts';
import type { TestSigner } from '../../test/tools/tuf-signers.ts';
import type { DigestAlgorithm, TufCrypto } from './crypto.ts';
import { defaultCrypto } from './default-crypto.ts';
import { Key } from './key.ts';
import { NodeCrypto } from './node-crypto.ts';
import { WebCrypto } from './web-crypto.ts';

const SCHEMES = [
  'ed25519',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'rsassa-pss-sha256',
  'rsassa-pss-sha384',
  'rsassa-pss-sha512',
];
const message = new TextEncoder().encode('the signed part');
const signers = new Map<string, TestSigner>();
const signerOf = (scheme: string) => signers.get(scheme) ?? expect.unreachable();
const sigOf = async (signer: TestSigner, bytes = message) =>
  (await signer.sign(bytes)).bytes ?? new Uint8Array();
const implementations: [string, TufCrypto][] = [
  ['NodeCrypto', NodeCrypto.create() ?? expect.unreachable()],
  ['WebCrypto', new WebCrypto()],
];

beforeAll(() => {
  for (const scheme of SCHEMES) signers.set(scheme, generateSigner(scheme));
});

describe.each(implementations)('%s', (name, crypto) => {
  it.each(['sha256', 'sha384', 'sha512'] as DigestAlgorithm[])('computes %s', async (algorithm) => {
    const expected = createHash(algorithm).update(message).digest();
    expect(Buffer.from(await crypto.digest(algorithm, message))).toEqual(expected);
  });

  it.each(SCHEMES)('verifies %s, and nothing but the very bytes and the very signature', async (scheme) => {
    const signer = signerOf(scheme);
    const signature = await sigOf(signer);
    expect(await crypto.verify(signer.key, signature, message)).toBe(true);
    expect(await crypto.verify(signer.key, signature, new TextEncoder().encode('the signed parT'))).toBe(
      false,
    );
    expect(await crypto.verify(signer.key, signature, new Uint8Array())).toBe(false);
    for (const position of [0, 1, Math.floor(signature.length / 2), signature.length - 1]) {
      const changed = Uint8Array.from(signature);
      changed[position] = (changed[position] ?? 0) ^ 1;
      expect(await crypto.verify(signer.key, changed, message)).toBe(false);
    }
    for (const nonsense of [
      new Uint8Array(),
      signature.subarray(1),
      Uint8Array.of(...signature, 0),
      randomBytes(64),
    ]) {
      expect(await crypto.verify(signer.key, nonsense, message)).toBe(false);
    }
    expect(await crypto.verify(generateSigner(scheme).key, signature, message)).toBe(false);
  });

  it('verifies an ed25519 key written as PEM', async () => {
    const signer = signerOf('ed25519');
    const pem = signer.publicKey.export({ format: 'pem', type: 'spki' }) as string;
    const key = Key.fromPublicKey('ed25519', 'ed25519', pem);
    expect(await crypto.verify(key, await sigOf(signer), message)).toBe(true);
  });

  it('verifies with the digest of the scheme only (P-384 with SHA-256 is no ecdsa-sha2-nistp384)', async () => {
    const p384 = signerOf('ecdsa-sha2-nistp384');
    expect(await crypto.verify(p384.key, sign('sha256', message, p384.privateKey), message)).toBe(false);
    const p256 = signerOf('ecdsa-sha2-nistp256');
    expect(await crypto.verify(p256.key, sign('sha384', message, p256.privateKey), message)).toBe(false);
    const rsa = signerOf('rsassa-pss-sha512');
    const options = { key: rsa.privateKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 64 };
    expect(
      await crypto.verify(rsa.key, sign('sha256', message, { ...options, saltLength: 32 }), message),
    ).toBe(false);
    expect(await crypto.verify(rsa.key, sign('sha512', message, options), message)).toBe(true);
  });

  it('refuses RSA signatures with PKCS #1 v1.5 padding', async () => {
    const rsa = signerOf('rsassa-pss-sha256');
    expect(await crypto.verify(rsa.key, sign('sha256', message, rsa.privateKey), message)).toBe(false);
  });

  it('takes an RSA-PSS salt as long as the digest or as long as fits', async () => {
    const rsa = signerOf('rsassa-pss-sha256');
    for (const saltLength of [constants.RSA_PSS_SALTLEN_DIGEST, constants.RSA_PSS_SALTLEN_MAX_SIGN]) {
      const options = { key: rsa.privateKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength };
      expect(await crypto.verify(rsa.key, sign('sha256', message, options), message)).toBe(true);
    }
  });

  it('refuses an RSA signature whose leading zero was left out: no signature has two forms', async () => {
    const rsa = signerOf('rsassa-pss-sha256');
    let signature = await sigOf(rsa);
    while (signature[0] !== 0) signature = await sigOf(rsa);
    expect(await crypto.verify(rsa.key, signature, message)).toBe(true);
    expect(await crypto.verify(rsa.key, signature.subarray(1), message)).toBe(false);
    expect(await crypto.verify(rsa.key, Uint8Array.of(0, ...signature), message)).toBe(false);
  });

  it('refuses ECDSA signatures that are raw instead of DER, or DER with numbers out of range', async () => {
    const signer = signerOf('ecdsa-sha2-nistp256');
    const raw = sign('sha256', message, { key: signer.privateKey, dsaEncoding: 'ieee-p1363' });
    expect(await crypto.verify(signer.key, raw, message)).toBe(false);
    for (const der of [
      '3006020100020100',
      '3006020101020101',
      '30060201ff0201ff',
      '3000',
      '300602010102010100',
      '30080202000102020001',
    ]) {
      expect(await crypto.verify(signer.key, Buffer.from(der, 'hex'), message)).toBe(false);
    }
    const tooLong = Buffer.concat([
      Buffer.from('3046022101', 'hex'),
      Buffer.alloc(32),
      Buffer.from('022101', 'hex'),
      Buffer.alloc(32),
    ]);
    expect(await crypto.verify(signer.key, tooLong, message)).toBe(false);
  });

  it('calls a point that is not on the curve a malformed key, every time it is asked', async () => {
    const { key } = signerOf('ecdsa-sha2-nistp256');
    const der = Buffer.from(key.publicKey.spki);
    der[der.length - 1] = (der[der.length - 1] ?? 0) ^ 1;
    const pem = `-----BEGIN PUBLIC KEY-----\n${der.toString('base64')}\n-----END PUBLIC KEY-----`;
    const off = Key.fromPublicKey('ecdsa', 'ecdsa-sha2-nistp256', pem);
    for (let attempt = 0; attempt < 2; attempt++) {
      await expect(async () =>
        crypto.verify(off, Buffer.from('3006020101020101', 'hex'), message),
      ).rejects.toThrow(expect.objectContaining({ name: 'KeyError', code: 'MALFORMED_KEY' }));
    }
  });

  it('verifies ML-DSA, or names the scheme as unsupported', async () => {
    let signer: TestSigner | undefined;
    try {
      signer = generateSigner('ml-dsa-65/1');
    } catch {
      // This Node.js has no ML-DSA to sign with.
    }
    if (signer !== undefined && name === 'NodeCrypto') {
      const signature = await sigOf(signer);
      expect(await crypto.verify(signer.key, signature, message)).toBe(true);
      expect(await crypto.verify(signer.key, signature, new Uint8Array())).toBe(false);
      return;
    }
    const head = Buffer.from('308207b2300b0609608648016503040312038207a100', 'hex');
    const der = Buffer.concat([head, Buffer.alloc(1952, 7)]).toString('base64');
    const pem = `-----BEGIN PUBLIC KEY-----\n${der}\n-----END PUBLIC KEY-----`;
    const key = Key.fromPublicKey('ml-dsa', 'ml-dsa-65/1', pem);
    if (name === 'NodeCrypto' && Number.parseFloat(process.versions.openssl) >= 3.5) {
      // Node.js 22 makes no ML-DSA keys, but its OpenSSL knows them.
      expect(await crypto.verify(key, new Uint8Array(3309), message)).toBe(false);
      return;
    }
    await expect(async () => crypto.verify(key, new Uint8Array(3309), message)).rejects.toThrow(
      expect.objectContaining({
        code: 'UNSUPPORTED_SCHEME',
        message: expect.stringContaining('"ml-dsa-65/1"'),
      }),
    );
  });

  it('agrees with the test vector of RFC 8032', async () => {
    const key = Key.fromPublicKey(
      'ed25519',
      'ed25519',
      'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
    );
    const signature = Buffer.from(
      'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
      'hex',
    );
    expect(await crypto.verify(key, signature, new Uint8Array())).toBe(true);
    expect(await crypto.verify(key, signature, Uint8Array.of(0))).toBe(false);
  });
});

describe('defaultCrypto', () => {
  it('is Node.js itself where there is one', () => {
    expect(defaultCrypto).toBeInstanceOf(NodeCrypto);
  });

  it('is WebCrypto where there is none', async () => {
    vi.resetModules();
    vi.stubGlobal('process', undefined);
    const elsewhere = await import('./default-crypto.ts').finally(() => vi.unstubAllGlobals());
    const { WebCrypto: OtherWebCrypto } = await import('./web-crypto.ts');
    expect(elsewhere.defaultCrypto).toBeInstanceOf(OtherWebCrypto);
  });
});

describe('where something is missing', () => {
  it('NodeCrypto is undefined where there is no Node.js', () => {
    vi.stubGlobal('process', undefined);
    expect(NodeCrypto.create()).toBeUndefined();
    vi.stubGlobal('process', {});
    expect(NodeCrypto.create()).toBeUndefined();
    vi.unstubAllGlobals();
  });

  it('WebCrypto names a scheme that the browser does not know', async () => {
    const importKey = () => Promise.reject(new DOMException('Unrecognized name.', 'NotSupportedError'));
    const crypto = new WebCrypto({ importKey } as unknown as typeof globalThis.crypto.subtle);
    const { key } = signerOf('ed25519');
    await expect(crypto.verify(key, new Uint8Array(64), message)).rejects.toThrow(
      expect.objectContaining({
        code: 'UNSUPPORTED_SCHEME',
        message: 'unsupported scheme "ed25519" in this WebCrypto',
      }),
    );
  });
});
