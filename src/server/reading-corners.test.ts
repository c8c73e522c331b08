import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { makeWheel } from '../../test/tools/distribution.ts';
import { ServerFixture } from '../../test/support/server-fixture.ts';
import { startServer } from './start.ts';

const V1_JSON = 'application/vnd.pypi.simple.v1+json';
const wheel = makeWheel({ name: 'Cheese.Shop', version: '1.0' });
const FILE = `/packages/cheese-shop/${wheel.filename}`;

let server: ServerFixture;
beforeAll(async () => {
  server = await ServerFixture.start({ publicUrl: 'https://rind.test/python/' });
  await server.upload(wheel);
});
afterAll(() => server.close());

describe('a redirect', () => {
  it.each([
    [`/simple?format=${V1_JSON}`, 'simple/'],
    [`/simple/cheese-shop?format=${encodeURIComponent(V1_JSON)}&other=1`, 'cheese-shop/'],
    [`/simple/Cheese.Shop/?x=1&format=application/vnd.pypi.simple.latest%2Bjson`, '../cheese-shop/'],
  ])('of %s asks for the same format again', async (path, location) => {
    const answer = await server.get(path, { Accept: 'text/html' });
    expect([answer.status, answer.headers.location]).toEqual([
      301,
      `${location}?format=application%2Fvnd.pypi.simple.v1%2Bjson`,
    ]);
    const followed = new URL(answer.headers.location ?? '', `http://host${path}`);
    const page = await server.get(followed.pathname + followed.search, { Accept: 'text/html' });
    expect([page.status, page.headers['content-type']]).toEqual([200, V1_JSON]);
  });

  it('repeats nothing else of a query', async () => {
    for (const query of ['?a=b', '?format=bogus', '?format=%0d%0aSet-Cookie:x=1', '?format=']) {
      const answer = await server.get(`/simple/Cheese.Shop/${query}`);
      expect([answer.status, answer.headers.location]).toEqual([301, '../cheese-shop/']);
    }
  });
});

describe('a small file', () => {
  it('is not sent again by its date when it comes out of memory either, and a page is', async () => {
    const { headers } = await server.get(FILE);
    await server.get(FILE);
    const since = (date: string) => ({ 'If-Modified-Since': date });
    const date = headers['last-modified'] ?? '';
    const again = await server.get(FILE, since(date));
    expect([again.status, again.body.length]).toEqual([304, 0]);
    expect((await server.get(FILE, since('Thu, 01 Jan 1998 00:00:00 GMT'))).status).toBe(200);
    expect((await server.get(FILE, since('nonsense'))).status).toBe(200);
    expect((await server.get(FILE, { ...since(date), 'If-None-Match': '"other"' })).status).toBe(200);
    const page = (await server.get('/simple/cheese-shop/')).headers['last-modified'] ?? '';
    expect((await server.get('/simple/cheese-shop/', since(page))).status).toBe(200);
  });
});

describe('an upload to a wrong address', () => {
  it.each(['/', '/simple/', '/simple/cheese-shop/', '/simple'])('%s is told the right one', async (path) => {
    const answer = await server.post([], {}, path);
    expect(answer.status).toBe(405);
    for (const told of [answer.reason, answer.text])
      expect(told).toContain('uploads go to https://rind.test/python/legacy/');
  });

  it('to an index that is not there says so, and repeats nothing of the address', async () => {
    const answer = await server.post([], {}, '/index/no%3Cb%3Esuch/legacy/');
    expect([answer.status, answer.reason]).toEqual([
      404,
      'This server has no index of the name in this address.',
    ]);
    expect(answer.text).not.toMatch(/such\/|<b>|%3C/);
    expect((await server.get('/nowhere')).reason).toBe('There is nothing at this address.');
  });
});

describe('a server that gets no address', () => {
  it('leaves nothing behind that looks into a database which is closed', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    vi.useFakeTimers({ toFake: ['setInterval'] });
    try {
      const { index, store, queue } = server;
      const started = startServer({
        db: index.db,
        store,
        indexes: [index.index],
        queue,
        log: { info: () => undefined, warn: () => undefined, error: () => undefined },
        host: '127.0.0.1',
        port: (other.address() as AddressInfo).port,
      });
      await expect(started).rejects.toMatchObject({ code: 'EADDRINUSE' });
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
      other.close();
    }
  });
});
