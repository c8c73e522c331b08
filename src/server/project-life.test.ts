import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ServerFixture, type Answer } from '../../test/support/server-fixture.ts';
import { makeSdist, makeWheel, type Distribution } from '../../test/tools/distribution.ts';
import { ensureProject } from '../db/projects.ts';
import { changeIndex } from '../registry/indexes.ts';
import type { Principal } from '../registry/principal.ts';
import { setStatus } from '../registry/project-status.ts';
import { yank } from '../registry/yank.ts';

const JSON_PAGE = { Accept: 'application/vnd.pypi.simple.v1+json' };
const CLI: Principal = { kind: 'cli', name: 'admin' };

let server: ServerFixture;
let owner: string;

beforeAll(async () => {
  server = await ServerFixture.start();
  owner = await server.issue({ verbs: ['read', 'upload', 'maintain', 'own', 'admin'] });
});
afterAll(() => server.close());
beforeEach(() => settings(null));

/** Replaces the settings of the index. */
async function settings(change: object | null): Promise<void> {
  const cleared = { kind: null, upload: null, limits: null, retention: null };
  await changeIndex(server.index, CLI, '', cleared);
  if (change !== null) await changeIndex(server.index, CLI, '', change);
}

function api(method: string, path: string, body?: object, token = owner): Promise<Answer> {
  const bytes = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
  const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' };
  return server.send(method, `/api/v1/projects/${path}`, headers, bytes);
}

async function page(project: string) {
  const answer = await server.get(`/simple/${project}/`, JSON_PAGE);
  return answer.status === 200 ? (JSON.parse(answer.text) as Record<string, unknown>) : answer.status;
}

async function uploaded(name: string, version = '1.0'): Promise<Distribution> {
  const file = makeSdist({ name, version });
  expect((await server.upload(file)).status).toBe(200);
  return file;
}

