import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeSdist } from '../../test/tools/distribution.ts';
import { ServerFixture } from '../../test/support/server-fixture.ts';
import { ensureProject, findProject } from '../db/projects.ts';
import { setIndexRole, setProjectRole } from '../db/members.ts';
import { insertUser } from '../db/users.ts';
import { Authenticator } from '../registry/authenticator.ts';
import { DEFAULT_RATE_LIMITS } from '../registry/rate-limit.ts';
import { BoundedPool } from '../registry/bounded-pool.ts';
import { hashPassword } from '../registry/password.ts';
import { VERBS, type Verb } from '../registry/principal.ts';
import { changeIndexAccess } from '../registry/roles.ts';
import { generateToken } from '../registry/token.ts';
import { Api } from './api/api.ts';
import { ENDPOINTS } from './api/endpoints.ts';
import { Guard } from './guard.ts';
import { problem, ProblemError, problemOf, sendProblem } from './problem.ts';
import {
  ROLE_NAMES,
  ENDPOINT_CLASSES,
  MATRIX,
  type RoleName,
} from '../../test/support/authorization-matrix.ts';
import { ROUTE_POLICIES } from './route-policy.ts';

const CLI = { kind: 'cli', name: 'test' } as const;
const PASSWORD = 'correct horse battery';
const wheel = makeSdist({ name: 'own', version: '1' });
const foreign = makeSdist({ name: 'foreign', version: '1' });

/** Everybody comes from one address here. */
const RATES = { ...DEFAULT_RATE_LIMITS, unknown: { perSecond: 1_000, burst: 100_000 } };

let fixture: ServerFixture;
let matrixServer: Server;
let matrixPort: number;
const credentials = new Map<RoleName, string | undefined>();

beforeAll(async () => {
  fixture = await ServerFixture.start({ rateLimits: RATES });
  await fixture.upload(wheel);
  await fixture.upload(foreign);
  await makeEverybody();
  ({ server: matrixServer, port: matrixPort } = await startMatrixServer());
});
afterAll(async () => {
  matrixServer.closeAllConnections();
  matrixServer.close();
  await fixture.close();
});

const basic = (name: string, password: string) =>
  `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`;

/** One of each kind of principal, and its Authorization header. */
async function makeEverybody(): Promise<void> {
  const { db, index, now } = fixture.index;
  const password = await hashPassword(PASSWORD);
  const user = async (name: string, isAdmin = false): Promise<number> => {
    const { id } = await insertUser(db, { name, password, isAdmin, now });
    credentials.set(`user ${name}` as RoleName, basic(name, PASSWORD));
    return id;
  };
  const own = (await findProject(db, index.id, 'own'))!;
  const theirs = (await findProject(db, index.id, 'foreign'))!;
  const owner = await user('owner');
  const maintainer = await user('maintainer');
  const reader = await user('reader');
  await user('stranger');
  await user('admin', true);
  const disabled = await user('disabled', true);
  await db.updateTable('users').set({ disabled_at: now.toISOString() }).where('id', '=', disabled).execute();
  const other = await user('other');
  await setProjectRole(db, { projectId: own.id, userId: owner, role: 'owner', now });
  await setProjectRole(db, { projectId: own.id, userId: maintainer, role: 'maintainer', now });
  await setProjectRole(db, { projectId: theirs.id, userId: other, role: 'owner', now });
  await setIndexRole(db, { indexId: index.id, userId: reader, role: 'reader', now });
  const { id: otherIndex } = await db
    .insertInto('indexes')
    .values({ name: 'other', profile: 'team', created_at: now.toISOString() })
    .returning('id')
    .executeTakeFirstOrThrow();
  const all: readonly Verb[] = VERBS;
  const token = async (role: RoleName, wish: Parameters<ServerFixture['issue']>[0]): Promise<void> =>
    void credentials.set(role, `Bearer ${await fixture.issue(wish)}`);
  credentials.set('anonymous', undefined);
  credentials.set('token unknown', `Bearer ${generateToken()}`);
  for (const verb of VERBS) {
    const scope = verb === 'admin' || verb === 'witness' ? {} : { indexId: index.id };
    await token(`token ${verb}`, { verbs: [verb], ...scope });
  }
  await token('token admin of the index', { verbs: ['admin'], indexId: index.id });
  await token('token of another index', { verbs: all, indexId: otherIndex });
  await token('token of the project', { verbs: all, indexId: index.id, projectIds: [own.id] });
  await token('token of a project that is gone', { verbs: all, indexId: index.id, projectIds: [] });
  await token('token of the owner', { verbs: all, indexId: index.id, userId: owner });
  await token('token of a disabled user', { verbs: all, userId: disabled });
  await token('token expired', { verbs: all, expires: now });
  await token('token revoked', { verbs: all });
  const last = await db.selectFrom('tokens').select('id').orderBy('id', 'desc').executeTakeFirstOrThrow();
  await db.updateTable('tokens').set({ revoked_at: now.toISOString() }).where('id', '=', last.id).execute();
  const oidc = { issuer: 'https://issuer.test', subject: 'repo:own' };
  await token('token of trusted publishing', { verbs: ['upload'], projectIds: [own.id], oidc });
}

