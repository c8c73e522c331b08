import { createHash } from 'node:crypto';
import { connect } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeSdist, makeWheel } from '../../test/tools/distribution.ts';
import { ServerFixture, type Answer } from '../../test/support/server-fixture.ts';

const V1_JSON = 'application/vnd.pypi.simple.v1+json';
const V1_HTML = 'application/vnd.pypi.simple.v1+html';
const IMMUTABLE = 'public, max-age=31536000, immutable';
const wheel = makeWheel({ name: 'Cheese.Shop', version: '1.0', padding: 20_000 });
const local = makeSdist({ name: 'local', version: '1.0+abc.1' });
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const FILE = `/packages/cheese-shop/${wheel.filename}`;

let server: ServerFixture;
beforeAll(async () => {
  server = await ServerFixture.start({ publicUrl: 'https://rind.test/python/' });
  await server.upload(wheel);
  await server.upload(local);
});
afterAll(() => server.close());

async function stored(key: string): Promise<Buffer> {
  const bytes = await server.store.read(key);
  if (bytes === undefined) throw new Error(`${key} is not there`);
  return Buffer.from(bytes);
}

describe('a project page', () => {
  it.each([
    ['pip and pdm', `${V1_JSON}, ${V1_HTML}; q=0.1, text/html; q=0.01`, V1_JSON, 'json'],
    ['uv', `${V1_JSON}, ${V1_HTML};q=0.2, text/html;q=0.01`, V1_JSON, 'json'],
    ['poetry', `${V1_JSON}, */*;q=0.1`, V1_JSON, 'json'],
    ['pipenv', '*/*', 'text/html; charset=utf-8', 'html'],
    ['who prefers PEP 691 HTML', V1_HTML, V1_HTML, 'html'],
    ['a browser', 'text/html,application/xhtml+xml,*/*;q=0.8', 'text/html; charset=utf-8', 'html'],
  ])('is for %s the very bytes that are signed', async (_, accept, type, extension) => {
    const answer = await server.get('/simple/cheese-shop/', { Accept: accept });
    expect([answer.status, answer.headers['content-type']]).toEqual([200, type]);
    const bytes = await stored(`simple/cheese-shop/index.${extension}`);
    expect(answer.body.equals(bytes)).toBe(true);
    expect(answer.headers.etag).toBe(`"${sha256(bytes)}"`);
    expect(answer.headers['cache-control']).toBe('no-cache');
    expect(answer.headers.vary).toBe('Accept, Accept-Encoding');
    expect(answer.headers['x-content-type-options']).toBe('nosniff');
  });

  it('without an Accept header is HTML', async () => {
    const answer = await server.get('/simple/cheese-shop/');
    expect(answer.headers['content-type']).toBe('text/html; charset=utf-8');
    expect(answer.text).toContain(`>${wheel.filename}</a>`);
    expect(answer.headers['content-security-policy']).toMatch(/^default-src 'none'/);
  });

  it.each(['application/vnd.pypi.simple.v2+json', 'image/png', `${V1_JSON};q=0`])(
    'for %s is answered 406 with what there is',
    async (accept) => {
      const answer = await server.get('/simple/cheese-shop/', { Accept: accept });
      expect(answer.status).toBe(406);
      expect(answer.reason).toContain(V1_JSON);
      expect(answer.headers.vary).toBe('Accept, Accept-Encoding');
    },
  );

  it('follows ?format= before Accept, in both spellings of its plus sign', async () => {
    for (const format of [V1_JSON, encodeURIComponent(V1_JSON)]) {
      const answer = await server.get(`/simple/cheese-shop/?format=${format}`, { Accept: 'text/html' });
      expect(answer.headers['content-type']).toBe(V1_JSON);
    }
    expect((await server.get('/simple/cheese-shop/?format=text/csv')).status).toBe(406);
  });

  it('is not sent again to whoever has it: 304 for a strong, weak, listed or any tag, HEAD included', async () => {
    const { headers } = await server.get('/simple/cheese-shop/', { Accept: V1_JSON });
    const etag = headers.etag ?? '';
    for (const known of [etag, `W/${etag}`, `"x", ${etag}`, '*']) {
      for (const method of ['GET', 'HEAD']) {
        const answer = await server.send(method, '/simple/cheese-shop/', {
          Accept: V1_JSON,
          'If-None-Match': known,
        });
        expect([answer.status, answer.body.length]).toEqual([304, 0]);
        expect(answer.headers).toMatchObject({
          etag,
          'cache-control': 'no-cache',
          vary: 'Accept, Accept-Encoding',
        });
      }
    }
    const other = await server.get('/simple/cheese-shop/', { Accept: 'text/html', 'If-None-Match': etag });
    expect(other.status).toBe(200);
  });

  it('is compressed for whoever accepts that, under a tag of its own', async () => {
    const plain = await server.get('/simple/cheese-shop/', { Accept: V1_JSON });
    const zipped = await server.get('/simple/cheese-shop/', {
      Accept: V1_JSON,
      'Accept-Encoding': 'br, gzip;q=0.5',
    });
    expect(zipped.headers['content-encoding']).toBe('gzip');
    expect(gunzipSync(zipped.body).equals(plain.body)).toBe(true);
    expect(zipped.headers.etag).not.toBe(plain.headers.etag);
    expect(zipped.headers['content-length']).toBe(String(zipped.body.length));
    const refused = await server.get('/simple/cheese-shop/', {
      Accept: V1_JSON,
      'Accept-Encoding': 'gzip;q=0, identity',
    });
    expect(refused.headers['content-encoding']).toBeUndefined();
  });

  it('answers HEAD with the headers of GET and no body', async () => {
    const get = await server.get('/simple/cheese-shop/', { Accept: V1_JSON });
    const head = await server.send('HEAD', '/simple/cheese-shop/', { Accept: V1_JSON });
    const { date: _get, ...expected } = get.headers;
    const { date: _head, ...actual } = head.headers;
    expect(actual).toEqual(expected);
    expect(head.body.length).toBe(0);
  });

  it('shows an upload at once, whatever was in memory', async () => {
    for (let version = 2; version < 6; version += 1) {
      const before = await server.get('/simple/cheese-shop/', { Accept: V1_JSON });
      const list = await server.get('/simple/', { Accept: V1_JSON });
      const next = makeWheel({ name: 'cheese-shop', version: `${version}` });
      await server.upload(next);
      await server.upload(makeSdist({ name: `fresh-${version}`, version: '1' }));
      const after = await server.get('/simple/cheese-shop/', { Accept: V1_JSON });
      expect(before.text).not.toContain(next.filename);
      expect(after.text).toContain(next.filename);
      expect(list.text).not.toContain(`fresh-${version}"`);
      expect((await server.get('/simple/', { Accept: V1_JSON })).text).toContain(`fresh-${version}"`);
    }
  });

  it('that does not exist is 404 for every client, not cached', async () => {
    const answer = await server.get('/simple/nothing/', { Accept: V1_JSON });
    expect([answer.status, answer.headers['cache-control']]).toEqual([404, 'no-store']);
    expect(answer.headers['www-authenticate']).toBeUndefined();
  });
});

