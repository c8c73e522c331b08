import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeSdist } from '../../test/tools/distribution.ts';
import { ServerFixture } from '../../test/support/server-fixture.ts';
import type { Check } from './readiness.ts';
import { TrustedProxies } from './trusted-proxies.ts';

let server: ServerFixture;
let token: string | undefined;
let publisher: Check = { name: 'publisher', problem: undefined };
const lines: string[] = [];
beforeAll(async () => {
  server = await ServerFixture.start({
    metricsToken: () => token,
    metricsLocal: true,
    accessLine: (line) => void lines.push(line),
    readiness: async () => [publisher],
    proxies: new TrustedProxies(['127.0.0.1']),
  });
});
afterAll(() => server.close());

describe('/readyz', () => {
  it('is 200 while database, store, timestamp and publisher are well', async () => {
    const { status, text } = await server.get('/readyz');
    expect(status).toBe(200);
    expect(text).toBe('database ok\nstore ok\ntimestamp ok\npublisher ok\n');
  });

  it('is 503 when the publisher has stopped, and says why in the log only', async () => {
    publisher = { name: 'publisher', problem: 'It stopped because of canary-4711.' };
    const { status, text } = await server.get('/readyz');
    publisher = { name: 'publisher', problem: undefined };
    expect(status).toBe(503);
    expect(text).toContain('publisher failing');
    expect(text).not.toContain('canary-4711');
    expect(server.logged.join()).toContain('canary-4711');
  });

  it('is 503 when the timestamp has expired', async () => {
    const late = await ServerFixture.start();
    try {
      late.index.now = new Date(late.index.now.getTime() + 30 * 86_400_000);
      const { status, text } = await late.get('/readyz');
      expect(status).toBe(503);
      expect(text).toContain('timestamp failing');
      expect((await late.get('/healthz')).status).toBe(200);
    } finally {
      await late.close();
    }
  });
});

describe('/metrics', () => {
  it('is told to this machine, not through a proxy', async () => {
    await server.upload(makeSdist({ name: 'measured', version: '1' }));
    const { status, text, headers } = await server.get('/metrics');
    expect(status).toBe(200);
    expect(headers['content-type']).toContain('version=0.0.4');
    expect(text).toContain('rind_uploads_total{outcome="stored"} 1\n');
    expect(text).toContain('rind_publish_latency_seconds_count 1\n');
    expect(text).toMatch(/rind_responses_total\{class="2xx"\} [1-9]/);
    expect(text).toMatch(/rind_event_loop_delay_seconds\{quantile="0.99"\} [0-9.e-]+/);
    expect((await server.get('/metrics', { 'X-Forwarded-For': '127.0.0.1' })).status).toBe(403);
    expect((await server.get('/metrics', { Forwarded: 'for=1.2.3.4' })).status).toBe(403);
  });

  it('is not told to a reverse proxy on this machine that adds no headers', async () => {
    const usual = await ServerFixture.start();
    try {
      expect((await usual.get('/metrics')).status).toBe(403);
    } finally {
      await usual.close();
    }
  });

  it('with a token is told to whoever has it, and to nobody else', async () => {
    token = 'the-token-of-prometheus';
    const answers = await Promise.all([
      server.get('/metrics'),
      server.get('/metrics', { Authorization: 'Bearer wrong' }),
      server.get('/metrics', { Authorization: `Bearer ${token}` }),
      server.get('/metrics', { Authorization: `Bearer ${token}`, 'X-Forwarded-For': '203.0.113.7' }),
    ]);
    token = undefined;
    expect(answers.map(({ status }) => status)).toEqual([401, 401, 200, 200]);
  });
});

describe('requests', () => {
  const lastLine = async (id: string): Promise<Record<string, unknown>> => {
    await expect.poll(() => lines.find((line) => line.includes(id))).toBeDefined();
    return JSON.parse(lines.find((line) => line.includes(id)) ?? '') as Record<string, unknown>;
  };

  it('get one line each, with the address people come from and without secrets', async () => {
    const secret = 'canary-password-4711';
    await server.get(`/simple/measured/?token=${secret}`, {
      'X-Forwarded-For': '198.51.100.7',
      'X-Forwarded-Proto': 'https',
      'X-Forwarded-Host': 'packages.example',
      'X-Request-Id': 'one-request',
      'User-Agent': `pip/1 ${server.token}`,
      Authorization: `Basic ${Buffer.from(`__token__:${server.token}`).toString('base64')}`,
      Cookie: `session=${secret}`,
    });
    const line = await lastLine('one-request');
    expect(line).toMatchObject({
      id: 'one-request',
      address: '198.51.100.7',
      scheme: 'https',
      host: 'packages.example',
      method: 'GET',
      path: '/simple/measured/',
      status: 200,
      complete: true,
    });
    const all = lines.join('\n');
    for (const hidden of [secret, server.token, Buffer.from(`__token__:${server.token}`).toString('base64')])
      expect(all.includes(hidden)).toBe(false);
  });

  it('that are refused carry an id that the log has too', async () => {
    const { status, headers } = await server.get('/nothing-here');
    expect(status).toBe(404);
    const id = String(headers['x-request-id']);
    expect(await lastLine(id)).toMatchObject({ status: 404, path: '/nothing-here' });
  });

  it('failed logins count for the client behind the proxy, not for the proxy', async () => {
    const login = (address: string) =>
      server.get('/api/v1/me', {
        Authorization: `Basic ${Buffer.from('nobody:wrong').toString('base64')}`,
        'X-Forwarded-For': address,
      });
    let last = 0;
    for (let tries = 0; tries < 8 && last !== 429; tries += 1) last = (await login('203.0.113.50')).status;
    expect(last).toBe(429);
    expect((await login('203.0.113.51')).status).toBe(401);
  });
});

