import { createServer, request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { binOf, flipByte, SimulatedIndex } from '../../test/support/simulated-index.ts';
import { renderProjectHtml, renderProjectJson, parseProjectJson } from '../pypi/simple.ts';
import { timeText } from '../testing/repository-simulator.ts';
import { HttpFetcher } from '../updater/http-fetcher.ts';
import { Updater } from '../updater/updater.ts';
import { keepWaiting } from './keep-waiting.ts';
import { VerifyingProxy, type ProxyOptions } from './proxy.ts';
import { VerifiedFiles } from './verified-files.ts';
import { VerifiedIndex } from './verified-index.ts';
import type { Verdict } from './verdict.ts';

const JSON_TYPE = 'application/vnd.pypi.simple.v1+json';
const WHEEL = 'foo-1.0-py3-none-any.whl';
const LOCAL = 'foo-1.1+local-py3-none-any.whl';
const BYTES = Buffer.from('the bytes of foo 1.0, a wheel of sorts');
const METADATA = 'Metadata-Version: 2.1\nName: foo\nVersion: 1.0\n';

interface Received {
  status: number;
  reason: string;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

let folder: string;
let upstream: SimulatedIndex;
let fetcher: HttpFetcher;
let files: VerifiedFiles;
let proxy: VerifyingProxy;
let verdicts: Verdict[];
let absent: string[];
let now: Date;

async function startProxy(
  options: Partial<ProxyOptions> = {},
  sessionMaxAge?: number,
): Promise<VerifyingProxy> {
  const index = new VerifiedIndex({
    url: upstream.url,
    openUpdater: () =>
      new Updater({
        metadataDir: join(folder, 'metadata'),
        metadataBaseUrl: `${upstream.url}metadata/`,
        targetBaseUrl: upstream.url,
        fetcher,
        clock: () => now,
        bootstrapRoot: upstream.repository.initialRoot,
      }),
    fetcher,
    files,
    ...(sessionMaxAge === undefined ? {} : { sessionMaxAge }),
  });
  proxy = await VerifyingProxy.start({
    index,
    clock: () => now,
    onFailure: (verdict) => void verdicts.push(verdict),
    onAbsent: ({ code, what }) => void absent.push(`${code}: ${what}`),
    ...options,
  });
  return proxy;
}

function ask(path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Received> {
  return new Promise((resolve, reject) => {
    const url = path.startsWith('http') ? path : proxy.url + path;
    const request = httpRequest(url, { method, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('error', reject);
      response.once('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          reason: response.statusMessage ?? '',
          headers: response.headers,
          body: Buffer.concat(chunks),
        }),
      );
    });
    request.once('error', reject).end();
  });
}

/** Asks for everything an installer could want, in the order of pip. */
async function askAll(userAgent = 'pip/26.2'): Promise<Received[]> {
  const headers = { 'user-agent': userAgent };
  return [
    await ask('simple/foo/', { ...headers, accept: JSON_TYPE }),
    await ask('simple/foo/', { ...headers, accept: 'text/html' }),
    await ask(`packages/foo/${WHEEL}.metadata`, headers),
    await ask(`packages/foo/${WHEEL}`, headers),
  ];
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rind-proxy-'));
  upstream = await SimulatedIndex.start();
  upstream.addProject('foo', [
    { filename: WHEEL, bytes: BYTES, metadata: METADATA },
    { filename: LOCAL, bytes: Buffer.from('local') },
  ]);
  fetcher = new HttpFetcher();
  files = await VerifiedFiles.create(join(folder, 'files'));
  verdicts = [];
  absent = [];
  now = new Date();
  await startProxy();
});

afterEach(async () => {
  await proxy.close();
  await fetcher.close();
  await upstream.close();
  await rm(folder, { recursive: true });
});

