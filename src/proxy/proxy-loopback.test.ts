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
