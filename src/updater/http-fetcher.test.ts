import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { HttpFetcher } from './http-fetcher.ts';
import type { HttpFetcherOptions } from './http-fetcher.ts';
import type { FetchOptions } from './fetcher.ts';

let server: Server;
let base: string;
let answer: (request: IncomingMessage, response: ServerResponse) => void;
let requests: IncomingMessage[];
const fetchers: HttpFetcher[] = [];

beforeEach(async () => {
  requests = [];
  server = createServer((request, response) => {
    requests.push(request);
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
});

afterEach(async () => {
  await Promise.all(fetchers.splice(0).map((fetcher) => fetcher.close()));
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

function fetcher(options: HttpFetcherOptions = {}): HttpFetcher {
  const created = new HttpFetcher(options);
  fetchers.push(created);
  return created;
}

async function read(
  url: string,
  options: Partial<FetchOptions> = {},
  settings: HttpFetcherOptions = {},
): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of fetcher(settings).fetch(url, { maxLength: 1000, ...options })) {
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

describe('HttpFetcher', () => {
  it('gives the bytes of the answer, and asks for them as they are stored', async () => {
    answer = (_request, response) => response.end('content');
    expect(await read(`${base}a/b?c`)).toBe('content');
    expect(requests[0]).toMatchObject({
      method: 'GET',
      url: '/a/b?c',
      headers: { 'accept-encoding': 'identity', 'user-agent': 'rind' },
    });
  });

  it('uses its connections again', async () => {
    answer = (_request, response) => response.end('content');
    const one = fetcher();
    for (let count = 0; count < 10; count += 1) {
      for await (const chunk of one.fetch(base, { maxLength: 10 })) {
        expect(chunk.length).toBe(7);
      }
    }
    expect(new Set(requests.map(({ socket }) => socket.remotePort)).size).toBeLessThanOrEqual(2);
  });

  it('uses its connection again after a short answer that it had no use for', async () => {
    answer = (request, response) => {
      if (request.url === '/absent') response.writeHead(404, { 'content-length': 6 }).end('absent');
      else response.end('content');
    };
    const one = fetcher();
    const ask = (path: string) =>
      one
        .fetch(base + path, { maxLength: 10 })
        [Symbol.asyncIterator]()
        .next();
    for (let count = 0; count < 3; count += 1) {
      await expect(ask('absent')).rejects.toMatchObject({ statusCode: 404 });
      await expect(ask('there')).resolves.toMatchObject({ done: false });
    }
    expect(new Set(requests.map(({ socket }) => socket.remotePort)).size).toBeLessThan(requests.length);
  });

  it('asks again when a connection that had waited is closed instead of used', async () => {
    answer = (request, response) => {
      const isFirst = requests.findIndex(({ socket }) => socket === request.socket) === requests.length - 1;
      if (isFirst) response.end('content');
      else request.socket.destroy();
    };
    const one = fetcher();
    for (let count = 0; count < 3; count += 1) {
      for await (const chunk of one.fetch(base, { maxLength: 10 })) expect(chunk.length).toBe(7);
    }
    expect(requests.length).toBeGreaterThan(3);
  });

  it('ends what is asked when it is closed, and what waits for a connection', async () => {
    answer = () => undefined;
    const one = fetcher();
    const asked = Array.from({ length: 40 }, () =>
      one.fetch(base, { maxLength: 10 })[Symbol.asyncIterator]().next(),
    );
    const ended = Promise.allSettled(asked);
    await vi.waitFor(() => expect(requests.length).toBe(16));
    await one.close();
    for (const { status } of await ended) expect(status).toBe('rejected');
    expect(requests).toHaveLength(16);
  });

  it('asks nobody once it is closed', async () => {
    answer = (_request, response) => response.end('content');
    const one = fetcher();
    await one.close();
    const asked = one.fetch(base, { maxLength: 10 })[Symbol.asyncIterator]().next();
    await expect(asked).rejects.toMatchObject({ code: 'CONNECTION_FAILED' });
    expect(requests).toEqual([]);
  });

  it.each([201, 204, 206, 304, 400, 403, 404, 500, 503])('takes status %i for a failure', async (status) => {
    answer = (_request, response) => response.writeHead(status).end();
    await expect(read(`${base}x`)).rejects.toMatchObject({
      name: 'DownloadHttpError',
      code: 'DOWNLOAD_HTTP',
      statusCode: status,
      url: `${base}x`,
    });
  });

  it('refuses a longer answer by its declared length, before any of it is read', async () => {
    answer = (_request, response) => response.writeHead(200, { 'content-length': 1001 }).flushHeaders();
    await expect(read(base)).rejects.toMatchObject({ code: 'DOWNLOAD_LENGTH_MISMATCH' });
  });

  it('refuses endless data without a declared length', async () => {
    answer = (_request, response) => {
      response.writeHead(200);
      const timer = setInterval(() => response.write('x'.repeat(100)), 1);
      response.on('close', () => clearInterval(timer));
    };
    await expect(read(base)).rejects.toMatchObject({ code: 'DOWNLOAD_LENGTH_MISMATCH' });
  });

  it('takes an answer of exactly the allowed length', async () => {
    answer = (_request, response) => response.end('x'.repeat(1000));
    expect(await read(base)).toHaveLength(1000);
  });

  it.each([
    ['idleTimeout', { idleTimeout: 50 }],
    ['totalTimeout', { totalTimeout: 50 }],
  ])('ends a server that never answers (%s)', async (_name, limits) => {
    answer = () => undefined;
    await expect(read(base, {}, { limits })).rejects.toMatchObject({ code: 'SLOW_RETRIEVAL' });
  });

  it('ends a server that stops in the middle', async () => {
    answer = (_request, response) => response.write('half');
    await expect(read(base, {}, { limits: { idleTimeout: 50 } })).rejects.toMatchObject({
      code: 'SLOW_RETRIEVAL',
    });
  });

  it.each([
    ['before the answer', (response: ServerResponse) => response.destroy()],
    [
      'within a declared length',
      (response: ServerResponse) =>
        response.writeHead(200, { 'content-length': 100 }).write('half', () => response.destroy()),
    ],
    [
      'within a chunked answer',
      (response: ServerResponse) => response.write('half', () => response.destroy()),
    ],
  ])('reports a connection that is dropped %s', async (_name, drop) => {
    answer = (_request, response) => drop(response);
    await expect(read(base)).rejects.toMatchObject({ code: 'CONNECTION_FAILED' });
  });

  it('reports a port where nobody listens', async () => {
    await expect(read('http://127.0.0.1:1/')).rejects.toMatchObject({ code: 'CONNECTION_FAILED' });
  });

  it.each(['ftp://example.org/', 'file:///etc/passwd', 'no url', 'data:text/plain,x', ''])(
    'refuses the URL %s',
    async (url) => {
      await expect(read(url)).rejects.toMatchObject({ code: 'INVALID_URL' });
    },
  );

  it('is ended by its signal', async () => {
    answer = (_request, response) => response.write('half');
    const controller = new AbortController();
    const reading = read(base, { signal: controller.signal });
    setTimeout(() => controller.abort(new Error('enough')), 20);
    await expect(reading).rejects.toThrow('enough');
  });

  it('does not start when its signal has ended', async () => {
    await expect(read(base, { signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow('enough');
    expect(requests).toEqual([]);
  });

  it('ends the connection when the reader leaves', async () => {
    const closed = new Promise<void>((resolve) => {
      answer = (_request, response) => {
        response.on('close', resolve);
        response.write('x'.repeat(500));
      };
    });
    for await (const chunk of fetcher().fetch(base, { maxLength: 1000 })) {
      expect(chunk.length).toBe(500);
      break;
    }
    await closed;
  });
});

describe('compressed transfer', () => {
  it('is asked for and undone for what compresses well', async () => {
    answer = (_request, response) =>
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('content'));
    expect(await read(base, { compressible: true })).toBe('content');
    expect(requests[0]?.headers['accept-encoding']).toBe('gzip');
  });

  it('is not undone when it was not asked for: a stored .tar.gz is served like that', async () => {
    const stored = gzipSync('content');
    answer = (_request, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(stored);
    expect(await read(base)).toBe(stored.toString());
  });

  it('of a bomb ends at the limit', async () => {
    answer = (_request, response) =>
      response
        .writeHead(200, { 'content-encoding': 'gzip' })
        .end(gzipSync(Buffer.alloc(50_000_000)).subarray(0, 900));
    await expect(read(base, { compressible: true, maxLength: 1000 })).rejects.toMatchObject({
      code: 'DOWNLOAD_LENGTH_MISMATCH',
    });
  });

  it.each([
    ['damaged', Buffer.from('no gzip at all')],
    ['truncated', gzipSync('content'.repeat(100)).subarray(0, 20)],
  ])('that is %s is an error', async (_name, bytes) => {
    answer = (_request, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(bytes);
    await expect(read(base, { compressible: true })).rejects.toMatchObject({ code: 'CONTENT_ENCODING' });
  });

  it('that is dropped is an error', async () => {
    answer = (_request, response) => {
      response.writeHead(200, { 'content-encoding': 'gzip' });
      response.write(gzipSync('content'.repeat(100)).subarray(0, 15), () => response.destroy());
    };
    await expect(read(base, { compressible: true })).rejects.toMatchObject({ code: 'CONNECTION_FAILED' });
  });

  it('in a way that was not asked for is an error', async () => {
    answer = (_request, response) => response.writeHead(200, { 'content-encoding': 'br' }).end('x');
    await expect(read(base, { compressible: true })).rejects.toMatchObject({ code: 'CONTENT_ENCODING' });
  });
});

describe('redirects', () => {
  const redirect = (location: string | undefined, status = 302) => {
    answer = (request, response) => {
      if (request.url === '/start') {
        response.writeHead(status, location === undefined ? {} : { location }).end();
      } else {
        response.end(`at ${request.url}`);
      }
    };
  };

  it.each([301, 302, 303, 307, 308])('with status %i are followed within one host', async (status) => {
    redirect('../other', status);
    expect(await read(`${base}start`)).toBe('at /other');
  });

  it.each([
    'http://127.0.0.1:1/other',
    'http://localhost/other',
    'https://127.0.0.1/other',
    '//example.org/',
    'file:///etc/passwd',
  ])('to %s are refused', async (location) => {
    redirect(location);
    await expect(read(`${base}start`)).rejects.toMatchObject({ code: 'REDIRECT_REFUSED' });
    expect(requests).toHaveLength(1);
  });

  it('without a location are refused', async () => {
    redirect(undefined);
    await expect(read(`${base}start`)).rejects.toMatchObject({ code: 'REDIRECT_REFUSED' });
  });

  it('in a circle end', async () => {
    redirect('/start');
    await expect(read(`${base}start`)).rejects.toMatchObject({ code: 'REDIRECT_REFUSED' });
    expect(requests).toHaveLength(6);
  });
});

describe('credentials', () => {
  it('in the URL become a header, follow redirects, and stand in no message', async () => {
    answer = (request, response) => {
      if (request.url?.startsWith('/start') === true) {
        response.writeHead(302, { location: '/other' }).end();
      } else {
        response.writeHead(404).end();
      }
    };
    const url = base.replace('//', '//user:s%20cret@');
    const error = await read(`${url}start?token=hidden`).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ statusCode: 404 });
    expect(JSON.stringify(error) + String(error) + (error as Error).stack).not.toMatch(/cret|hidden|user/);
    const expected = `Basic ${Buffer.from('user:s cret').toString('base64')}`;
    expect(requests.map(({ headers }) => headers.authorization)).toEqual([expected, expected]);
  });

  it('with a percent sign that escapes nothing are taken as they are', async () => {
    answer = (_request, response) => response.end();
    await read(base.replace('//', '//user:100%25%zz@'));
    expect(requests[0]?.headers.authorization).toBe(
      `Basic ${Buffer.from('user:100%25%zz').toString('base64')}`,
    );
  });

  it('in the options are sent with every request', async () => {
    answer = (_request, response) => response.end();
    await read(base, {}, { headers: { authorization: 'Bearer x' } });
    expect(requests[0]?.headers.authorization).toBe('Bearer x');
  });
});

describe('proxies', () => {
  const environment = { ...process.env };
  afterEach(() => {
    process.env = { ...environment };
  });

  it('of the environment are ignored, unless they are asked for', async () => {
    answer = (_request, response) => response.end();
    const tunnels: (string | undefined)[] = [];
    server.on('connect', (request, socket) => {
      tunnels.push(request.url);
      socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n');
    });
    process.env['http_proxy'] = base;
    process.env['no_proxy'] = '';
    await expect(read('http://127.0.0.1:1/')).rejects.toMatchObject({ code: 'CONNECTION_FAILED' });
    expect(tunnels).toEqual([]);
    await expect(read('http://127.0.0.1:1/', {}, { useEnvironmentProxy: true })).rejects.toMatchObject({
      code: 'CONNECTION_FAILED',
    });
    expect(tunnels).toEqual(['127.0.0.1:1']);
  });

  it('that are no URL are the error of each request, and of nothing before or after', async () => {
    process.env['http_proxy'] = 'http://[proxy';
    process.env['no_proxy'] = '';
    const created = fetcher({ useEnvironmentProxy: true });
    const all = async (): Promise<unknown> =>
      created.fetch(base, { maxLength: 10 })[Symbol.asyncIterator]().next();
    for (let request = 1; request <= 2; request++)
      await expect(all()).rejects.toMatchObject({ name: 'DownloadError', code: 'CONNECTION_FAILED' });
    expect(requests).toEqual([]);
    await created.close();
    await fetcher({ useEnvironmentProxy: true }).close();
  });
});