it('beyond its limit the server refuses what needs the disk, and goes on with pages in memory', async () => {
  const busy = await ServerFixture.start({ metricsLocal: true, limits: { maxRequests: 0, maxUploads: 0 } });
  try {
    const { status, headers, text } = await busy.get('/simple/');
    expect(status).toBe(503);
    expect(headers['retry-after']).toBe('1');
    expect(text).toContain('busy');
    expect((await busy.get('/healthz')).status).toBe(200);
    expect((await busy.get('/readyz')).status).toBe(200);
    const refused = await busy.upload(makeSdist({ name: 'late', version: '1' }));
    expect([refused.status, refused.headers['retry-after']]).toEqual([503, '5']);
    const { text: metrics } = await busy.get('/metrics');
    expect(metrics).toContain('rind_requests_refused_total 1\n');
    expect(metrics).toContain('rind_uploads_total{outcome="refused"} 1\n');
  } finally {
    await busy.close();
  }
});

describe('a place among the requests under way', () => {
  it('is not held by somebody who reads slowly or sends slowly', async () => {
    const busy = await ServerFixture.start({ limits: { maxRequests: 1 } });
    const sockets: Socket[] = [];
    /** Sends the beginning of a request and resolves with the first bytes of the answer, of which no more is read. */
    const begin = async (head: string): Promise<string> => {
      const socket = connect(busy.server.port, '127.0.0.1');
      sockets.push(socket);
      socket.write(`${head}\r\nHost: x\r\n\r\n`);
      const [bytes] = (await once(socket, 'data')) as [Buffer];
      socket.pause();
      return bytes.toString('latin1');
    };
    try {
      const file = makeSdist({ name: 'large', version: '1', padding: 12 * 1024 ** 2 }); // prettier-ignore
      expect((await busy.upload(file)).status).toBe(200);
      expect(await begin(`GET /packages/large/${file.filename} HTTP/1.1`)).toContain(' 200 ');
      const mint = 'POST /_/oidc/mint-token HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 9';
      expect(await begin(`${mint}\r\nExpect: 100-continue`)).toContain(' 100 ');
      expect(await begin(`${mint}\r\nExpect: 100-continue`)).toContain(' 100 ');
      expect((await busy.get('/simple/large/')).status).toBe(200);
      expect((await busy.get('/simple/')).status).toBe(200);
    } finally {
      for (const socket of sockets) socket.destroy();
      await busy.close();
    }
  });
});

describe('files', () => {
  it('small ones come out of memory after the second request, byte for byte, with the same headers', async () => {
    const file = makeSdist({ name: 'small', version: '1' });
    await server.upload(file);
    const path = `/packages/small/${file.filename}`;
    const answers = [await server.get(path), await server.get(path), await server.get(path)];
    for (const { status, body, headers } of answers) {
      expect(status).toBe(200);
      expect(body.equals(Buffer.from(file.bytes))).toBe(true);
      const { date, connection, 'keep-alive': keepAlive, ...rest } = headers;
      expect([date, connection, keepAlive]).toBeDefined();
      expect(rest).toEqual({
        etag: answers[0]?.headers.etag,
        'last-modified': expect.stringMatching(/ GMT$/) as string,
        'cache-control': 'public, max-age=31536000, immutable',
        'accept-ranges': 'bytes',
        'content-disposition': 'attachment',
        'content-type': 'application/octet-stream',
        'content-length': String(file.bytes.length),
        'x-content-type-options': 'nosniff',
      });
    }
    const part = await server.get(path, { Range: 'bytes=2-5' });
    expect(part.status).toBe(206);
    expect(part.body.equals(Buffer.from(file.bytes.subarray(2, 6)))).toBe(true);
    expect((await server.get(path, { 'If-None-Match': String(answers[0]?.headers.etag) })).status).toBe(304);
    expect((await server.send('HEAD', path)).headers['content-length']).toBe(String(file.bytes.length));
  });

  it('one that was deleted is gone from memory with the publication', async () => {
    const file = makeSdist({ name: 'fleeting', version: '1' });
    await server.upload(file);
    const path = `/packages/fleeting/${file.filename}`;
    for (let time = 0; time < 3; time += 1) expect((await server.get(path)).status).toBe(200);
    const admin = await server.issue({ verbs: ['own', 'read'] });
    const { status } = await server.send('DELETE', `/api/v1/projects/fleeting/files/${file.filename}`, {
      Authorization: `Bearer ${admin}`,
    });
    expect(status).toBe(200);
    expect((await server.get(path)).status).toBe(404);
  });
});
