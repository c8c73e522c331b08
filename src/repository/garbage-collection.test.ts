import { sql } from 'kysely';
import { afterEach, describe, expect, it } from 'vitest';
import { Crash, equivocations, FaultPlan, faultStore } from '../../test/support/fault-store.ts';
import { IndexFixture, sha256 } from '../../test/support/index-fixture.ts';
import { StoreClient } from '../../test/support/store-client.ts';
import { auditRows } from '../db/audit.ts';
import { areCollectionsHeld, holdCollections, releaseCollections } from '../db/collection-holds.ts';
import { findCollection, requestCollection } from '../db/collections.ts';
import { findFile, markFileRemoved } from '../db/files.ts';
import { appendJournal } from '../db/journal.ts';
import { findProject, setProjectStatus } from '../db/projects.ts';
import { highestVersions } from '../db/roles.ts';
import { writeTransaction } from '../db/transactions.ts';
import { Metadata } from '../tuf/metadata.ts';
import { MemoryStore } from '../storage/memory-store.ts';
import type { CollectionSettings } from './collection-settings.ts';
import { fsck } from './fsck.ts';
import { GarbageCollection } from './garbage-collection.ts';
import type { Publisher } from './publisher.ts';
import { Upkeep } from './upkeep.ts';

const HOUR = 3_600_000;
const SETTINGS: CollectionSettings = {
  gracePeriod: HOUR,
  snapshots: 2,
  removedFiles: 2 * HOUR,
  interval: HOUR / 4,
};

let fixture: IndexFixture;
afterEach(() => fixture.close());

const upkeepOf = (publisher: Publisher, settings = SETTINGS) =>
  new Upkeep({ publisher, settings, clock: fixture.clock });
const publishAll = async (publisher: Publisher) => {
  while ((await publisher.publishOnce()) !== undefined);
};
const keys = async () => [...(await fixture.objects()).keys()];
const change = async (project: string, kind: 'remove' | 'status') => {
  const { db, index, now } = fixture;
  const row = await findProject(db, index.id, project);
  return appendJournal(db, { indexId: index.id, projectId: row?.id ?? 0, kind, detail: {}, now });
};
const setStatus = async (project: string, status: string) => {
  await setProjectStatus(
    fixture.db,
    (await findProject(fixture.db, fixture.index.id, project))?.id ?? 0,
    status as 'active',
    undefined,
  );
  await change(project, 'status');
};
const removeFile = async (filename: string, project: string) => {
  const { db, index, now } = fixture;
  await markFileRemoved(db, (await findFile(db, index.id, filename))?.id ?? 0, now);
  await change(project, 'remove');
};

/** What of the snapshot of a client is not in the store: metadata that it lists, and contents that the metadata lists. */
async function missing(snapshotVersion: number): Promise<readonly string[]> {
  const { store, tree } = fixture;
  const lost: string[] = [];
  const read = async (key: string) => {
    const bytes = await store.read(key);
    if (bytes === undefined) lost.push(key);
    return bytes;
  };
  const snapshot = await read(tree.metadata('snapshot', snapshotVersion));
  if (snapshot === undefined) return lost;
  for (const [file, { version }] of Metadata.fromBytes(snapshot, 'snapshot').signed.meta) {
    const bytes = await read(tree.metadata(file.replace(/\.json$/, ''), version));
    if (bytes === undefined) continue;
    for (const { path, hashes } of Metadata.fromBytes(bytes, 'targets').signed.targets.values()) {
      await read(tree.hashed(path, hashes.get('sha256') ?? ''));
    }
  }
  return lost;
}
const snapshots = async () =>
  (await keys())
    .flatMap((key) => /\/(\d+)\.snapshot\.json$/.exec(key)?.[1] ?? [])
    .map(Number)
    .toSorted((a, b) => a - b);

class WatchedStore extends MemoryStore {
  beforeRemove: () => void = () => undefined;

  override async remove(key: string): Promise<void> {
    this.beforeRemove();
    // As slow as a disk.
    await new Promise((resolve) => setImmediate(resolve));
    await super.remove(key);
  }
}

