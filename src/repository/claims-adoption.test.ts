import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ownersFor, signProject, submitClaimed } from '../../test/support/claimed-fixture.ts';
import { dieAtEachStep } from '../../test/support/dying-index.ts';
import { IndexFixture, newSigner } from '../../test/support/index-fixture.ts';
import { StoreClient } from '../../test/support/store-client.ts';
import { claimListRole, claimLists, type ClaimedProject } from '../claims/claim-lists.ts';
import { findClaim } from '../db/claims.ts';
import { findOfflineBundle } from '../db/offline-bundles.ts';
import { findProject } from '../db/projects.ts';
import { findRole } from '../db/roles.ts';
import { Metadata, signMetadata } from '../tuf/metadata.ts';
import { fsck } from './fsck.ts';
import { GarbageCollection } from './garbage-collection.ts';
import type { Publisher } from './publisher.ts';

const FILE = 'packages/flask/flask-1.0.tar.gz';
const [owner, second] = [newSigner(), newSigner()];
let fixture: IndexFixture;
let publisher: Publisher;
let client: StoreClient;

async function begin(options: Parameters<typeof IndexFixture.open>[0] = {}): Promise<void> {
  fixture = await IndexFixture.open(options);
  fixture.bins = 4;
  await fixture.createRepository();
  publisher = await fixture.startedPublisher();
  for (const name of ['flask', 'django', 'click']) await fixture.upload(name, '1.0');
  const both = ownersFor([owner, second], 2);
  await signProject(fixture, 'flask', { owners: [owner, second], wished: both });
  await signProject(fixture, 'click', { owners: [owner] });
  await publisher.publishOnce();
  client = await StoreClient.pin(fixture);
  expect(await client.read(FILE)).toBe('flask 1.0');
}
beforeEach(() => begin());
const end = async () => {
  await publisher.close();
  await fixture.close();
};
afterEach(end);

/** The claimed list that the administrators sign, as a bundle that waits. */
const submit = (projects: readonly ClaimedProject[], change?: Parameters<typeof submitClaimed>[3]) =>
  submitClaimed(fixture, projects, fixture.offline.claimed, change);
const publishAll = async () => {
  while ((await publisher.publishOnce()) !== undefined);
};
const bundle = (event: string) => findOfflineBundle(fixture.db, fixture.index.id, event);
const flask = { project: 'flask', owners: ownersFor([owner, second], 2) };
const claimRow = async (name: string) =>
  findClaim(fixture.db, (await findProject(fixture.db, fixture.index.id, name))?.id ?? 0);
const textOf = async (role: string) => {
  const version = (await findRole(fixture.db, fixture.index.id, role))?.version;
  return Buffer.from((await fixture.store.read(fixture.tree.metadata(role, version))) ?? []).toString();
};

