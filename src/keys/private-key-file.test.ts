import { chmod, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { generatePrivateKey, KeySigner } from './key-signer.ts';
import { generatePassphrase, isGeneratedPassphrase, readSecretFile, writeSecretFile } from './passphrase.ts';
import { STRONG_SCRYPT_COST, readPrivateKeyFile, writePrivateKeyFile } from './private-key-file.ts';

/** The cheapest that is read. */
const COST = { N: 2 ** 14, r: 8, p: 1 };
const PASSPHRASE = 'correct horse battery staple';

let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rind-keys-'));
  path = join(folder, 'online.key');
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

async function writeKey(): Promise<KeySigner> {
  const privateKey = await generatePrivateKey('ed25519');
  await writePrivateKeyFile(path, privateKey, PASSPHRASE, COST);
  return KeySigner.fromPrivateKey(privateKey);
}

type Fields = Record<string, unknown> & { kdf: Record<string, unknown>; cipher: Record<string, unknown> };

/** Rewrites the file in place, mode kept. */
async function edit(change: (file: Fields) => void): Promise<void> {
  const file = JSON.parse(await readFile(path, 'utf8')) as Fields;
  change(file);
  await writeFile(path, JSON.stringify(file));
}

const read = (): Promise<KeySigner> => readPrivateKeyFile(path, PASSPHRASE);

describe('private key files', () => {
  it.each(['ed25519', 'ecdsa-sha2-nistp256', 'rsassa-pss-sha256'] as const)(
    'bring back an %s key that signs as before',
    async (scheme) => {
      const privateKey = await generatePrivateKey(scheme);
      await writePrivateKeyFile(path, privateKey, PASSPHRASE, COST);
      const signer = await read();
      expect(signer.key.equals(KeySigner.fromPrivateKey(privateKey).key)).toBe(true);
      const bytes = new Uint8Array([1, 2, 3]);
      const { NodeCrypto } = await import('../tuf/node-crypto.ts');
      expect(NodeCrypto.create()!.verify(signer.key, (await signer.sign(bytes)).bytes!, bytes)).toBe(true);
    },
  );

  it('use scrypt with N=2^17 unless a test asks for less', async () => {
    await writePrivateKeyFile(path, await generatePrivateKey('ed25519'), PASSPHRASE);
    const { kdf } = JSON.parse(await readFile(path, 'utf8')) as Fields;
    expect(kdf).toMatchObject({ name: 'scrypt', N: 131072, r: 8, p: 1 });
    expect(STRONG_SCRYPT_COST).toEqual({ N: 131072, r: 8, p: 1 });
    expect((await read()).key.scheme).toBe('ed25519');
  });

  it('stretch no passphrase that was generated: nobody can guess one', async () => {
    const passphrase = generatePassphrase();
    await writePrivateKeyFile(path, await generatePrivateKey('ed25519'), passphrase);
    const { kdf } = JSON.parse(await readFile(path, 'utf8')) as Fields;
    expect(kdf).toMatchObject({ name: 'scrypt', N: 16384, r: 8, p: 1 });
    expect((await readPrivateKeyFile(path, passphrase)).key.scheme).toBe('ed25519');
    for (const weaker of ['aaaaa-aaaaa-aaaaa-aaaaa-aaaaa-aaaaa', passphrase.slice(6), `${passphrase}!`])
      expect(isGeneratedPassphrase(weaker)).toBe(false);
  });

  it('hold the public key and no private one', async () => {
    const signer = await writeKey();
    const text = await readFile(path, 'utf8');
    expect(text).toContain(signer.key.public);
    expect(text).not.toContain('PRIVATE KEY-----');
    expect(text).not.toContain(PASSPHRASE);
    const privateKey = await generatePrivateKey('ed25519');
    const seed = privateKey.export({ format: 'der', type: 'pkcs8' });
    await writePrivateKeyFile(join(folder, 'second.key'), privateKey, PASSPHRASE, COST);
    const second = await readFile(join(folder, 'second.key'), 'utf8');
    expect(second).not.toContain(seed.subarray(-32).toString('base64').slice(0, 40));
    expect(second).not.toContain(seed.subarray(-32).toString('hex'));
  });

  it('differ each time, with a new salt and a new nonce', async () => {
    const privateKey = await generatePrivateKey('ed25519');
    const files: Fields[] = [];
    for (const name of ['a', 'b']) {
      await writePrivateKeyFile(join(folder, name), privateKey, PASSPHRASE, COST);
      files.push(JSON.parse(await readFile(join(folder, name), 'utf8')) as Fields);
    }
    const [a, b] = files;
    expect(a!.kdf['salt']).not.toBe(b!.kdf['salt']);
    expect(a!.cipher['nonce']).not.toBe(b!.cipher['nonce']);
    expect(a!['ciphertext']).not.toBe(b!['ciphertext']);
  });

  it('are readable by their owner only and never overwritten', async () => {
    await writeKey();
    const before = await readFile(path);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    await expect(writeKey()).rejects.toMatchObject({ code: 'FILE_EXISTS', path });
    expect(await readFile(path)).toEqual(before);
    expect(await readdir(folder)).toEqual(['online.key']);
  });

  it.each([0o640, 0o604, 0o620, 0o666])('are refused with mode %o', async (mode) => {
    await writeKey();
    await chmod(path, mode);
    await expect(read()).rejects.toMatchObject({ code: 'INSECURE_PERMISSIONS' });
  });

  it.runIf(process.getuid?.() === 0)('are refused when another user owns them', async () => {
    await writeKey();
    const { chown } = await import('node:fs/promises');
    await chown(path, 12345, 12345);
    await expect(read()).rejects.toMatchObject({ code: 'INSECURE_PERMISSIONS' });
  });

  it('stay shut for a wrong passphrase, and the error does not repeat it', async () => {
    await writeKey();
    const error: unknown = await readPrivateKeyFile(path, 'wrong horse').catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'WRONG_PASSPHRASE', path });
    expect(String(error)).not.toContain('wrong horse');
    await expect(readPrivateKeyFile(path, '')).rejects.toMatchObject({ code: 'EMPTY_PASSPHRASE' });
  });

  it('open with the same passphrase in another Unicode form', async () => {
    await writePrivateKeyFile(path, await generatePrivateKey('ed25519'), 'k\u00e4se', COST);
    expect((await readPrivateKeyFile(path, 'ka\u0308se')).key.scheme).toBe('ed25519');
  });

  it('are not written with an empty passphrase', async () => {
    const write = writePrivateKeyFile(path, await generatePrivateKey('ed25519'), '', COST);
    await expect(write).rejects.toMatchObject({ code: 'EMPTY_PASSPHRASE' });
    expect(await readdir(folder)).toEqual([]);
  });

  it.each<[string, (file: Fields) => void]>([
    ['the public key', (file) => (file['public'] = 'ab'.repeat(32))],
    ['the scheme', (file) => (file['scheme'] = 'ecdsa-sha2-nistp256')],
    ['the salt', (file) => (file.kdf['salt'] = Buffer.alloc(16).toString('base64'))],
    ['the nonce', (file) => (file.cipher['nonce'] = Buffer.alloc(12).toString('base64'))],
    ['the cost', (file) => (file.kdf['N'] = 2 ** 15)],
    ['the ciphertext', (file) => (file['ciphertext'] = Buffer.alloc(64).toString('base64'))],
  ])('stay shut when somebody changed %s', async (_name, change) => {
    await writeKey();
    await edit(change);
    await expect(read()).rejects.toMatchObject({ code: 'WRONG_PASSPHRASE' });
  });

  it.each<[string, (file: Fields) => void]>([
    ['too much memory', (file) => (file.kdf['N'] = 2 ** 21)],
    ['too much memory by two factors', (file) => Object.assign(file.kdf, { N: 2 ** 20, r: 32 })],
    ['too much time', (file) => (file.kdf['p'] = 10_000)],
    ['too little work', (file) => (file.kdf['N'] = 2)],
    ['an N that is no power of two', (file) => (file.kdf['N'] = 100_000)],
    ['another kdf', (file) => (file.kdf['name'] = 'pbkdf2')],
    ['another cipher', (file) => (file.cipher['name'] = 'none')],
    ['another version', (file) => (file['version'] = 2)],
    ['a short nonce', (file) => (file.cipher['nonce'] = 'AAAA')],
    ['a ciphertext without a tag', (file) => (file['ciphertext'] = 'AAAA')],
    ['an unknown field', (file) => (file['extra'] = 1)],
    ['a missing field', (file) => delete file['public']],
  ])('are refused at once when they ask for %s', async (_name, change) => {
    await writeKey();
    await edit(change);
    await expect(read()).rejects.toMatchObject({ code: 'MALFORMED_KEY_FILE' });
  });

  it('are refused when torn at any byte', async () => {
    await writeKey();
    const whole = await readFile(path);
    for (let length = 0; length < whole.length - 1; length += 7) {
      await writeFile(path, whole.subarray(0, length));
      await expect(read()).rejects.toMatchObject({ code: 'MALFORMED_KEY_FILE' });
    }
    await writeFile(path, Buffer.alloc(100_000, 0x20));
    await expect(read()).rejects.toMatchObject({ code: 'FILE_UNUSABLE' });
  });

  it('say so when they are absent or a folder', async () => {
    await expect(read()).rejects.toMatchObject({ code: 'FILE_MISSING' });
    await chmod(folder, 0o700);
    await expect(readPrivateKeyFile(folder, PASSPHRASE)).rejects.toMatchObject({ code: 'FILE_UNUSABLE' });
    const write = writePrivateKeyFile(
      join(folder, 'no', 'x'),
      await generatePrivateKey('ed25519'),
      'p',
      COST,
    );
    await expect(write).rejects.toMatchObject({ code: 'FILE_MISSING' });
  });
});

describe('passphrases', () => {
  it('are long, easy to read and never the same', () => {
    const passphrases = new Set(Array.from({ length: 100 }, generatePassphrase));
    expect(passphrases.size).toBe(100);
    for (const passphrase of passphrases)
      expect(passphrase).toMatch(/^([a-hjkmnp-z2-9]{5}-){5}[a-hjkmnp-z2-9]{5}$/);
  });

  it('come back from a file of mode 0600 without the line end', async () => {
    await writeSecretFile(path, 'with space ');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readSecretFile(path)).toBe('with space ');
    await writeFile(path, 'from windows\r\n');
    expect(await readSecretFile(path)).toBe('from windows');
  });

  it('are refused from a file that others may read, or that is empty', async () => {
    await writeSecretFile(path, 'secret');
    await chmod(path, 0o644);
    await expect(readSecretFile(path)).rejects.toMatchObject({ code: 'INSECURE_PERMISSIONS' });
    await chmod(path, 0o600);
    await writeFile(path, '\n');
    await expect(readSecretFile(path)).rejects.toMatchObject({ code: 'EMPTY_PASSPHRASE' });
  });
});