describe('the list of projects', () => {
  it('has every project, with serials, in both formats', async () => {
    const json = JSON.parse((await server.get('/simple/', { Accept: V1_JSON })).text) as {
      projects: { name: string; '_last-serial': number }[];
    };
    expect(json.projects.map(({ name }) => name)).toEqual(expect.arrayContaining(['cheese-shop', 'local']));
    expect(json.projects.every((project) => project['_last-serial'] > 0)).toBe(true);
    const html = await server.get('/simple/', { Accept: 'text/html' });
    expect(html.text).toContain('<a href="cheese-shop/">');
    expect(html.headers.vary).toBe('Accept, Accept-Encoding');
  });
});

describe('redirects', () => {
  it.each([
    ['/simple', 'simple/'],
    ['/simple/cheese-shop', 'cheese-shop/'],
    ['/simple/Cheese.Shop', 'cheese-shop/'],
    ['/simple/Cheese.Shop/', '../cheese-shop/'],
    ['/simple/CHEESE__shop/?format=x', '../cheese-shop/'],
    ['/python/simple/Cheese.Shop/', '../cheese-shop/'],
  ])('%s goes to %s, relative, so that it holds under any host and prefix', async (path, location) => {
    const answer = await server.get(path, { Host: 'evil.example' });
    expect([answer.status, answer.headers.location]).toEqual([301, location]);
    expect(new URL(location, `https://rind.test${path}`).pathname.replace('/python', '')).toMatch(
      /^\/simple\/(cheese-shop\/)?$/,
    );
  });

  it('never echo the address: no header can be smuggled in', async () => {
    for (const path of [
      '/simple/%0d%0aSet-Cookie:x=1',
      '/%0d%0aSet-Cookie:x=1',
      '/simple/a%0d%0ab/',
      '//evil.example/simple',
    ]) {
      const answer = await server.get(path);
      expect(answer.status).toBe(404);
      expect(answer.headers['set-cookie']).toBeUndefined();
      expect(answer.headers.location).toBeUndefined();
    }
  });
});

