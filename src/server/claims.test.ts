import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { Developer, type Release } from '../../test/support/developer.ts';
import { newSigner } from '../../test/support/index-fixture.ts';
import { ServerFixture, type Answer } from '../../test/support/server-fixture.ts';
import { makeSdist, makeWheel, type Distribution } from '../../test/tools/distribution.ts';
import type { Owners } from '../claims/owners.ts';
import { findFile, insertFile } from '../db/files.ts';
import { insertIndex } from '../db/indexes.ts';
import { setIndexRole, setProjectRole } from '../db/members.ts';
import { ensureProject, ensureRelease, findProject } from '../db/projects.ts';
import { retainIndex } from '../registry/retention.ts';
import { hashedPath, packagePath } from '../pypi/layout.ts';
import { findTargets } from '../db/targets.ts';
import { insertUser } from '../db/users.ts';
import { DEFAULT_COLLECTION_SETTINGS } from '../repository/collection-settings.ts';
import { GarbageCollection } from '../repository/garbage-collection.ts';
import type { Signer } from '../tuf/signer.ts';

let server: ServerFixture;
let owner: Developer;
const alice = newSigner();
const bob = newSigner();

beforeAll(async () => {
  server = await ServerFixture.start();
  owner = new Developer(
    server,
    await server.issue({ verbs: ['read', 'upload', 'own', 'maintain', 'admin'] }),
  );
});
afterAll(() => server.close());
afterEach(() => vi.restoreAllMocks());

function ownersOf(signers: readonly Signer[], threshold = 1): Owners {
  return { keys: signers.map(({ key }) => key), threshold };
}

const sdist = (name: string, version = '1.0') => makeSdist({ name, version });

/** A claimed project with one file. */
async function claimed(name: string, signers: readonly Signer[] = [alice], more: Partial<Release> = {}) {
  const file = sdist(name);
  expect((await owner.stage(file)).status).toBe(202);
  const answer = await owner.publish(name, { files: [file], owners: ownersOf(signers), signers, ...more });
  expect([answer.status, answer.text]).toEqual([200, expect.stringContaining('"published"')]);
  return file;
}

/** Lets everything else go on for so many turns of the event loop, or until it `isDone`. */
async function turns(isDone: () => boolean, most: number): Promise<void> {
  for (let turn = 0; turn < most && !isDone(); turn++) await new Promise(setImmediate);
}

async function staged(name: string, version: string): Promise<Distribution> {
  const file = sdist(name, version);
  expect((await owner.stage(file)).status).toBe(202);
  return file;
}

const problem = ({ status, text }: Answer) => ({ status, ...(JSON.parse(text) as object) });

/** Everything that is stored: the same before and after means that nothing was. */
async function everything(): Promise<object> {
  const { db } = server.index;
  const counts: Record<string, number> = {};
  for (const table of [
    'files',
    'releases',
    'journal',
    'signed_roles',
    'claims',
    'audit_log',
    'proposals',
    'staged_files',
  ] as const) {
    const row = await db
      .selectFrom(table)
      .select(({ fn }) => fn.countAll<number>().as('count'))
      .executeTakeFirstOrThrow();
    counts[table] = Number(row.count);
  }
  const { keys, temporary } = await server.leftovers();
  return { counts, keys, temporary };
}

