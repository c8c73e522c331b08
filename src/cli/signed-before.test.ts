import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { projectRoleName } from '../claims/names.ts';
import { newProjectRole } from '../claims/project-role.ts';
import type { PageFile } from '../pypi/simple.ts';
import { Key } from '../tuf/key.ts';
import { rememberSigned, signedBefore } from './signed-before.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rind-test-'));
});
afterAll(() => rm(folder, { recursive: true }));

const key = (digit: string) => Key.fromPublicKey('ed25519', 'ed25519', digit.repeat(64));
const file = (name: string): PageFile => ({
  filename: name,
  version: '1.0',
  sha256: '0'.repeat(64),
  size: 1,
  uploadTime: '2026-11-22T21:59:00.000000Z',
});

function project(keys: readonly Key[], files: readonly PageFile[], release?: Key) {
  const owned = newProjectRole({
    project: 'foo',
    version: 1,
    expires: new Date('2027-01-01T00:00:00Z'),
    owners: { keys, threshold: 1 },
    ...(release === undefined ? {} : { release: { keys: [release], threshold: 1 } }),
  });
  return {
    url: 'https://index.example/',
    page: { name: 'foo', files },
    roles: new Map([[projectRoleName('foo'), owned]]),
  };
}

it('names every key and file that came into a project since this machine signed for it', async () => {
  const path = join(folder, 'new', 'signed.json');
  const mine = project([key('a')], [file('foo-1.0.tar.gz')]);
  expect(await signedBefore(mine, path)).toBeUndefined();
  await rememberSigned(mine, path);
  const owners = new Set([key('a').keyId]);
  expect(await signedBefore(mine, path)).toEqual({ fresh: [], owners });
  const thief = project([key('a'), key('e')], [file('foo-1.0.tar.gz'), file('foo-6.6.6.tar.gz')], key('f'));
  expect(await signedBefore(thief, path)).toEqual({
    fresh: [
      `owner ${key('e').keyId}`,
      `machine ${key('f').keyId}`,
      `file foo-6.6.6.tar.gz ${'0'.repeat(64)}`,
    ],
    owners,
  });
});
