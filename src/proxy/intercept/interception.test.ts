import { createServer, request as httpRequest, type RequestOptions, type Server } from 'node:http';
import { connect as connectTcp, type AddressInfo, type Socket } from 'node:net';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SimulatedIndex } from '../../../test/support/simulated-index.ts';
import { parseProjectJson } from '../../pypi/simple.ts';
import { HttpFetcher } from '../../updater/http-fetcher.ts';
import { Updater } from '../../updater/updater.ts';
import { VerifiedFiles } from '../verified-files.ts';
import { VerifiedIndex } from '../verified-index.ts';
import type { Verdict } from '../verdict.ts';
import { Interception, type InterceptionOptions } from './interception.ts';

const WHEEL = 'foo-1.0-py3-none-any.whl';
const BYTES = Buffer.from('the bytes of foo 1.0');
const BASE = 'https://packages.example.org/team/';
const JSON_TYPE = 'application/vnd.pypi.simple.v1+json';

let folder: string;
let upstream: SimulatedIndex;
let fetcher: HttpFetcher;
let index: VerifiedIndex;
let interception: Interception;
let verdicts: Verdict[];
let stranger: Server;
let strangerPort: number;
let strangerHeaders: NodeJS.Dict<string | string[]>[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rind-interception-'));
  upstream = await SimulatedIndex.start();
  const metadata = 'Metadata-Version: 2.1\nName: foo\nVersion: 1.0\nRequires-Dist: bar\n';
  upstream.addProject('foo', [{ filename: WHEEL, bytes: BYTES, metadata }]);
  fetcher = new HttpFetcher();
  verdicts = [];
  index = new VerifiedIndex({
    url: BASE,
    fetcher: { fetch: (url, options) => fetcher.fetch(url.replace(BASE, upstream.url), options) },
    files: await VerifiedFiles.create(join(folder, 'files')),
    openUpdater: () =>
      new Updater({
        metadataDir: join(folder, 'metadata'),
        metadataBaseUrl: `${upstream.url}metadata/`,
        targetBaseUrl: upstream.url,
        fetcher,
        bootstrapRoot: upstream.repository.initialRoot,
      }),
  });
  strangerHeaders = [];
  stranger = createServer((request, response) => {
    strangerHeaders.push(request.headers);
    response.end('unverified');
  });
  await new Promise<void>((resolve) => stranger.listen(0, '127.0.0.1', resolve));
  strangerPort = (stranger.address() as AddressInfo).port;
  await start();
});

afterEach(async () => {
  await interception.close();
  stranger.closeAllConnections();
  stranger.close();
  await fetcher.close();
  await upstream.close();
  await rm(folder, { recursive: true, force: true });
});

async function start(options: Partial<InterceptionOptions> = {}): Promise<void> {
  await interception?.close();
  interception = await Interception.start({
    indexes: [
      { baseUrl: BASE, index },
      { baseUrl: 'http://plain.example/', index },
    ],
    unknownHosts: 'refuse',
    environment: {},
    onFailure: (verdict) => void verdicts.push(verdict),
    ...options,
  });
}

function credentials(): string {
  const { username, password } = new URL(interception.proxyUrl);
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

/** Says something to the proxy, and gives the first line of what it answers, and the open connection. */
function say(
  lines: readonly string[],
  authorization = credentials(),
): Promise<{ status: number; socket: Socket }> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp(Number(new URL(interception.proxyUrl).port), '127.0.0.1');
    socket.once('error', reject);
    socket.once('data', (data) =>
      resolve({ status: Number(/^HTTP\/1\.1 ([0-9]{3})/.exec(data.toString('latin1'))?.[1]), socket }),
    );
    socket.write([...lines, `Proxy-Authorization: ${authorization}`, '', ''].join('\r\n'));
  });
}

async function connectStatus(authority: string, authorization?: string): Promise<number> {
  const { status, socket } = await say(
    [`CONNECT ${authority} HTTP/1.1`, `Host: ${authority}`],
    authorization,
  );
  socket.destroy();
  return status;
}

interface Received {
  status: number;
  body: string;
}