describe('staging', () => {
  it('keeps a file where nobody but the people of the project sees it, with every check of an upload', async () => {
    const file = sdist('staged');
    const answer = await owner.stage(file);
    expect([answer.status, answer.text]).toEqual([202, expect.stringContaining('is staged, not public')]);
    expect(answer.reason).toContain('is staged, not public');
    expect((await owner.stage(file)).status).toBe(202);
    for (const path of [
      `/packages/staged/${file.filename}`,
      '/simple/staged/',
      `/private/staged/packages/staged/${file.filename}`,
    ])
      expect([path, (await server.get(path)).status]).toEqual([path, 404]);
    expect((await server.get('/simple/')).text).not.toContain('staged');
    const { keys } = await server.leftovers();
    expect(keys.filter((key) => key.includes('staged'))).toEqual([]);
    const { files } = JSON.parse((await owner.api('GET', 'staged/staged')).text) as { files: object[] };
    expect(files).toMatchObject([{ filename: file.filename, size: file.bytes.length, version: '1.0' }]);
    const bytes = await owner.api('GET', `staged/staged/${file.filename}`);
    expect([bytes.status, bytes.body.equals(Buffer.from(file.bytes))]).toEqual([200, true]);
    expect(bytes.headers['cache-control']).toBe('private, no-store');
    const stranger = new Developer(server, await server.issue({ verbs: ['read'] }));
    for (const path of ['staged/staged', `staged/staged/${file.filename}`, 'staged/proposals'])
      expect((await stranger.api('GET', path)).status).toBe(403);
    expect((await owner.stage({ ...file, bytes: Buffer.from('no archive') })).status).toBe(400);
  });

  it('offers no core metadata of an sdist whose build decides what it requires, staged or uploaded', async () => {
    const built = makeSdist({ name: 'by-build', version: '1.0', builtRequires: ['rennet'] });
    await server.upload(makeSdist({ name: 'unclaimed', version: '1.0', builtRequires: ['rennet'] }));
    await server.upload(makeSdist({ name: 'unclaimed', version: '2.0' }));
    expect((await owner.stage(built)).status).toBe(202);
    const rows = JSON.parse((await owner.api('GET', 'by-build/staged')).text) as object;
    expect(rows).toMatchObject({ files: [{ coreMetadataSha256: null }] });
    const release = { files: [built], owners: ownersOf([alice]), signers: [alice] };
    expect((await owner.publish('by-build', release)).status).toBe(200);
    for (const [project, versions] of [
      ['by-build', ['1.0']],
      ['unclaimed', ['1.0', '2.0']],
    ] as const) {
      const { text } = await server.get(`/simple/${project}/`);
      const offering = versions.filter((version) =>
        text
          .split('\n')
          .some((line) => line.includes(`-${version}.tar.gz`) && line.includes('core-metadata')),
      );
      expect([project, offering]).toEqual([project, versions.filter((version) => version === '2.0')]);
      const answers = versions.map(async (version) => {
        const name = project.replace('-', '_');
        return (await server.get(`/packages/${project}/${name}-${version}.tar.gz.metadata`)).status;
      });
      expect(await Promise.all(answers)).toEqual(project === 'unclaimed' ? [404, 200] : [404]);
    }
  });

  it('never holds two contents under one name until the first is thrown away', async () => {
    const first = makeSdist({ name: 'twice', version: '1.0' });
    const second = makeSdist({ name: 'twice', version: '1.0', build: 'other' });
    expect(first.bytes).not.toEqual(second.bytes);
    await owner.stage(first);
    const refused = await owner.stage(second);
    expect([refused.status, refused.reason]).toEqual([400, expect.stringMatching(/^File already exists/)]);
    expect((await owner.api('DELETE', `twice/staged/${first.filename}`)).status).toBe(204);
    expect((await owner.api('GET', `twice/staged/${first.filename}`)).status).toBe(404);
    expect((await owner.stage(second)).status).toBe(202);
  });

  it('of a file that is thrown away in the same moment leaves it whole or not at all', async () => {
    const file = sdist('moment');
    await owner.stage(file);
    let thrown: Promise<Answer> | undefined;
    let isThrown = false;
    const put = server.store.put.bind(server.store);
    vi.spyOn(server.store, 'put').mockImplementationOnce(async (key, bytes) => {
      await put(key, bytes);
      // The bytes are there, the row is not yet: as much of the other request happens now as can.
      await turns(() => false, 5000);
      thrown = owner.api('DELETE', `moment/staged/${file.filename}`).finally(() => (isThrown = true));
      await turns(() => isThrown, 50_000);
    });
    expect((await owner.stage(file)).status).toBe(202);
    expect((await thrown)?.status).toBe(204);
    const { files } = JSON.parse((await owner.api('GET', 'moment/staged')).text) as { files: object[] };
    const bytes = await owner.api('GET', `moment/staged/${file.filename}`);
    expect([files.length, bytes.status]).toEqual(files.length === 0 ? [0, 404] : [1, 200]);
  });

  it('is refused for what CI uploads until an owner switches it on, and says how', async () => {
    await claimed('legacy');
    const next = sdist('legacy', '2.0');
    const refused = await server.upload(next);
    expect(refused.status).toBe(403);
    for (const text of [refused.reason, refused.text]) expect(text).toContain('(rind staging legacy on)');
    const uv = await server.upload(next, { 'User-Agent': 'uv/0.9' });
    expect(problem(uv)).toMatchObject({ status: 403, code: 'CLAIMED_PROJECT' });
    expect((await owner.api('PUT', 'legacy/staging', { on: true })).text).toContain('true');
    expect((await server.upload(next)).status).toBe(202);
    const answer = await owner.publish('legacy', { files: [next], signers: [alice] });
    expect(problem(answer)).toMatchObject({ status: 200, state: 'published' });
    expect((await server.get(`/packages/legacy/${next.filename}`)).status).toBe(200);
    expect((await server.upload(next)).status).toBe(200);
    expect((await owner.api('GET', 'legacy/staged')).text).toBe('{"files":[]}\n');
    expect((await owner.api('PUT', 'staged/staging', { on: true })).status).toBe(409);
  });

  it('takes files of trusted publishing, and publishes none for it', async () => {
    await claimed('workflow');
    await owner.api('PUT', 'workflow/staging', { on: true });
    const project = await findProject(server.index.db, server.index.index.id, 'workflow');
    const token = await server.issue({
      verbs: ['upload'],
      projectIds: [project?.id ?? 0],
      oidc: { issuer: 'https://issuer.test', subject: 'repo:workflow' },
    });
    const ci = new Developer(server, token);
    const file = sdist('workflow', '2.0');
    expect((await ci.stage(file)).status).toBe(202);
    const before = await everything();
    const transaction = await owner.sign('workflow', { files: [file], signers: [alice] });
    for (const body of [transaction, { ...transaction, cosign: true }])
      expect(problem(await ci.api('POST', 'workflow/transaction', body))).toMatchObject({
        status: 403,
        detail: expect.stringContaining('Trusted publishing stages') as string,
      });
    expect(await everything()).toEqual(before);
  });
});

