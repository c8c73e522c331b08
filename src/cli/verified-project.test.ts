import { describe, expect, it } from 'vitest';
import { projectRoleName, releaseRoleName } from '../claims/names.ts';
import { newProjectRole } from '../claims/project-role.ts';
import { renderProjectJson } from '../pypi/simple.ts';
import { Key } from '../tuf/key.ts';
import { TargetFile } from '../tuf/file.ts';
import { ownersFor, signProject } from '../../test/support/claimed-fixture.ts';
import { IndexFixture, newSigner } from '../../test/support/index-fixture.ts';
import { StoreClient } from '../../test/support/store-client.ts';
import { ExpiredMetadataError } from '../tuf/errors.ts';
import { prepareTransaction } from './signed-change.ts';
import { readExpiredProject, readProject } from './verified-project.ts';

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

describe('a claimed project whose signatures have run out', () => {
  const open = async (work: (world: { fixture: IndexFixture; client: StoreClient }) => Promise<void>) => {
    const fixture = await IndexFixture.open();
    fixture.bins = 4;
    await fixture.createRepository();
    const publisher = await fixture.startedPublisher();
    try {
      for (const name of ['flask', 'django']) await fixture.upload(name, '1.0');
      const [machine] = [newSigner()];
      await signProject(fixture, 'flask', { owners: [owner], release: [machine], days: 20 });
      await signProject(fixture, 'django', { owners: [owner], days: 20 });
      await publisher.publishOnce();
      const client = await StoreClient.pin(fixture);
      await client.session();
      fixture.advance(21 * 24);
      while ((await publisher.publishOnce()) !== undefined);
      await work({ fixture, client });
    } finally {
      await publisher.close();
      await fixture.close();
    }
  };
  const owner = newSigner();

  it('is installed by nobody, and signed again by its developers, who see what the index shows now', async () => {
    await open(async ({ fixture, client }) => {
      for (const name of ['flask', 'django']) {
        const read = async (clock?: () => Date) => client.open(clock);
        await expect(readProject('http://rind.test/', name, await read())).rejects.toThrow(
          ExpiredMetadataError,
        );
        const project = await readExpiredProject('http://rind.test/', name, read);
        expect(project.standing).toBe('recently-claimed');
        expect(project.owners).toEqual(ownersFor([owner]));
        expect(project.page.files.map(({ filename }) => filename)).toEqual([`${name}-1.0.tar.gz`]);
      }
      const project = await readExpiredProject('http://rind.test/', 'django', async (clock) =>
        client.open(clock),
      );
      const { transaction, missing } = await prepareTransaction(
        project,
        { renews: true },
        [owner],
        fixture.now,
      );
      expect([missing, [...transaction.base]]).toEqual([[], [['project-django', 1]]]);
    });
  });

  it('is not read where the index itself has signed nothing for as long', async () => {
    await open(async ({ fixture, client }) => {
      fixture.advance(8 * 24);
      const read = readExpiredProject('http://rind.test/', 'flask', async (clock) => client.open(clock));
      await expect(read).rejects.toMatchObject({ role: 'timestamp' });
    });
  });
});
