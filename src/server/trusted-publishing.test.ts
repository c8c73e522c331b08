import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ServerFixture } from '../../test/support/server-fixture.ts';

let server: ServerFixture;
beforeAll(async () => {
  server = await ServerFixture.start();
});
afterAll(() => server.close());

const FORM = { 'Content-Type': 'application/x-www-form-urlencoded' };

async function refusals(body: string, headers: Record<string, string> = FORM): Promise<[number, string[]]> {
  const { status, text } = await server.send('POST', '/_/oidc/mint-token', headers, Buffer.from(body));
  const { errors = [] } = JSON.parse(text) as { errors?: { code: string; description: string }[] };
  for (const { description } of errors) expect(description).toMatch(/^[A-Z].*\.$/);
  return [status, errors.map(({ code, description }) => `${code}: ${description}`)];
}

describe('an identity token', () => {
  it('is looked at whatever the content type says: pipelines send it with curl -d', async () => {
    const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const jwt = `${part({ alg: 'RS256' })}.${part({ iss: 'https://nobody.example' })}.${part({})}`;
    const token = JSON.stringify({ token: jwt });
    const asJson = await refusals(token, { 'Content-Type': 'application/json' });
    expect(asJson).toEqual([422, [expect.stringContaining('issuer')]]);
    for (const headers of [FORM, {}, { 'Content-Type': 'text/plain' }])
      expect(await refusals(token, headers)).toEqual(asJson);
  });

  it.each(['', 'token=x', '{', '[]', 'null', '{"token":7}', '{"token":""}', '"x"', '['.repeat(100)])(
    'that is not in the body %j is refused with the code of PyPI',
    async (body) => {
      expect(await refusals(body)).toEqual([422, [expect.stringMatching(/^invalid-payload: /)]]);
    },
  );

  it('of more than 32 KiB is not read', async () => {
    const { status } = await server.send('POST', '/_/oidc/mint-token', FORM, Buffer.alloc(33 * 1024, 'x'));
    expect(status).toBe(413);
  });
});

it('a token is burnt whatever the content type says, and the API of the index still asks for JSON', async () => {
  const body = Buffer.from(JSON.stringify({ token: server.token }));
  expect((await server.get('/api/v1/tokens', { Authorization: `Bearer ${server.token}` })).status).not.toBe(
    401,
  );
  expect((await server.send('POST', '/_/oidc/burn-token', FORM, body)).status).toBe(200);
  const admin = { ...FORM, Authorization: `Bearer ${await server.issue({ verbs: ['admin'] })}` };
  expect((await server.send('POST', '/api/v1/users', admin, Buffer.from('{"name":"eve"}'))).status).toBe(415);
});
