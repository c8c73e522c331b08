import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Developer, type Release } from '../../test/support/developer.ts';
import { newSigner, sha256 } from '../../test/support/index-fixture.ts';
import { ServerFixture, type Answer } from '../../test/support/server-fixture.ts';
import { makeSdist, makeWheel, type Distribution } from '../../test/tools/distribution.ts';
import type { Owners } from '../claims/owners.ts';
import { delegationsOf, newWheelsRole } from '../claims/project-role.ts';
import { findTargets } from '../db/targets.ts';
import { hashedPath, packagePath } from '../pypi/layout.ts';
import { DelegatedRole } from '../tuf/delegated-role.ts';
import { Delegations } from '../tuf/delegations.ts';
import { TargetFile } from '../tuf/file.ts';
import type { Signer } from '../tuf/signer.ts';
import type { Targets } from '../tuf/targets.ts';

const MINUTE = 60_000;
const DAY = 86_400_000;

let server: ServerFixture;
let owner: Developer;
let file: Distribution;
const alice = newSigner();
const bob = newSigner();
const mallory = newSigner();

function ownersOf(signers: readonly Signer[], threshold = 1): Owners {
  return { keys: signers.map(({ key }) => key), threshold };
}

const problem = ({ status, text }: Answer) => ({ status, ...(JSON.parse(text) as object) });

beforeAll(async () => {
  server = await ServerFixture.start();
  owner = new Developer(server, await server.issue({ verbs: ['read', 'upload', 'own'] }));
  await claim('foo', [alice]);
  await claim('other', [bob]);
  file = await stage('foo', '2.0');
});
afterAll(() => server.close());

async function stage(name: string, version: string): Promise<Distribution> {
  const made = makeSdist({ name, version });
  expect((await owner.stage(made)).status).toBe(202);
  return made;
}

async function claim(name: string, signers: readonly Signer[], more: Partial<Release> = {}): Promise<void> {
  const made = await stage(name, '1.0');
  const answer = await owner.publish(name, { files: [made], owners: ownersOf(signers), signers, ...more });
  expect(problem(answer)).toMatchObject({ status: 200, state: 'published' });
}

/** Every row and every object, private ones too: equal before and after means that nothing was stored. */
async function everything(): Promise<object> {
  const counts: Record<string, number> = {};
  for (const table of [
    'projects',
    'files',
    'releases',
    'journal',
    'signed_roles',
    'role_versions',
    'claims',
    'audit_log',
    'proposals',
    'staged_files',
    'provenances',
  ] as const) {
    const row = await server.index.db
      .selectFrom(table)
      .select(({ fn }) => fn.countAll<number>().as('count'))
      .executeTakeFirstOrThrow();
    counts[table] = Number(row.count);
  }
  const hidden: string[] = [];
  for await (const { key } of server.store.list('private/')) hidden.push(key);
  return { counts, hidden, ...(await server.leftovers()) };
}

/** Where the offline keys of the administrators delegate, as a later ceremony would have it. */
async function setClaim(project: string, state: 'claimed' | 'recently-claimed'): Promise<void> {
  const { db } = server.index;
  const row = await db.selectFrom('projects').select('id').where('name', '=', project).executeTakeFirst();
  await db
    .updateTable('claims')
    .set({ state })
    .where('project_id', '=', row?.id ?? 0)
    .execute();
}

const inProject = (change: (role: Targets) => Targets) => (roles: Map<string, Targets>) => {
  const role = roles.get('project-foo');
  if (role === undefined) throw new Error('no role');
  roles.set('project-foo', change(role));
};
const withTarget = (path: string) =>
  inProject((role) =>
    role.with({
      targets: new Map([...role.targets, [path, TargetFile.withSha256(path, 3, 'ab'.repeat(32))]]),
    }),
  );
const delegating = (delegations: Delegations | undefined) => inProject((role) => role.with({ delegations }));
const foreignDelegation = new Delegations({
  keys: new Map([[alice.key.keyId, alice.key]]),
  roles: [
    new DelegatedRole({
      name: 'project-other',
      keyIds: [alice.key.keyId],
      threshold: 1,
      terminating: true,
      paths: ['simple/other/*', 'packages/other/*'],
    }),
  ],
});

type Attack = [
  what: string,
  code: string,
  where: object,
  release: Partial<Release>,
  change?: (t: Json) => void,
];
type Json = Record<string, any>; // eslint-disable-line @typescript-eslint/no-explicit-any

