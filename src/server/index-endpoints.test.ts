import { afterAll, beforeAll, expect, it } from 'vitest';
import { ServerFixture } from '../../test/support/server-fixture.ts';
import { insertIndex } from '../db/indexes.ts';

let server: ServerFixture;
let authorization: string;
beforeAll(async () => {
  server = await ServerFixture.start();
  await insertIndex(server.index.db, { name: 'stage', profile: 'team', now: server.index.now });
  authorization = `Bearer ${await server.issue({ verbs: ['admin'] })}`;
});
afterAll(() => server.close());

async function call(method: string, path: string, body?: object): Promise<{ status: number; json: unknown }> {
  const headers = { authorization, 'content-type': 'application/json' };
  const bytes = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
  const { status, text } = await server.send(method, `/api/v1/indexes${path}`, headers, bytes);
  return { status, json: text === '' ? undefined : (JSON.parse(text) as unknown) };
}

it('indexes are listed, told something, and taken away over HTTP', async () => {
  expect((await call('GET', '')).json).toMatchObject([
    { name: '', kind: 'private' },
    { name: 'stage', snapshotVersion: null },
  ]);
  const changed = await call('PATCH', '/stage/settings', { upload: { linuxWheels: false } });
  expect(changed).toMatchObject({
    status: 200,
    json: { said: { upload: { linuxWheels: false } }, settings: { kind: 'private' } },
  });
  expect((await call('GET', '/stage/settings')).json).toEqual(changed.json);
  expect((await call('PATCH', '/stage/settings', { upload: { nonsense: 1 } })).status).toBe(400);
  expect((await call('GET', '/default/settings')).json).toMatchObject({ said: {} });
  expect((await call('DELETE', '/default')).status).toBe(400);
  expect((await call('DELETE', '/stage')).status).toBe(204);
  expect((await call('DELETE', '/stage')).status).toBe(404);
  const { db } = server.index;
  const audit = await db
    .selectFrom('audit_log')
    .select('action')
    .where('action', 'like', 'index.%')
    .execute();
  expect(audit.map(({ action }) => action)).toEqual(['index.change', 'index.remove']);
});
