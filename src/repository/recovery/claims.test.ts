import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ownersFor, signProject, targetOf } from '../../../test/support/claimed-fixture.ts';
import { IndexFixture, newSigner, sha256 } from '../../../test/support/index-fixture.ts';
import { StoreClient } from '../../../test/support/store-client.ts';
import { findClaim, setStaging } from '../../db/claims.ts';
import { findProject } from '../../db/projects.ts';
import { fsck } from '../fsck.ts';
import { storeSource } from './published-source.ts';
import { rebuildIndex } from './rebuild.ts';

const [owner, second, machine, farm] = [newSigner(), newSigner(), newSigner(), newSigner()];
const WHEEL = 'packages/flask/flask-1.0-py3-none-any.whl';
let fixture: IndexFixture;
let client: StoreClient;
beforeEach(async () => {
  fixture = await IndexFixture.open();
  fixture.bins = 4;
  await fixture.createRepository();
  const publisher = await fixture.startedPublisher();
  for (const name of ['flask', 'django']) await fixture.upload(name, '1.0');
  await fixture.store.create(fixture.tree.hashed(WHEEL, sha256('built')), Buffer.from('built'));
  await signProject(fixture, 'flask', {
    owners: [owner, second],
    wished: ownersFor([owner, second], 2),
    release: [machine],
    wheels: { signers: [farm], targets: new Map([[WHEEL, targetOf('built')]]) },
  });
  await publisher.publishOnce();
  await publisher.close();
  client = await StoreClient.pin(fixture);
  expect(await client.read('packages/flask/flask-1.0.tar.gz')).toBe('flask 1.0');
});
afterEach(() => fixture.close());

const root = async () => (await fixture.store.read('metadata/1.root.json')) ?? new Uint8Array();

describe('rebuildIndex', () => {
  it('brings claims back with what their developers signed, and their releases go on', async () => {
    const fresh = await IndexFixture.open({ online: fixture.online });
    try {
      const source = storeSource(fixture.store, '');
      const { db, store, index, now } = fresh;
      const report = await rebuildIndex({ db, store, index, source, pinnedRoot: await root(), now });
      expect(report).toMatchObject({ projects: 2, files: 2, problems: [] });
      expect((await fsck(fresh)).findings).toEqual([]);
      const id = (await findProject(fresh.db, fresh.index.id, 'flask'))?.id ?? 0;
      const claim = await findClaim(fresh.db, id);
      expect(claim).toMatchObject({ state: 'recently-claimed', staging: 0, moved_at: null });
      expect(JSON.parse(claim?.owners ?? '')).toMatchObject({ threshold: 1 });
      expect(JSON.parse(claim?.wished_owners ?? '')).toMatchObject({ threshold: 2 });
      const publisher = await fresh.startedPublisher();
      await fresh.upload('flask', '1.1');
      await signProject(fresh, 'flask', {
        owners: [owner],
        wished: ownersFor([owner, second], 2),
        release: [machine],
      });
      while ((await publisher.publishOnce()) !== undefined);
      expect(publisher.heldBack).toEqual([]);
      await publisher.close();
      const reader = await StoreClient.pin(fresh);
      expect(await reader.read('packages/flask/flask-1.1.tar.gz')).toBe('flask 1.1');
      expect(await reader.read('packages/django/django-1.0.tar.gz')).toBe('django 1.0');
      expect(await reader.read(WHEEL)).toBeUndefined();
    } finally {
      await fresh.close();
    }
  });

  it('into a database that knows the project keeps what only rows say', async () => {
    const { db, index, store, now } = fixture;
    const id = (await findProject(db, index.id, 'flask'))?.id ?? 0;
    await setStaging(db, id, true);
    await db.deleteFrom('targets').execute();
    await rebuildIndex({ db, store, index, source: storeSource(store, ''), pinnedRoot: await root(), now });
    expect(await findClaim(db, id)).toMatchObject({ staging: 1, state: 'recently-claimed' });
    expect((await fsck(fixture)).findings).toEqual([]);
  });
});
