import { request as httpRequest } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeSdist, makeWheel } from '../../test/tools/distribution.ts';
import {
  contentPart,
  formFields,
  multipart,
  MULTIPART,
  ServerFixture,
} from '../../test/support/server-fixture.ts';

const V1_JSON = 'application/vnd.pypi.simple.v1+json';
const wheel = makeWheel({ name: 'victim', version: '1.0' });

/** What was once found in other package indexes, tried on this one; docs/security-tests.md has the list. */
let server: ServerFixture;
beforeAll(async () => {
  server = await ServerFixture.start();
  await server.upload(wheel);
});
afterAll(() => server.close());

describe('addresses', () => {
  it('never leave the tree, however they are encoded (Nexus CVE-2024-4956)', async () => {
    const ups = [
      '..',
      '%2e%2e',
      '%2E%2e',
      '.%2e',
      '..%2f',
      '%2e%2e%2f',
      '..%5c',
      '%252e%252e',
      '..;',
      '%c0%ae%c0%ae',
      '..%00',
    ];
    const roots = [
      '/',
      '/simple/',
      '/packages/',
      '/packages/victim/',
      '/metadata/',
      '/index/',
      '/pypi/',
      '/integrity/',
      '/rss/',
      '/api/v1/',
      '/static/',
    ];
    for (const root of roots) {
      for (const up of ups) {
        for (const path of [
          `${root}${up}/${up}/${up}/etc/passwd`,
          `${root}%2F%2F${up}%2F${up}%2Fetc/passwd`,
          `${root}${up}${up}${up}rind.db`,
        ]) {
          const { status, text } = await server.get(path);
          expect([path, status]).toEqual([
            path,
            expect.toSatisfy((code: number) => code >= 400 && code < 500),
          ]);
          expect(text).not.toMatch(/root:|SQLite/);
        }
      }
    }
  });

  it('are never echoed into a header or a page (pypiserver CVE-2019-6802, #77)', async () => {
    for (const path of [
      '/%0d%0aSet-Cookie:x=1',
      '/simple/%0d%0aSet-Cookie:x=1/',
      '/pypi/%0d%0aSet-Cookie:x=1/json',
      '/rss/project/%0aSet-Cookie:x=1/releases.xml',
      '/simple/<script>alert(1)</script>/',
      '/simple/%3Cimg%20src=x%20onerror=alert(1)%3E/',
      '/pypi/%3Cscript%3E/json?x=%3Cscript%3E',
      '/integrity/%3Cscript%3E/1/x/provenance',
    ]) {
      const { status, headers, text } = await server.get(path, { Accept: 'text/html' });
      expect([path, status]).toEqual([path, 404]);
      expect(headers['set-cookie']).toBeUndefined();
      expect(text).not.toMatch(/<script|<img/);
    }
  });

  it('of inherited properties are nobody (tuf-js)', async () => {
    for (const name of ['constructor', '__proto__', 'hasownproperty', 'tostring']) {
      for (const path of [`/simple/${name}/`, `/pypi/${name}/json`, `/index/${name}/`, `/api/v1/${name}`])
        expect([path, (await server.get(path)).status]).toEqual([path, 404]);
    }
  });
});

describe('what uploaders write', () => {
  it('cannot be markup: neither the name of a project nor its texts (pypicloud #280)', async () => {
    for (const name of ['<img src=x onerror=alert(1)>', '"><script>', "a' onmouseover='x", 'a\u202eb']) {
      const fields = (await formFields(wheel)).map(([key, value]): [string, string] => [
        key,
        key === 'name' ? name : value,
      ]);
      const answer = await server.post([...fields, contentPart(wheel)]);
      expect([name, answer.status]).toEqual([name, 400]);
      expect(answer.reason).toMatch(/^[ -~]+$/);
      expect(answer.headers['content-type']).not.toMatch(/html/);
    }
  });

  it('cannot choose the file of another project (RubyGems CVE-2022-29176)', async () => {
    const other = makeSdist({ name: 'victim-1.0', version: '2' });
    const fields = (await formFields(other)).map(([key, value]): [string, string] => [
      key,
      key === 'name' ? 'victim' : value,
    ]);
    expect((await server.post([...fields, contentPart(other)])).status).toBe(400);
    const page = JSON.parse((await server.get('/simple/victim/', { Accept: V1_JSON })).text) as {
      files: unknown[];
    };
    expect(page.files).toHaveLength(1);
  });

  it('cannot point out of the store: no filename with a path, a device or a control character (Artifactory CVE-2018-1000623)', async () => {
    const before = await server.leftovers();
    for (const filename of [
      '../victim-2.0.tar.gz',
      '/etc/victim-2.0.tar.gz',
      '..\\victim-2.0.tar.gz',
      'victim-2.0.tar.gz\u0000.whl',
      'C:victim-2.0.tar.gz',
      'CON',
      'victim-2.0.tar.gz.',
      '.victim-2.0.tar.gz',
    ]) {
      const sdist = makeSdist({ name: 'victim', version: '2.0' });
      const answer = await server.post([...(await formFields(sdist)), { ...contentPart(sdist), filename }]);
      expect([filename, answer.status]).toEqual([filename, 400]);
    }
    expect(await server.leftovers()).toEqual(before);
  });
});