describe('a distribution file', () => {
  const etag = `"${sha256(wheel.bytes)}"`;

  it('is sent whole, for download only, for ever the same', async () => {
    const answer = await server.get(FILE);
    expect(answer.status).toBe(200);
    expect(answer.body.equals(wheel.bytes)).toBe(true);
    expect(answer.headers).toMatchObject({
      etag,
      'cache-control': IMMUTABLE,
      'accept-ranges': 'bytes',
      'content-type': 'application/octet-stream',
      'content-disposition': 'attachment',
      'x-content-type-options': 'nosniff',
      'content-length': String(wheel.bytes.length),
    });
  });

  it('has a date, by which it is not sent again and resumed, unless a tag says otherwise', async () => {
    const { headers } = await server.get(FILE);
    const date = headers['last-modified'] ?? '';
    expect(Math.abs(Date.parse(date) - Date.now())).toBeLessThan(3_600_000);
    expect((await server.get('/simple/cheese-shop/')).headers['last-modified']).toMatch(/ GMT$/);
    // A range is read from the store, whatever is in memory.
    const part = { Range: 'bytes=0-3' };
    const status = async (more: Record<string, string>) =>
      (await server.get(FILE, { ...part, ...more })).status;
    expect(await status({ 'If-Modified-Since': date })).toBe(304);
    expect(await status({ 'If-Modified-Since': 'Thu, 01 Jan 1998 00:00:00 GMT' })).toBe(206);
    expect(await status({ 'If-Modified-Since': 'nonsense' })).toBe(206);
    expect(await status({ 'If-Modified-Since': date, 'If-None-Match': '"other"' })).toBe(206);
    expect(await status({ 'If-Range': date })).toBe(206);
    expect(await status({ 'If-Range': 'Thu, 01 Jan 1998 00:00:00 GMT' })).toBe(200);
  });

  it('has a hash-named copy with the same tag', async () => {
    const answer = await server.get(`/packages/cheese-shop/${sha256(wheel.bytes)}.${wheel.filename}`);
    expect(answer.body.equals(wheel.bytes)).toBe(true);
    expect(answer.headers.etag).toBe(etag);
  });

  it('with a local version is found in both spellings of its plus sign', async () => {
    for (const name of [local.filename, encodeURIComponent(local.filename)]) {
      expect((await server.get(`/packages/local/${name}`)).body.equals(local.bytes)).toBe(true);
      expect((await server.get(`/packages/local/${name}.metadata`)).status).toBe(200);
    }
  });

  it.each([
    ['bytes=0-9', 0, 10],
    ['bytes=100-', 100, undefined],
    ['bytes=-100', -100, undefined],
    ['bytes=0-999999999', 0, undefined],
    ['bytes=-999999999', 0, undefined],
    ['bytes=5-5', 5, 6],
  ])('is sent in part for %s', async (range, start, end) => {
    const answer = await server.get(FILE, { Range: range });
    const part = wheel.bytes.subarray(start, end);
    expect(answer.status).toBe(206);
    expect(answer.body.equals(part)).toBe(true);
    const first = start < 0 ? wheel.bytes.length + start : start;
    expect(answer.headers['content-range']).toBe(
      `bytes ${first}-${first + part.length - 1}/${wheel.bytes.length}`,
    );
  });

  it.each(['bytes=0-1,4-5', 'lines=0-5', 'bytes=9-3', 'bytes=', 'bytes=-', 'bytes=a-b', 'nonsense'])(
    'is sent whole for %s',
    async (range) => {
      const answer = await server.get(FILE, { Range: range });
      expect([answer.status, answer.body.length]).toEqual([200, wheel.bytes.length]);
    },
  );

  it.each(['bytes=99999999-', 'bytes=-0'])('is refused for %s with its length', async (range) => {
    const answer = await server.get(FILE, { Range: range });
    expect([answer.status, answer.headers['content-range']]).toEqual([416, `bytes */${wheel.bytes.length}`]);
  });

  it('is resumed only while it is the same file', async () => {
    const same = await server.get(FILE, { Range: 'bytes=10-', 'If-Range': etag });
    expect(same.status).toBe(206);
    const changed = await server.get(FILE, { Range: 'bytes=10-', 'If-Range': '"other"' });
    expect([changed.status, changed.body.length]).toEqual([200, wheel.bytes.length]);
  });

  it('answers HEAD, HEAD with Range and 304 without a body', async () => {
    const head = await server.send('HEAD', FILE);
    expect([head.status, head.headers['content-length'], head.body.length]).toEqual([
      200,
      String(wheel.bytes.length),
      0,
    ]);
    expect((await server.send('HEAD', FILE, { Range: 'bytes=0-4' })).headers['content-length']).toBe('5');
    expect((await server.get(FILE, { 'If-None-Match': etag })).status).toBe(304);
  });

  it('whose client goes away in the middle leaves no open file', async () => {
    const big = makeSdist({ name: 'big', version: '1', padding: 5_000_000 });
    await server.upload(big);
    for (let round = 0; round < 20; round += 1) {
      await new Promise<void>((resolve) => {
        const socket = connect(server.server.port, '127.0.0.1');
        socket.once('data', () => {
          socket.destroy();
          resolve();
        });
        socket.write(`GET /packages/big/${big.filename} HTTP/1.1\r\nHost: x\r\n\r\n`);
      });
    }
    const { readdir, readlink } = await import('node:fs/promises');
    const openFiles = async () => {
      const links = await Promise.all(
        (await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')),
      );
      return links.filter((link) => link.includes(big.filename)).length;
    };
    if (process.platform === 'linux') await expect.poll(openFiles).toBe(0);
    expect(server.logged.filter((line) => line.startsWith('request failed'))).toEqual([]);
  });
});

describe('the signed tree', () => {
  it('has timestamp to be asked for anew, and everything with a number for ever', async () => {
    const timestamp = await server.get('/metadata/timestamp.json');
    expect(timestamp.headers).toMatchObject({
      'cache-control': 'no-cache',
      'content-type': 'application/json',
    });
    const { signed } = JSON.parse(timestamp.text) as {
      signed: { meta: { 'snapshot.json': { version: number } } };
    };
    const snapshot = await server.get(`/metadata/${signed.meta['snapshot.json'].version}.snapshot.json`);
    expect([snapshot.status, snapshot.headers['cache-control']]).toEqual([200, IMMUTABLE]);
    expect((await server.get('/metadata/1.root.json')).status).toBe(200);
    const next = await server.get('/metadata/2.root.json');
    expect([next.status, next.headers['cache-control']]).toEqual([404, 'no-store']);
  });

  it('has the pages as targets, plain and hash-named', async () => {
    for (const [extension, type] of [
      ['json', V1_JSON],
      ['html', 'text/html; charset=utf-8'],
    ] as const) {
      const page = await stored(`simple/cheese-shop/index.${extension}`);
      const plain = await server.get(`/simple/cheese-shop/index.${extension}`, {
        Accept: 'application/json',
      });
      expect([plain.status, plain.headers['content-type'], plain.headers['cache-control']]).toEqual([
        200,
        type,
        'no-cache',
      ]);
      const named = await server.get(`/simple/cheese-shop/${sha256(page)}.index.${extension}`);
      expect([named.headers['cache-control'], named.body.equals(page)]).toEqual([IMMUTABLE, true]);
    }
  });

  it.each([
    '/packages/../metadata/timestamp.json',
    '/packages/%2e%2e/metadata/timestamp.json',
    '/%2F%2F..%2F..%2Fetc/passwd',
    '/metadata/..%2ftimestamp.json',
    '/metadata%2ftimestamp.json',
    '/metadata/%00timestamp.json',
    '/metadata/.json',
    '/metadata/',
    '/packages/',
    '/packages/cheese-shop/',
    '/packages/Cheese.Shop/x-1.tar.gz',
    '/packages/cheese-shop/.hidden',
    '/packages/cheese-shop/x\\..\\y',
    '/simple//cheese-shop/',
    '/simple/-/',
    '/simple/%ff/',
    '/simple/%/',
    '/simple/cheese-shop/index.json/',
    '/simple/constructor/__proto__',
    '/index/other/simple/',
    '/index/',
    '/index/constructor/',
    '/static/../healthz',
    '/rind.db',
    '*',
  ])('has nothing at %s', async (path) => {
    expect((await raw('GET', path)).status).toBe(404);
  });

  it('refuses an address beyond all measure', async () => {
    expect((await server.get(`/simple/${'a'.repeat(3000)}/`)).status).toBe(414);
  });

  it('is the same whatever the Host says, and whether or not the reverse proxy took its prefix off', async () => {
    const plain = await server.get('/simple/local/', { Accept: V1_JSON });
    for (const [path, host] of [
      ['/simple/local/', 'evil.example'],
      ['/python/simple/local/', 'rind.test'],
      ['http://rind.test/python/simple/local/', 'rind.test'],
      ['http://rind.test/simple/local/', 'other.example'],
    ] as const) {
      const answer = await raw('GET', path, { Accept: V1_JSON, Host: host });
      expect(answer.text).toBe(plain.text);
    }
    expect(plain.text).toContain('"url":"../../packages/local/');
    expect((await server.get('/', { Host: 'evil.example' })).text).not.toContain('evil.example');
  });
});

/** As `send`, but the path goes out untouched. */
function raw(method: string, path: string, headers: Record<string, string> = {}): Promise<Answer> {
  return server.send(method, path, headers);
}

describe('methods', () => {
  it.each([
    ['POST', '/simple/', 'GET, HEAD'],
    ['DELETE', FILE, 'GET, HEAD'],
    ['PUT', '/metadata/timestamp.json', 'GET, HEAD'],
    ['OPTIONS', '/', 'GET, HEAD'],
    ['GET', '/legacy/', 'POST'],
    ['HEAD', '/legacy', 'POST'],
    ['PUT', '/legacy/', 'POST'],
  ])('%s %s is answered 405 with what is allowed', async (method, path, allow) => {
    const answer = await server.send(method, path);
    expect([answer.status, answer.headers.allow]).toEqual([405, allow]);
  });
});

describe('an index of another name', () => {
  it('lives under its own path with the same routes', async () => {
    const team = await ServerFixture.start({ indexName: 'team' });
    try {
      const upload = await team.post([], {}, '/legacy/');
      expect(upload.status).toBe(404);
      expect((await team.get('/simple/')).status).toBe(404);
      expect((await team.get('/index/team')).headers.location).toBe('team/');
      expect((await team.get('/index/team/simple/Foo_Bar/')).headers.location).toBe('../foo-bar/');
      const { formFields, contentPart } = await import('../../test/support/server-fixture.ts');
      const before = await team.get('/index/team/simple/', { Accept: V1_JSON });
      expect(before.text).not.toContain('local');
      const stored = await team.post(
        [...(await formFields(local)), contentPart(local)],
        {},
        '/index/team/legacy/',
      );
      expect(stored.status).toBe(200);
      const page = await team.get('/index/team/simple/local/', { Accept: V1_JSON });
      const { files } = JSON.parse(page.text) as { files: { url: string }[] };
      const file = new URL(files[0]?.url ?? '', 'http://host/index/team/simple/local/').pathname;
      expect((await team.get(file)).body.equals(local.bytes)).toBe(true);
      expect((await team.get('/index/team/metadata/timestamp.json')).status).toBe(200);
      expect((await team.get('/index/team/simple/', { Accept: V1_JSON })).text).toContain('local');
      const home = await team.get('/index/team/');
      expect(home.text).toContain('href="../../static/rind.css"');
      expect(home.text).toContain(`${team.server.url}index/team/legacy/`);
      expect((await team.get('/static/rind.css')).status).toBe(404);
    } finally {
      await team.close();
    }
  });
});

describe('the page at /', () => {
  it('shows how to upload and install, the fingerprint, and the state', async () => {
    const page = await server.get('/', { Accept: 'text/html' });
    expect(page.status).toBe(200);
    const root = JSON.parse((await stored('metadata/1.root.json')).toString()) as { signed: unknown };
    const { text } = page;
    expect(root.signed).toBeDefined();
    expect(text).toMatch(/rind trust add https:\/\/rind\.test\/python\/ --fingerprint [0-9a-f]{64}/);
    expect(text).toContain('twine upload --repository-url https://rind.test/python/legacy/');
    expect(text).toContain('uv publish --publish-url https://rind.test/python/legacy/');
    for (const tool of ['rind pip install', 'rind run -- uv', 'rind poetry install', 'rind run -- pdm']) {
      expect(text).toContain(tool);
    }
    expect(text).toContain('<dt>Bins</dt><dd>256</dd>');
    expect(text).toContain('For trying out.');
    expect(text).not.toContain('<script');
    expect(text).not.toMatch(/ style=/);
  });

  it('allows no script, no frame and nothing from elsewhere', async () => {
    const page = await server.get('/');
    expect(page.headers['content-security-policy']).toBe(
      "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'",
    );
    expect(page.headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cross-origin-opener-policy': 'same-origin',
    });
    expect((await server.get('/static/rind.css')).headers['content-type']).toBe('text/css; charset=utf-8');
  });
});

describe('stopping', () => {
  it('lets the upload under way be answered and takes no other', async () => {
    const stopping = await ServerFixture.start();
    const { port } = stopping.server;
    stopping.queue.held = true;
    const upload = stopping.upload(makeSdist({ name: 'last', version: '1' }));
    await expect.poll(async () => (await stopping.leftovers()).keys.join()).toContain('last-1.tar.gz');
    const closed = stopping.server.close();
    await expect(stopping.get('/healthz')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    stopping.queue.held = false;
    expect((await upload).status).toBe(200);
    await closed;
    await stopping.close();
    expect(port).toBeGreaterThan(0);
  });
});