const time = (offset: number) => new Date(server.index.now.getTime() + offset);
const ATTACKS = (): readonly Attack[] => [
  ['too few keys', 'THRESHOLD', { role: 'project-foo' }, { signers: [] }],
  ['a key of somebody else', 'SIGNATURE', { key: mallory.key.keyId }, { signers: [mallory] }],
  [
    'a second signature of somebody else',
    'SIGNATURE',
    { key: mallory.key.keyId },
    { signers: [alice, mallory] },
  ],
  [
    'a signature over other bytes',
    'SIGNATURE',
    { role: 'project-foo', key: alice.key.keyId },
    {},
    ({ roles }) => {
      const bytes = Buffer.from(roles['project-foo'], 'base64').toString();
      roles['project-foo'] = Buffer.from(bytes.replace(/"sig":"../, '"sig":"00')).toString('base64');
    },
  ],
  ['an expired role', 'EXPIRY', { role: 'project-foo' }, { expires: time(-1) }],
  ['a role that outlives 400 days', 'EXPIRY', { role: 'project-foo' }, { expires: time(401 * DAY) }],
  [
    'a file that is not what was staged',
    'FILES',
    { path: 'foo-2.0.tar.gz' },
    {},
    ({ files }) => void (files[0].sha256 = 'cd'.repeat(32)),
  ],
  [
    'a file that was never staged',
    'FILES',
    { path: 'foo-9.0.tar.gz' },
    {},
    ({ files }) => void (files[0].filename = 'foo-9.0.tar.gz'),
  ],
  [
    'a page that hides a file',
    'FILES',
    { path: 'packages/foo/foo-1.0.tar.gz' },
    { targets: (targets) => void targets.delete('packages/foo/foo-1.0.tar.gz') },
  ],
  [
    'another page than the index would make',
    'FILES',
    { path: 'simple/foo/index.json' },
    {
      targets: (targets) => void targets.set('simple/foo/index.json', { length: 3, sha256: 'ab'.repeat(32) }),
    },
  ],
  [
    'a file that the project does not have',
    'FILES',
    { path: 'packages/foo/evil-1.0.tar.gz' },
    { roles: withTarget('packages/foo/evil-1.0.tar.gz') },
  ],
  [
    'a target of another project',
    'FOREIGN_TARGET',
    { path: 'packages/other/other-1.0.tar.gz' },
    { roles: withTarget('packages/other/other-1.0.tar.gz') },
  ],
  [
    'a target of the whole index',
    'FOREIGN_TARGET',
    { path: 'simple/_takedowns/index.json' },
    { roles: withTarget('simple/_takedowns/index.json') },
  ],
  [
    'a delegation to another project',
    'DELEGATION',
    { role: 'project-other' },
    { roles: delegating(foreignDelegation) },
  ],
  [
    'a delegation that nobody has signed',
    'DELEGATION',
    { role: 'project-foo.release' },
    { roles: delegating(delegationsOf('foo', { release: ownersOf([bob]) })) },
  ],
  [
    'a role of another project',
    'DELEGATION',
    { role: 'project-other' },
    {},
    ({ roles }) => void (roles['project-other'] = roles['project-foo']),
  ],
  [
    'a role under another name',
    'MALFORMED',
    { role: 'project-foo.release' },
    {},
    ({ roles }) => void (roles['project-foo.release'] = roles['project-foo']),
  ],
  ['an upload 11 minutes ago', 'UPLOAD_TIME', { path: 'foo-2.0.tar.gz' }, { uploadTime: stamp(-11) }],
  ['an upload in 11 minutes', 'UPLOAD_TIME', { path: 'foo-2.0.tar.gz' }, { uploadTime: stamp(11) }],
  [
    'a new owner key that has not signed',
    'OWNERS',
    { key: mallory.key.keyId },
    { owners: ownersOf([alice, mallory]), signers: [alice] },
  ],
  [
    'a skipped version',
    'VERSION',
    { role: 'project-foo' },
    { roles: inProject((role) => role.with({ version: role.version + 1 })) },
  ],
  ['no JSON of a transaction', 'MALFORMED', {}, {}, (transaction) => void delete transaction['base']],
  ['more than a transaction', 'MALFORMED', {}, {}, (transaction) => void (transaction['more'] = 1)],
];

function stamp(minutes: number): string {
  return time(minutes * MINUTE)
    .toISOString()
    .replace('Z', '000Z');
}

describe('a transaction that fails a check', () => {
  it('names the check and the path, role or key it is about, and stores nothing', async () => {
    const before = await everything();
    for (const [what, code, where, release, change] of ATTACKS()) {
      const transaction = await owner.sign('foo', { files: [file], signers: [alice], ...release });
      change?.(transaction);
      const answer = problem(await owner.api('POST', 'foo/transaction', transaction));
      expect([what, answer]).toMatchObject([what, { status: 400, code, ...where }]);
      const partial = { ...transaction, cosign: true };
      const again = problem(await owner.api('POST', 'foo/transaction', partial));
      // One signature short is what cosign is for, and a new key may sign later.
      if (what !== 'a new owner key that has not signed')
        expect([what, again]).toMatchObject([what, { status: 400, code }]);
      else {
        expect(again).toMatchObject({ status: 200, state: 'proposed' });
        await withdraw('foo');
      }
    }
    const { counts, ...objects } = (await everything()) as { counts: Record<string, number> };
    const { counts: earlier, ...earlierObjects } = before as typeof objects & { counts: typeof counts };
    // That one proposal, closed, and its two lines in the audit log.
    expect(counts).toEqual({ ...earlier, proposals: 1, audit_log: earlier['audit_log']! + 2 });
    expect(objects).toEqual(earlierObjects);
    expect((await server.get(`/packages/foo/${file.filename}`)).status).toBe(404);
  });

  it('of a project that is gone, archived or unknown says so', async () => {
    const transaction = await owner.sign('foo', { files: [file], signers: [alice] });
    expect((await owner.api('POST', 'nothing/transaction', transaction)).status).toBe(404);
    const archived = { kind: 'status', status: 'archived', reason: null } as const;
    const before = await everything();
    const answer = await owner.publish('foo', { files: [file], changes: [archived], signers: [alice] });
    expect(problem(answer)).toMatchObject({ status: 403, code: 'PROJECT_CLOSED' });
    const quarantined = { ...archived, status: 'quarantined' };
    expect((await owner.publish('foo', { changes: [quarantined], signers: [alice] })).status).toBe(403);
    expect(await everything()).toEqual(before);
  });
});

async function withdraw(project: string): Promise<void> {
  const { proposals } = JSON.parse((await owner.api('GET', `${project}/proposals`)).text) as {
    proposals: { id: number }[];
  };
  for (const { id } of proposals)
    expect((await owner.api('DELETE', `${project}/proposals/${id}`)).status).toBe(204);
}

describe('two at once', () => {
  it('one maintainer wins, the other is told to fetch and sign again, and nothing of hers stays', async () => {
    await claim('race', [alice, bob]);
    const [first, second] = [await stage('race', '2.0'), await stage('race', '3.0')];
    const transactions = [
      await owner.sign('race', { files: [first], signers: [alice] }),
      await owner.sign('race', { files: [second], signers: [bob] }),
    ];
    const answers = await Promise.all(
      transactions.map(async (one) => problem(await owner.api('POST', 'race/transaction', one))),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 409]));
    const loser = answers[0]?.status === 409 ? 0 : 1;
    expect(answers[loser]).toMatchObject({
      code: 'BASE_CHANGED',
      role: 'project-race',
      detail: expect.stringContaining('Fetch it and sign again') as string,
    });
    const lost = [first, second][loser]!;
    const { keys } = await server.leftovers();
    expect(keys.filter((key) => key.includes(lost.filename))).toEqual([]);
    const again = await owner.publish('race', { files: [lost], signers: [bob] });
    expect(problem(again)).toMatchObject({ status: 200, state: 'published' });
    expect((await owner.page('race')).files).toHaveLength(3);
  });

  it('the same transaction gives the same answer, and is stored once', async () => {
    await claim('again', [alice]);
    const next = await stage('again', '2.0');
    const transaction = await owner.sign('again', { files: [next], signers: [alice] });
    const send = async () => problem(await owner.api('POST', 'again/transaction', transaction));
    const together = await Promise.all([send(), send(), send()]);
    const after = await everything();
    expect(new Set(together.map((answer) => JSON.stringify(answer))).size).toBe(1);
    expect(await send()).toEqual(together[0]);
    expect(together[0]).toMatchObject({ status: 200, state: 'published' });
    expect(await everything()).toEqual(after);
  });

  it('waits for its publication, and the same again waits on', async () => {
    await claim('slow', [alice]);
    const next = await stage('slow', '2.0');
    const transaction = await owner.sign('slow', { files: [next], signers: [alice] });
    server.queue.held = true;
    const sent = owner.api('POST', 'slow/transaction', transaction);
    await expect
      .poll(async () => JSON.parse((await owner.api('GET', 'slow/claim')).text) as object, {
        timeout: 20_000,
      })
      .toMatchObject({ waiting: true, roles: { 'project-slow': 2 } });
    expect((await server.get(`/packages/slow/${next.filename}`)).status).toBe(404);
    const again = owner.api('POST', 'slow/transaction', transaction);
    server.queue.held = false;
    expect([(await sent).status, (await again).status]).toEqual([200, 200]);
    expect((await server.get(`/packages/slow/${next.filename}`)).status).toBe(200);
  });
});

