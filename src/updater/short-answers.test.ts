import { createServer } from 'node:http';
import type { RequestListener, Server } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent } from 'undici';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { makeCertificate } from '../../test/tools/certificate.ts';
import { whenAvailable } from '../../test/tools/unavailable.ts';
import type { FetchOptions } from './fetcher.ts';
import { HttpFetcher } from './http-fetcher.ts';
import type { HttpFetcherOptions } from './http-fetcher.ts';

const ended: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end();
});

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ended.push(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return (server.address() as AddressInfo).port;
}

const serve = async (listener: RequestListener): Promise<string> =>
  `http://127.0.0.1:${await listen(createServer(listener))}/`;

async function read(
  url: string,
  options: Partial<FetchOptions> = {},
  settings: HttpFetcherOptions = {},
): Promise<string> {
  const fetcher = new HttpFetcher(settings);
  ended.push(() => fetcher.close());
  const chunks: Uint8Array[] = [];
  for await (const chunk of fetcher.fetch(url, { maxLength: 1000, ...options })) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

/** An answer that says how long it is. */
const compressed =
  (bytes: Uint8Array, encoding = 'gzip'): RequestListener =>
  (_request, response) =>
    response.writeHead(200, { 'content-encoding': encoding, 'content-length': bytes.length }).end(bytes);

describe('a short compressed answer', () => {
  it('is undone, under both names of the encoding', async () => {
    for (const encoding of ['gzip', 'x-gzip'])
      expect(await read(await serve(compressed(gzipSync('content'), encoding)), { compressible: true })).toBe(
        'content',
      );
  });

  it('that would become longer than it may ends at the limit', async () => {
    const bomb = gzipSync(Buffer.alloc(900_000));
    expect(bomb.length).toBeLessThan(1000);
    await expect(read(await serve(compressed(bomb)), { compressible: true })).rejects.toMatchObject({
      code: 'DOWNLOAD_LENGTH_MISMATCH',
    });
  });

  it.each([
    ['damaged', Buffer.from('no gzip at all')],
    ['truncated', gzipSync('content'.repeat(100)).subarray(0, 20)],
  ])('that is %s is an error', async (_name, bytes) => {
    await expect(read(await serve(compressed(bytes)), { compressible: true })).rejects.toMatchObject({
      code: 'CONTENT_ENCODING',
    });
  });

  it('that is dropped is an error, plain or compressed', async () => {
    const url = await serve((_request, response) => {
      response.writeHead(200, { 'content-encoding': 'gzip', 'content-length': 100 });
      response.write(gzipSync('content').subarray(0, 15), () => response.destroy());
    });
    for (const compressible of [true, false])
      await expect(read(url, { compressible })).rejects.toMatchObject({ code: 'CONNECTION_FAILED' });
  });
});

describe('connections', () => {
  const certificate = whenAvailable(async () => {
    const folder = await mkdtemp(join(tmpdir(), 'rind-https-'));
    const cert = await makeCertificate(folder);
    const key = await readFile(join(folder, 'key.pem'), 'utf8');
    await rm(folder, { recursive: true });
    return { cert, key };
  });

  it('over https are made to hosts that the given authorities know, and to no other', async () => {
    const { cert, key } = certificate.value;
    const server = createSecureServer({ cert, key }, (_request, response) => response.end('content'));
    const url = `https://127.0.0.1:${await listen(server)}/`;
    expect(await read(url, {}, { certificateAuthorities: cert })).toBe('content');
    await expect(read(url)).rejects.toMatchObject({ code: 'CONNECTION_FAILED' });
  });

  it('go through a dispatcher that is given, which stays open', async () => {
    const url = await serve((_request, response) => response.end('content'));
    const dispatcher = new Agent();
    ended.push(() => dispatcher.close());
    const fetcher = new HttpFetcher({ dispatcher });
    await fetcher.close();
    const { signal } = new AbortController();
    expect(await read(url, { signal }, { dispatcher })).toBe('content');
    expect(dispatcher.closed).toBe(false);
  });
});