/** The real table, guard and database; handlers that only say that they were reached. */
async function startMatrixServer(): Promise<{ server: Server; port: number }> {
  const { db, index, clock } = fixture.index;
  const guard = new Guard({ db, authenticator: new Authenticator({ db, clock, limits: RATES }) });
  const api = new Api({
    endpoints: ENDPOINTS.map((endpoint) => ({
      ...endpoint,
      handle: () => Promise.reject(new ProblemError(problem(418, 'reached'))),
    })),
    context: {
      db,
      store: fixture.store,
      index,
      clock,
      inspections: new BoundedPool({ concurrency: 1, queueLength: 1 }),
    },
    guard,
    queue: fixture.queue,
    version: '0',
    publicationTimeout: 1,
    published: () => undefined,
  });
  const server = createServer((request, response) => {
    api.answer(request.url ?? '', '', request, response).catch((error: unknown) => {
      sendProblem(response, problemOf(error), { accept: undefined, userAgent: undefined, isHead: false });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, port: (server.address() as AddressInfo).port };
}

async function setAccess(read: 'open' | 'token'): Promise<void> {
  const { db, index, clock } = fixture.index;
  await changeIndexAccess({ db, index, clock }, CLI, { read });
  await expect
    .poll(async () => (await fixture.get('/simple/')).status, { timeout: 20_000 })
    .toBe(read === 'open' ? 200 : 401);
}

function verdictOf(status: number): 'allowed' | number {
  // Reached, or turned away for its missing body after the question of rights.
  return status === 418 || status === 415 || status === 422 ? 'allowed' : status;
}

async function call(method: string, path: string, role: RoleName): Promise<'allowed' | number> {
  const authorization = credentials.get(role);
  const response = await fetch(`http://127.0.0.1:${matrixPort}${path}`, {
    method,
    headers: authorization === undefined ? {} : { authorization },
  });
  await response.arrayBuffer();
  return verdictOf(response.status);
}

describe('the authorization matrix', () => {
  it('knows every endpoint of the table, and what kind of right each needs', () => {
    const declared = new Map(ENDPOINTS.map(({ name, policy }) => [name, `${policy.on} ${policy.verb}`]));
    expect(Object.fromEntries(declared)).toEqual(ENDPOINT_CLASSES);
    expect(declared.size).toBe(ENDPOINTS.length);
  });

  it('has every kind of principal', () => {
    expect([...credentials.keys()].toSorted()).toEqual(
      [...ROLE_NAMES, 'user other', 'user disabled'].toSorted(),
    );
  });

  it.each(['open', 'token'] as const)(
    'holds for every endpoint of an index with read access %s',
    async (read) => {
      await setAccess(read);
      const wrong: string[] = [];
      let cells = 0;
      for (const { name, method, path, policy } of ENDPOINTS) {
        const isAboutProject = policy.on === 'project';
        for (const object of isAboutProject ? (['own', 'foreign'] as const) : (['own'] as const)) {
          const address = path.replace('{project}', object).replaceAll(/\{\w+\}/g, '1');
          const row = MATRIX[`${policy.on} ${policy.verb}`]?.(read, object);
          const verdicts = await Promise.all(ROLE_NAMES.map((role) => call(method, address, role)));
          for (const [position, role] of ROLE_NAMES.entries()) {
            cells += 1;
            const expected = row?.(role) ?? 'no expectation';
            const actual = verdicts[position];
            if (actual !== expected)
              wrong.push(`${name} of ${object} by ${role}: ${actual}, not ${expected}`);
          }
        }
      }
      expect(wrong).toEqual([]);
      expect(cells).toBeGreaterThan(ENDPOINTS.length * ROLE_NAMES.length - 1);
    },
  );

  it('hides from strangers what a closed index has: no 404 and no 405 before 401', async () => {
    await setAccess('token');
    for (const [method, path] of [
      ['GET', '/api/v1/projects/no-such-project'],
      ['GET', '/api/v1/nothing'],
      ['DELETE', '/api/v1/index'],
      ['GET', '/api/v1/openapi.json'],
    ] as const) {
      expect([path, await call(method, path, 'anonymous')]).toEqual([path, 401]);
      expect([path, await call(method, path, 'user stranger')]).toEqual([path, 403]);
    }
  });
});

/** One address of each kind of route; those of the kind 'api' and 'oidc-…' have tests of their own. */
const ROUTES: Readonly<Record<string, string>> = {
  home: '/',
  'project-list': '/simple/',
  'style-sheet': '/static/rind.css',
  redirect: '/simple/Own/',
  'project-page': '/simple/own/',
  'page-object': '/simple/own/index.json',
  'core-metadata': `/packages/own/${wheel.filename}.metadata`,
  'role-metadata': '/metadata/timestamp.json',
  file: `/packages/own/${wheel.filename}`,
  'project-json': '/pypi/own/json',
  feed: '/rss/project/own/releases.xml',
};

describe('reading', () => {
  it('has an address to try for every kind of route that needs the right to read', () => {
    const kinds = Object.entries(ROUTE_POLICIES).flatMap(([kind, { access }]) =>
      access === 'read' ? [kind] : [],
    );
    expect(kinds.filter((kind) => ROUTES[kind] === undefined && !OTHERS.has(kind))).toEqual([]);
    expect(
      Object.entries(ROUTE_POLICIES).flatMap(([kind, { access }]) => (access === 'public' ? [kind] : [])),
    ).toEqual(expect.arrayContaining(['health', 'oidc-audience', 'oidc-mint-token']));
  });

  it('of an open index needs nothing, whoever asks and however wrong her credentials are', async () => {
    await setAccess('open');
    for (const path of Object.values(ROUTES)) {
      for (const role of ROLE_NAMES) {
        const authorization = credentials.get(role);
        const { status, headers } = await fixture.get(
          path,
          authorization === undefined ? {} : { authorization },
        );
        expect([path, role, status < 400]).toEqual([path, role, true]);
        expect(headers['cache-control']).not.toContain('private');
      }
    }
  });

  it('of a closed index is for who may, for nobody else, not even from a warm cache', async () => {
    await setAccess('token');
    const row = MATRIX['index read']!('token', 'own');
    for (const path of Object.values(ROUTES)) {
      // The first, allowed, puts the document into the cache; the last is asked again with it there.
      for (const role of ['user admin', ...ROLE_NAMES, 'anonymous'] as const) {
        const authorization = credentials.get(role);
        const answer = await fixture.get(path, authorization === undefined ? {} : { authorization });
        const expected = row(role);
        expect([path, role, answer.status < 400 ? 'allowed' : answer.status]).toEqual([path, role, expected]);
        // The style sheet says nothing of the index.
        if (expected === 'allowed' && path !== ROUTES['style-sheet'])
          expect([path, answer.headers['cache-control']]).toEqual([path, expect.stringContaining('private')]);
        if (expected === 401) expect(answer.headers['www-authenticate']).toContain('Basic realm=');
        if (expected !== 'allowed') expect(answer.headers['cache-control']).toBe('no-store');
      }
    }
    expect((await fixture.get('/healthz')).status).toBe(200);
    const head = await fixture.send('HEAD', ROUTES['project-page']!);
    expect(head.status).toBe(401);
  });

  it('is closed and opened while the server runs, and nothing of before is left in memory', async () => {
    await setAccess('open');
    for (const path of Object.values(ROUTES)) await fixture.get(path);
    await setAccess('token');
    for (const path of Object.values(ROUTES))
      expect([path, (await fixture.get(path)).status]).toEqual([path, 401]);
    await setAccess('open');
    expect((await fixture.get('/simple/own/')).headers['cache-control']).toBe('no-cache');
  });
});

/** Kinds of routes whose guarding is tested by their own part, all of access 'read' through the same line of the request handler. */
const OTHERS: ReadonlySet<string> = new Set(['log-object', 'provenance']);

describe('uploading', () => {
  const next = (() => {
    let version = 1;
    return () => `${(version += 1)}`;
  })();

  it('to a project is for its owners and maintainers, and tokens with the right and the scope', async () => {
    const own = MATRIX['project upload']!('open', 'own');
    const theirs = MATRIX['project upload']!('open', 'foreign');
    for (const role of ROLE_NAMES) {
      const authorization = credentials.get(role) ?? '';
      for (const [name, row] of [
        ['own', own],
        ['foreign', theirs],
      ] as const) {
        const { status } = await fixture.upload(makeSdist({ name, version: next() }), {
          Authorization: authorization,
        });
        expect([name, role, status === 200 ? 'allowed' : status]).toEqual([name, role, row(role)]);
      }
    }
  }, 120_000);

  it('the first time makes the project, and the uploader its owner', async () => {
    const { db, index, now } = fixture.index;
    const row = await db
      .selectFrom('users')
      .select('id')
      .where('name', '=', 'reader')
      .executeTakeFirstOrThrow();
    const made = makeSdist({ name: 'made', version: '1' });
    const headers = { Authorization: credentials.get('user reader') ?? '' };
    expect((await fixture.upload(made, headers)).status).toBe(403);
    await setIndexRole(db, { indexId: index.id, userId: row.id, role: 'uploader', now });
    expect((await fixture.upload(made, headers)).status).toBe(200);
    const project = await findProject(db, index.id, 'made');
    const roles = await db
      .selectFrom('project_roles')
      .selectAll()
      .where('project_id', '=', project!.id)
      .execute();
    expect(roles.map(({ user_id, role }) => [user_id, role])).toEqual([[row.id, 'owner']]);
  });

  it('the first time is for administrators alone when the index says so', async () => {
    const { db, index, clock } = fixture.index;
    await changeIndexAccess({ db, index, clock }, CLI, { creation: 'admins' });
    const first = makeSdist({ name: 'first', version: '1' });
    for (const role of ['token upload', 'user reader', 'user owner'] as const) {
      const answer = await fixture.upload(first, { Authorization: credentials.get(role) ?? '' });
      expect([role, answer.status]).toEqual([role, 403]);
    }
    expect((await fixture.upload(first, { Authorization: credentials.get('user admin') ?? '' })).status).toBe(
      200,
    );
    await changeIndexAccess({ db, index, clock }, CLI, { creation: 'uploaders' });
  });

  it('from another web site with remembered credentials is refused', async () => {
    const answer = await fixture.upload(makeSdist({ name: 'own', version: next() }), {
      'Sec-Fetch-Site': 'cross-site',
    });
    expect(answer.status).toBe(403);
  });

  it('with a token of a project that exists but has nothing published works, and for others does not', async () => {
    const { db, index, now } = fixture.index;
    const empty = await ensureProject(db, { indexId: index.id, name: 'empty', displayName: 'empty', now });
    const token = await fixture.issue({ verbs: ['upload'], indexId: index.id, projectIds: [empty.id] });
    const headers = { Authorization: `Bearer ${token}` };
    expect((await fixture.upload(makeSdist({ name: 'empty', version: '1' }), headers)).status).toBe(200);
    expect((await fixture.upload(makeSdist({ name: 'new-one', version: '1' }), headers)).status).toBe(403);
  });
});
