import { join } from 'node:path';
import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { IndexFixture } from '../../../test/support/index-fixture.ts';
import { StoreClient } from '../../../test/support/store-client.ts';
import { setYanked, findFile } from '../../db/files.ts';
import { appendJournal } from '../../db/journal.ts';
import { findProject, listProjects } from '../../db/projects.ts';
import { copyDatabase, settleDatabaseFile } from '../../db/copy-database.ts';
import { findReservedPublication } from '../../db/publications.ts';
import { currentRoles } from '../../db/roles.ts';
import { openDatabase, type Database } from '../../db/open.ts';
import { insertTakedown, takedownsInForce } from '../../db/takedowns.ts';
import { countTargets } from '../../db/targets.ts';
import { MemoryStore } from '../../storage/memory-store.ts';
import { parseLogHead } from '../../transparency/log-entry.ts';
import { fsck } from '../fsck.ts';
import { Publisher } from '../publisher.ts';
import { RecoveryError } from './errors.ts';
import { storeSource } from './published-source.ts';
import { rebuildIndex } from './rebuild.ts';

const FILE = 'packages/flask/flask-1.0.tar.gz';
let fixture: IndexFixture;
let fresh: IndexFixture;
let client: StoreClient;
beforeEach(async () => {
  fixture = await IndexFixture.open();
  fixture.bins = 16;
  await fixture.createRepository();
  fresh = await IndexFixture.open({ online: fixture.online });
  const publisher = await fixture.startedPublisher();
  for (const project of ['flask', 'django']) await fixture.upload(project, '1.0');
  await fixture.upload('flask', '2.0');
  await publisher.publishOnce();
  const file = await findFile(fixture.db, fixture.index.id, 'flask-2.0.tar.gz');
  await setYanked(fixture.db, file!.id, true, 'wrong licence');
  const { id } = (await findProject(fixture.db, fixture.index.id, 'flask'))!;
  await appendJournal(fixture.db, {
    indexId: fixture.index.id,
    projectId: id,
    kind: 'yank',
    detail: {},
    now: fixture.now,
  });
  await publisher.publishOnce();
  await publisher.close();
  client = await StoreClient.pin(fixture);
  expect(await client.read(FILE)).toBe('flask 1.0');
});
afterEach(async () => {
  await fixture.close();
  await fresh.close();
});

const root = async () => (await fixture.store.read('metadata/1.root.json'))!;