describe('VerifyingProxy', () => {
  it('serves pages in the very bytes that were signed, in both formats', async () => {
    const json = await ask('simple/foo/', { accept: JSON_TYPE });
    const page = parseProjectJson(json.body);
    expect(json.body).toEqual(Buffer.from(renderProjectJson(page)));
    expect(json.headers).toMatchObject({
      'content-type': JSON_TYPE,
      'cache-control': 'no-cache',
      vary: 'Accept',
    });
    const html = await ask('simple/foo/', { accept: 'text/html' });
    expect(html.body).toEqual(Buffer.from(renderProjectHtml(page)));
    expect(html.headers['content-type']).toBe('text/html; charset=utf-8');
    const same = await ask('simple/foo/', { accept: JSON_TYPE, 'if-none-match': json.headers.etag ?? '' });
    expect([same.status, same.body.length]).toEqual([304, 0]);
    expect((await ask('simple/foo/', { accept: 'image/png' })).status).toBe(406);
    expect(verdicts).toEqual([]);
  });

  it('serves files and the metadata beside them', async () => {
    expect((await ask(`packages/foo/${WHEEL}`)).body).toEqual(BYTES);
    expect((await ask(`packages/foo/${encodeURIComponent(LOCAL)}`)).body.toString()).toBe('local');
    expect((await ask(`packages/foo/${WHEEL}.metadata`)).body.toString()).toBe(METADATA);
    expect((await ask(`packages/foo/${encodeURIComponent(LOCAL)}.metadata`)).status).toBe(404);
  });

  it('serves ranges of a file only after the whole of it was verified', async () => {
    const part = await ask(`packages/foo/${WHEEL}`, { range: 'bytes=4-8' });
    expect([part.status, part.body.toString()]).toEqual([206, 'bytes']);
    expect(part.headers['content-range']).toBe(`bytes 4-8/${BYTES.length}`);
    const { etag = '' } = part.headers;
    expect(
      (await ask(`packages/foo/${WHEEL}`, { range: 'bytes=-5', 'if-range': etag })).body.toString(),
    ).toBe('sorts');
    expect((await ask(`packages/foo/${WHEEL}`, { range: 'bytes=0-1', 'if-range': '"x"' })).status).toBe(200);
    expect((await ask(`packages/foo/${WHEEL}`, { range: 'bytes=999-' })).status).toBe(416);
    const head = await ask(`packages/foo/${WHEEL}`, {}, 'HEAD');
    expect([head.headers['content-length'], head.body.length]).toEqual([String(BYTES.length), 0]);
    upstream.addProject('bar', [{ filename: 'bar-1.0.tar.gz', bytes: Buffer.alloc(1000, 'x') }]);
    upstream.tamper(/bar-1\.0\.tar\.gz$/);
    expect(await ask('packages/bar/bar-1.0.tar.gz', { range: 'bytes=0-3' })).toMatchObject({ status: 403 });
  });

  it('asks the index for each thing once', async () => {
    await Promise.all([askAll(), askAll()]);
    await askAll();
    expect(upstream.requests).toHaveLength(new Set(upstream.requests).size);
  });

  it('leads other spellings of a name to the normalized one', async () => {
    const answer = await ask('simple/Foo/');
    expect(answer).toMatchObject({ status: 301, headers: { location: '../foo/' } });
    expect(await ask('simple/foo')).toMatchObject({ status: 301, headers: { location: 'foo/' } });
  });

  it('does not serve the list of projects, which nobody signs', async () => {
    const answer = await ask('simple/');
    expect(answer.status).toBe(403);
    expect(answer.body.toString()).toContain('not signed');
  });
});