describe('garbage collection', () => {
  it('takes nothing away while a backup reads, and goes on when it is done or was killed long ago', async () => {
    fixture = await IndexFixture.create();
    const publisher = await fixture.startedPublisher();
    for (const version of ['1.0', '2.0', '3.0', '4.0']) {
      await fixture.upload('flask', version);
      await publishAll(publisher);
      fixture.advance(2);
    }
    const upkeep = upkeepOf(publisher);
    const { db } = fixture;
    const before = await keys();
    const until = new Date(fixture.now.getTime() + 2 * HOUR);
    const id = await holdCollections(db, until);
    const other = await holdCollections(db, until);
    fixture.advance(1);
    expect(await upkeep.step()).toBe(false);
    await expect(upkeep.collect()).rejects.toMatchObject({ code: 'ON_HOLD' });
    await releaseCollections(db, id, fixture.now);
    expect(await upkeep.step()).toBe(false);
    expect(await keys()).toEqual(before);
    expect(await areCollectionsHeld(db, fixture.now)).toBe(true);
    // The other one was killed: its time passes.
    fixture.advance(1);
    while (await upkeep.step());
    expect((await keys()).length).toBeLessThan(before.length);
    await releaseCollections(db, id, fixture.now);
    expect(await db.selectFrom('collection_holds').select('id').where('id', '=', other).execute()).toEqual(
      [],
    );
    await publisher.close();
  });

  it('a backup that begins while clean-up removes finds all of a slice or nothing of it', async () => {
    const store = new WatchedStore();
    fixture = await IndexFixture.create({ store });
    const publisher = await fixture.startedPublisher();
    for (const version of ['1.0', '2.0', '3.0', '4.0']) {
      await fixture.upload('flask', version);
      await publishAll(publisher);
      fixture.advance(2);
    }
    const { db } = fixture;
    let begun: Promise<readonly string[]> | undefined;
    // Begins in the middle of a slice, and lists what there is as soon as its hold is there.
    store.beforeRemove = () => {
      begun ??= writeTransaction(db, (tx) =>
        holdCollections(tx, new Date(fixture.now.getTime() + HOUR)),
      ).then(keys);
    };
    const upkeep = upkeepOf(publisher);
    fixture.advance(1);
    while (await upkeep.step());
    const listed = await begun;
    expect(listed).toBeDefined();
    while (await upkeep.step());
    expect(await keys()).toEqual(listed);
    // And what the rows of the backup speak of is what it lists.
    const { rows } = await sql<{
      role: string;
      version: number;
    }>`select role, version from role_versions`.execute(db);
    const numbered = rows.filter(({ role }) => role !== 'timestamp');
    for (const { role, version } of numbered) expect(listed).toContain(`metadata/${version}.${role}.json`);
    await publisher.close();
  });

  it('takes nothing away while the grace period lasts, however many snapshots there are', async () => {
    fixture = await IndexFixture.create();
    const publisher = await fixture.startedPublisher();
    for (let release = 1; release <= 5; release++) {
      await fixture.upload('flask', `${release}.0`);
      await publishAll(publisher);
    }
    fixture.advance(0.9);
    const before = await fixture.objects();
    expect(await upkeepOf(publisher).collect()).toMatchObject({ boundary: undefined, objects: 0 });
    expect(await fixture.objects()).toEqual(before);
  });

  it('keeps the last snapshots and those of the grace period readable to the last page, and every root; the rest goes', async () => {
    fixture = await IndexFixture.create();
    const publisher = await fixture.startedPublisher();
    for (let release = 1; release <= 6; release++) {
      await fixture.upload('flask', `${release}.0`);
      await fixture.upload(`other-${release % 2}`, `${release}.0`);
      await publishAll(publisher);
      fixture.advance(0.4);
    }
    // Six more snapshots, the last 0.4 h old; an hour ago the fourth of them was public.
    const report = await upkeepOf(publisher).collect();
    expect(report.versions).toBeGreaterThan(6);
    expect(report.pages).toBeGreaterThan(0);
    expect(report.bytes).toBeGreaterThan(0);
    expect(await snapshots()).toEqual([5, 6, 7]);
    for (const version of await snapshots()) expect(await missing(version)).toEqual([]);
    expect(await keys()).toContain('metadata/1.root.json');
    expect((await fsck(fixture)).findings).toEqual([]);
    // Long afterwards the last two.
    fixture.advance(5);
    await upkeepOf(publisher).collect();
    expect(await snapshots()).toEqual([6, 7]);
    for (const version of await snapshots()) expect(await missing(version)).toEqual([]);
    // No second object of any page beyond those of the two snapshots.
    const pages = (await keys()).filter((key) => /^simple\/flask\/[0-9a-f]{64}\.index\.json$/.test(key));
    expect(pages).toHaveLength(2);
    expect(await upkeepOf(publisher).collect()).toMatchObject({ objects: 0 });
  });

  it('never forgets how far the versions have come', async () => {
    fixture = await IndexFixture.create();
    const publisher = await fixture.startedPublisher();
    for (let release = 1; release <= 4; release++) {
      await fixture.upload('flask', `${release}.0`);
      await publishAll(publisher);
    }
    fixture.advance(5);
    const roles = (await fixture.db.selectFrom('roles').select('role').execute()).map(({ role }) => role);
    const before = await highestVersions(fixture.db, fixture.index.id, roles);
    await upkeepOf(publisher).collect();
    expect(await highestVersions(fixture.db, fixture.index.id, roles)).toEqual(before);
    await fixture.upload('flask', '9.0');
    await publishAll(await fixture.startedPublisher());
    expect(await snapshots()).toContain(6);
    expect((await fsck(fixture)).findings).toEqual([]);
  });

  it('keeps a page that came back to what it said before', async () => {
    fixture = await IndexFixture.create();
    const publisher = await fixture.startedPublisher();
    await fixture.upload('flask', '1.0');
    await publishAll(publisher);
    for (const status of ['archived', 'active', 'archived', 'active']) {
      await setStatus('flask', status);
      await publishAll(publisher);
    }
    fixture.advance(9);
    await upkeepOf(publisher, { ...SETTINGS, snapshots: 1 }).collect();
    expect((await fsck(fixture)).findings).toEqual([]);
    const pages = (await keys()).filter((key) => /^simple\/flask\/[0-9a-f]{64}\.index\.json$/.test(key));
    expect(pages).toHaveLength(1);
  });

  it('takes a removed file off the disk after its time, and no file of a project that is only quarantined', async () => {
    fixture = await IndexFixture.create();
    const publisher = await fixture.startedPublisher();
    for (const project of ['flask', 'jinja2']) await fixture.upload(project, '1.0');
    await fixture.upload('flask', '2.0');
    await publishAll(publisher);
    await removeFile('flask-1.0.tar.gz', 'flask');
    await setStatus('jinja2', 'quarantined');
    await publishAll(publisher);
    const hashed = fixture.tree.hashed('packages/flask/flask-1.0.tar.gz', sha256('flask 1.0'));
    const quarantined = fixture.tree.hashed('packages/jinja2/jinja2-1.0.tar.gz', sha256('jinja2 1.0'));
    fixture.advance(1.9);
    await upkeepOf(publisher).collect();
    expect(await keys()).toContain(hashed);
    // Snapshots from before the removal still list it: the last ones stay, and so does the file.
    fixture.advance(1);
    await upkeepOf(publisher).collect();
    expect(await keys()).toContain(hashed);
    await fixture.upload('flask', '3.0');
    await publishAll(publisher);
    fixture.advance(3);
    expect(await upkeepOf(publisher).collect()).toMatchObject({ files: 1 });
    const left = await keys();
    expect(left.filter((key) => key.includes('flask-1.0'))).toEqual([]);
    expect(left).toContain(quarantined);
    expect((await fsck(fixture)).findings).toEqual([]);
    // The name stays used.
    expect(await findFile(fixture.db, fixture.index.id, 'flask-1.0.tar.gz')).toBeDefined();
    await setStatus('jinja2', 'active');
    await publishAll(publisher);
    expect((await fsck(fixture)).findings).toEqual([]);
  });

  it('takes away what an abandoned publication left behind', async () => {
    const plan = new FaultPlan();
    fixture = await IndexFixture.create({ store: faultStore(new MemoryStore(), plan) });
    await fixture.upload('flask', '1.0');
    const publisher = await fixture.startedPublisher();
    const before = (await keys()).length;
    // Everything is stored, and the swap of the timestamp fails.
    let operations = 0;
    for (; (await keys()).length < before + 6; operations++) {
      plan.arm(operations + 1);
      await publisher.publishOnce().catch(() => undefined);
      plan.disarm();
      if (operations > 60) break;
      if ((await fixture.db.selectFrom('targets').select('path').execute()).length > 0) break;
    }
    await setStatus('flask', 'archived');
    await publishAll(publisher);
    fixture.advance(9);
    await upkeepOf(publisher, { ...SETTINGS, snapshots: 1 }).collect();
    const pages = (await keys()).filter((key) => key.startsWith('simple/flask/'));
    expect(pages).toHaveLength(4);
    expect(await snapshots()).toHaveLength(1);
    expect((await fsck(fixture)).findings).toEqual([]);
  });

  it('counts what it would take, changes nothing, and then takes just that', async () => {
    fixture = await IndexFixture.create();
    const publisher = await fixture.startedPublisher();
    for (let release = 1; release <= 4; release++) {
      await fixture.upload('flask', `${release}.0`);
      await publishAll(publisher);
    }
    fixture.advance(5);
    const before = await fixture.objects();
    const { db, store, tree, index, now } = fixture;
    const options = { db, store, tree, indexId: index.id, settings: SETTINGS, now };
    const counted = await (await GarbageCollection.begin(options)).countAll();
    expect(await fixture.objects()).toEqual(before);
    expect(await upkeepOf(publisher).collect()).toEqual(counted);
    expect(before.size - (await fixture.objects()).size).toBe(counted.objects);
  });

  it('dies at each of its operations, and what is public stays whole; the next collection takes the rest', async () => {
    const plan = new FaultPlan();
    const store = faultStore(new MemoryStore(), plan);
    fixture = await IndexFixture.create({ store, beforeCommit: plan.beforeCommit });
    let publisher = await fixture.startedPublisher();
    const client = await StoreClient.pin(fixture);
    // Every third operation: the whole loop belongs to the fault harness.
    for (let round = 1, k = 1, died = true; died; round++, k += 3) {
      await fixture.upload('flask', `${round}.0`);
      if (round > 1) await removeFile(`flask-${round - 1}.0.tar.gz`, 'flask');
      await publishAll(publisher);
      fixture.advance(4);
      plan.arm(k, k % 2 === 0 ? 'after' : 'before');
      const attempt = await upkeepOf(publisher)
        .collect()
        .catch((error: unknown) => error);
      died = plan.disarm();
      if (died) expect(attempt).toBeInstanceOf(Crash);
      publisher = await fixture.startedPublisher();
      await publishAll(publisher);
      expect((await fsck(fixture)).findings, `died at operation ${k}`).toEqual([]);
      expect(await client.read(`packages/flask/flask-${round}.0.tar.gz`)).toBe(`flask ${round}.0`);
      for (const version of (await snapshots()).slice(-2)) expect(await missing(version)).toEqual([]);
      await upkeepOf(publisher).collect();
      expect((await fsck(fixture)).findings).toEqual([]);
      if (!died) expect(k).toBeGreaterThan(10);
    }
    expect(equivocations(plan)).toEqual([]);
  });
});