/** A request inside TLS, as an installer makes it. */
async function get(path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Received> {
  const { status, socket } = await say([
    'CONNECT packages.example.org:443 HTTP/1.1',
    'Host: packages.example.org:443',
  ]);
  expect(status).toBe(200);
  const secure = connectTls({ socket, servername: 'packages.example.org', ca: interception.certificate });
  return send({
    createConnection: () => secure,
    headers: { host: 'packages.example.org', ...headers },
    method,
    path,
  });
}

function plain(url: string, headers: Record<string, string> = {}): Promise<Received> {
  return send({
    host: '127.0.0.1',
    port: new URL(interception.proxyUrl).port,
    path: url,
    headers: { host: new URL(url).host, 'proxy-authorization': credentials(), ...headers },
  });
}

function send(options: RequestOptions): Promise<Received> {
  return new Promise((resolve, reject) => {
    httpRequest(options, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => (body += text));
      response.once('end', () => resolve({ status: response.statusCode ?? 0, body })).once('error', reject);
    })
      .once('error', reject)
      .end();
  });
}

describe('Interception', () => {
  it('answers for the index under its own URL, over TLS and in plain', async () => {
    const page = await get('/team/simple/foo/', { accept: JSON_TYPE });
    expect(page.status).toBe(200);
    expect(parseProjectJson(Buffer.from(page.body)).files.map(({ filename }) => filename)).toEqual([WHEEL]);
    expect(await get(`/team/packages/foo/${WHEEL}`)).toEqual({ status: 200, body: BYTES.toString() });
    expect(await plain(`http://plain.example/packages/foo/${WHEEL}`)).toMatchObject({ status: 200 });
    expect(interception.unverified).toEqual([]);
  });

  it('makes the JSON of a release of verified page and metadata, with URLs of the index', async () => {
    const release = await get('/team/pypi/foo/1.0/json');
    expect(JSON.parse(release.body)).toMatchObject({
      info: { name: 'foo', version: '1.0', requires_dist: ['bar'], yanked: false },
      urls: [{ filename: WHEEL, url: `${BASE}packages/foo/${WHEEL}`, packagetype: 'bdist_wheel' }],
    });
    expect(JSON.parse((await get('/team/pypi/foo/json')).body)).toMatchObject({ info: { version: '1.0' } });
    expect(await get('/team/pypi/foo/2.0/json')).toMatchObject({ status: 404 });
  });

  it('withholds what does not verify, and tells its owner before it answers', async () => {
    upstream.tamper(/whl$/);
    const file = await get(`/team/packages/foo/${WHEEL}`);
    expect(file.status).toBe(403);
    expect(file.body).not.toContain('the bytes');
    expect(verdicts.map(({ code }) => code)).toEqual(['tampered']);
  });

  it('serves nobody without the credentials of the run', async () => {
    expect(await connectStatus('packages.example.org:443', 'Basic cmluZDpndWVzcw==')).toBe(407);
    expect(await connectStatus('packages.example.org:443', 'Bearer x')).toBe(407);
    const url = `http://plain.example/packages/foo/${WHEEL}`;
    expect(await plain(url, { 'proxy-authorization': '' })).toMatchObject({ status: 407 });
    expect(await plain(url)).toMatchObject({ status: 200 });
  });

  it('refuses what a page in a browser could send, and every method that is no read', async () => {
    const path = '/team/simple/foo/';
    expect(await get(path, { origin: 'https://evil.example' })).toMatchObject({ status: 403 });
    expect(await get(path, { 'sec-fetch-site': 'cross-site' })).toMatchObject({ status: 403 });
    expect(await get(path, { host: 'evil.example' })).toMatchObject({ status: 421 });
    expect(await get(path, { host: '127.0.0.1' })).toMatchObject({ status: 421 });
    expect(await get(path, {}, 'POST')).toMatchObject({ status: 405 });
    expect(await plain('http://plain.example/simple/foo/', { host: 'evil.example' })).toMatchObject({
      status: 421,
    });
  });

  it('has nothing on a trusted host but the index, and decodes a path once', async () => {
    for (const path of [
      '/simple/foo/',
      '/other/simple/foo/',
      '/team/simple/%252e%252e/',
      '/team/packages/foo/%252e%252e%252fx.whl',
      '/team/packages/foo/..%2fx.whl',
      '/team/%2e%2e/simple/foo/',
      '/team/metadata/timestamp.json',
      '/team/packages/foo/a%0d%0aset-cookie:x.whl',
    ]) {
      expect([path, await get(path)]).toMatchObject([path, { status: 403 }]);
    }
    expect(interception.unverified.every(({ passed }) => passed === 0)).toBe(true);
    expect(interception.unverified.map(({ place }) => place)).toContain(
      'https://packages.example.org/simple/foo/',
    );
  });

  it('refuses every other host, and counts it', async () => {
    for (const authority of ['evil.example:443', '127.0.0.1:22', 'packages.example.org:22', '[::1]:443']) {
      expect([authority, await connectStatus(authority)]).toEqual([authority, 403]);
    }
    for (const authority of [
      'evil.example',
      'evil.example:0',
      'evil.example:99999',
      'a b:443',
      'u@evil.example:443',
    ]) {
      expect([authority, await connectStatus(authority)]).toEqual([authority, 400]);
    }
    expect(await plain(`http://127.0.0.1:${strangerPort}/`)).toMatchObject({ status: 403 });
    expect(interception.unverified).toContainEqual({ place: 'https://evil.example', passed: 0, refused: 1 });
    expect(strangerHeaders).toEqual([]);
  });

  it('tunnels by policy to the usual ports alone, and counts what it let through', async () => {
    await start({ unknownHosts: 'tunnel' });
    expect(await connectStatus(`127.0.0.1:${strangerPort}`)).toBe(403);
    expect(await connectStatus('127.0.0.1:22')).toBe(403);
    await start({ allowedHosts: new Set([`127.0.0.1:${strangerPort}`]) });
    const { status, socket } = await say([
      `CONNECT 127.0.0.1:${strangerPort} HTTP/1.1`,
      `Host: 127.0.0.1:${strangerPort}`,
    ]);
    expect(status).toBe(200);
    const through = await send({ createConnection: () => socket, path: '/', headers: { host: 'x' } });
    expect(through.body).toBe('unverified');
    expect(interception.unverified).toEqual([
      { place: `https://127.0.0.1:${strangerPort}`, passed: 1, refused: 0 },
    ]);
  });

  it('hands the credentials of the run to nobody', async () => {
    await start({ allowedHosts: new Set([`127.0.0.1:${strangerPort}`]) });
    const answer = await plain(`http://127.0.0.1:${strangerPort}/x`, { 'proxy-connection': 'keep-alive' });
    expect(answer).toEqual({ status: 200, body: 'unverified' });
    expect(strangerHeaders).toHaveLength(1);
    expect(Object.keys(strangerHeaders[0] ?? {}).filter((name) => name.startsWith('proxy'))).toEqual([]);
  });

  it('keeps a project to the index that its route names', async () => {
    const other = 'https://other.example/';
    const policy = {
      routeOf: (project: string) => (project === 'foo' ? other : BASE),
      rulesOf: () => ({ mustBeClaimed: false, minimumAgeDays: 0, locked: false }),
    };
    await start({ policy, indexes: [{ baseUrl: BASE, index, only: BASE }] });
    const page = await get('/team/simple/foo/');
    expect(page.status).toBe(404);
    expect(page.body).toContain(`foo comes from ${other}`);
    expect(await get(`/team/packages/foo/${WHEEL}`)).toMatchObject({ status: 404 });
  });

  it('forwards no spelling of a locked project under the escape hatch', async () => {
    const policy = {
      routeOf: () => BASE,
      rulesOf: (project: string) => ({
        mustBeClaimed: false,
        minimumAgeDays: 0,
        locked: project === 'foo',
      }),
    };
    await start({ policy, isUnverified: true });
    for (const path of ['/team/simple/foo', '/team/simple/Foo/', '/team/simple//foo/']) {
      expect([path, (await get(path)).status]).toEqual([path, 301]);
    }
    expect(interception.unverified).toEqual([]);
  });
});
