import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { IndexFixture } from '../../test/support/index-fixture.ts';
import { StoreClient } from '../../test/support/store-client.ts';
import { parseProjectJson } from '../pypi/simple.ts';
import { auditRows } from '../db/audit.ts';
import { findProject } from '../db/projects.ts';
import { revokeToken } from '../db/tokens.ts';
import { changeUser, insertUser } from '../db/users.ts';
import { fsck } from '../repository/fsck.ts';
import type { Publisher } from '../repository/publisher.ts';
import { authenticateToken, issueToken } from './authenticate.ts';
import { deleteFiles, deleteProject } from './delete.ts';
import type { ChangeContext } from './project-change.ts';
import { setStatus } from './project-status.ts';
import { ANONYMOUS, type Principal } from './principal.ts';
import { restoreProject } from './restore-project.ts';
import { limitProject, previewRetention, retainIndex } from './retention.ts';
import { transferProject } from './transfer.ts';
import { unyank, yank } from './yank.ts';

const CLI: Principal = { kind: 'cli', name: 'admin' };
const FLASK = 'packages/flask/flask-1.0.tar.gz';

let fixture: IndexFixture;
let publisher: Publisher;
let client: StoreClient;
let context: ChangeContext;
let admin: Principal;

beforeEach(async () => {
  fixture = await IndexFixture.open();
  fixture.bins = 4;
  await fixture.createRepository();
  publisher = await fixture.startedPublisher();
  const { db, index, clock } = fixture;
  context = { db, index, clock };
  const { id } = await insertUser(db, { name: 'ada', password: undefined, isAdmin: true, now: fixture.now });
  admin = { kind: 'user', userId: id, name: 'ada', isAdmin: true };
  await fixture.upload('flask', '1.0');
  await fixture.upload('flask', '2.0');
  await publisher.publishOnce();
  client = await StoreClient.pin(fixture);
});

afterEach(() => fixture.close());

/** The verified page of a project, undefined when the index has no such project. */
async function page(project: string) {
  const text = await client.read(`simple/${project}/index.json`);
  return text === undefined ? undefined : parseProjectJson(new TextEncoder().encode(text));
}

async function html(project: string): Promise<string> {
  return (await client.read(`simple/${project}/index.html`)) ?? '';
}

async function newUser(name: string): Promise<Principal & { kind: 'user' }> {
  const { id } = await fixture.db
    .insertInto('users')
    .values({ name, password: null, created_at: fixture.now.toISOString() })
    .returning('id')
    .executeTakeFirstOrThrow();
  return { kind: 'user', userId: id, name, isAdmin: false };
}

describe('yank', () => {
  it('marks every file of a release with its reason in both pages, and takes it back', async () => {
    await yank(context, CLI, 'Flask', { version: '1.0.0' }, 'eats <data>');
    await publisher.publishOnce();
    expect((await page('flask'))?.files.map(({ filename, yanked }) => [filename, yanked])).toEqual([
      ['flask-1.0.tar.gz', 'eats <data>'],
      ['flask-2.0.tar.gz', undefined],
    ]);
    expect(await html('flask')).toContain('data-yanked="eats &#60;data&#62;"');
    expect(await client.read(FLASK)).toBe('flask 1.0');
    await unyank(context, CLI, 'flask', { filename: 'flask-1.0.tar.gz' });
    await publisher.publishOnce();
    expect((await page('flask'))?.files.every(({ yanked }) => yanked === undefined)).toBe(true);
  });

  it.each([
    ['of two lines', 'two\nlines'],
    ['with a control character', 'a\u0000b'],
    ['that is too long', 'x'.repeat(501)],
  ])('refuses a reason %s', (_, reason) => {
    expect(() => yank(context, CLI, 'flask', { version: '1.0' }, reason)).toThrow(/A reason is one line/);
  });
});

