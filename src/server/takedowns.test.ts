import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ServerFixture, type Answer } from '../../test/support/server-fixture.ts';
import { makeSdist } from '../../test/tools/distribution.ts';
import { sha256 } from '../../test/support/index-fixture.ts';
import { findTarget } from '../db/targets.ts';
import { parseTakedowns, TAKEDOWNS_PATH } from '../pypi/takedown-list.ts';

let server: ServerFixture;
let admin: string;

beforeAll(async () => {
  server = await ServerFixture.start();
  admin = await server.issue({ verbs: ['admin', 'read', 'upload', 'own'] });
});
afterAll(() => server.close());

function api(method: string, query: string, body?: object, token = admin): Promise<Answer> {
  const bytes = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
  const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' };
  return server.send(method, `/api/v1/takedowns${query}`, headers, bytes);
}

async function uploaded(name: string) {
  const file = makeSdist({ name, version: '1.0' });
  expect((await server.upload(file)).status).toBe(200);
  return { path: `/packages/${name}/${file.filename}`, ...file };
}

const reason = 'court order 7/26';

describe('a takedown', () => {
  it('withholds a file under each of its names, also what was in memory, and is signed', async () => {
    const { path, filename, bytes } = await uploaded('withheld');
    const hashed = `/packages/withheld/${sha256(bytes)}.${filename}`;
    const before = await server.get('/simple/withheld/');
    for (const address of [path, path, hashed]) expect((await server.get(address)).status).toBe(200);
    const answer = await api('POST', '', { project: 'Withheld', filename, reason });
    expect(JSON.parse(answer.text)).toMatchObject({ project: 'withheld', filename, reason });
    for (const address of [path, hashed, `${path}.metadata`]) {
      const refused = await server.get(address);
      expect([refused.status, refused.text]).toEqual([451, expect.stringContaining(reason)]);
      expect(refused.reason).toContain(reason);
      expect((await server.get(address, { Range: 'bytes=0-9' })).status).toBe(451);
    }
    expect((await server.get('/simple/withheld/')).text).toBe(before.text);
    const list = await server.get(`/${TAKEDOWNS_PATH}`);
    expect(parseTakedowns(list.body)).toMatchObject([{ project: 'withheld', filename, reason }]);
    const target = await findTarget(server.index.db, server.index.index.id, TAKEDOWNS_PATH);
    expect(target?.sha256).toBe(sha256(list.body));
    const named = TAKEDOWNS_PATH.replace('index', `${sha256(list.body)}.index`);
    expect((await server.get(`/${named}`)).text).toBe(list.text);

    expect((await api('POST', '', { project: 'withheld', filename, reason })).status).toBe(409);
    const back = await api('DELETE', `?project=withheld&filename=${filename}`);
    expect(back.status).toBe(200);
    expect((await server.get(path)).status).toBe(200);
    expect(parseTakedowns((await server.get(`/${TAKEDOWNS_PATH}`)).body)).toEqual([]);
  });

  it('of a whole project withholds every file, and nothing of its neighbours', async () => {
    const { path } = await uploaded('whole');
    const { path: other } = await uploaded('whole-other');
    expect((await api('POST', '', { project: 'whole', filename: null, reason })).status).toBe(200);
    expect((await server.get(path)).status).toBe(451);
    expect((await server.get(other)).status).toBe(200);
    const { text } = await server.get('/api/v1/takedowns');
    expect(JSON.parse(text)).toMatchObject({ takedowns: [{ project: 'whole', filename: null, reason }] });
    const actions = await server.index.db.selectFrom('audit_log').select(['action', 'subject']).execute();
    expect(actions).toContainEqual({ action: 'takedown.add', subject: 'whole' });
    expect((await api('DELETE', '?project=whole')).status).toBe(200);
    expect((await server.get(path)).status).toBe(200);
  });

  it('needs an administrator, a subject that is there and a reason', async () => {
    const { filename } = await uploaded('kept');
    const owner = await server.issue({ verbs: ['upload', 'own', 'maintain', 'read'] });
    const kept = { project: 'kept', filename, reason };
    const wrong: [number, object, string?][] = [
      [403, kept, owner],
      [404, { ...kept, project: 'no-such-project' }],
      [404, { ...kept, filename: 'kept-9.tar.gz' }],
      [404, { ...kept, project: 'whole' }],
      [400, { ...kept, reason: ' ' }],
      [400, { ...kept, reason: 'two\nlines' }],
      [422, { project: 'kept', reason }],
    ];
    for (const [status, body, token] of wrong)
      expect([body, (await api('POST', '', body, token)).status]).toEqual([body, status]);
    expect((await api('DELETE', '?project=kept')).status).toBe(404);
    expect(JSON.parse((await server.get('/api/v1/takedowns')).text)).toEqual({ takedowns: [] });
  });
});
