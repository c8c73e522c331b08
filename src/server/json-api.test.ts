import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeSdist, makeWheel } from '../../test/tools/distribution.ts';
import { ServerFixture } from '../../test/support/server-fixture.ts';
import { findProject } from '../db/projects.ts';
import { yank } from '../registry/yank.ts';

const V1_JSON = 'application/vnd.pypi.simple.v1+json';
const old = makeWheel({ name: 'Cheese.Shop', version: '1.0' });
const sdist = makeSdist({ name: 'cheese-shop', version: '1.0' });
const newer = makeWheel({ name: 'cheese-shop', version: '1.10' });
const pre = makeWheel({ name: 'cheese-shop', version: '2.0rc1' });

interface ProjectAnswer {
  info: Record<string, unknown>;
  last_serial: number;
  releases?: Record<string, { filename: string; url: string; yanked: boolean }[]>;
  urls: Record<string, unknown>[];
}

let server: ServerFixture;
beforeAll(async () => {
  server = await ServerFixture.start({ publicUrl: 'https://rind.test/' });
  for (const distribution of [old, sdist, newer, pre]) await server.upload(distribution);
  await server.upload(makeWheel({ name: 'other', version: '3' }));
});
afterAll(() => server.close());

async function json(path: string): Promise<ProjectAnswer> {
  const answer = await server.get(path);
  expect([path, answer.status]).toEqual([path, 200]);
  return JSON.parse(answer.text) as ProjectAnswer;
}