describe('a claimed list that the administrators signed', () => {
  it('takes its projects out of recently-claimed in the same snapshot, and their threshold takes effect', async () => {
    expect(await textOf('recently-claimed')).toContain('project-flask');
    const event = await submit([flask]);
    await publisher.publishOnce();
    expect((await bundle(event))?.state).toBe('published');
    expect(await textOf('claimed')).toContain('project-flask');
    expect(await textOf('recently-claimed')).not.toContain('project-flask');
    expect(await textOf('recently-claimed')).toContain('project-click');
    const snapshots = [...(await fixture.objects('metadata/'))].filter(
      ([key, text]) => key.includes('snapshot') && text.includes('"claimed.json":{"hashes"'),
    );
    const bound = snapshots.map(([, text]) => ({
      claimed: /"claimed.json":\{[^}]*\},"length":\d+,"version":(\d+)/.exec(text)?.[1],
      recently: /"recently-claimed.json":\{"version":(\d+)/.exec(text)?.[1],
    }));
    expect(bound.at(-1)).toEqual({ claimed: '2', recently: '3' });
    expect(bound.some(({ claimed, recently }) => (claimed === '2') !== (recently === '3'))).toBe(false);
    expect(await client.read(FILE)).toBe('flask 1.0');
    expect(await claimRow('flask')).toMatchObject({ state: 'claimed', moved_at: fixture.now.toISOString() });
    expect((await claimRow('click'))?.state).toBe('recently-claimed');
    // From now on one of the two keys is not enough.
    await fixture.upload('flask', '1.1');
    await signProject(fixture, 'flask', { owners: [owner], wished: flask.owners });
    await publisher.publishOnce();
    expect(String(publisher.heldBack[0]?.error)).toMatch(/not signed by a threshold/);
    await signProject(fixture, 'flask', { owners: [owner, second], wished: flask.owners });
    await publishAll();
    expect(await client.read('packages/flask/flask-1.1.tar.gz')).toBe('flask 1.1');
    expect((await fsck(fixture)).findings).toEqual([]);
  });

  it('gives back to the bins what it delegates no more', async () => {
    await submit([flask]);
    await publishAll();
    fixture.advance(1);
    await submit([]);
    await publishAll();
    expect(await claimRow('flask')).toBeUndefined();
    expect(await client.read(FILE)).toBe('flask 1.0');
    await fixture.upload('flask', '2.0');
    await publishAll();
    expect(await client.read('packages/flask/flask-2.0.tar.gz')).toBe('flask 2.0');
    expect((await fsck(fixture)).findings).toEqual([]);
  });

  it('may come in parts, which are verified and published with it', async () => {
    const many: ClaimedProject[] = [flask];
    for (let number = 0; number < 90; number++) {
      const name = `${'xyz'[number % 3]}${number}`;
      await fixture.upload(name, '1');
      const signers = [newSigner()];
      await signProject(fixture, name, { owners: signers });
      many.push({ project: name, owners: ownersFor(signers) });
    }
    await publishAll();
    const refused = await submit(many, (role, bytes) => (role === 'claimed-x' ? undefined : bytes));
    await publishAll();
    expect(await bundle(refused)).toMatchObject({
      state: 'refused',
      reason: expect.stringMatching(/claimed-x.* is neither in the bundle nor in the store/),
    });
    await fixture.db.deleteFrom('offline_bundle_roles').execute();
    await fixture.db.deleteFrom('offline_bundles').execute();
    await submit(many);
    await publishAll();
    expect((await findRole(fixture.db, fixture.index.id, 'claimed-x'))?.version).toBe(2);
    for (const path of [FILE, 'packages/x0/x0-1.tar.gz', 'packages/z89/z89-1.tar.gz'])
      expect(await client.read(path)).toContain(' 1');
    expect((await fsck(fixture)).findings).toEqual([]);
  });

  it('and transactions of developers that come at once are published one after the other, each wholly (PEP 480, concurrency)', async () => {
    const third = newSigner();
    const event = await submit([flask]);
    for (const name of ['flask', 'click', 'django']) await fixture.upload(name, '1.1');
    await signProject(fixture, 'flask', { owners: [owner, second], wished: flask.owners });
    await signProject(fixture, 'click', { owners: [owner] });
    await signProject(fixture, 'django', { owners: [third] });
    const results = await Promise.all(Array.from({ length: 4 }, () => publisher.publishOnce()));
    await publishAll();
    expect(results.filter((one) => one !== undefined)).toHaveLength(2);
    expect((await bundle(event))?.state).toBe('published');
    expect(publisher.heldBack).toEqual([]);
    for (const name of ['flask', 'click', 'django'])
      expect(await client.read(`packages/${name}/${name}-1.1.tar.gz`)).toBe(`${name} 1.1`);
    // One version of each list and of each project for each publication that changed it: none is lost, none is made twice.
    const version = async (role: string) => (await findRole(fixture.db, fixture.index.id, role))?.version;
    expect(await version('recently-claimed')).toBe(4);
    expect(await version('claimed')).toBe(2);
    expect([await version('project-flask'), await version('project-click')]).toEqual([2, 2]);
    expect(await version('project-django')).toBe(1);
    expect((await fsck(fixture)).findings).toEqual([]);
  });

  it('keeps the pages that older snapshots list, until nobody needs them', async () => {
    const { db, store, tree, index } = fixture;
    const pages = async () =>
      [...(await fixture.objects('simple/click/')).keys()].filter((key) => /[0-9a-f]{64}/.test(key)).length;
    const settings = { gracePeriod: 3_600_000, snapshots: 1, removedFiles: 3_600_000, interval: 1 };
    const collect = async () => {
      const options = { db, store, tree, indexId: index.id, settings, now: fixture.now };
      const collection = await GarbageCollection.begin(options);
      await publisher.exclusively(async ({ epoch }) => {
        while ((await collection.removeNext(epoch, fixture.now)) === 'removed');
      });
    };
    await fixture.upload('click', '1.1');
    await signProject(fixture, 'click', { owners: [owner] });
    await publishAll();
    const before = await pages();
    await collect();
    expect(await pages()).toBe(before);
    fixture.advance(3);
    await fixture.upload('django', '1.1');
    await publishAll();
    fixture.advance(3);
    await collect();
    expect(await pages()).toBe(2);
    expect(await store.stat('metadata/1.project-click.json')).toBeUndefined();
    expect(await client.read('packages/click/click-1.1.tar.gz')).toBe('click 1.1');
    expect((await fsck(fixture)).findings).toEqual([]);
  });

  it.each<[string, () => Promise<string>, RegExp]>([
    [
      'delegates a project to keys that have not signed it',
      () => submit([{ project: 'flask', owners: ownersFor([newSigner()]) }]),
      /to keys that do not cover what is public of it/,
    ],
    [
      'delegates a project that nobody claimed',
      () => submit([{ project: 'django', owners: ownersFor([owner]) }]),
      /project-django is not there/,
    ],
    [
      'is signed by somebody else',
      async () => {
        const other = newSigner();
        const { signed } = Metadata.fromBytes(Buffer.from(await textOf('claimed')), 'targets');
        const bytes = (await signMetadata(signed.with({ version: 2 }), [other])).toBytes();
        return submit([], () => bytes);
      },
      /claimed is not signed/,
    ],
    [
      'delegates more than the paths of a project',
      async () => {
        const [list] = claimLists('claimed', [flask], flask.owners).values();
        const wide = JSON.parse(
          Buffer.from((await signMetadata(claimListRole('claimed', list!, later()), [])).toBytes())
            .toString()
            .replace('simple/flask/*', 'simple/*/*'),
        );
        const { signed } = Metadata.fromBytes(Buffer.from(JSON.stringify(wide)), 'targets');
        const bytes = (await signMetadata(signed, fixture.offline.claimed.signers)).toBytes();
        return submit([], () => bytes);
      },
      /in another way than terminating for its own paths/,
    ],
  ])('is refused with a sentence when it %s', async (_, make, sentence) => {
    const event = await make();
    const before = await fixture.objects('metadata/');
    await publishAll();
    expect(await bundle(event)).toMatchObject({ state: 'refused', reason: expect.stringMatching(sentence) });
    expect(await fixture.objects('metadata/')).toEqual(before);
    expect(await client.read(FILE)).toBe('flask 1.0');
  });

  it('is adopted wholly or not at all when the publisher dies at any step', async () => {
    let event = '';
    const crashes = await dieAtEachStep({
      begin: async (options) => {
        await end();
        await begin(options);
        event = await submit([flask]);
      },
      act: () => publisher.publishOnce(),
      goOn: async (k) => {
        expect(await client.read(FILE)).toBe('flask 1.0');
        publisher = await fixture.startedPublisher();
        await publishAll();
        expect((await bundle(event))?.state, `died at ${k}`).toBe('published');
        expect((await claimRow('flask'))?.state, `died at ${k}`).toBe('claimed');
        expect(await client.read(FILE)).toBe('flask 1.0');
        expect((await fsck(fixture)).findings).toEqual([]);
      },
    });
    expect(crashes).toBeGreaterThan(4);
  });
});

const later = () => ({ version: 2, expires: new Date(fixture.now.getTime() + 300 * 86_400_000) });
