import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK, type JWTPayload } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { IndexFixture } from '../../test/support/index-fixture.ts';
import { removeIndexRole, setIndexRole } from '../db/members.ts';
import { ensureProject, findProject } from '../db/projects.ts';
import { findUser, insertUser } from '../db/users.ts';
import { authenticateToken, issueToken } from './authenticate.ts';
import { RegistryError } from './errors.ts';
import { changeIndex } from './indexes.ts';
import { IdentityVerifier, MintError } from './identity-token.ts';
import { burnToken, mintToken, type MintContext } from './mint-token.ts';
import { generateToken } from './token.ts';
import type { PublisherRule } from './publisher-rule.ts';
import { DEFAULT_PUBLISHING_SETTINGS, type PublishingSettings } from './publishing-settings.ts';
import type { Verb } from './principal.ts';
import { changeIndexAccess } from './roles.ts';
import { addPublisher, projectPublishers, removePublisher } from './trusted-publishers.ts';
import { addUser, setDisabled } from './users.ts';

const CLI = { kind: 'cli', name: 'test' } as const;
const AUDIENCE = 'https://packages.example.org/';

/** A real issuer on this machine: discovery, keys, and tokens signed by them. */
class LocalIssuer {
  readonly #server: Server;
  readonly url: string;
  keys: JWK[] = [];
  discovered: unknown;
  requests: string[] = [];

  private constructor(server: Server, url: string) {
    this.#server = server;
    this.url = url;
    this.discovered = { issuer: url, jwks_uri: `${url}/keys` };
  }

