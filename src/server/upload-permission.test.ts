import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeSdist } from '../../test/tools/distribution.ts';
import { ServerFixture } from '../../test/support/server-fixture.ts';
import { ensureProject } from '../db/projects.ts';
import { revokeToken } from '../db/tokens.ts';

let server: ServerFixture;
beforeAll(async () => {
  server = await ServerFixture.start();
});
afterAll(() => server.close());

describe('who may upload', () => {
  const distribution = makeSdist({ name: 'permission', version: '1' });
  const basic = (user: string, password: string) => ({
    Authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
  });

  it('nobody without a token, and the answer says how', async () => {
    const answer = await server.upload(distribution, { Authorization: '' });
    expect(answer.status).toBe(401);
    expect(answer.headers['www-authenticate']).toBe('Basic realm="Rind", charset="UTF-8"');
    expect(answer.reason).toContain("use the user name '__token__'");
  });

  it.each([
    ['a password', () => basic('alice', 'secret'), 'The user name or the password is wrong'],
    ['another scheme', () => ({ Authorization: 'Digest x' }), 'The Authorization header is not understood'],
    [
      'a token of PyPI',
      () => basic('__token__', 'pypi-AgEIcHlwaS5vcmc'),
      'This is no API token of this index',
    ],
    [
      'a token cut short',
      () => basic('__token__', server.token.slice(0, -1)),
      'This is no API token of this index',
    ],
    [
      'bytes that are no base64',
      () => ({ Authorization: 'Basic \u00ff\u00fe' }),
      'The Authorization header is not understood',
    ],
  ])('not somebody with %s', async (_, headers, reason) => {
    const answer = await server.upload(distribution, headers());
    expect(answer.status).toBe(401);
    expect(answer.reason).toContain(reason);
    expect(answer.text).not.toContain(server.token.slice(5, -1));
  });

  it('not with a well-formed token that this index never gave out', async () => {
    const stranger = await ServerFixture.start();
    const answer = await server.upload(distribution, basic('__token__', stranger.token));
    await stranger.close();
    expect([answer.status, answer.reason.split(':')[0]]).toEqual([
      401,
      'This index does not know the API token',
    ]);
  });

  it('not with an expired or revoked token', async () => {
    const { db, now } = server.index;
    const expired = await server.issue({ expires: now });
    expect((await server.upload(distribution, basic('__token__', expired))).reason).toBe(
      `The API token expired at ${now.toISOString()}: ask for a new one.`,
    );
    const token = await server.issue({});
    expect((await server.upload(distribution, basic('__token__', token))).status).toBe(200);
    const row = await db.selectFrom('tokens').select('id').orderBy('id', 'desc').executeTakeFirstOrThrow();
    await revokeToken(db, row.id, now);
    expect((await server.upload(distribution, basic('__token__', token))).status).toBe(401);
  });

  it('not with a token for reading, for administration, for another index or for another project', async () => {
    const { db, index, now } = server.index;
    for (const verbs of [['read'], ['admin'], ['admin', 'read']] as const) {
      const answer = await server.upload(distribution, basic('__token__', await server.issue({ verbs })));
      expect([answer.status, answer.reason]).toEqual([403, 'The API token may not upload here.']);
    }
    const { id } = await db
      .insertInto('indexes')
      .values({ name: 'other', profile: 'team', created_at: now.toISOString() })
      .returning('id')
      .executeTakeFirstOrThrow();
    const foreign = await server.upload(
      distribution,
      basic('__token__', await server.issue({ indexId: id })),
    );
    expect([foreign.status, foreign.reason]).toEqual([
      403,
      'The API token belongs to another index of this server.',
    ]);
    const own = await ensureProject(db, { indexId: index.id, name: 'own', displayName: 'own', now });
    const narrow = basic('__token__', await server.issue({ projectIds: [own.id] }));
    const other = await server.upload(makeSdist({ name: 'not-own', version: '1' }), narrow);
    expect([other.status, other.reason]).toEqual([403, "The API token is not for the project 'not-own'."]);
    expect((await server.upload(makeSdist({ name: 'own', version: '1' }), narrow)).status).toBe(200);
  });

  it('accepts the token as Bearer too, and notes its use', async () => {
    const token = await server.issue({ name: 'bearer' });
    expect((await server.upload(distribution, { Authorization: `Bearer ${token}` })).status).toBe(200);
    const row = await server.index.db
      .selectFrom('tokens')
      .selectAll()
      .where('name', '=', 'bearer')
      .executeTakeFirstOrThrow();
    expect(row.last_used_at).toBe(server.index.now.toISOString());
  });

  it('never logs a token', () => {
    expect(server.logged.length).toBeGreaterThan(0);
    expect(server.logged.join('\n')).not.toMatch(/rind_[0-9A-Za-z]{10}/);
  });
});
