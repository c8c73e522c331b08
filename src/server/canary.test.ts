import { afterAll, beforeAll, expect, it } from 'vitest';
import { makeSdist } from '../../test/tools/distribution.ts';
import { ServerFixture, type Answer } from '../../test/support/server-fixture.ts';
import { generateToken } from '../registry/token.ts';

let server: ServerFixture;
beforeAll(async () => {
  server = await ServerFixture.start();
});
afterAll(() => server.close());

it('no secret that a request carries comes back in an answer, or stands in the log or the database', async () => {
  const unknown = generateToken();
  const password = 'canary-password-4711';
  const jwt = `${Buffer.from('{"alg":"RS256"}').toString('base64url')}.${Buffer.from('{"iss":"https://canary.test"}').toString('base64url')}.canarysignature`;
  const basic = (name: string, secret: string) =>
    `Basic ${Buffer.from(`${name}:${secret}`).toString('base64')}`;
  const headers = [
    server.authorization,
    `Bearer ${server.token}`,
    `Bearer ${unknown}`,
    `Bearer ${server.token}x`,
    basic('alice', password),
    `Digest ${password}`,
    basic(server.token, ''),
  ];
  const answers: Answer[] = [];
  for (const authorization of headers) {
    for (const path of ['/simple/', '/api/v1/me', '/api/v1/users', '/nothing', '/simple/x/?format=x']) {
      answers.push(await server.get(path, { Authorization: authorization }));
    }
    answers.push(
      await server.upload(makeSdist({ name: 'canary', version: '1' }), { Authorization: authorization }),
    );
    answers.push(
      await server.upload(makeSdist({ name: 'canary', version: 'bad version' }), {
        Authorization: authorization,
      }),
    );
  }
  const json = { 'Content-Type': 'application/json' };
  answers.push(
    await server.send('POST', '/_/oidc/mint-token', json, Buffer.from(JSON.stringify({ token: jwt }))),
  );
  const user = { name: 'Not A Name', password };
  answers.push(
    await server.send(
      'POST',
      '/api/v1/users',
      { ...json, Authorization: `Bearer ${await server.issue({ verbs: ['admin'] })}` },
      Buffer.from(JSON.stringify(user)),
    ),
  );
  const audit = await server.index.db.selectFrom('audit_log').selectAll().execute();
  const everything = [
    ...server.logged,
    ...answers.map(({ reason, text, headers: sent }) => `${reason} ${text} ${JSON.stringify(sent)}`),
    JSON.stringify(audit),
    JSON.stringify(await server.index.db.selectFrom('tokens').selectAll().execute()),
  ].join('\n');
  const secrets = [
    server.token,
    unknown,
    password,
    jwt,
    'canarysignature',
    ...headers.map((header) => header.split(' ')[1] ?? ''),
  ];
  for (const secret of secrets) expect(everything.includes(secret)).toBe(false);
  expect(answers.filter(({ status }) => status === 200).length).toBeGreaterThan(0);
  expect(server.logged.length).toBeGreaterThan(0);
});