describe('a deletion', () => {
  it('revokes a file: the next snapshot has no such target, also for a client that had it', async () => {
    expect(await client.read(FLASK)).toBe('flask 1.0');
    await deleteFiles(context, CLI, 'flask', { filename: 'flask-1.0.tar.gz' }, 'stolen token');
    expect(await client.read(FLASK)).toBe('flask 1.0');
    await publisher.publishOnce();
    expect(await client.read(FLASK)).toBeUndefined();
    expect((await page('flask'))?.files.map(({ filename }) => filename)).toEqual(['flask-2.0.tar.gz']);
    expect(await fixture.store.read(FLASK)).toBeUndefined();
    expect(await fixture.store.read(`${FLASK}.metadata`)).toBeUndefined();
    expect((await fsck(fixture)).findings).toEqual([]);
  });

  it('revokes a release with all its files, and leaves the others', async () => {
    await deleteFiles(context, CLI, 'flask', { version: '2' });
    await publisher.publishOnce();
    expect(await client.read('packages/flask/flask-2.0.tar.gz')).toBeUndefined();
    expect(await client.read(FLASK)).toBe('flask 1.0');
  });

  it('revokes a project with its pages in one publication, and a restored name comes back without files', async () => {
    await deleteProject(context, CLI, 'flask');
    const publication = await publisher.publishOnce();
    expect(publication?.changedPaths).toHaveLength(4);
    expect(await page('flask')).toBeUndefined();
    expect(await client.read(FLASK)).toBeUndefined();
    expect(await fixture.store.read('simple/flask/index.json')).toBeUndefined();
    expect((await fsck(fixture)).findings).toEqual([]);
    await expect(yank(context, CLI, 'flask', { version: '1.0' })).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
    await restoreProject(context, admin, 'flask');
    await publisher.publishOnce();
    expect((await page('flask'))?.files).toEqual([]);
  });

  it('removes only the file it names: "a-b" 1 and "a" b-1 are two, exact names decide (RubyGems CVE-2022-29176)', async () => {
    await fixture.upload('a-b', '1');
    await fixture.upload('a', '1');
    await publisher.publishOnce();
    await expect(deleteFiles(context, CLI, 'a', { filename: 'a_b-1.tar.gz' })).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
    await deleteFiles(context, CLI, 'a', { version: '1' });
    await publisher.publishOnce();
    expect(await client.read('packages/a-b/a_b-1.tar.gz')).toBe('a-b 1');
  });
});

describe('foreign hands (PyPI 2017-10-12: any user could delete any file)', () => {
  it.each(['deleteFiles', 'deleteProject', 'yank', 'archive', 'transfer'])(
    '%s of somebody else is refused, changes nothing and leaves no journal row',
    async (what) => {
      const stranger = await newUser('mallory');
      const { db } = fixture;
      const before = await db.selectFrom('journal').selectAll().execute();
      const deeds = new Map([
        ['deleteFiles', () => deleteFiles(context, stranger, 'flask', { version: '1.0' })],
        ['deleteProject', () => deleteProject(context, stranger, 'flask')],
        ['yank', () => yank(context, stranger, 'flask', { version: '1.0' })],
        ['archive', () => setStatus(context, stranger, 'flask', 'archived')],
        ['transfer', () => transferProject(context, stranger, 'flask', 'mallory')],
      ]);
      await expect(deeds.get(what)?.()).rejects.toMatchObject({ code: 'NOT_PERMITTED' });
      expect(await db.selectFrom('journal').selectAll().execute()).toEqual(before);
      expect(await publisher.publishOnce()).toBeUndefined();
    },
  );

  it('that were stopped while their request was on the way do nothing: token, user and administrator are asked again', async () => {
    const { db, now } = fixture;
    const held = async (request: { userId?: number }) => {
      const { token, id } = await issueToken(db, { name: 't', verbs: ['own', 'maintain'], now, ...request });
      return { id, principal: await authenticateToken(db, token, now) };
    };
    const refused = { code: 'NOT_AUTHENTICATED' };
    const revoked = await held({});
    await revokeToken(db, revoked.id, now);
    await expect(deleteProject(context, revoked.principal, 'flask')).rejects.toMatchObject(refused);
    const userId = admin.kind === 'user' ? admin.userId : 0;
    const hers = await held({ userId });
    await changeUser(db, userId, { is_admin: 0 });
    await expect(deleteProject(context, admin, 'flask')).rejects.toMatchObject(refused);
    await changeUser(db, userId, { is_admin: 1, disabled_at: now.toISOString() });
    await expect(deleteProject(context, admin, 'flask')).rejects.toMatchObject(refused);
    await expect(deleteProject(context, hers.principal, 'flask')).rejects.toMatchObject(refused);
    await changeUser(db, userId, { disabled_at: null });
    await deleteProject(context, hers.principal, 'flask');
  });

  it('anonymous is asked who she is, and a stranger cannot tell a project that is from one that is not', async () => {
    await expect(yank(context, ANONYMOUS, 'flask', { version: '1.0' })).rejects.toMatchObject({
      code: 'NOT_AUTHENTICATED',
    });
    const stranger = await newUser('mallory');
    await expect(yank(context, stranger, 'nowhere', { version: '1.0' })).rejects.toMatchObject({
      code: 'NOT_PERMITTED',
    });
  });
});