describe('rebuildIndex', () => {
  it('makes the rows of an index again from its tree, and its client goes on', async () => {
    const before = await currentRoles(fixture.db, fixture.index.id);
    const { store } = fixture;
    const report = await rebuildIndex({
      db: fresh.db,
      store,
      index: fresh.index,
      source: storeSource(store, ''),
      pinnedRoot: await root(),
      now: fixture.now,
    });
    expect(report).toMatchObject({ projects: 2, files: 3, targets: 7, problems: [] });
    expect((await fsck({ db: fresh.db, store, index: fresh.index, clock: fixture.clock })).findings).toEqual(
      [],
    );
    const file = await findFile(fresh.db, fresh.index.id, 'flask-2.0.tar.gz');
    expect(file).toMatchObject({ yanked: 1, yanked_reason: 'wrong licence', requires_python: '>=3.9' });
    expect((await listProjects(fresh.db, fresh.index.id)).map(({ name }) => name)).toEqual([
      'django',
      'flask',
    ]);

    const publisher = new Publisher({
      db: fresh.db,
      store,
      index: fresh.index,
      signers: [fixture.online],
      clock: fixture.clock,
    });
    await publisher.start();
    await publisher.publishOnce();
    await publisher.close();
    const after = new Map(
      (await currentRoles(fresh.db, fresh.index.id)).map((row) => [row.role, row.version]),
    );
    for (const { role, version } of before)
      if (!['root', 'targets', 'claimed', 'bins'].includes(role))
        expect(after.get(role), role).toBe(version + 1);
    expect(await client.read('simple/flask/index.json')).toContain('wrong licence');
    expect(await client.read(FILE)).toBe('flask 1.0');
  });

  it('knows what administrators withheld', async () => {
    const flask = { project: 'flask', filename: 'flask-2.0.tar.gz' };
    const { id: indexId } = fixture.index;
    await insertTakedown(fixture.db, { indexId, ...flask, reason: 'court order', now: fixture.now });
    await appendJournal(fixture.db, { indexId, kind: 'takedown', detail: {}, now: fixture.now });
    const publisher = await fixture.startedPublisher();
    await publisher.publishOnce();
    await publisher.close();
    const { store } = fixture;
    const source = storeSource(store, '');
    const place = { db: fresh.db, store, index: fresh.index };
    const report = await rebuildIndex({ ...place, source, pinnedRoot: await root(), now: fixture.now });
    expect(report).toMatchObject({ problems: [] });
    expect(await takedownsInForce(fresh.db, fresh.index.id)).toMatchObject([
      { ...flask, reason: 'court order', since: fixture.now.toISOString() },
    ]);
    expect((await fsck({ ...place, clock: fixture.clock })).findings).toEqual([]);
  });

  it('copies everything that is signed when the store is another', async () => {
    const { store } = fresh;
    const report = await rebuildIndex({
      db: fresh.db,
      store,
      index: fresh.index,
      source: storeSource(fixture.store, ''),
      pinnedRoot: await root(),
      now: fixture.now,
    });
    expect(report.problems).toEqual([]);
    expect((await fsck({ db: fresh.db, store, index: fresh.index, clock: fixture.clock })).findings).toEqual(
      [],
    );
  });

  it('never uses a number again that is taken in the tree', async () => {
    const { store } = fixture;
    await store.create('metadata/77.snapshot.json', new Uint8Array([1]));
    await rebuildIndex({
      db: fresh.db,
      store,
      index: fresh.index,
      source: storeSource(store, ''),
      pinnedRoot: await root(),
      now: fixture.now,
    });
    const publisher = new Publisher({
      db: fresh.db,
      store,
      index: fresh.index,
      signers: [fixture.online],
      clock: fixture.clock,
    });
    await publisher.start();
    await publisher.publishOnce();
    expect(publisher.publicState()?.snapshotVersion).toBe(78);
    await publisher.close();
  });

  it('takes nothing from a tree that does not verify from the pinned root on', async () => {
    const other = await IndexFixture.create();
    const pinnedRoot = (await other.store.read('metadata/1.root.json'))!;
    await other.close();
    const { store } = fixture;
    const failed = rebuildIndex({
      db: fresh.db,
      store,
      index: fresh.index,
      source: storeSource(store, ''),
      pinnedRoot,
      now: fixture.now,
    });
    await expect(failed).rejects.toThrow(RecoveryError);
    await expect(failed).rejects.toMatchObject({ code: 'UNVERIFIED_SOURCE' });
    expect(await currentRoles(fresh.db, fresh.index.id)).toEqual([]);
  });

  describe('with a copy of the database from before the last publication', () => {
    let yesterday: Database;
    beforeEach(async () => {
      const path = join(fixture.folder, 'yesterday.db');
      await sql`vacuum into ${path}`.execute(fixture.db);
      yesterday = await openDatabase({ path });
      const publisher = await fixture.startedPublisher();
      await fixture.upload('click', '1.0');
      await publisher.publishOnce();
      await publisher.close();
      expect(await client.read('packages/click/click-1.0.tar.gz')).toBe('click 1.0');
    });
    afterEach(() => yesterday.close());

    const publisherOf = () => {
      const { store, index, online, clock } = fixture;
      return new Publisher({ db: yesterday.db, store, index, signers: [online], clock });
    };
    const takeTree = async () =>
      rebuildIndex({
        db: yesterday.db,
        store: fixture.store,
        index: fixture.index,
        source: storeSource(fixture.store, ''),
        pinnedRoot: await root(),
        now: fixture.now,
      });

    it('says the way out, and that way leads on: publications and log entries come from the tree', async () => {
      await expect(publisherOf().start()).rejects.toMatchObject({
        code: 'FOREIGN_TIMESTAMP',
        message: expect.stringContaining('rind recover --published TREE') as string,
      });
      expect(await takeTree()).toMatchObject({ projects: 3, files: 4, problems: [] });
      const publisher = publisherOf();
      await publisher.start();
      await publisher.publishOnce();
      await publisher.close();
      const { store, index, clock } = fixture;
      expect((await fsck({ db: yesterday.db, store, index, clock })).findings).toEqual([]);
      expect(await client.read('packages/click/click-1.0.tar.gz')).toBe('click 1.0');
    });

    it('changes nothing when the log in the tree is another history than the one it knows', async () => {
      const targets = await countTargets(yesterday.db, fixture.index.id);
      await sql`drop trigger log_entries_no_update`.execute(yesterday.db);
      await yesterday.db
        .updateTable('log_entries')
        .set({ root: '0'.repeat(64) })
        .execute();
      await expect(takeTree()).rejects.toMatchObject({ code: 'UNVERIFIED_SOURCE' });
      expect(await countTargets(yesterday.db, fixture.index.id)).toBe(targets);
    });

    it('changes nothing when the log goes on beyond the timestamp', async () => {
      const targets = await countTargets(yesterday.db, fixture.index.id);
      const { size } = parseLogHead((await fixture.store.read('log/head.json'))!);
      await fixture.store.put(`log/${size + 1}.json`, new Uint8Array([123, 125]));
      await expect(takeTree()).rejects.toMatchObject({
        code: 'CANNOT_PROCEED',
        path: `log/${size + 1}.json`,
      });
      expect(await countTargets(yesterday.db, fixture.index.id)).toBe(targets);
    });
  });

  it('names files whose bytes were altered, and does not list them', async () => {
    const { store } = fixture;
    const key = [...(await fixture.objects('packages/flask/')).keys()].find((one) =>
      /\/[0-9a-f]{64}\.flask-1\.0\.tar\.gz$/.test(one),
    )!;
    await store.put(key, new TextEncoder().encode('flask 6.6'));
    const report = await rebuildIndex({
      db: fresh.db,
      store,
      index: fresh.index,
      source: storeSource(store, ''),
      pinnedRoot: await root(),
      now: fixture.now,
    });
    expect(report.problems).toEqual([`${FILE} is signed, but its bytes are nowhere.`]);
    expect(await findFile(fresh.db, fresh.index.id, 'flask-1.0.tar.gz')).toBeUndefined();
  });
});

