import { generateKeyPairSync } from 'node:crypto';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { defaultCrypto } from '../tuf/default-crypto.ts';
import { Key } from '../tuf/key.ts';
import { generatePrivateKey, KeySigner } from './key-signer.ts';
import { openSigner } from './key-uri.ts';
import { CheckedSigner, type SecretQuestion } from './opened-signer.ts';
import { writePrivateKeyFile } from './private-key-file.ts';

const BYTES = new TextEncoder().encode('{"_type":"root"}');
const COST = { N: 2 ** 14, r: 8, p: 1 };
let folder: string;
let path: string;
let questions: SecretQuestion[];
const answering = (answer: string) => ({
  secret: (question: SecretQuestion) => {
    questions.push(question);
    return Promise.resolve(answer);
  },
});

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rind-key-uri-'));
  path = join(folder, 'key');
  questions = [];
});
afterEach(() => rm(folder, { recursive: true }));

describe('file2:', () => {
  it('opens a key file of ours with the passphrase it asks for once, and signs what TUF verifies', async () => {
    const privateKey = await generatePrivateKey('ed25519');
    await writePrivateKeyFile(path, privateKey, 'three words', COST);
    const signer = await openSigner(`file2:${path}`, answering('three words'));
    expect(signer.key.equals(KeySigner.fromPrivateKey(privateKey).key)).toBe(true);
    const { bytes, keyId } = await signer.sign(BYTES);
    expect(keyId).toBe(signer.key.keyId);
    expect(await defaultCrypto.verify(signer.key, bytes!, BYTES)).toBe(true);
    expect(questions).toEqual([
      { kind: 'passphrase', uri: `file2:${path}`, subject: `the key file ${path}` },
    ]);
    await signer.close();
    await expect(signer.sign(BYTES)).rejects.toMatchObject({ code: 'CLOSED' });
  });

  it.each(['ed25519', 'ecdsa-sha2-nistp256', 'rsassa-pss-sha256'] as const)(
    'opens PKCS #8 in PEM for %s, plain without a question and encrypted with one',
    async (scheme) => {
      const privateKey = await generatePrivateKey(scheme);
      await writeFile(path, privateKey.export({ format: 'pem', type: 'pkcs8' }), { mode: 0o600 });
      const plain = await openSigner(`file2:${path}`, answering('unused'));
      expect(questions).toEqual([]);
      const encrypted = privateKey.export({
        format: 'pem',
        type: 'pkcs8',
        cipher: 'aes-256-cbc',
        passphrase: 'secret',
      });
      await writeFile(path, encrypted);
      const opened = await openSigner(`file2:${path}`, answering('secret'));
      expect(questions).toHaveLength(1);
      expect(opened.key.equals(plain.key)).toBe(true);
      const { bytes } = await opened.sign(BYTES);
      expect(await defaultCrypto.verify(plain.key, bytes!, BYTES)).toBe(true);
    },
  );

  it.each(['our own format', 'PEM'])(
    'says that the passphrase is wrong, without quoting it: %s',
    async (form) => {
      const privateKey = await generatePrivateKey('ed25519');
      if (form === 'PEM') {
        const pem = { format: 'pem', type: 'pkcs8', cipher: 'aes-256-cbc', passphrase: 'right' } as const;
        await writeFile(path, privateKey.export(pem), { mode: 0o600 });
      } else await writePrivateKeyFile(path, privateKey, 'right', COST);
      const error = await openSigner(`file2:${path}`, answering('swordfish')).catch(
        (thrown: unknown) => thrown,
      );
      expect(error).toMatchObject({ code: 'WRONG_PASSPHRASE' });
      expect(String((error as Error).stack)).not.toContain('swordfish');
      await expect(openSigner(`file2:${path}`, answering(''))).rejects.toMatchObject({
        code: 'EMPTY_PASSPHRASE',
      });
    },
  );

  it('refuses a file that others can read, one that is absent, one that is no key, and no name at all', async () => {
    const pem = generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' });
    await writeFile(path, pem, { mode: 0o644 });
    await chmod(path, 0o644);
    const open = (uri: string) => openSigner(uri, answering('x'));
    await expect(open(`file2:${path}`)).rejects.toMatchObject({ code: 'INSECURE_PERMISSIONS' });
    await expect(open(`file2:${path}-not`)).rejects.toMatchObject({ code: 'FILE_MISSING' });
    await chmod(path, 0o600);
    await writeFile(path, 'not a key');
    await expect(open(`file2:${path}`)).rejects.toMatchObject({ code: 'MALFORMED_KEY_FILE' });
    await writeFile(path, '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n');
    await expect(open(`file2:${path}`)).rejects.toMatchObject({ code: 'MALFORMED_KEY_FILE' });
    await expect(open('file2:')).rejects.toMatchObject({ code: 'MALFORMED_URI' });
    expect(questions).toEqual([]);
  });
});

describe('openSigner', () => {
  it('refuses another key than the expected one', async () => {
    await writePrivateKeyFile(path, await generatePrivateKey('ed25519'), 'p', COST);
    const { key: publicKey } = KeySigner.fromPrivateKey(await generatePrivateKey('ed25519'));
    await expect(openSigner(`file2:${path}`, { ...answering('p'), publicKey })).rejects.toMatchObject({
      code: 'WRONG_KEY',
      message: expect.stringContaining(publicKey.keyId) as string,
    });
  });

  it('signs under the key id that metadata declares for the same key', async () => {
    const privateKey = await generatePrivateKey('ed25519');
    await writePrivateKeyFile(path, privateKey, 'p', COST);
    const publicKey = Key.fromJson('declared', KeySigner.fromPrivateKey(privateKey).key.toJson());
    const signer = await openSigner(`file2:${path}`, { ...answering('p'), publicKey });
    expect((await signer.sign(BYTES)).keyId).toBe('declared');
  });

  it.each(['', 'root.json', 'file:/x', 'sigstore:', 'constructor:', 'FILE2:x'])(
    'says which schemes there are: %j',
    async (uri) => {
      await expect(openSigner(uri, answering('x'))).rejects.toMatchObject({
        code: 'UNKNOWN_SCHEME',
        message: expect.stringContaining('file2:') as string,
      });
    },
  );
});

describe('CheckedSigner', () => {
  it('never lets a signature out that the public key does not verify', async () => {
    const { key } = KeySigner.fromPrivateKey(await generatePrivateKey('ed25519'));
    const other = KeySigner.fromPrivateKey(await generatePrivateKey('ed25519'));
    for (const answer of [await other.signBytes(BYTES), new Uint8Array(64), new Uint8Array(0)]) {
      const signer = new CheckedSigner('test:', { key, sign: () => Promise.resolve(answer) });
      await expect(signer.sign(BYTES)).rejects.toMatchObject({ code: 'WRONG_SIGNATURE' });
    }
  });
});
