import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { IndexFixture } from '../../test/support/index-fixture.ts';
import { StoreClient } from '../../test/support/store-client.ts';
import { insertIndex } from '../db/indexes.ts';
import { insertUser } from '../db/users.ts';
import type { IndexRow } from '../db/schema.ts';
import { createRepository } from '../repository/create-repository.ts';
import { fsck } from '../repository/fsck.ts';
import { Publisher } from '../repository/publisher.ts';
import { authenticateToken, issueToken } from './authenticate.ts';
import { deleteFiles } from './delete.ts';
import { addIndex, changeIndex, checkedIndexName, removeIndex, requireIndex } from './indexes.ts';
import type { Principal } from './principal.ts';
import { promoteRelease } from './promote.ts';
import { setStatus } from './project-status.ts';
import { yank } from './yank.ts';

const CLI: Principal = { kind: 'cli', name: 'admin' };
const FLASK = 'packages/flask/flask-1.0.tar.gz';

let stage: IndexFixture;
let production: IndexRow;
let publisher: Publisher;
let client: StoreClient;

beforeEach(async () => {
  stage = await IndexFixture.open({ indexName: 'stage' });
  stage.bins = 4;
  await stage.createRepository();
  const { db, store, clock, online } = stage;
  production = await insertIndex(db, { name: 'production', profile: 'team', now: stage.now });
  const offline = await stage.signedOffline();
  await createRepository({ db, store, index: production, offline, online: [online], clock });
  publisher = new Publisher({ db, store, index: production, signers: [online], clock });
  await publisher.start();
  client = await StoreClient.pin({ ...fixtureOf(), folder: stage.folder } as unknown as IndexFixture);
  await stage.upload('flask', '1.0');
});

afterEach(() => stage.close());

/** The fixture as the other index sees it. */
function fixtureOf() {
  const { db, store, clock } = stage;
  const tree = new (Object.getPrototypeOf(stage.tree).constructor as new (name: string) => typeof stage.tree)(
    'production',
  );
  return { db, store, clock, tree, index: production };
}

function promote(version = '1.0') {
  const { db, store, clock, index: from } = stage;
  return promoteRelease({ db, store, clock, from, to: production }, CLI, 'Flask', version);
}