describe('the API changes a project for everybody before it answers', () => {
  it('yanks, un-yanks and deletes a release', async () => {
    const { filename } = await uploaded('yanked');
    const answer = await api('POST', 'yanked/releases/1.0/yank', { reason: 'broken' });
    expect([answer.status, JSON.parse(answer.text)]).toMatchObject([200, { files: [filename] }]);
    expect(await page('yanked')).toMatchObject({ files: [{ yanked: 'broken' }] });
    await api('DELETE', 'yanked/releases/1.0/yank');
    expect(await page('yanked')).not.toHaveProperty('files.0.yanked');
    expect((await server.get(`/packages/yanked/${filename}`)).status).toBe(200);
    expect((await server.get(`/packages/yanked/${filename}.metadata`)).status).toBe(200);
    expect((await api('DELETE', 'yanked/releases/1.0?reason=stolen')).status).toBe(200);
    expect(await page('yanked')).toMatchObject({ versions: [], files: [] });
    expect((await server.get(`/packages/yanked/${filename}`)).status).toBe(404);
    expect((await server.get(`/packages/yanked/${filename}.metadata`)).status).toBe(404);
  });

  it('names deleted and never published projects to administrators only', async () => {
    await uploaded('listed');
    await uploaded('abandoned');
    expect((await api('DELETE', 'abandoned')).status).toBe(200);
    await ensureProject(server.index.db, {
      indexId: server.index.index.id,
      name: 'secret-plan',
      displayName: 'Secret.Plan',
      now: server.index.now,
    });
    const reader = await server.issue({ verbs: ['read'] });
    const names = async (token?: string): Promise<string[]> => {
      const headers = token === undefined ? {} : { Authorization: `Bearer ${token}` };
      const { text } = await server.get('/api/v1/projects', headers);
      return (JSON.parse(text) as { projects: { name: string }[] }).projects.map(({ name }) => name);
    };
    for (const token of [undefined, reader]) {
      expect(await names(token)).toContain('listed');
      expect(await names(token)).not.toContain('abandoned');
      expect(await names(token)).not.toContain('secret-plan');
    }
    expect(await names(owner)).toEqual(expect.arrayContaining(['listed', 'abandoned', 'secret-plan']));
    expect((await server.get('/api/v1/projects/secret-plan')).status).toBe(404);
  });

  it('quarantines and archives: no uploads, said in the reason phrase', async () => {
    await uploaded('closed');
    await api('PUT', 'closed/status', { status: 'archived', reason: 'done' });
    expect(await page('closed')).toMatchObject({ 'project-status': { status: 'archived', reason: 'done' } });
    const refused = await server.upload(makeSdist({ name: 'closed', version: '2.0' }));
    expect([refused.status, refused.reason]).toEqual([
      403,
      "The project 'closed' is archived (done) and takes no uploads.",
    ]);
    await api('PUT', 'closed/status', { status: 'quarantined' });
    expect(await page('closed')).toMatchObject({ 'project-status': { status: 'quarantined' }, files: [] });
    expect((await server.upload(makeSdist({ name: 'closed', version: '2.0' }))).status).toBe(403);
    await api('PUT', 'closed/status', { status: 'active' });
    expect((await server.upload(makeSdist({ name: 'closed', version: '2.0' }))).status).toBe(200);
  });

  it('deletes a project: page, list and uploads say so, and its filenames stay used after a restoration', async () => {
    const file = await uploaded('gone');
    expect((await api('DELETE', 'gone')).status).toBe(200);
    expect(await page('gone')).toBe(404);
    expect((await server.get('/simple/', JSON_PAGE)).text).not.toContain('"gone"');
    expect((await server.upload(makeSdist({ name: 'gone', version: '2.0' }))).reason).toMatch(/was deleted/);
    expect((await api('POST', 'gone/restore')).status).toBe(200);
    expect((await server.upload(file)).reason).toMatch(/used before and removed/);
    expect((await server.upload(makeSdist({ name: 'gone', version: '2.0' }))).status).toBe(200);
  });

  it('refuses whoever may only upload, and says nothing is there for what is not', async () => {
    await uploaded('mine');
    const uploader = await server.issue({ verbs: ['upload'] });
    for (const [method, path, body] of [
      ['POST', 'mine/releases/1.0/yank', {}],
      ['DELETE', 'mine/releases/1.0', undefined],
      ['DELETE', 'mine', undefined],
      ['PUT', 'mine/status', { status: 'archived' }],
      ['PATCH', 'mine/limits', {}],
    ] as const) {
      expect([path, (await api(method, path, body, uploader)).status]).toEqual([path, 403]);
    }
    expect((await api('DELETE', 'mine/releases/9.9')).status).toBe(404);
    expect((await api('DELETE', 'mine/files/other-1.0.tar.gz')).status).toBe(404);
    expect((await api('POST', 'mine/releases/nonsense/yank', {})).status).toBe(400);
    for (const name of [
      '%21%21',
      '..%2f',
      '%3Cimg%20onerror%3E',
      '%0d%0aSet-Cookie:x',
      'constructor',
      '__proto__',
    ]) {
      const answer = await api('DELETE', name);
      expect([name, answer.status]).toEqual([name, expect.toSatisfy((status: number) => status < 500)]);
      expect(answer.headers['set-cookie']).toBeUndefined();
      expect(answer.headers['content-type']).not.toContain('html');
      expect(answer.headers['x-content-type-options']).toBe('nosniff');
    }
  });

  it('takes limits as settings only: unknown and malformed ones are refused', async () => {
    await uploaded('limited');
    for (const body of ['{"limits":{"maxProjectFiles":0}}', '{"limits":{"x":1}}', '[]']) {
      const headers = { Authorization: `Bearer ${owner}`, 'Content-Type': 'application/json' };
      const answer = await server.send(
        'PATCH',
        '/api/v1/projects/limited/limits',
        headers,
        Buffer.from(body),
      );
      expect([body, answer.status]).toEqual([
        body,
        expect.toSatisfy((status: number) => status >= 400 && status < 500),
      ]);
    }
  });
});