describe('the JSON API', () => {
  it('shows of a project the newest final release and the files of all, with absolute URLs below /packages', async () => {
    const { info, releases = {}, urls, last_serial } = await json('/pypi/cheese-shop/json');
    expect(info).toMatchObject({
      name: 'Cheese.Shop',
      version: '1.10',
      summary: 'A distribution for the tests of Rind',
      requires_dist: null,
      classifiers: [],
      yanked: false,
    });
    expect(Object.keys(releases)).toEqual(['1.0', '1.10', '2.0rc1']);
    expect(releases['1.0']?.map(({ filename }) => filename)).toEqual(
      [sdist.filename, old.filename].toSorted(),
    );
    expect(urls).toEqual([
      expect.objectContaining({
        filename: newer.filename,
        url: `https://rind.test/packages/cheese-shop/${newer.filename}`,
        packagetype: 'bdist_wheel',
        size: newer.bytes.length,
        digests: { sha256: expect.stringMatching(/^[0-9a-f]{64}$/), blake2b_256: expect.any(String) },
      }),
    ]);
    const row = await findProject(server.index.db, server.index.index.id, 'cheese-shop');
    expect(last_serial).toBe(row?.last_serial);
  });

  it('shows of one release its own files, whatever the spelling of the version, and no others', async () => {
    for (const version of ['1.10', '1.10.0']) {
      const { info, urls, releases } = await json(`/pypi/cheese-shop/${version}/json`);
      expect([info['version'], urls.length, releases]).toEqual(['1.10', 1, undefined]);
    }
  });

  it('redirects other spellings by addresses that hold behind any prefix', async () => {
    for (const [path, location] of [
      ['/pypi/Cheese.Shop/json', '/pypi/cheese-shop/json'],
      ['/pypi/cheese-shop/json/', '/pypi/cheese-shop/json'],
      ['/pypi/Cheese.Shop/1.0/json', '/pypi/cheese-shop/1.0/json'],
      ['/rss/project/Cheese.Shop/releases.xml', '/rss/project/cheese-shop/releases.xml'],
    ] as const) {
      const answer = await server.get(path);
      expect([path, answer.status]).toEqual([path, 301]);
      expect(answer.headers.location).toMatch(/^\.\.\//);
      const target = new URL(answer.headers.location ?? '', `http://x${path}`).pathname;
      expect([path, target]).toEqual([path, location]);
      expect((await server.get(target)).status).toBe(200);
    }
  });

  it.each([
    '/pypi/nothing/json',
    '/pypi/cheese-shop/9/json',
    '/pypi/cheese-shop/%2e%2e/json',
    '/pypi/a/b/c/json',
  ])('has nothing at %s', async (path) => {
    expect((await server.get(path)).status).toBe(404);
  });

  it('is not sent again to whoever has it, and not once it changed', async () => {
    const { headers } = await server.get('/pypi/other/json');
    const known = { 'If-None-Match': headers.etag ?? '' };
    expect((await server.get('/pypi/other/json', known)).status).toBe(304);
    await server.upload(makeWheel({ name: 'other', version: '4' }));
    expect((await server.get('/pypi/other/json', known)).status).toBe(200);
  });

  it('lists nothing before it is signed', async () => {
    server.queue.held = true;
    const upload = server.upload(makeWheel({ name: 'other', version: '5' }));
    await expect
      .poll(async () =>
        server.index.db.selectFrom('files').select('id').where('version', '=', '5').executeTakeFirst(),
      )
      .toBeDefined();
    expect(Object.keys((await json('/pypi/other/json')).releases ?? {})).not.toContain('5');
    expect((await server.get('/rss/updates.xml')).text).not.toContain('other 5');
    server.queue.held = false;
    expect((await upload).status).toBe(200);
    expect(Object.keys((await json('/pypi/other/json')).releases ?? {})).toContain('5');
    expect((await server.get('/rss/updates.xml')).text).toContain('<title>other 5</title>');
  });

  it('shows a yank with its reason, and offers another release', async () => {
    const { db, index, clock } = server.index;
    const principal = { kind: 'cli', name: 'test' } as const;
    const { journalId } = await yank(
      { db, index, clock },
      principal,
      'cheese-shop',
      { version: '1.10' },
      'mouldy',
    );
    await server.queue.published(journalId, 30_000);
    expect((await json('/pypi/cheese-shop/json')).info['version']).toBe('1.0');
    const { info, urls } = await json('/pypi/cheese-shop/1.10/json');
    expect([info['yanked'], info['yanked_reason'], urls[0]?.['yanked']]).toEqual([true, 'mouldy', true]);
  });

  it('has no XML-RPC, and says what to use instead, to every method', async () => {
    const bomb = Buffer.from('<!DOCTYPE x [<!ENTITY a "b">]><methodCall>&a;</methodCall>');
    for (const path of ['/pypi', '/pypi/', '/RPC2']) {
      const answer = await server.send('POST', path, { 'Content-Type': 'text/xml' }, bomb);
      expect([answer.status, answer.text.includes('api-method')]).toEqual([410, true]);
    }
  });
});

describe('serials', () => {
  const serialOf = async (path: string): Promise<number> =>
    Number((await server.get(path, { Accept: V1_JSON })).headers['x-pypi-last-serial']);

  it('rise with every change, and the list never promises more than the project answers', async () => {
    const before = await serialOf('/simple/');
    await server.upload(makeWheel({ name: 'other', version: '6' }));
    const list = JSON.parse((await server.get('/simple/', { Accept: V1_JSON })).text) as {
      meta: { '_last-serial': number };
      projects: { name: string; '_last-serial': number }[];
    };
    expect(list.meta['_last-serial']).toBeGreaterThan(before);
    for (const { name, '_last-serial': serial } of list.projects) {
      expect(await serialOf(`/pypi/${name}/json`)).toBe(serial);
      expect(await serialOf(`/simple/${name}/`)).toBe(serial);
    }
    expect(await serialOf('/simple/')).toBe(list.meta['_last-serial']);
  });
});

describe('the feeds', () => {
  it('are RSS of new releases, new projects and the releases of one project', async () => {
    const updates = await server.get('/rss/updates.xml');
    expect(updates.headers['content-type']).toBe('application/rss+xml; charset=utf-8');
    expect(updates.text).toContain('<title>Cheese.Shop 2.0rc1</title>');
    const packages = (await server.get('/rss/packages.xml')).text;
    expect(packages.indexOf('<title>other</title>')).toBeLessThan(
      packages.indexOf('<title>Cheese.Shop</title>'),
    );
    const releases = (await server.get('/rss/project/cheese-shop/releases.xml')).text;
    expect(releases).toContain('Cheese.Shop 1.10');
    expect(releases).not.toContain('other');
    expect((await server.get('/rss/project/nothing/releases.xml')).status).toBe(404);
  });

  it('escape what uploaders write', async () => {
    const { db, index } = server.index;
    await db
      .updateTable('releases')
      .set({ core_metadata: JSON.stringify({ summary: ']]></description><script>&x;"' }) })
      .where('index_id', '=', index.id)
      .where('version', '=', '3')
      .execute();
    const { text } = await server.get('/rss/project/other/releases.xml');
    expect(text).not.toContain('<script>');
    expect(text).toContain('&#60;script&#62;');
  });
});
