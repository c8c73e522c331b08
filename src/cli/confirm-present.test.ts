import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { projectRoleName } from '../claims/names.ts';
import { newProjectRole } from '../claims/project-role.ts';
import { Key } from '../tuf/key.ts';
import { confirmPresent } from './confirm-present.ts';
import { rememberSigned } from './signed-before.ts';
import type { VerifiedProject } from './verified-project.ts';

const key = (digit: string) => Key.fromPublicKey('ed25519', 'ed25519', digit.repeat(64));
const [alice, bob, thief] = [key('a'), key('b'), key('c')];
const YES = { yes: true };

function project(keys: readonly Key[], standing: VerifiedProject['standing'] = 'recently-claimed') {
  const owners = { keys, threshold: 1 };
  const expires = new Date('2027-01-01T00:00:00Z');
  const owned = newProjectRole({ project: 'foo', version: 1, expires, owners });
  return {
    url: 'https://index.example/',
    page: { name: 'foo', files: [] },
    standing,
    owners,
    roles: new Map([[projectRoleName('foo'), owned]]),
  } as unknown as VerifiedProject;
}

let folder: string;
let own: readonly string[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rind-test-'));
  vi.stubEnv('XDG_CONFIG_HOME', folder);
  vi.stubEnv('RIND_CONFIG_FILE', '');
  vi.spyOn(process.stderr, 'write').mockImplementation(() => true);
  own = [alice.keyId];
});
afterEach(async () => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  await rm(folder, { recursive: true });
});

describe('with --yes, while the online key says who the owners are', () => {
  it('the first signature of a machine is refused on top of keys of which nothing here knows, and it says which', async () => {
    await expect(confirmPresent(project([alice, thief]), own, YES)).rejects.toMatchObject({
      code: 'usage',
      message: expect.stringContaining(`belongs to ${thief.keyId}:`) as string,
      hints: expect.arrayContaining([expect.stringContaining(`--expect-keys ${thief.keyId}`)]) as string[],
    });
  });

  it('it needs no word more where the only owner is the key that signs', async () => {
    expect(await confirmPresent(project([alice]), own, YES)).toBe(true);
  });

  it('it goes on where the keys were named, and is refused on top of any other', async () => {
    const options = { ...YES, expectKeys: [bob.keyId] };
    expect(await confirmPresent(project([alice, bob]), own, options)).toBe(true);
    expect(await confirmPresent(project([bob]), own, options)).toBe(true);
    await expect(confirmPresent(project([bob, thief]), own, options)).rejects.toMatchObject({
      code: 'verification',
      message: expect.stringContaining(thief.keyId) as string,
    });
  });

  it('it goes on where a rule pins the keys', async () => {
    const path = join(folder, 'rind.toml');
    await writeFile(path, `[[rule]]\nprojects = ["fo*"]\nsigned-by = ["${bob.keyId}"]\n`, { mode: 0o600 });
    vi.stubEnv('RIND_CONFIG_FILE', path);
    expect(await confirmPresent(project([alice, bob]), own, YES)).toBe(true);
    await expect(confirmPresent(project([thief]), own, YES)).rejects.toMatchObject({ code: 'usage' });
  });

  it('a later one is refused on top of an owner who came in since, and goes on with those of then', async () => {
    await rememberSigned(project([alice, bob]));
    expect(await confirmPresent(project([alice, bob]), own, YES)).toBe(true);
    await expect(confirmPresent(project([alice, bob, thief]), own, YES)).rejects.toMatchObject({
      code: 'usage',
      message: expect.stringContaining(`belongs to ${thief.keyId}:`) as string,
    });
  });
});

it('a claimed project needs no word: offline keys say who its owners are', async () => {
  expect(await confirmPresent(project([bob], 'claimed'), own, YES)).toBe(true);
  const named = { ...YES, expectKeys: [thief.keyId] };
  await expect(confirmPresent(project([bob], 'claimed'), own, named)).rejects.toMatchObject({
    code: 'verification',
  });
});