describe('upkeep', () => {
  it('collects by its clock in slices between publications, and writes it into the audit log', async () => {
    fixture = await IndexFixture.create();
    const publisher = await fixture.startedPublisher();
    const upkeep = upkeepOf(publisher);
    for (let release = 1; release <= 4; release++) {
      await fixture.upload('flask', `${release}.0`);
      await publishAll(publisher);
    }
    expect(await upkeep.step()).toBe(false);
    fixture.advance(5);
    expect(await upkeep.step()).toBe(true);
    // In the middle of it an upload is published, and nothing of it is taken.
    await fixture.upload('flask', '5.0');
    await publishAll(publisher);
    while (await upkeep.step());
    expect(await missing((await snapshots()).at(-1) ?? 0)).toEqual([]);
    expect((await fsck(fixture)).findings).toEqual([]);
    const actions: string[] = [];
    for await (const { action } of auditRows(fixture.db)) actions.push(action);
    expect(actions).toContain('gc');
    expect(await upkeep.step()).toBe(false);
  });

  it('collects when somebody asks, and tells what it did', async () => {
    fixture = await IndexFixture.create();
    const publisher = await fixture.startedPublisher();
    const upkeep = upkeepOf(publisher);
    for (let release = 1; release <= 4; release++) {
      await fixture.upload('flask', `${release}.0`);
      await publishAll(publisher);
    }
    fixture.advance(5);
    while (await upkeep.step());
    const id = await requestCollection(fixture.db, fixture.index.id, fixture.now);
    expect(await findCollection(fixture.db, id)).toMatchObject({ finished_at: null });
    while (await upkeep.step());
    expect(await findCollection(fixture.db, id)).toMatchObject({ error: null, objects: 0 });
    expect((await findCollection(fixture.db, id))?.finished_at).not.toBeNull();
  });
});