describe('VerifyingProxy and absence', () => {
  it('reports absence only after it looked for a newer snapshot', async () => {
    await ask('simple/foo/');
    const before = upstream.requests.length;
    expect((await ask('simple/bar/')).status).toBe(404);
    expect(upstream.requests.slice(before)).toContain('metadata/timestamp.json');
    expect(absent).toEqual([`unknown: ${upstream.url} has no project named bar; its signatures say so.`]);
    expect((await ask('packages/foo/foo-9.0-py3-none-any.whl')).status).toBe(404);
    expect(verdicts).toEqual([]);
  });

  it('finds what was uploaded after the session began', async () => {
    await ask('simple/foo/');
    upstream.addProject('bar', [{ filename: 'bar-1.0.tar.gz', bytes: Buffer.from('bar') }]);
    expect((await ask('packages/bar/bar-1.0.tar.gz')).body.toString()).toBe('bar');
    expect((await ask('simple/bar/', { accept: JSON_TYPE })).status).toBe(200);
    expect(absent).toEqual([]);
  });

  it('keeps to one snapshot for what it has, and takes a fresh one when the session is too old', async () => {
    await ask('simple/foo/');
    upstream.addProject('foo', [{ filename: 'foo-2.0.tar.gz', bytes: Buffer.from('2') }]);
    expect((await ask('simple/foo/')).body.toString()).not.toContain('foo-2.0');
    await proxy.close();
    await startProxy({}, 0);
    expect((await ask('simple/foo/')).body.toString()).toContain('foo-2.0');
    upstream.addProject('foo', [{ filename: 'foo-3.0.tar.gz', bytes: Buffer.from('3') }]);
    expect((await ask('simple/foo/')).body.toString()).toContain('foo-3.0');
  });

  it('does not take a 404 of the server for absence', async () => {
    upstream.tamper(/^simple\/foo\//, () => undefined);
    const answer = await ask('simple/foo/', { 'user-agent': 'uv/0.13', accept: JSON_TYPE });
    expect(answer.status).toBe(422);
    expect(verdicts).toMatchObject([{ code: 'incomplete' }]);
    upstream.behave();
    upstream.tamper(new RegExp(`^packages/foo/.*${WHEEL}$`), () => undefined);
    expect((await ask(`packages/foo/${WHEEL}`)).status).toBe(403);
    expect(absent).toEqual([]);
  });
});

describe('VerifyingProxy against tampering', () => {
  const HASHED = '(?:[0-9a-f]{64}\\.)?';
  const attacks: [name: string, paths: RegExp, code: RegExp][] = [
    ['the JSON page', new RegExp(`^simple/foo/${HASHED}index\\.json$`), /tampered/],
    ['the HTML page', new RegExp(`^simple/foo/${HASHED}index\\.html$`), /tampered/],
    ['the file', new RegExp(`^packages/foo/${HASHED}foo-1\\.0-py3-none-any\\.whl$`), /tampered/],
    ['the metadata beside the file', /whl\.metadata$/, /tampered/],
    ['the timestamp', /timestamp\.json$/, /wrongly-signed|malformed/],
    ['the snapshot', /snapshot\.json$/, /wrongly-signed|malformed|tampered/],
    ['targets', /\d+\.targets\.json$/, /wrongly-signed|malformed/],
    ['every bin', /bin-[0-9a-f]\.json$/, /wrongly-signed|malformed/],
  ];

  it.each(attacks)('withholds everything that depends on %s', async (_name, paths, code) => {
    const honest = await askAll();
    await proxy.close();
    await files.close();
    // Nothing that was verified before: it would be used, and rightly.
    files = await VerifiedFiles.create(join(folder, 'other-files'));
    await rm(join(folder, 'metadata'), { recursive: true });
    await startProxy();
    upstream.tamper(paths);
    const answers = await askAll();
    expect(verdicts.length).toBeGreaterThan(0);
    for (const verdict of verdicts) expect(verdict.code).toMatch(code);
    const changed = honest.filter(({ body }) => !answers.some((answer) => answer.body.equals(body)));
    expect(changed.length).toBeGreaterThan(0);
    // What was answered is what was signed, or a refusal.
    for (const [index, { status, body }] of answers.entries()) {
      const isTombstone = body.includes('TUF-VERIFICATION-FAILED');
      if (status === 200 && !isTombstone) expect(body).toEqual(honest[index]?.body);
      else expect([200, 403]).toContain(status);
    }
    upstream.behave();
    verdicts.length = 0;
    for (const [index, answer] of (await askAll()).entries())
      expect(answer.body).toEqual(honest[index]?.body);
    expect(verdicts).toEqual([]);
  });

  it('refuses a file that is longer, shorter, another one or cut off', async () => {
    const changes = [
      (bytes: Uint8Array) => Buffer.concat([bytes, Buffer.from('x')]),
      (bytes: Uint8Array) => bytes.subarray(1),
      () => Buffer.alloc(BYTES.length),
      () => 'cut' as const,
    ];
    for (const change of changes) {
      upstream.tamper(new RegExp(`${WHEEL}$`), change);
      expect((await ask(`packages/foo/${WHEEL}`)).status).toBe(403);
      upstream.behave();
    }
    expect(verdicts.map(({ code }) => code).slice(0, 3)).toEqual(['tampered', 'tampered', 'tampered']);
    expect(['tampered', 'unreachable']).toContain(verdicts[3]?.code);
    const left = (await readdir(join(folder, 'files'), { recursive: true })).filter((name) =>
      /[0-9a-f]{64}/.test(name),
    );
    expect(left).toEqual([]);
  });

  it('refuses the page of another project under this name', async () => {
    upstream.addProject('bar', [{ filename: 'bar-1.0.tar.gz', bytes: Buffer.from('bar'), metadata: 'bar' }]);
    const { repository } = upstream;
    const path = 'simple/foo/index.json';
    const bar = await ask('simple/bar/', { accept: JSON_TYPE });
    repository.addTarget(binOf(path), path, bar.body);
    repository.publishAll(binOf(path));
    await proxy.close();
    await startProxy();
    expect((await ask(`packages/foo/${WHEEL}.metadata`)).status).toBe(403);
    expect(verdicts).toMatchObject([{ code: 'tampered' }]);
  });

  it('tells expired, rolled back, wrongly signed, not signed, and unreachable apart', async () => {
    const codes: string[] = [];
    const refused = async (): Promise<void> => {
      await proxy.close();
      await startProxy();
      expect((await ask(`packages/foo/${WHEEL}`)).status).toBe(403);
      codes.push(verdicts.at(-1)?.code ?? '');
    };
    await ask('simple/foo/');
    const { repository } = upstream;

    now = new Date(Date.now() + 40 * 86_400_000);
    await refused();
    expect(verdicts.at(-1)?.what).toContain(`clock says ${now.toISOString().slice(0, 10)}`);
    now = new Date();

    const old = repository.files.get('metadata/timestamp.json') ?? Buffer.alloc(0);
    upstream.addProject('bar', []);
    await ask('simple/bar/');
    upstream.tamper(/timestamp\.json$/, () => old);
    await refused();
    upstream.behave();

    repository.signers('timestamp').length = 0;
    repository.publish(['timestamp']);
    await refused();
    repository.addKey('timestamp');
    repository.publish(['root', 'timestamp']);

    upstream.addProject('foo', [{ filename: WHEEL, bytes: BYTES, metadata: METADATA }], [WHEEL]);
    delete repository.role(binOf(`packages/foo/${WHEEL}`)).targets[`packages/foo/${WHEEL}`];
    repository.publishAll(binOf(`packages/foo/${WHEEL}`));
    await refused();

    await upstream.close();
    await refused();
    expect(codes).toEqual(['expired', 'rollback', 'wrongly-signed', 'not-signed', 'unreachable']);
    for (const { what, meaning, remedy } of verdicts) {
      for (const sentence of [what, meaning, remedy]) expect(sentence).toMatch(/^\S.*[.]$/);
    }
  });

  it('refuses metadata that expired while the proxy was running, once a fresh session is due', async () => {
    await proxy.close();
    await startProxy({}, 0);
    expect((await ask('simple/foo/')).status).toBe(200);
    upstream.repository.timestamp.expires = timeText(new Date(Date.now() - 1000));
    upstream.repository.publish(['timestamp']);
    expect((await ask(`packages/foo/${WHEEL}`)).status).toBe(403);
    expect(verdicts).toMatchObject([{ code: 'expired' }]);
  });
});

describe('VerifyingProxy as it fails closed', () => {
  const refuse = (): void => upstream.tamper(/timestamp\.json$/, () => Buffer.from('{}'));

  it('stops uv and poetry at the page, with the reason', async () => {
    refuse();
    for (const agent of ['uv/0.13.9 (Linux)', 'poetry/2.4.1']) {
      const answer = await ask('simple/foo/', { 'user-agent': agent, accept: JSON_TYPE });
      expect(answer).toMatchObject({ status: 422, headers: { 'content-type': 'application/problem+json' } });
      expect(answer.reason).toContain('rind refuses');
      const problem = JSON.parse(answer.body.toString()) as { title: string; detail: string; code: string };
      expect(problem.code).toBe('malformed');
      expect(problem.detail).toContain('Check that the URL');
    }
  });

  it('gives everybody else a listing in which every choice ends at the reason', async () => {
    await ask(`packages/foo/${WHEEL}.metadata`);
    await proxy.close();
    await startProxy();
    refuse();
    for (const accept of [JSON_TYPE, 'text/html', '*/*']) {
      const page = await ask('simple/foo/', { 'user-agent': 'pip/26.2', accept });
      expect(page.status).toBe(200);
      const links = [...page.body.toString().matchAll(/(?:"url":|href=)"([^"]+)"/g)].map(
        (match) => match[1] ?? '',
      );
      expect(links.length).toBe(6);
      for (const link of links) {
        for (const suffix of ['', '.metadata']) {
          const answer = await ask(new URL(link, `${proxy.url}simple/foo/`).href + suffix);
          expect(answer.status).toBe(403);
          expect(answer.reason).toContain('rind refuses');
        }
      }
    }
  });

  it('lists decoys for the versions in a page it never verified', async () => {
    upstream.tamper(/^simple\/foo\//);
    const page = await ask('simple/foo/', { 'user-agent': 'pip/26.2', accept: JSON_TYPE });
    expect(page.body.toString()).toContain('foo-1.0-99999tuf-py3-none-any.whl');
    expect(page.body.toString()).toContain('foo-1.1+local-99999tuf-py3-none-any.whl');
    upstream.behave();
    upstream.tamper(/^simple\/foo\//, () => Buffer.from('evil-1.0.tar.gz <script> foo-3.0.tar.gz'));
    const invented = await ask('simple/foo/', { 'user-agent': 'pip/26.2', accept: 'text/html' });
    expect(invented.body.toString()).not.toMatch(/evil|script/);
  });

  it('answers only after the owner was told, so that he can end the installer first', async () => {
    await proxy.close();
    let isEnded = false;
    await startProxy({
      onFailure: async () => {
        await delay(100);
        isEnded = true;
      },
    });
    refuse();
    const answer = await ask(`packages/foo/${WHEEL}`);
    expect([answer.status, isEnded]).toEqual([403, true]);
  });

  it('puts nothing into the reason phrase that is not printable ASCII', async () => {
    upstream.tamper(/timestamp\.json$/, () => Buffer.from('\u{1f4a3}\r\nX: y'));
    const answer = await ask(`packages/foo/${WHEEL}`);
    expect(answer.status).toBe(403);
    expect(answer.reason).toMatch(/^[ -~]+$/);
    expect(answer.headers).not.toHaveProperty('x');
  });
});

describe('VerifyingProxy on the loopback', () => {
  it('has an address that cannot be guessed', async () => {
    const { origin, pathname } = new URL(proxy.url);
    expect(new URL(proxy.url).hostname).toBe('127.0.0.1');
    expect(pathname).toMatch(/^\/[A-Za-z0-9_-]{32}\/$/);
    const paths = ['/', '/simple/foo/', `/${'x'.repeat(32)}/simple/foo/`];
    for (const path of paths) expect((await ask(origin + path)).status).toBe(404);
    expect(upstream.requests).toEqual([]);
  });

  it('answers nobody who had another name point here', async () => {
    const { port } = new URL(proxy.url);
    for (const host of [
      'evil.example',
      `evil.example:${port}`,
      '127.0.0.1',
      `127.0.0.1.evil.example:${port}`,
    ]) {
      expect((await ask('simple/foo/', { host })).status).toBe(421);
    }
    expect((await ask('simple/foo/', { host: `localhost:${port}` })).status).toBe(200);
  });

  it('answers no web site', async () => {
    for (const headers of [
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
    ]) {
      const answer = await ask('simple/foo/', headers as Record<string, string>);
      expect(answer.status).toBe(403);
      expect(Object.keys(answer.headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
    }
    expect((await ask('simple/foo/', { 'sec-fetch-site': 'none' })).status).toBe(200);
  });

  it('is for reading only', async () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']) {
      expect((await ask('simple/foo/', {}, method)).status).toBe(405);
    }
    expect((await ask('simple/foo/', {}, 'HEAD')).status).toBe(200);
  });

  it('keeps what a hostile server says out of its headers', async () => {
    const answer = await ask(`packages/foo/${WHEEL}`);
    expect(answer.headers).not.toHaveProperty('content-disposition');
    expect(answer.headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'content-type': 'application/octet-stream',
    });
  });
});

describe('keepWaiting', () => {
  it('sends interim answers until the answer begins', async () => {
    const server = createServer((request, response) => {
      const stop = keepWaiting(request, response, 10);
      setTimeout(() => {
        stop();
        response.end('whole');
      }, 100);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    let interim = 0;
    const body = await new Promise<string>((resolve, reject) => {
      httpRequest({ port, host: '127.0.0.1' }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        response.once('end', () => resolve(text));
      })
        .on('continue', () => (interim += 1))
        .once('error', reject)
        .end();
    });
    expect(body).toBe('whole');
    expect(interim).toBeGreaterThan(0);
    await new Promise((resolve) => server.close(resolve));
  });
});

it('flipByte changes what it is given', () => {
  expect(flipByte(BYTES)).not.toEqual(BYTES);
});
