import { describe, expect, it } from 'vitest';
import { createHash } from 'node:crypto';
import { encodeCanonicalJson } from '../tuf/canonical-json.ts';
import { parseJsonDocument, type JsonObject } from '../tuf/json.ts';
import { RepositorySimulator } from '../testing/repository-simulator.ts';
import { SimulatorKey } from '../testing/simulator-key.ts';
import { fetchRoot, parseFingerprint, readSelfSignedRoot, requireFingerprint } from './trusted-root.ts';

const refusal = (bytes: Uint8Array): Promise<string> =>
  readSelfSignedRoot(bytes).then(
    () => 'accepted',
    (error: { code: string }) => error.code,
  );

describe('readSelfSignedRoot', () => {
  it('gives the sha256 of the canonical signed part as the fingerprint, however the file is written', async () => {
    const repository = new RepositorySimulator();
    const signed = (parseJsonDocument(repository.initialRoot).value as JsonObject).get('signed') ?? null;
    const expected = createHash('sha256').update(encodeCanonicalJson(signed)).digest('hex');
    expect((await readSelfSignedRoot(repository.initialRoot)).fingerprint).toBe(expected);
    repository.indentation = 2;
    expect((await readSelfSignedRoot(repository.sign('root'))).fingerprint).toBe(expected);
  });

  it('counts who signed', async () => {
    const repository = new RepositorySimulator();
    repository.addKey('root');
    repository.addKey('root');
    const entry = repository.root.roles['root'];
    if (entry !== undefined) entry.threshold = 2;
    expect(await readSelfSignedRoot(repository.sign('root'))).toMatchObject({ signatures: 3, threshold: 2 });
    expect(await refusal(repository.sign('root', repository.signers('root').slice(0, 1)))).toBe(
      'unsigned-root',
    );
  });

  it('refuses a root that other keys signed', async () => {
    const repository = new RepositorySimulator();
    expect(await refusal(repository.sign('root', [SimulatorKey.generate('ed25519')]))).toBe('unsigned-root');
    expect(await refusal(repository.sign('root', repository.signers('timestamp')))).toBe('unsigned-root');
    expect(await refusal(repository.sign('root', []))).toBe('unsigned-root');
  });

  it('refuses what is no root', async () => {
    const repository = new RepositorySimulator();
    for (const bytes of [
      Buffer.from(''),
      Buffer.from('<html>'),
      repository.sign('timestamp'),
      Buffer.alloc(600_000, ' '),
      repository.initialRoot.subarray(1),
    ]) {
      expect(await refusal(bytes)).toBe('unreadable-root');
    }
  });
});

describe('requireFingerprint', () => {
  it('refuses another root, and another version', async () => {
    const repository = new RepositorySimulator();
    const root = await readSelfSignedRoot(await fetchRoot(repository, 'https://repository.invalid/', 1));
    requireFingerprint(root, 1, root.fingerprint);
    expect(() => requireFingerprint(root, 1, '0'.repeat(64))).toThrow('has the fingerprint');
    expect(() => requireFingerprint(root, 2, root.fingerprint)).toThrow('version 2 has its place');
  });
});

describe('parseFingerprint', () => {
  it('reads what people paste', () => {
    const hex = '0f'.repeat(32);
    const grouped = hex.match(/../g)?.join(':') ?? '';
    for (const text of [hex, hex.toUpperCase(), `sha256:${hex}`, ` ${hex}\n`, grouped]) {
      expect(parseFingerprint(text)).toBe(hex);
    }
    for (const text of ['', hex.slice(1), `${hex}0`, hex.replace('0', 'g'), `md5:${hex}`]) {
      expect(parseFingerprint(text)).toBeUndefined();
    }
  });
});