describe('who somebody is', () => {
  it('is not a matter of headers that anybody can write (Artifactory CVE-2019-9733)', async () => {
    const claims = {
      'X-Forwarded-For': '127.0.0.1',
      'X-Real-IP': '127.0.0.1',
      Forwarded: 'for=127.0.0.1;host=localhost',
      'X-Forwarded-User': 'admin',
      'X-Remote-User': 'admin',
      'X-Original-URL': '/simple/',
      'X-HTTP-Method-Override': 'DELETE',
    };
    expect((await server.get('/api/v1/users', claims)).status).toBe(401);
    const answer = await server.post([...(await formFields(wheel)), contentPart(wheel)], {
      ...claims,
      Authorization: '',
    });
    expect(answer.status).toBe(401);
  });

  it('is never nobody: blank secrets are no credentials (Artifactory CVE-2026-82329)', async () => {
    const basic = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`;
    for (const authorization of [
      basic(':'),
      basic('__token__:'),
      basic('__token__: '),
      basic('admin:'),
      basic(''),
      'Basic',
      'Basic ',
      'Bearer',
      'Bearer ',
      'Bearer undefined',
      'Bearer null',
      basic('__token__:undefined'),
    ]) {
      const { status } = await server.get('/api/v1/users', { Authorization: authorization });
      expect([authorization, status]).toEqual([authorization, 401]);
    }
  });

  it('is asked in headers only: a token in the address is nothing (Artifactory CVE-2023-42662)', async () => {
    const admin = await server.issue({ verbs: ['admin'] });
    for (const query of ['token', 'access_token', 'api_key', 'password'])
      expect((await server.get(`/api/v1/users?${query}=${admin}`)).status).toBe(401);
  });
});

describe('requests', () => {
  it('that are sent twice at once, or again after their answer was lost, do their work once', async () => {
    const sdist = makeSdist({ name: 'twice', version: '1.0' });
    const parts = [...(await formFields(sdist)), contentPart(sdist)];
    // The answer to the first is never read.
    await new Promise<void>((resolve, reject) => {
      const body = multipart(parts);
      const request = httpRequest({
        host: '127.0.0.1',
        port: server.server.port,
        path: '/legacy/',
        method: 'POST',
        headers: {
          Authorization: server.authorization,
          'Content-Type': MULTIPART,
          'Content-Length': body.length,
        },
      });
      request.on('error', () => resolve());
      request.on('response', (response) => {
        response.destroy();
        resolve();
      });
      request.on('timeout', reject);
      request.end(body);
    });
    const answers = await Promise.all([server.post(parts), server.post(parts)]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    const { db } = server.index;
    const rows = await db.selectFrom('files').select('id').where('filename', '=', sdist.filename).execute();
    const journal = await db
      .selectFrom('journal')
      .select('id')
      .where('detail', 'like', `%${sdist.filename}%`)
      .execute();
    expect([rows.length, journal.length]).toEqual([1, 1]);
  });

  it('cannot make this index ask anybody: no address in a form is fetched (Nexus CVE-2022-27907)', async () => {
    const asked: string[] = [];
    const sdist = makeSdist({ name: 'ssrf', version: '1.0' });
    const fetchBefore = globalThis.fetch;
    globalThis.fetch = (async (input: unknown) => {
      asked.push(String(input));
      throw new Error('nobody is asked');
    }) as typeof fetch;
    try {
      const addresses: [string, string][] = [
        ['home_page', 'http://169.254.169.254/latest/meta-data/'],
        ['download_url', 'http://[::1]:22/'],
        ['project_urls', 'Source, http://127.0.0.1/'],
      ];
      await server.post([...(await formFields(sdist)), ...addresses, contentPart(sdist)]);
    } finally {
      globalThis.fetch = fetchBefore;
    }
    expect(asked).toEqual([]);
  });
});