describe('several owners', () => {
  beforeEach(() => {
    server.index.now = new Date(server.index.now.getTime() + MINUTE);
  });

  it('sign one after the other, days apart, and the last signature publishes', async () => {
    await claim('pair', [alice, bob], { owners: ownersOf([alice, bob], 2) });
    await setClaim('pair', 'claimed');
    const { db } = server.index;
    const { wished_owners: both } = await db
      .selectFrom('claims')
      .innerJoin('projects', 'projects.id', 'claims.project_id')
      .select('wished_owners')
      .where('name', '=', 'pair')
      .executeTakeFirstOrThrow();
    await db.updateTable('claims').set({ owners: both }).where('wished_owners', '=', both).execute();
    const next = await stage('pair', '2.0');
    const transaction = await owner.sign('pair', { files: [next], signers: [alice] });
    expect(problem(await owner.api('POST', 'pair/transaction', transaction))).toMatchObject({
      status: 400,
      code: 'THRESHOLD',
    });
    const proposed = problem(await owner.api('POST', 'pair/transaction', { ...transaction, cosign: true }));
    expect(proposed).toMatchObject({
      status: 200,
      state: 'proposed',
      missing: [{ role: 'project-pair', have: 1, need: 2 }],
    });
    const { proposal } = proposed as unknown as { proposal: number };
    expect((await server.get(`/packages/pair/${next.filename}`)).status).toBe(404);
    const kept = JSON.parse((await owner.api('GET', `pair/proposals/${proposal}`)).text) as {
      transaction: Json;
    };
    expect(kept.transaction['roles']).toEqual(transaction['roles']);

    server.index.now = new Date(server.index.now.getTime() + 3 * DAY);
    const forged = await owner.sign('pair', { files: [next], signers: [mallory] });
    const wrong = await owner.api('POST', `pair/proposals/${proposal}`, { roles: forged['roles'] });
    expect(problem(wrong)).toMatchObject({ status: 400, code: 'SIGNATURE' });
    const second = await owner.sign('pair', {
      files: [next],
      signers: [bob],
      uploadTime: (transaction['files'] as Json[])[0]?.['uploadTime'] as string,
      expires: new Date(server.index.now.getTime() - 3 * DAY + 365 * DAY),
    });
    const done = await owner.api('POST', `pair/proposals/${proposal}`, { roles: second['roles'] });
    expect(problem(done)).toMatchObject({ status: 200, state: 'published' });
    expect((await server.get(`/packages/pair/${next.filename}`)).status).toBe(200);
    expect(JSON.parse((await owner.api('GET', 'pair/proposals')).text)).toEqual({ proposals: [] });
    expect((await owner.api('GET', `pair/proposals/${proposal}`)).status).toBe(404);
  });

  it('let a machine publish, and a builder list its wheels before they stand on the page', async () => {
    const machine = newSigner();
    const builder = newSigner();
    await claim('farm', [alice]);
    const keys = { release: ownersOf([machine]), wheels: ownersOf([builder]) };
    const signers = {
      'project-farm': [alice],
      'project-farm.release': [machine],
      'project-farm.wheels': [builder],
    };
    expect(problem(await owner.publish('farm', { ...keys, signers }))).toMatchObject({ status: 200 });
    const wheel = makeWheel({ name: 'farm', version: '2.0' });
    expect((await owner.stage(wheel)).status).toBe(202);
    const path = packagePath('farm', wheel.filename);
    const content = { length: wheel.bytes.length, sha256: sha256(wheel.bytes) };
    const built = await owner.publish('farm', {
      signers,
      roles: (roles) => {
        roles.clear();
        const expires = time(30 * DAY);
        const targets = new Map([[path, content]]);
        roles.set('project-farm.wheels', newWheelsRole({ project: 'farm', version: 2, expires, targets }));
      },
    });
    expect(problem(built)).toMatchObject({ status: 200, state: 'published' });
    expect((await server.get(`/${hashedPath(path, content.sha256)}`)).status).toBe(200);
    const { db, index } = server.index;
    expect((await findTargets(db, index.id, [path])).get(path)).toMatchObject({
      ...content,
      isClaimed: true,
    });
    expect((await owner.page('farm')).files).toHaveLength(1);
    expect((await owner.publish('farm', { files: [wheel], signers })).status).toBe(200);
    expect((await owner.page('farm')).files).toHaveLength(2);
    for (const address of [path, `${path}.metadata`])
      expect([address, (await server.get(`/${address}`)).status]).toEqual([address, 200]);
    const next = await stage('farm', '3.0');
    const released = await owner.publish('farm', { files: [next], signers });
    expect(problem(released)).toMatchObject({ status: 200, state: 'published' });
    expect(JSON.parse((await owner.api('GET', 'farm/claim')).text)).toMatchObject({
      roles: { 'project-farm': 2, 'project-farm.release': 3, 'project-farm.wheels': 2 },
    });
    expect((await server.get(packagePath('farm', next.filename).replace(/^/, '/'))).status).toBe(200);
  });
});
