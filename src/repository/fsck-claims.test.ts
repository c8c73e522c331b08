import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ownersFor, signProject, targetOf } from '../../test/support/claimed-fixture.ts';
import { IndexFixture, newSigner, sha256 } from '../../test/support/index-fixture.ts';
import { ownersText } from '../claims/owners-text.ts';
import { deleteClaim, setClaimOwners } from '../db/claims.ts';
import { findProject } from '../db/projects.ts';
import { fsck } from './fsck.ts';
import { repair } from './fsck-repair.ts';

const owner = newSigner();
let fixture: IndexFixture;
beforeEach(async () => {
  fixture = await IndexFixture.open();
  fixture.bins = 4;
  await fixture.createRepository();
  const publisher = await fixture.startedPublisher();
  for (const name of ['flask', 'django']) await fixture.upload(name, '1.0');
  await signProject(fixture, 'flask', { owners: [owner] });
  await publisher.publishOnce();
  await publisher.close();
  expect(await found()).toEqual([]);
});
afterEach(() => fixture.close());

const found = async () =>
  (await fsck(fixture)).findings.map(({ code, role, path }) => [code, role, path].filter(Boolean).join(' '));
const flask = async () => (await findProject(fixture.db, fixture.index.id, 'flask'))?.id ?? 0;

describe('fsck of claimed projects', () => {
  it('finds a row of a target that is not what the project role lists', async () => {
    const row = fixture.db.updateTable('targets').set({ sha256: sha256('other') });
    await row.where('path', '=', 'packages/flask/flask-1.0.tar.gz').execute();
    expect(await found()).toContain('TARGET_DIFFERS project-flask packages/flask/flask-1.0.tar.gz');
  });

  it('finds a file and pages that the project role does not list as they are', async () => {
    await fixture.upload('flask', '1.1');
    await fixture.db.deleteFrom('journal').where('publication_id', 'is', null).execute();
    expect(await found()).toEqual(
      [
        'PAGE_DIFFERS simple/flask/index.json',
        'PAGE_DIFFERS simple/flask/index.html',
        'FILE_NOT_SIGNED packages/flask/flask-1.1.tar.gz',
      ].toSorted((a, b) => (a.startsWith('F') ? -1 : b.startsWith('F') ? 1 : 0)),
    );
  });

  it('finds a project role that was replaced in the store', async () => {
    const key = fixture.tree.metadata('project-flask', 1);
    await fixture.store.put(key, Buffer.from('{}'));
    expect((await found())[0]).toMatch(/^METADATA_INVALID project-flask/);
  });

  it('finds a target of a claimed project in a bin, where no client looks for it', async () => {
    const publisher = await fixture.startedPublisher();
    const path = 'packages/flask/flask-9.tar.gz';
    await fixture.store.create(fixture.tree.hashed(path, sha256('forged')), Buffer.from('forged'));
    await publisher.publishTargets([{ path, target: targetOf('forged') }]);
    await publisher.close();
    expect(await found()).toContainEqual(expect.stringMatching(/^TARGET_MISPLACED bin-\w+ .*flask-9/));
  });

  it('finds claims of the database that are not what is delegated', async () => {
    const owners = ownersText(ownersFor([newSigner()]));
    await setClaimOwners(fixture.db, await flask(), { owners, wishedOwners: owners });
    expect(await found()).toEqual(['CLAIM_DIFFERS project-flask']);
    await deleteClaim(fixture.db, await flask());
    expect(await found()).toEqual(['CLAIM_DIFFERS project-flask']);
  });

  it('mends lost metadata of a project and of recently-claimed, byte for byte', async () => {
    const keys = ['metadata/1.project-flask.json', 'metadata/2.recently-claimed.json'];
    const before = await fixture.objects();
    for (const key of keys) await fixture.store.remove(key);
    const { findings } = await fsck(fixture);
    const { db, store, index, online, clock } = fixture;
    await repair({ db, store, index, signers: [online], actor: 'test', clock }, findings);
    // The walk ends where metadata is missing: what is behind it shows the next time.
    const again = await fsck(fixture);
    await repair({ db, store, index, signers: [online], actor: 'test', clock }, again.findings);
    for (const key of keys) expect((await fixture.objects()).get(key), key).toBe(before.get(key));
    expect(await found()).toEqual([]);
  });
});
