import { describe, expect, it } from 'vitest';
import { projectRoleName, releaseRoleName } from '../claims/names.ts';
import { newProjectRole } from '../claims/project-role.ts';
import { renderProjectJson } from '../pypi/simple.ts';
import { Key } from '../tuf/key.ts';
import { TargetFile } from '../tuf/file.ts';
import { readProject } from './verified-project.ts';

const thief = {
  keys: [Key.fromPublicKey('ed25519', 'ed25519', 'e'.repeat(64))],
  threshold: 1,
};
const target = new TargetFile({
  path: 'simple/foo/index.json',
  length: 1,
  hashes: new Map([['sha256', '0'.repeat(64)]]),
});

function reading(name: string, via: readonly string[]) {
  const planted = newProjectRole({
    project: 'foo',
    version: 7,
    expires: new Date('2027-01-01T00:00:00Z'),
    owners: thief,
    release: thief,
  });
  return readProject('https://index.example/', 'foo', {
    getSignedTarget: async () => ({ target, role: via.at(-1) ?? '', via }),
    delegatedTargets: async () => planted,
    targetBytes: async () => renderProjectJson({ name, files: [] }),
  });
}

describe('what a developer builds on', () => {
  it('is nothing that a role of the project’s name below a bin says: the online key made it', async () => {
    const via = ['targets', 'bins', 'bins-0', projectRoleName('foo'), releaseRoleName('foo')];
    const { standing, owners, roles } = await reading('foo', via);
    expect([standing, owners, roles.size]).toEqual(['unclaimed', undefined, 0]);
  });

  it('is not the page of another project', async () => {
    await expect(reading('bar', ['targets', 'bins', 'bins-0'])).rejects.toMatchObject({
      code: 'verification',
    });
  });
});