describe('an upload beside a first claim of the same file', () => {
  it('keeps its bytes when the claim fails and takes back what it had stored', async () => {
    await server.upload(sdist('beside', '1.0'));
    const [uploaded, other] = [await staged('beside', '2.0'), await staged('beside', '3.0')];
    let upload: Promise<Answer> | undefined;
    let isStored = false;
    let hasFailed = false;
    const { store } = server;
    const [create, copy] = [store.create.bind(store), store.copy.bind(store)];
    vi.spyOn(store, 'create').mockImplementation(async (key, bytes) => {
      const outcome = await create(key, bytes);
      // The upload has stored its objects, and its row is not there yet.
      if (key.includes(uploaded.filename)) {
        isStored = true;
        await turns(() => hasFailed, 20_000);
      }
      return outcome;
    });
    vi.spyOn(store, 'copy').mockImplementation(async (from, to) => {
      if (!to.includes(other.filename)) return copy(from, to);
      upload = server.upload(uploaded);
      await turns(() => isStored, 50_000);
      throw new Error('the disk is full');
    });
    const release = { files: [uploaded, other], owners: ownersOf([alice]), signers: [alice] };
    expect((await owner.publish('beside', release)).status).toBe(500);
    hasFailed = true;
    expect((await upload)?.status).toBe(200);
    const { body } = await server.get(`/packages/beside/${uploaded.filename}`);
    expect(body.equals(uploaded.bytes)).toBe(true);
  });
});

describe('clean-up', () => {
  it('takes staged files away after 14 days, never before, and what a crash left beside them', async () => {
    const file = sdist('forgotten');
    await owner.stage(file);
    const private_ = async () => {
      const keys: string[] = [];
      for await (const { key } of server.store.list('private/staged/packages/forgotten/')) keys.push(key);
      return keys;
    };
    const [bytes] = await private_();
    const collect = async (days: number) => {
      const { db, index, tree, now } = server.index;
      const later = new Date(now.getTime() + days * 86_400_000);
      const settings = DEFAULT_COLLECTION_SETTINGS;
      const collection = await GarbageCollection.begin({
        db,
        store: server.store,
        tree,
        indexId: index.id,
        settings,
        now: later,
      });
      const lease = await db.selectFrom('leases').selectAll().executeTakeFirstOrThrow();
      while ((await collection.removeNext(lease.epoch, later)) === 'removed');
    };
    await collect(13);
    expect(await private_()).toHaveLength(2);
    expect((await owner.api('GET', `forgotten/staged/${file.filename}`)).status).toBe(200);
    await collect(15);
    expect(await private_()).toEqual([]);
    expect((await owner.api('GET', `forgotten/staged/${file.filename}`)).status).toBe(404);
    await server.store.create(bytes ?? '', Buffer.from(file.bytes));
    await collect(365);
    expect(await private_()).toEqual([]);
    expect((await owner.stage(file)).status).toBe(202);
  });
});

