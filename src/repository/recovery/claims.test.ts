import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { copyOf } from '../../../test/compromise/attacker.ts';
import {
  ownersFor,
  signClaimed,
  signProject,
  submitClaimed,
  targetOf,
} from '../../../test/support/claimed-fixture.ts';
import { IndexFixture, newSigner, sha256, signOffline } from '../../../test/support/index-fixture.ts';
import { StoreClient } from '../../../test/support/store-client.ts';
import { deleteClaim, findClaim, setStaging } from '../../db/claims.ts';
import { appendJournal } from '../../db/journal.ts';
import { findProject } from '../../db/projects.ts';
import { fsck } from '../fsck.ts';
import { Publisher } from '../publisher.ts';
import { storeSource } from './published-source.ts';
import { rebuildIndex } from './rebuild.ts';
import { recoverIndex } from './recover.ts';

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

  it('goes on where a project is claimed no more: the same client follows, and a new claim continues its versions', async () => {
    const { db, store, index, now, online, clock } = fixture;
    const projectId = (await findProject(db, index.id, 'flask'))?.id ?? 0;
    await deleteClaim(db, projectId);
    await appendJournal(db, { indexId: index.id, projectId, kind: 'unclaim', detail: {}, now });
    const first = await fixture.startedPublisher();
    await first.publishOnce();
    await first.close();
    expect(await client.read('packages/flask/flask-1.0.tar.gz')).toBe('flask 1.0');
    const fresh = await IndexFixture.open({ online, store });
    try {
      const source = storeSource(store, '');
      await rebuildIndex({ db: fresh.db, store, index: fresh.index, source, pinnedRoot: await root(), now });
      const publisher = new Publisher({ db: fresh.db, store, index: fresh.index, signers: [online], clock });
      await publisher.start();
      while ((await publisher.publishOnce()) !== undefined);
      expect(await client.read('packages/flask/flask-1.0.tar.gz')).toBe('flask 1.0');
      await signProject(fresh, 'flask', { owners: [second] });
      while ((await publisher.publishOnce()) !== undefined);
      expect(publisher.heldBack).toEqual([]);
      await publisher.close();
      expect(await client.read('packages/flask/flask-1.0.tar.gz')).toBe('flask 1.0');
      expect(await store.stat(fixture.tree.metadata('project-flask', 2))).toBeDefined();
      expect((await fsck(fresh)).findings).toEqual([]);
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

describe('recoverIndex', () => {
  const both = ownersFor([owner, second], 2);
  const flask = { project: 'flask', owners: both };

  it('keeps what the keys of claimed projects vouch for, empties recently-claimed and drops what nobody vouches for', async () => {
    const { db, index, store, clock, now, offline } = fixture;
    const publisher = await fixture.startedPublisher();
    await fixture.upload('click', '1.0');
    await signProject(fixture, 'click', { owners: [owner] });
    await submitClaimed(fixture, [flask], offline.claimed);
    while ((await publisher.publishOnce()) !== undefined);
    const good = await copyOf(store);
    // After the last known good state: releases of all three, and the online key is stolen.
    for (const name of ['flask', 'click', 'django']) await fixture.upload(name, '2.0');
    await signProject(fixture, 'flask', { owners: [owner, second], wished: both, release: [machine] });
    await signProject(fixture, 'click', { owners: [owner] });
    while ((await publisher.publishOnce()) !== undefined);
    await publisher.close();
    expect(await client.read('packages/click/click-2.0.tar.gz')).toBe('click 2.0');
    const online = newSigner();
    const fresh = () => ({ signers: [newSigner()], threshold: 1 });
    const roles = await signOffline({ ...offline, targets: fresh(), bins: fresh() }, [online.key], {
      version: 2,
      now,
      bins: 4,
    });
    const claimed = (await signClaimed([flask], offline.claimed, { version: 3, now })).get('claimed')!;
    const report = await recoverIndex({
      db,
      store,
      index,
      stolen: ['timestamp', 'snapshot', 'bin-n'],
      source: storeSource(good, ''),
      pinnedRoot: (await good.read('metadata/1.root.json')) ?? new Uint8Array(),
      keep: new Set(),
      bundle: { event: 'e'.repeat(64), roles: { ...roles, claimed } },
      signers: [online],
      keepEvidence: async () => undefined,
      actor: 'cli:test',
      clock,
    });
    expect(report.fsck.findings).toEqual([]);
    expect(report.restored.map(({ project }) => project)).toEqual(['click', 'django']);
    const reader = await StoreClient.pin(fixture, 'new');
    for (const one of [client, reader]) {
      expect(await one.read('packages/flask/flask-2.0.tar.gz')).toBe('flask 2.0');
      expect(await one.read('packages/click/click-1.0.tar.gz')).toBe('click 1.0');
      expect(await one.read('packages/click/click-2.0.tar.gz')).toBeUndefined();
      expect(await one.read('packages/django/django-2.0.tar.gz')).toBeUndefined();
    }
    const lists = await fixture.objects('metadata/');
    const newest = [...lists].filter(([key]) => key.endsWith('.recently-claimed.json')).at(-1)?.[1];
    expect(newest).not.toContain('project-click');
    const claims = await db.selectFrom('claims').select('state').execute();
    expect(claims).toEqual([{ state: 'claimed' }]);
  });
});