describe('status markers (PEP 792)', () => {
  it.each(['archived', 'deprecated'] as const)(
    '%s stands in both pages and leaves the files',
    async (status) => {
      await setStatus(context, CLI, 'flask', status, 'use quart');
      await publisher.publishOnce();
      expect(await page('flask')).toMatchObject({ status, statusReason: 'use quart', files: [{}, {}] });
      expect(await html('flask')).toContain(`<meta name="pypi:project-status" content="${status}">`);
      expect(await html('flask')).toContain('<meta name="pypi:project-status-reason" content="use quart">');
    },
  );

  it('quarantined offers no file and no target, and gives all back when it is lifted', async () => {
    await setStatus(context, CLI, 'flask', 'quarantined');
    await publisher.publishOnce();
    expect(await page('flask')).toMatchObject({ status: 'quarantined', files: [] });
    expect(await client.read(FLASK)).toBeUndefined();
    expect((await fsck(fixture)).findings).toEqual([]);
    await setStatus(context, CLI, 'flask', 'active');
    await publisher.publishOnce();
    expect(await page('flask')).not.toHaveProperty('status');
    expect(await client.read(FLASK)).toBe('flask 1.0');
    expect((await fsck(fixture)).findings).toEqual([]);
  });

  it('an owner archives, but neither quarantines nor lifts a quarantine', async () => {
    const owner = await newUser('olga');
    await transferProject(context, CLI, 'flask', 'olga');
    await setStatus(context, owner, 'flask', 'archived');
    const refused = { code: 'NOT_PERMITTED' };
    await expect(setStatus(context, owner, 'flask', 'quarantined')).rejects.toMatchObject(refused);
    await setStatus(context, admin, 'flask', 'quarantined');
    await expect(setStatus(context, owner, 'flask', 'active')).rejects.toMatchObject(refused);
  });
});

describe('a transfer', () => {
  it('leaves one owner, who may, and a maintainer, who may no longer', async () => {
    const [before, after] = [await newUser('olga'), await newUser('nina')];
    await transferProject(context, CLI, 'flask', 'olga');
    await transferProject(context, before, 'flask', 'nina');
    await expect(deleteProject(context, before, 'flask')).rejects.toMatchObject({ code: 'NOT_PERMITTED' });
    await yank(context, before, 'flask', { version: '1.0' });
    await deleteProject(context, after, 'flask');
  });

  it('refuses a user who is not there', async () => {
    await expect(transferProject(context, CLI, 'flask', 'nobody')).rejects.toThrow(/no user 'nobody'/);
  });
});

describe('retention', () => {
  it('removes what the rules say in one publication, and gives the disk its bytes to collect', async () => {
    await limitProject(context, CLI, 'flask', { retention: { keepReleases: 1 } });
    const outcomes = [];
    for await (const outcome of retainIndex(context, CLI)) outcomes.push(outcome.files);
    expect(outcomes).toEqual([['flask-1.0.tar.gz']]);
    await publisher.publishOnce();
    expect(await client.read(FLASK)).toBeUndefined();
    for await (const outcome of retainIndex(context, CLI)) outcomes.push(outcome.files);
    expect(outcomes).toHaveLength(1);
  });

  it('goes by the rules of the server where an index and a project were told nothing', async () => {
    const server = { ...context, indexDefaults: { retention: { keepReleases: 1 } } };
    expect(await previewRetention(context, 'flask')).toEqual([]);
    expect(await previewRetention(server, 'flask')).toEqual(['flask-1.0.tar.gz']);
    await limitProject(context, CLI, 'flask', { retention: { keepReleases: 2 } });
    expect(await previewRetention(server, 'flask')).toEqual([]);
  });

  it('refuses rules it does not know, and keeps those there were', async () => {
    await limitProject(context, CLI, 'flask', {
      retention: { keepReleases: 3 },
      limits: { maxProjectFiles: 9 },
    });
    await expect(limitProject(context, CLI, 'flask', { retention: { keep: 1 } })).rejects.toMatchObject({
      code: 'INVALID_REQUEST',
    });
    await limitProject(context, CLI, 'flask', { limits: { maxProjectFiles: null } });
    const project = await findProject(fixture.db, fixture.index.id, 'flask');
    expect(JSON.parse(project?.limits ?? '')).toEqual({ retention: { keepReleases: 3 }, limits: {} });
  });
});

it('every change is one journal row and one audit entry that names who did it', async () => {
  await newUser('olga');
  const changes = [
    await yank(context, CLI, 'flask', { version: '1.0' }),
    await unyank(context, CLI, 'flask', { version: '1.0' }),
    await setStatus(context, CLI, 'flask', 'deprecated'),
    await transferProject(context, CLI, 'flask', 'olga'),
    await deleteFiles(context, CLI, 'flask', { version: '1.0' }),
    await deleteProject(context, CLI, 'flask'),
    await restoreProject(context, CLI, 'flask'),
  ];
  expect(new Set(changes.map(({ journalId }) => journalId)).size).toBe(7);
  const entries = [];
  for await (const row of auditRows(fixture.db)) entries.push(`${row.actor} ${row.action} ${row.subject}`);
  expect(entries.filter((entry) => entry.startsWith('cli:'))).toEqual([
    'cli:admin release.yank flask 1.0',
    'cli:admin release.unyank flask 1.0',
    'cli:admin project.status flask',
    'cli:admin project.transfer flask',
    'cli:admin release.delete flask 1.0',
    'cli:admin project.delete flask',
    'cli:admin project.restore flask',
  ]);
  const publication = await publisher.publishOnce();
  expect(publication?.journalIds).toEqual(changes.map(({ journalId }) => journalId));
});