it('a change by another process is on the pages as soon as it is published, whatever was in memory', async () => {
  await uploaded('elsewhere');
  expect(await page('elsewhere')).not.toHaveProperty('project-status');
  const { journalId } = await setStatus(server.index, CLI, 'elsewhere', 'deprecated');
  expect(await server.queue.published(journalId, 10_000)).toBe(true);
  expect(await page('elsewhere')).toMatchObject({ 'project-status': { status: 'deprecated' } });
});

it('a file added to a yanked release is yanked as it is', async () => {
  await uploaded('late');
  const { journalId } = await yank(server.index, CLI, 'late', { version: '1.0' }, 'leaks');
  await server.queue.published(journalId, 10_000);
  await server.upload(makeWheel({ name: 'late', version: '1.0' }));
  expect(await page('late')).toMatchObject({ files: [{ yanked: 'leaks' }, { yanked: 'leaks' }] });
});

describe('upload policies', () => {
  const renamed = (file: Distribution, filename: string): Distribution => ({ ...file, filename });
  const linux = () =>
    renamed(makeWheel({ name: 'tagged', version: '1.0' }), 'tagged-1.0-py3-none-linux_x86_64.whl');

  it.each<[string, object, () => Distribution, RegExp]>([
    [
      'a local version',
      { localVersions: false },
      () => makeSdist({ name: 'pol-a', version: '1.0+x' }),
      /local part/,
    ],
    ['a wheel for one machine', { linuxWheels: false }, linux, /linux_x86_64.*manylinux/],
    [
      'an unknown classifier',
      { unknownClassifiers: false },
      () =>
        makeSdist({ name: 'pol-c', version: '1', classifiers: ['Topic :: Utilities', 'Topic :: Cheese'] }),
      /'Topic :: Cheese', which is not in the list of classifiers/,
    ],
    [
      'a withdrawn classifier',
      { deprecatedClassifiers: false },
      () => makeSdist({ name: 'pol-d', version: '1', classifiers: ['Natural Language :: Ukranian'] }),
      /withdrawn, 'Natural Language :: Ukrainian' took its place/,
    ],
    [
      'a command that belongs to others',
      { prohibitedScripts: ['python*', 'pip'] },
      () => makeWheel({ name: 'pol-e', version: '1', entryPoints: '[console_scripts]\nPython3.12 = a:b\n' }),
      /installs the command 'Python3.12', which is prohibited/,
    ],
    [
      'a legacy filename',
      { legacyFilenames: false },
      () => renamed(makeSdist({ name: 'Pol_B', version: '1.0' }), 'Pol_B-1.0.tar.gz'),
      /not spelt as the specifications/,
    ],
    [
      'a prohibited name',
      { prohibitedNames: ['Corp.*'] },
      () => makeSdist({ name: 'corp-x', version: '1' }),
      /prohibited/,
    ],
    [
      'a standard library name',
      { standardLibraryNames: false },
      () => makeSdist({ name: 'asyncio', version: '1' }),
      /standard library/,
    ],
  ])(
    'refuse %s with a sentence where they say so, and take it where they do not',
    async (_, upload, make, reason) => {
      await settings({ upload });
      const refused = await server.upload(make());
      expect(refused.status).toBe(400);
      expect(refused.reason).toMatch(reason);
      expect(refused.text).toContain(refused.reason.slice(0, 60));
      await settings(null);
      expect((await server.upload(make())).status).toBe(200);
    },
  );

  it('refuse a name that looks like another one, unless they may', async () => {
    await uploaded('look-1ike');
    for (const name of ['look-like', 'lookllke', 'l00k.like', 'Look-1-ike']) {
      const refused = await server.upload(makeSdist({ name, version: '1.0' }));
      expect([name, refused.status, refused.reason]).toEqual([
        name,
        400,
        expect.stringMatching(/looks like that of the project 'look-1ike'/),
      ]);
    }
    await uploaded('load-1-11');
    await uploaded('load-11-1');
    await settings({ upload: { lookAlikeNames: true } });
    expect((await server.upload(makeSdist({ name: 'look-like', version: '1.0' }))).status).toBe(200);
  });

  it('refuse names that mean something else everywhere', async () => {
    for (const name of ['requirements.txt', 'con']) {
      expect((await server.upload(makeSdist({ name, version: '1.0' }))).status).toBe(400);
    }
  });

  it('close a release to new files after its days', async () => {
    await settings({ upload: { releaseDays: 14 } });
    await uploaded('aged');
    server.index.advance(24 * 15);
    const refused = await server.upload(makeWheel({ name: 'aged', version: '1.0' }));
    expect([refused.status, refused.reason]).toEqual([400, expect.stringMatching(/14 days only/)]);
    expect((await server.upload(makeWheel({ name: 'aged', version: '1.1' }))).status).toBe(200);
  });

  it('keep to the sizes and counts of file, release, project and index', async () => {
    await uploaded('full');
    const next = makeSdist({ name: 'full', version: '2.0' });
    for (const [limits, status] of [
      [{ maxFileBytes: 10 }, 413],
      [{ maxProjectFiles: 1 }, 400],
      [{ maxProjectBytes: 1500 }, 400],
      [{ maxIndexBytes: 1500 }, 400],
    ] as const) {
      await settings({ limits });
      expect([limits, (await server.upload(next)).status]).toEqual([limits, status]);
    }
    await settings({ limits: { maxReleaseFiles: 1 } });
    expect((await server.upload(makeWheel({ name: 'full', version: '1.0' }))).reason).toMatch(/release 1/);
    await settings({ limits: { maxProjectFiles: 1 } });
    expect((await api('PATCH', 'full/limits', { limits: { maxProjectFiles: 2 } })).status).toBe(200);
    expect((await server.upload(next)).status).toBe(200);
  });

  it('are asked before anything is stored: a refused upload leaves no object to fetch', async () => {
    await uploaded('brim');
    await settings({ limits: { maxProjectFiles: 1 } });
    expect((await server.upload(makeSdist({ name: 'brim', version: '2.0' }))).status).toBe(400);
    await settings({ limits: { maxReleaseFiles: 1 } });
    expect((await server.upload(makeWheel({ name: 'brim', version: '1.0' }))).status).toBe(400);
    const { keys } = await server.leftovers();
    expect(keys.filter((key) => /brim-(2|1\.0-py)/.test(key))).toEqual([]);
    expect(keys.some((key) => key.includes('brim-1'))).toBe(true);
  });

  it('are asked of the first file of a project too, before it is stored', async () => {
    for (const limits of [{ maxProjectBytes: 100 }, { maxIndexBytes: 100 }]) {
      await settings({ limits });
      const refused = await server.upload(makeSdist({ name: 'newcomer', version: '1.0' }));
      expect([refused.status, refused.reason]).toEqual([400, expect.stringMatching(/^There is no room/)]);
    }
    const { keys, temporary } = await server.leftovers();
    expect([keys.filter((key) => key.includes('newcomer')), temporary]).toEqual([[], []]);
    expect((await server.get('/simple/newcomer/')).status).toBe(404);
  });

  it('leave room for one of two uploads at once', async () => {
    await uploaded('crowded');
    await settings({ limits: { maxProjectFiles: 2 } });
    const files = ['2.0', '3.0', '4.0'].map((version) => makeSdist({ name: 'crowded', version }));
    const answers = await Promise.all(files.map((file) => server.upload(file)));
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 400, 400]);
  });

  it('of a public index are those of PyPI', async () => {
    await settings({ kind: 'public' });
    expect((await server.upload(makeSdist({ name: 'pub', version: '1.0+local' }))).reason).toMatch(
      /local part/,
    );
    expect((await server.upload(makeSdist({ name: 'pub', version: '1.0' }))).status).toBe(200);
  });
});
