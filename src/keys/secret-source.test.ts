import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { SecretQuestion } from './opened-signer.ts';
import { noSecret, parseSecretSource } from './secret-source.ts';

const QUESTION: SecretQuestion = { kind: 'PIN', uri: 'hsm:2', subject: 'the token "root"' };
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rind-secrets-'));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

describe('a source of secrets', () => {
  it.each([
    '',
    'swordfish',
    'terminal:x',
    'file:',
    'fd:x',
    'fd:',
    'env:PIN',
    'pass:swordfish',
    'credential:../x',
    'credential:..',
  ])('is never the secret itself, nor anything unknown, and is not repeated: %j', (text) => {
    const parse = () => parseSecretSource(text);
    expect(parse).toThrow(expect.objectContaining({ code: 'MALFORMED_URI' }));
    expect(parse).not.toThrow(/swordfish/);
  });

  it('that is a file must be closed to others', async () => {
    const path = join(folder, 'pin');
    writeFileSync(path, '1234\n', { mode: 0o600 });
    expect(await parseSecretSource(`file:${path}`)(QUESTION)).toBe('1234');
    writeFileSync(join(folder, 'open'), '1234\n', { mode: 0o644 });
    await expect(parseSecretSource(`file:${join(folder, 'open')}`)(QUESTION)).rejects.toMatchObject({
      code: 'INSECURE_PERMISSIONS',
    });
  });

  it('that is a credential is read from the folder of systemd, also where an ACL shows as a group right', async () => {
    const source = parseSecretSource('credential:online');
    vi.stubEnv('CREDENTIALS_DIRECTORY', undefined);
    await expect(source(QUESTION)).rejects.toMatchObject({ code: 'NO_SECRET' });
    vi.stubEnv('CREDENTIALS_DIRECTORY', folder);
    await expect(source(QUESTION)).rejects.toMatchObject({ code: 'NO_SECRET' });
    writeFileSync(join(folder, 'online'), 'x', { mode: 0o440 });
    expect(await source(QUESTION)).toBe('x');
    mkdirSync(join(folder, 'folder'));
    await expect(parseSecretSource('credential:folder')(QUESTION)).rejects.toMatchObject({
      code: 'NO_SECRET',
    });
    writeFileSync(join(folder, 'empty'), '\n', { mode: 0o400 });
    await expect(parseSecretSource('credential:empty')(QUESTION)).rejects.toMatchObject({
      code: 'NO_SECRET',
    });
  });

  it('that nobody named says what it was needed for', async () => {
    await expect(noSecret(QUESTION)).rejects.toMatchObject({
      code: 'NO_SECRET',
      message: expect.stringContaining('The PIN of the token "root" is needed') as string,
    });
  });
});
