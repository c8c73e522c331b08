import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ProxyWorld, WHEEL } from '../../test/support/proxy-world.ts';

let world: ProxyWorld;
beforeEach(async () => {
  world = await ProxyWorld.open();
});
afterEach(() => world.close());

describe('VerifyingProxy on the loopback', () => {
  it('has an address that cannot be guessed', async () => {
    const { origin, pathname } = new URL(world.proxy.url);
    expect(new URL(world.proxy.url).hostname).toBe('127.0.0.1');
    expect(pathname).toMatch(/^\/[A-Za-z0-9_-]{32}\/$/);
    const paths = ['/', '/simple/foo/', `/${'x'.repeat(32)}/simple/foo/`];
    for (const path of paths) expect((await world.ask(origin + path)).status).toBe(404);
    expect(world.upstream.requests).toEqual([]);
  });

  it('answers nobody who had another name point here', async () => {
    const { port } = new URL(world.proxy.url);
    for (const host of [
      'evil.example',
      `evil.example:${port}`,
      '127.0.0.1',
      `127.0.0.1.evil.example:${port}`,
    ]) {
      expect((await world.ask('simple/foo/', { host })).status).toBe(421);
    }
    expect((await world.ask('simple/foo/', { host: `localhost:${port}` })).status).toBe(200);
  });

  it('answers no web site', async () => {
    for (const headers of [
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
    ]) {
      const answer = await world.ask('simple/foo/', headers as Record<string, string>);
      expect(answer.status).toBe(403);
      expect(Object.keys(answer.headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
    }
    expect((await world.ask('simple/foo/', { 'sec-fetch-site': 'none' })).status).toBe(200);
  });

  it('answers for itself whom it is given to as HTTP proxy, and reaches nobody else for her', async () => {
    const { port, pathname } = new URL(world.proxy.url);
    const ask = (target: string, host: string, method = 'GET'): Promise<string> =>
      exchange(Number(port), `${method} ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    for (const host of [`127.0.0.1:${port}`, `localhost:${port}`])
      expect(await ask(`http://${host}${pathname}simple/foo/`, host)).toMatch(/^HTTP\/1\.1 200 /);
    const before = world.upstream.requests.length;
    for (const [target, host, method] of [
      ['http://evil.example/simple/foo/', 'evil.example', 'GET'],
      [`http://evil.example${pathname}simple/foo/`, `127.0.0.1:${port}`, 'GET'],
      [`http://127.0.0.1:${port}@evil.example/`, `127.0.0.1:${port}`, 'GET'],
      [world.upstream.url, new URL(world.upstream.url).host, 'GET'],
      ['evil.example:443', 'evil.example:443', 'CONNECT'],
    ] as const)
      expect(await ask(target, host, method)).toMatch(/^HTTP\/1\.1 403 rind proxy reaches no other host/);
    expect(world.upstream.requests).toHaveLength(before);
  });

  it('is for reading only', async () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']) {
      expect((await world.ask('simple/foo/', {}, method)).status).toBe(405);
    }
    expect((await world.ask('simple/foo/', {}, 'HEAD')).status).toBe(200);
  });

  it('keeps what a hostile server says out of its headers', async () => {
    const answer = await world.ask(`packages/foo/${WHEEL}`);
    expect(answer.headers).not.toHaveProperty('content-disposition');
    expect(answer.headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'content-type': 'application/octet-stream',
    });
  });
});

/** What is answered to these bytes until the connection ends. */
async function exchange(port: number, text: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.write(text);
  await once(socket, 'close');
  return Buffer.concat(chunks).toString('latin1');
}