describe('rind promote', () => {
  it('makes the same bytes public in the other index with one publication, and leaves the first as it is', async () => {
    stage.advance(1);
    const outcome = await promote();
    expect(outcome).toMatchObject({ project: 'flask', version: '1.0', files: ['flask-1.0.tar.gz'] });
    const publication = await publisher.publishOnce();
    expect(publication?.journalIds).toEqual([outcome.journalId]);
    expect(await client.read(FLASK)).toBe('flask 1.0');
    const page = (await client.read('simple/flask/index.json')) ?? '';
    expect(JSON.parse(page).files[0]).toMatchObject({
      'upload-time': '2026-03-01T13:00:00.000000Z',
      'requires-python': '>=3.9',
      'core-metadata': { sha256: expect.stringMatching(/^[0-9a-f]{64}$/) as string },
    });
    expect((await fsck({ ...fixtureOf() })).findings).toEqual([]);
    expect((await promote()).files).toEqual([]);
  });

  it('brings only what is missing when it is done again', async () => {
    await promote();
    await stage.upload('flask', '2.0');
    await publisher.publishOnce();
    expect((await promote('2.0')).files).toEqual(['flask-2.0.tar.gz']);
  });

  it('refuses a yanked release, a quarantined project and one that is not there', async () => {
    await yank(stage, CLI, 'flask', { version: '1.0' });
    await expect(promote()).rejects.toThrow(/is yanked in the index 'stage'/);
    await setStatus(stage, CLI, 'flask', 'quarantined');
    await expect(promote()).rejects.toThrow(/is quarantined in the index 'stage'/);
    await expect(promote('9.9')).rejects.toMatchObject({ code: 'PROJECT_CLOSED' });
  });

  it('refuses a project that is quarantined while its files are copied', async () => {
    const { db, store, clock, index: from } = stage;
    const copy = store.copy.bind(store);
    let copies = 0;
    const slow = {
      read: store.read.bind(store),
      copy: async (...paths: Parameters<typeof copy>) => {
        await copy(...paths);
        copies += 1;
        if (copies === 1) await setStatus(stage, CLI, 'flask', 'quarantined');
      },
    } as unknown as typeof store;
    const context = { db, store: slow, clock, from, to: production };
    await expect(promoteRelease(context, CLI, 'flask', '1.0')).rejects.toThrow(/is quarantined/);
    expect(copies).toBeGreaterThan(0);
    expect(await publisher.publishOnce()).toBeUndefined();
  });

  it('refuses a filename that was used and removed there: it is never used twice', async () => {
    await promote();
    await deleteFiles({ ...fixtureOf() }, CLI, 'flask', { version: '1.0' });
    await expect(promote()).rejects.toMatchObject({ code: 'FILENAME_RETIRED' });
  });

  it('keeps to the quota and the rules of the index it goes to', async () => {
    await changeIndex(stage, CLI, 'production', { limits: { maxFileBytes: 3 } });
    await expect(promote()).rejects.toMatchObject({ code: 'FILE_TOO_LARGE' });
    await changeIndex(stage, CLI, 'production', { limits: null, upload: { prohibitedNames: ['fla*'] } });
    await expect(promote()).rejects.toMatchObject({ code: 'NAME_REFUSED' });
  });

  it('needs the right to upload there, not only here', async () => {
    const { db, store, clock, index: from } = stage;
    const wish = { name: 't', verbs: ['read', 'upload'], indexId: from.id, now: stage.now } as const;
    const { token: text } = await issueToken(db, wish);
    const token = await authenticateToken(db, text, stage.now);
    const context = { db, store, clock, from, to: production };
    await expect(promoteRelease(context, token, 'flask', '1.0')).rejects.toMatchObject({
      code: 'NOT_PERMITTED',
    });
  });
});

describe('indexes', () => {
  it.each(['../x', 'a/b', 'UPPER', '-a', 'a--b', 'ü', 'a'.repeat(64)])('refuses %j as a name', (name) => {
    expect(() => checkedIndexName(name)).toThrow(/cannot name an index/);
  });

  it('a name is used once: neither a second time nor after a removal', async () => {
    const wanted = { name: 'stage', profile: 'team', settings: {} };
    await expect(addIndex(stage, CLI, wanted)).rejects.toMatchObject({ code: 'CONFLICT' });
    await removeIndex(stage, CLI, 'stage');
    await expect(addIndex(stage, CLI, wanted)).rejects.toMatchObject({ code: 'CONFLICT' });
    await expect(requireIndex(stage.db, 'stage')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('only whoever runs the server makes, changes and removes one', async () => {
    const { id } = await insertUser(stage.db, {
      name: 'eve',
      password: undefined,
      isAdmin: false,
      now: stage.now,
    });
    const user: Principal = { kind: 'user', userId: id, name: 'eve', isAdmin: false };
    const refused = { code: 'NOT_PERMITTED' };
    await expect(addIndex(stage, user, { name: 'x', profile: 'team', settings: {} })).rejects.toMatchObject(
      refused,
    );
    await expect(changeIndex(stage, user, 'stage', {})).rejects.toMatchObject(refused);
    await expect(removeIndex(stage, user, 'stage')).rejects.toMatchObject(refused);
  });

  it('refuses settings that it does not know, and takes one back with null', async () => {
    await expect(changeIndex(stage, CLI, 'stage', { upload: { x: 1 } })).rejects.toMatchObject({
      code: 'INVALID_REQUEST',
    });
    await changeIndex(stage, CLI, 'stage', { kind: 'public', upload: { linuxWheels: true } });
    expect(await changeIndex(stage, CLI, 'stage', { upload: { linuxWheels: null } })).toEqual({
      kind: 'public',
      upload: {},
    });
  });
});
