import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { openSigner } from '../../src/keys/key-uri.ts';
import { defaultCrypto, Metadata, signMetadata } from '../../src/tuf/index.ts';
import { rootOf } from '../tools/tuf-signers.ts';
import { whenAvailable } from '../tools/unavailable.ts';
import { VaultTransit } from '../tools/vault-transit.ts';

const BYTES = new TextEncoder().encode('{"_type":"snapshot"}'.repeat(50_000));

describe('Vault transit (the engine of HashiCorp Vault)', () => {
  let started: VaultTransit | undefined;
  const vault = whenAvailable(async () => (started = await VaultTransit.start()));
  const secret = () => Promise.resolve(vault.value.token);
  beforeAll(() => {
    if (!vault.present) return;
    vi.stubEnv('VAULT_ADDR', vault.value.url);
    vi.stubEnv('VAULT_TOKEN', vault.value.token);
  });
  afterAll(() => {
    vi.unstubAllEnvs();
    started?.stop();
  });

  it.each([
    ['ed25519', 'ed25519'],
    ['ecdsa-p256', 'ecdsa-sha2-nistp256'],
    ['ecdsa-p384', 'ecdsa-sha2-nistp384'],
    ['rsa-3072', 'rsassa-pss-sha256'],
  ])('signs a megabyte with a key of the type %s', async (type, scheme) => {
    await vault.value.write(`keys/${type}`, { type });
    const signer = await openSigner(`hv:${type}/1`, { secret });
    expect(signer.key.scheme).toBe(scheme);
    const { bytes } = await signer.sign(BYTES);
    expect(await defaultCrypto.verify(signer.key, bytes!, BYTES)).toBe(true);
    expect(await defaultCrypto.verify(signer.key, bytes!, BYTES.subarray(1))).toBe(false);
    const read = Metadata.fromBytes((await signMetadata(rootOf([signer]), [signer])).toBytes(), 'root');
    expect((await read.signed.verifyDelegate('root', read)).verified).toBe(true);
  });

  it('keeps to the version that the URI names when the key is rotated', async () => {
    await vault.value.write('keys/rotated', { type: 'ed25519' });
    const before = await openSigner('hv:rotated/1', { secret });
    await vault.value.write('keys/rotated/rotate', {});
    const after = await openSigner('hv:rotated/2', { secret });
    expect(after.key.keyId).not.toBe(before.key.keyId);
    for (const signer of [before, after]) {
      const { bytes } = await signer.sign(BYTES);
      expect(await defaultCrypto.verify(signer.key, bytes!, BYTES)).toBe(true);
    }
    await expect(openSigner('hv:rotated/3', { secret })).rejects.toMatchObject({ code: 'KEY_MISSING' });
  });

  it('asks for the token when the surroundings have none, and says that a wrong one is refused', async () => {
    vi.stubEnv('VAULT_TOKEN', '');
    vi.stubEnv('HOME', '/nonexistent');
    await vault.value.write('keys/asked', { type: 'ed25519' });
    const signer = await openSigner('hv:asked/1', { secret });
    expect(signer.key.scheme).toBe('ed25519');
    const error: unknown = await openSigner('hv:asked/1', {
      secret: () => Promise.resolve('hvs.wrong-token'),
    }).catch((e: unknown) => e);
    expect(error).toMatchObject({
      code: 'SERVICE_REFUSED',
      message: expect.stringContaining('permission denied') as string,
    });
    expect(String((error as Error).stack)).not.toContain('hvs.wrong-token');
    vi.stubEnv('VAULT_TOKEN', vault.value.token);
  });

  it('refuses a key for encryption, and says when there is no such key or no server', async () => {
    await vault.value.write('keys/aes', { type: 'aes256-gcm96' });
    await expect(openSigner('hv:aes/1', { secret })).rejects.toMatchObject({ code: 'KEY_MISSING' });
    await expect(openSigner('hv:none/1', { secret })).rejects.toMatchObject({ code: 'SERVICE_REFUSED' });
    vi.stubEnv('VAULT_ADDR', 'http://127.0.0.1:9');
    await expect(openSigner('hv:ed25519/1', { secret })).rejects.toMatchObject({
      code: 'SERVICE_UNREACHABLE',
    });
    vi.stubEnv('VAULT_ADDR', vault.value.url);
  });
});