describe('a claimed project', () => {
  it('leaves the bins and is delegated in one snapshot, and its state is told', async () => {
    const file = await claimed('moved');
    const { text } = await owner.api('GET', 'moved/claim');
    expect(JSON.parse(text)).toMatchObject({
      project: 'moved',
      state: 'recently-claimed',
      owners: { keyids: [alice.key.keyId], threshold: 1 },
      wishedOwners: { keyids: [alice.key.keyId] },
      roles: { 'project-moved': 1 },
      staging: false,
      waiting: false,
    });
    const path = `packages/moved/${file.filename}`;
    expect((await findTargets(server.index.db, server.index.index.id, [path])).get(path)).toMatchObject({
      isClaimed: true,
    });
    expect((await server.get(`/${path}`)).body.equals(Buffer.from(file.bytes))).toBe(true);
    expect((await server.get(`/${path}.metadata`)).status).toBe(200);
    const unclaimed = JSON.parse((await owner.api('GET', 'staged/claim')).text) as object;
    expect(unclaimed).toMatchObject({ state: 'unclaimed', owners: null, roles: {}, claimedAt: null });
  });

  it('that was there before is claimed with the files that it has', async () => {
    const [first, second] = [sdist('older'), sdist('older', '2.0')];
    for (const file of [first, second]) expect((await server.upload(file)).status).toBe(200);
    const before = await owner.page('older');
    const answer = await owner.publish('older', { owners: ownersOf([alice, bob]), signers: [alice, bob] });
    expect(problem(answer)).toMatchObject({ status: 200, state: 'published' });
    expect(await owner.page('older')).toEqual(before);
    const third = makeWheel({ name: 'older', version: '3.0' });
    await owner.stage(third);
    expect((await owner.publish('older', { files: [third], signers: [bob] })).status).toBe(200);
    expect((await owner.page('older')).files.map(({ filename }) => filename)).toContain(third.filename);
  });

  it('changes by signatures only: yank, delete, status and retention of the index are refused', async () => {
    const { filename } = await claimed('sealed');
    const before = await everything();
    for (const [method, path, body] of [
      ['POST', 'releases/1.0/yank', {}],
      ['DELETE', 'releases/1.0/yank'],
      ['POST', `files/${filename}/yank`, {}],
      ['DELETE', `files/${filename}`],
      ['DELETE', 'releases/1.0'],
      ['DELETE', ''],
      ['PUT', 'status', { status: 'archived' }],
      ['PUT', 'status', { status: 'quarantined' }],
      ['POST', 'retention', {}],
    ] as const) {
      const answer = await owner.api(method, `sealed${path === '' ? '' : `/${path}`}`, body);
      expect([path, problem(answer)]).toMatchObject([
        path,
        { status: 403, code: 'CLAIMED_PROJECT', detail: expect.stringContaining('rind publish') as string },
      ]);
    }
    expect(await everything()).toEqual(before);
    const changes = [
      { kind: 'yank', filename, reason: 'broken' },
      { kind: 'status', status: 'deprecated', reason: 'use other' },
    ] as const;
    expect((await owner.publish('sealed', { changes, signers: [alice] })).status).toBe(200);
    expect(await owner.page('sealed')).toMatchObject({
      status: 'deprecated',
      statusReason: 'use other',
      files: [{ yanked: 'broken' }],
    });
    const away = [
      { kind: 'unyank', filename },
      { kind: 'remove', filename },
      { kind: 'status', status: 'active', reason: null },
    ] as const;
    expect((await owner.publish('sealed', { changes: away, signers: [alice] })).status).toBe(200);
    expect(await owner.page('sealed')).toEqual({ name: 'sealed', files: [] });
    expect((await server.get(`/packages/sealed/${filename}`)).status).toBe(404);
    const again = await owner.stage(sdist('sealed'));
    expect([again.status, again.text]).toEqual([400, expect.stringContaining('never used twice')]);
  });

  it('takes nothing by promotion and loses nothing by retention rules, and can change hands', async () => {
    const { db, index, now, clock } = server.index;
    const file = await claimed('kept');
    await staged('kept', '1.1');
    await owner.publish('kept', { files: [await staged('kept', '2.0')], signers: [alice] });
    const { id: from } = await insertIndex(db, { name: 'stage', profile: 'team', now });
    const there = await ensureProject(db, { indexId: from, name: 'kept', displayName: 'kept', now });
    const row = await findFile(db, index.id, file.filename);
    const { id: _id, ...copy } = row!;
    const release = await ensureRelease(db, {
      indexId: from,
      projectId: there.id,
      version: '1.5',
      coreMetadata: '{}',
      now,
    });
    const promoted = { ...copy, version: '1.5', filename: 'kept-1.5.tar.gz', metadata_sha256: null };
    await insertFile(db, { ...promoted, index_id: from, project_id: there.id, release_id: release.id });
    const path = packagePath('kept', promoted.filename);
    await server.store.create(`index/stage/${hashedPath(path, copy.sha256)}`, file.bytes);
    const refused = problem(await owner.api('POST', 'kept/releases/1.5/promote', { from: 'stage' }));
    expect(refused).toMatchObject({ status: 403, code: 'CLAIMED_PROJECT' });
    const limits = { retention: { keepReleases: 1 } };
    expect((await owner.api('PATCH', 'kept/limits', limits)).status).toBe(200);
    expect((await owner.api('GET', 'kept/retention')).text).toBe('{"files":[]}\n');
    const cli = { kind: 'cli', name: 'test' } as const;
    for await (const outcome of retainIndex({ db, index, clock }, cli))
      expect(outcome.project).not.toBe('kept');
    await insertUser(db, { name: 'successor', password: undefined, isAdmin: false, now });
    expect((await owner.api('POST', 'kept/transfer', { to: 'successor' })).status).toBe(200);
    expect((await owner.page('kept')).files).toHaveLength(2);
    expect(JSON.parse((await owner.api('GET', 'kept/claim')).text)).toMatchObject({ waiting: false });
  });

  it('is published to by maintainers, and claimed or re-keyed by owners only', async () => {
    const { db, index, now } = server.index;
    await claimed('shared');
    await server.upload(sdist('free'));
    const id = async (name: string) => (await findProject(db, index.id, name))?.id ?? 0;
    const user = await insertUser(db, { name: 'maintainer', password: undefined, isAdmin: false, now });
    await setIndexRole(db, { indexId: index.id, userId: user.id, role: 'reader', now });
    for (const name of ['shared', 'free'])
      await setProjectRole(db, { projectId: await id(name), userId: user.id, role: 'maintainer', now });
    const token = await server.issue({ verbs: ['read', 'upload', 'own'], userId: user.id });
    const maintainer = new Developer(server, token);
    const next = sdist('shared', '2.0');
    expect((await maintainer.stage(next)).status).toBe(202);
    expect((await maintainer.publish('shared', { files: [next], signers: [alice] })).status).toBe(200);
    const before = await everything();
    const rekeyed = { owners: ownersOf([alice, bob]), signers: [alice, bob] };
    for (const project of ['shared', 'free'])
      expect(problem(await maintainer.publish(project, rekeyed))).toMatchObject({
        status: 403,
        code: 'NOT_PERMITTED',
      });
    // Nor does she propose it to the others, short of a signature.
    const short = { owners: ownersOf([alice, bob]), signers: [alice] };
    for (const project of ['shared', 'free']) {
      const proposal = { ...(await maintainer.sign(project, short)), cosign: true };
      const answer = problem(await maintainer.api('POST', `${project}/transaction`, proposal));
      expect(answer).toMatchObject({ status: 403, code: 'NOT_PERMITTED' });
    }
    const foreign = await owner.sign('legacy', { signers: [alice], renews: true });
    expect((await maintainer.api('POST', 'legacy/transaction', foreign)).status).toBe(403);
    expect(await everything()).toEqual(before);
    expect((await owner.publish('shared', rekeyed)).status).toBe(200);
  });
});