/** Calls `beforeTimestamp` when everything of a publication is reserved and written but its timestamp. */
class WatchedStore extends MemoryStore {
  beforeTimestamp: (() => Promise<void>) | undefined;

  override replace(...[key, bytes, expected, options]: Parameters<MemoryStore['replace']>): Promise<boolean> {
    const staged = async (): Promise<void> => {
      await options?.staged?.();
      await this.beforeTimestamp?.();
    };
    return super.replace(key, bytes, expected, { staged });
  }
}

describe('a database that was copied in the middle of a publication', () => {
  it.each([
    { what: 'that became public', isLast: true },
    { what: 'that others followed', isLast: false },
  ])('publishes again after a rebuild from the tree, $what', async ({ isLast }) => {
    const store = new WatchedStore();
    const owner = await IndexFixture.open({ store });
    owner.bins = 16;
    await owner.createRepository();
    const publisher = await owner.startedPublisher();
    await owner.upload('flask', '1.0');
    await publisher.publishOnce();
    await owner.upload('flask', '2.0');
    const copied = join(owner.folder, 'copy.db');
    store.beforeTimestamp = () => copyDatabase(join(owner.folder, 'rind.db'), copied);
    await publisher.publishOnce();
    store.beforeTimestamp = undefined;
    if (!isLast) {
      await owner.upload('flask', '3.0');
      await publisher.publishOnce();
    }
    await publisher.close();
    await settleDatabaseFile(copied);
    const copy = await openDatabase({ path: copied });
    const { db } = copy;
    const { index, clock, now } = owner;
    expect(await findReservedPublication(db, index.id)).toBeDefined();
    const pinnedRoot = (await store.read('metadata/1.root.json'))!;
    await rebuildIndex({ db, store, index, source: storeSource(store, ''), pinnedRoot, now });
    const again = new Publisher({ db, store, index, signers: [owner.online], clock });
    await again.start();
    expect(await again.publishOnce()).toBeDefined();
    await again.close();
    expect((await fsck({ db, store, index, clock })).findings).toEqual([]);
    // What is public does not count as abandoned, for then clean-up would take it before its time.
    const { rows } = await sql<{ role: string }>`
      select role_versions.role from role_versions inner join publications on publications.id = publication_id
      inner join roles on roles.role = role_versions.role and roles.version = role_versions.version
      where publications.state = 'abandoned'`.execute(db);
    expect(rows).toEqual([]);
    const pinned = await StoreClient.pin(owner);
    expect(await pinned.read('packages/flask/flask-2.0.tar.gz')).toBe('flask 2.0');
    await copy.close();
    await owner.close();
  });
});