  static async start(): Promise<LocalIssuer> {
    const server = createServer((request, response) => {
      issuer.requests.push(request.url ?? '');
      const body = request.url === '/keys' ? { keys: issuer.keys } : issuer.discovered;
      response.setHeader('Content-Type', 'application/json').end(JSON.stringify(body));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const issuer: LocalIssuer = new LocalIssuer(
      server,
      `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    );
    return issuer;
  }

  async addKey(kid: string, alg: string): Promise<CryptoKey> {
    const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
    this.keys.push({ ...(await exportJWK(publicKey)), kid, alg });
    return privateKey;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

let fixture: IndexFixture;
let issuer: LocalIssuer;
let key: CryptoKey;
let settings: PublishingSettings;
let context: MintContext;
let monotonic = 0;
let serial = 0;
const rule: PublisherRule = {
  kind: 'github',
  owner: 'cheese',
  repository: 'shop',
  workflow: 'release.yml',
  environment: 'pypi',
};

beforeAll(async () => {
  issuer = await LocalIssuer.start();
  key = await issuer.addKey('one', 'RS256');
});
beforeEach(async () => {
  await fixture?.close();
  fixture = await IndexFixture.open();
  settings = { ...DEFAULT_PUBLISHING_SETTINGS, issuers: [{ url: issuer.url, kind: 'github' }] };
  context = {
    db: fixture.db,
    clock: fixture.clock,
    settings,
    verifier: new IdentityVerifier(settings, () => monotonic),
    audience: () => AUDIENCE,
  };
  const { db, index, now } = fixture;
  await ensureProject(db, { indexId: index.id, name: 'shop', displayName: 'shop', now });
  await addPublisher({ db, index, clock: fixture.clock, settings }, CLI, {
    project: 'shop',
    issuer: issuer.url,
    rule,
  });
});
afterAll(async () => {
  issuer.close();
  await fixture.close();
});

/** The claims of a run on GitHub. */
function claims(changes: Readonly<Record<string, unknown>> = {}): JWTPayload {
  const now = Math.floor(fixture.now.getTime() / 1000);
  return {
    iss: issuer.url,
    sub: 'repo:cheese/shop:environment:pypi',
    aud: AUDIENCE,
    jti: `jti-${(serial += 1)}`,
    iat: now,
    nbf: now,
    exp: now + 300,
    repository: 'cheese/shop',
    repository_owner: 'cheese',
    repository_owner_id: '7',
    job_workflow_ref: 'cheese/shop/.github/workflows/release.yml@refs/tags/v1',
    ref: 'refs/tags/v1',
    sha: 'c0ffee',
    event_name: 'push',
    environment: 'pypi',
    ...changes,
  };
}

const sign = (
  payload: JWTPayload,
  options: { kid?: string; alg?: string; key?: CryptoKey | Uint8Array } = {},
) =>
  new SignJWT(payload)
    .setProtectedHeader({ alg: options.alg ?? 'RS256', kid: options.kid ?? 'one' })
    .sign(options.key ?? key);

const outcome = (token: string): Promise<string> =>
  mintToken(context, token).then(
    () => 'minted',
    (error: unknown) =>
      error instanceof MintError || error instanceof RegistryError ? error.code : String(error),
  );

describe('an identity token', () => {
  it('of the publisher gives an upload token for its project alone, for fifteen minutes', async () => {
    const { token, expires } = await mintToken(context, await sign(claims()));
    expect(expires.getTime() - fixture.now.getTime()).toBe(900_000);
    const principal = await authenticateToken(fixture.db, token, fixture.now);
    const project = await findProject(fixture.db, fixture.index.id, 'shop');
    expect(principal).toMatchObject({
      kind: 'oidc',
      issuer: issuer.url,
      subject: 'repo:cheese/shop:environment:pypi',
    });
    expect(principal.kind === 'oidc' && [[...principal.verbs], [...(principal.projectIds ?? [])]]).toEqual([
      ['upload'],
      [project?.id],
    ]);
    await expect(authenticateToken(fixture.db, token, expires)).rejects.toThrow('expired');
  });

  it('and its upload token can be burnt by whoever has it; no other token can', async () => {
    const { token } = await mintToken(context, await sign(claims()));
    const { token: other } = await issueToken(fixture.db, {
      name: 'ci',
      verbs: ['upload'],
      now: fixture.now,
    });
    for (const text of [other, token, token, 'no token', generateToken()]) await burnToken(context, text);
    await expect(authenticateToken(fixture.db, token, fixture.now)).rejects.toThrow('revoked');
    expect(await authenticateToken(fixture.db, other, fixture.now)).toMatchObject({ kind: 'token' });
  });

  it('is good once, however long the clocks differ', async () => {
    const token = await sign(claims());
    const outcomes = await Promise.all([outcome(token), outcome(token), outcome(token)]);
    expect(outcomes.toSorted()).toEqual(['invalid-reuse-token', 'invalid-reuse-token', 'minted']);
    fixture.now = new Date(fixture.now.getTime() + 359_000);
    // Still inside exp + skew: other uses are noted meanwhile, and its own is not forgotten.
    expect(await outcome(await sign(claims()))).toBe('minted');
    expect(await outcome(token)).toBe('invalid-reuse-token');
  });

  it.each([
    ['another repository', { repository: 'cheese/other' }],
    ['another owner of the same name', { repository: 'chees/shop', repository_owner: 'chees' }],
    ['another workflow', { job_workflow_ref: 'cheese/shop/.github/workflows/test.yml@refs/tags/v1' }],
    [
      'a workflow of another repository',
      { job_workflow_ref: 'evil/shop/.github/workflows/release.yml@refs/tags/v1' },
    ],
    ['another ref than the workflow says', { ref: 'refs/heads/evil' }],
    ['no environment', { environment: undefined }],
    ['another environment', { environment: 'test' }],
    ['a pull request from outside', { event_name: 'pull_request_target' }],
    ['claims that are no text', { repository: ['cheese/shop'] }],
  ])('of %s is no publisher', async (_, changes) => {
    expect(await outcome(await sign(claims(changes)))).toBe('invalid-publisher');
  });

  it.each([
    ['for another server', { aud: 'https://pypi.org/' }],
    ['without audience', { aud: undefined }],
    ['that expired', { exp: Math.floor(Date.UTC(2020, 0) / 1000) }],
    ['from the future', { iat: Math.floor(Date.UTC(2090, 0) / 1000) }],
    ['not valid yet', { nbf: Math.floor(Date.UTC(2090, 0) / 1000) }],
    ['valid for years', { exp: Math.floor(Date.UTC(2090, 0) / 1000) }],
    ['without jti', { jti: undefined }],
    ['with an empty jti', { jti: '' }],
    ['without sub', { sub: undefined }],
    ['without exp', { exp: undefined }],
  ])('%s is refused', async (_, changes) => {
    expect(await outcome(await sign(claims(changes)))).toBe('invalid-token');
  });

  it('within the difference of clocks is taken', async () => {
    const now = Math.floor(fixture.now.getTime() / 1000);
    expect(await outcome(await sign(claims({ exp: now - 30, iat: now - 330, nbf: now + 30 })))).toBe(
      'minted',
    );
  });

  it('signed by somebody else, with a shared secret or not at all is refused', async () => {
    const stranger = await generateKeyPair('RS256');
    expect(await outcome(await sign(claims(), { key: stranger.privateKey }))).toBe('invalid-token');
    const secret = new TextEncoder().encode(JSON.stringify(issuer.keys[0]));
    expect(await outcome(await sign(claims(), { alg: 'HS256', key: secret }))).toBe('invalid-token');
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    expect(await outcome(`${part({ alg: 'none', kid: 'one' })}.${part(claims())}.`)).toBe('invalid-token');
    const [head, , signature] = (await sign(claims())).split('.');
    expect(await outcome(`${head}.${part(claims())}.${signature}`)).toBe('invalid-token');
  });

  it.each(['', 'x', 'a.b.c', `${'x'.repeat(20_000)}`])('that is none (%#) is refused', async (token) => {
    expect(await outcome(token)).toBe('invalid-payload');
  });

  it('of an issuer that nobody trusts is refused, and nobody is asked', async () => {
    issuer.requests = [];
    expect(await outcome(await sign(claims({ iss: 'https://evil.example' })))).toBe('invalid-payload');
    expect(await outcome(await sign(claims({ iss: `${issuer.url}/` })))).toBe('invalid-payload');
    expect(issuer.requests).toEqual([]);
  });
});

describe('the keys of an issuer', () => {
  it('are fetched once, and again for a key that is new, but not for each one somebody invents', async () => {
    issuer.requests = [];
    await outcome(await sign(claims()));
    await outcome(await sign(claims()));
    expect(issuer.requests).toEqual(['/.well-known/openid-configuration', '/keys']);
    const rotated = await issuer.addKey('two', 'ES256');
    for (let guess = 0; guess < 5; guess += 1)
      expect(await outcome(await sign(claims(), { kid: `guess-${guess}` }))).toBe('invalid-token');
    expect(issuer.requests.length).toBe(2);
    monotonic += 31_000;
    expect(await outcome(await sign(claims(), { kid: 'two', alg: 'ES256', key: rotated }))).toBe('minted');
    expect(issuer.requests.length).toBe(4);
    issuer.keys = issuer.keys.filter(({ kid }) => kid !== 'two');
    monotonic += 601_000;
    expect(await outcome(await sign(claims(), { kid: 'two', alg: 'ES256', key: rotated }))).toBe(
      'invalid-token',
    );
  });

  it('are not taken from who describes another issuer, nor over plain http from elsewhere', async () => {
    const right = issuer.discovered;
    issuer.discovered = { issuer: 'https://other.example', jwks_uri: `${issuer.url}/keys` };
    expect(await outcome(await sign(claims()))).toBe('BUSY');
    issuer.discovered = { issuer: issuer.url, jwks_uri: 'http://169.254.169.254/keys' };
    expect(await outcome(await sign(claims()))).toBe('BUSY');
    issuer.discovered = { issuer: issuer.url, jwks_uri: `${issuer.url}/keys`, padding: 'x'.repeat(300_000) };
    expect(await outcome(await sign(claims()))).toBe('BUSY');
    issuer.discovered = right;
    expect(await outcome(await sign(claims()))).toBe('minted');
  });
});

describe('a publisher', () => {
  it('that is pending makes its project, and who registered it the owner; once', async () => {
    const { db, index, clock } = fixture;
    await addUser(fixture, CLI, { name: 'alice', isAdmin: true });
    const alice = (await findUser(db, 'alice'))!;
    const principal = { kind: 'user', userId: alice.id, name: 'alice', isAdmin: true } as const;
    const wish = { project: 'New.Project', issuer: issuer.url, rule: { ...rule, workflow: 'new.yml' } };
    const { isPending } = await addPublisher({ db, index, clock, settings }, principal, wish);
    expect(isPending).toBe(true);
    expect(await findProject(db, index.id, 'new-project')).toBeUndefined();
    const changes = { job_workflow_ref: 'cheese/shop/.github/workflows/new.yml@refs/tags/v1' };
    await setDisabled(fixture, CLI, 'alice', true);
    expect(await outcome(await sign(claims(changes)))).toBe('invalid-pending-publisher');
    await setDisabled(fixture, CLI, 'alice', false);
    expect(await outcome(await sign(claims(changes)))).toBe('minted');
    const project = await findProject(db, index.id, 'new-project');
    const roles = await db
      .selectFrom('project_roles')
      .selectAll()
      .where('project_id', '=', project!.id)
      .execute();
    expect(roles.map(({ user_id, role }) => [user_id, role])).toEqual([[alice.id, 'owner']]);
    expect((await projectPublishers({ db, index, clock }, CLI, 'new-project'))[0]).toMatchObject({
      isPending: false,
    });
    expect(await outcome(await sign(claims(changes)))).toBe('minted');
  });

  it('that is pending is no way around the rules: a name prohibited and a right withdrawn since make no project', async () => {
    const { db, index, clock, now } = fixture;
    const { id: userId } = await insertUser(db, {
      name: 'mallory',
      password: undefined,
      isAdmin: false,
      now,
    });
    await setIndexRole(db, { indexId: index.id, userId, role: 'uploader', now });
    const mallory = { kind: 'user', userId, name: 'mallory', isAdmin: false } as const;
    const register = (project: string) =>
      addPublisher({ db, index, clock, settings }, mallory, {
        project,
        issuer: issuer.url,
        rule: { ...rule, workflow: 'new.yml' },
      });
    const upload = (names: readonly string[] | null) =>
      changeIndex({ db, clock }, CLI, '', { upload: { prohibitedNames: names } });
    const attempt = async () =>
      outcome(await sign(claims({ job_workflow_ref: 'cheese/shop/.github/workflows/new.yml@refs/tags/v1' })));
    await register('acme-core');
    await upload(['acme-*']);
    await expect(register('acme-more')).rejects.toMatchObject({ code: 'NAME_REFUSED' });
    expect(await attempt()).toBe('invalid-pending-publisher');
    await upload(null);
    await changeIndexAccess({ db, index, clock }, CLI, { creation: 'admins' });
    expect(await attempt()).toBe('invalid-pending-publisher');
    await changeIndexAccess({ db, index, clock }, CLI, { creation: 'uploaders' });
    await removeIndexRole(db, index.id, userId);
    expect(await attempt()).toBe('invalid-pending-publisher');
    expect(await findProject(db, index.id, 'acme-core')).toBeUndefined();
    await setIndexRole(db, { indexId: index.id, userId, role: 'uploader', now });
    expect(await attempt()).toBe('minted');
  });

  it('is no way for a token that may upload only to stay for ever: it adds, lists and removes none', async () => {
    const { db, index, clock, now } = fixture;
    const held = async (verbs: readonly Verb[]) =>
      authenticateToken(db, (await issueToken(db, { name: 't', verbs, now })).token, now);
    const change = { db, index, clock, settings };
    const wish = { project: 'planted', issuer: issuer.url, rule: { ...rule, workflow: 'evil.yml' } };
    const refused = { code: 'NOT_PERMITTED' };
    const uploader = await held(['upload']);
    await expect(addPublisher(change, uploader, wish)).rejects.toMatchObject(refused);
    await expect(projectPublishers(change, uploader, 'planted')).rejects.toMatchObject(refused);
    const { number } = await addPublisher(change, CLI, wish);
    const removal = { project: 'planted', number };
    await expect(removePublisher(change, uploader, removal)).rejects.toMatchObject(refused);
    await removePublisher(change, await held(['upload', 'own']), removal);
    await addUser(fixture, CLI, { name: 'alice', isAdmin: true });
    const alice = (await findUser(db, 'alice'))!;
    await addPublisher(change, { kind: 'user', userId: alice.id, name: 'alice', isAdmin: true }, wish);
    expect(await projectPublishers(change, await held(['upload', 'own']), 'planted')).toEqual([]);
    expect(await projectPublishers(change, await held(['upload', 'admin']), 'planted')).toHaveLength(1);
  });

  it('that waits for a name which somebody else takes gets nothing', async () => {
    const { db, index, clock, now } = fixture;
    const wish = { project: 'wanted', issuer: issuer.url, rule: { ...rule, workflow: 'new.yml' } };
    await addPublisher({ db, index, clock, settings }, CLI, wish);
    await ensureProject(db, { indexId: index.id, name: 'wanted', displayName: 'wanted', now });
    const changes = { job_workflow_ref: 'cheese/shop/.github/workflows/new.yml@refs/tags/v1' };
    expect(await outcome(await sign(claims(changes)))).toBe('invalid-pending-publisher');
  });

  it('that is removed takes its tokens with it, and is reached through its project only', async () => {
    const { db, index, clock, now } = fixture;
    const { token } = await mintToken(context, await sign(claims()));
    const [publisher] = await projectPublishers({ db, index, clock }, CLI, 'shop');
    await ensureProject(db, { indexId: index.id, name: 'other', displayName: 'other', now });
    const remove = (project: string) =>
      removePublisher({ db, index, clock }, CLI, { project, number: publisher!.number });
    await expect(remove('other')).rejects.toThrow('no publisher');
    await remove('shop');
    await expect(authenticateToken(db, token, now)).rejects.toThrow('revoked');
    expect(await outcome(await sign(claims()))).toBe('invalid-publisher');
  });

  it('with the number of its owner is not fooled by a name that changed hands', async () => {
    const { db, index, clock } = fixture;
    const pinned = { ...rule, workflow: 'pinned.yml', ownerId: '7' };
    await addPublisher({ db, index, clock, settings }, CLI, {
      project: 'shop',
      issuer: issuer.url,
      rule: pinned,
    });
    const changes = { job_workflow_ref: 'cheese/shop/.github/workflows/pinned.yml@refs/tags/v1' };
    expect(await outcome(await sign(claims({ ...changes, repository_owner_id: '8' })))).toBe(
      'invalid-publisher',
    );
    expect(await outcome(await sign(claims(changes)))).toBe('minted');
  });

  it.each([
    { ...rule, workflow: '../evil.yml' },
    { ...rule, workflow: 'release' },
    { ...rule, owner: '' },
    { ...rule, repository: 'a/b' },
    { kind: 'claims', claims: { sub: 'x' } },
  ] as PublisherRule[])('with the rule %j is refused', async (wrong) => {
    const { db, index, clock } = fixture;
    await expect(
      addPublisher({ db, index, clock, settings }, CLI, { project: 'shop', issuer: issuer.url, rule: wrong }),
    ).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
  });
});
