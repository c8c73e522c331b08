import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RepositorySimulator } from '../testing/index.ts';
import { unexpectedStatus } from './errors.ts';
import { MapFileError, parseMapFile } from './map-file.ts';
import { MultiRepositoryUpdater } from './multi-repository-updater.ts';

const read = (value: unknown) =>
  parseMapFile(Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)));
const urls = {
  company: ['https://company.invalid/'],
  pypi: ['https://pypi.invalid', 'https://mirror.invalid/'],
};

describe('parseMapFile', () => {
  it('reads what TAP 4 describes', () => {
    const map = read({
      repositories: urls,
      mapping: [
        { paths: ['packages/acme-*/*'], repositories: ['company'], terminating: true },
        { paths: ['*'], repositories: ['pypi', 'company'], threshold: 1 },
      ],
    });
    expect([...map.repositories]).toEqual(Object.entries(urls));
    expect(map.mapping).toEqual([
      { paths: ['packages/acme-*/*'], repositories: ['company'], terminating: true, threshold: 1 },
      { paths: ['*'], repositories: ['pypi', 'company'], terminating: false, threshold: 1 },
    ]);
  });

  it('asks all repositories of an entry to agree when it names no threshold', () => {
    const map = read({ repositories: urls, mapping: [{ paths: ['*'], repositories: ['pypi', 'company'] }] });
    expect(map.mapping[0]?.threshold).toBe(2);
  });

  const entry = { paths: ['*'], repositories: ['pypi'] };
  it.each([
    ['no JSON', 'nonsense'],
    ['a duplicate name', '{"repositories": {}, "repositories": {}}'],
    ['no object', []],
    ['null', 'null'],
    ['no repositories', { mapping: [entry] }],
    ['empty repositories', { repositories: {}, mapping: [entry] }],
    ['null repositories', { repositories: null, mapping: [entry] }],
    ['a repository without URLs', { repositories: { pypi: [] }, mapping: [entry] }],
    ['null URLs', { repositories: { pypi: null }, mapping: [entry] }],
    ['an empty URL', { repositories: { pypi: [''] }, mapping: [entry] }],
    ['a file URL', { repositories: { pypi: ['file:///etc/'] }, mapping: [entry] }],
    [
      'a name that leaves the folder',
      { repositories: { ...urls, '../evil': ['https://a.invalid/'] }, mapping: [entry] },
    ],
    ['a name of dots', { repositories: { ...urls, '..': ['https://a.invalid/'] }, mapping: [entry] }],
    ['an absolute name', { repositories: { ...urls, '/etc': ['https://a.invalid/'] }, mapping: [entry] }],
    ['an empty name', { repositories: { ...urls, '': ['https://a.invalid/'] }, mapping: [entry] }],
    [
      'names that share a folder on some disks',
      { repositories: { ...urls, PyPI: ['https://a.invalid/'] }, mapping: [entry] },
    ],
    ['no mapping', { repositories: urls }],
    ['an empty mapping', { repositories: urls, mapping: [] }],
    ['a null entry', { repositories: urls, mapping: [null] }],
    ['no paths', { repositories: urls, mapping: [{ repositories: ['pypi'] }] }],
    ['empty paths', { repositories: urls, mapping: [{ ...entry, paths: [] }] }],
    ['a path that is no string', { repositories: urls, mapping: [{ ...entry, paths: [7] }] }],
    ['an unknown repository', { repositories: urls, mapping: [{ ...entry, repositories: ['other'] }] }],
    [
      'constructor as a repository',
      { repositories: urls, mapping: [{ ...entry, repositories: ['constructor'] }] },
    ],
    ['no repositories in an entry', { repositories: urls, mapping: [{ ...entry, repositories: [] }] }],
    ['one repository twice', { repositories: urls, mapping: [{ ...entry, repositories: ['pypi', 'pypi'] }] }],
    ['threshold 0', { repositories: urls, mapping: [{ ...entry, threshold: 0 }] }],
    ['a negative threshold', { repositories: urls, mapping: [{ ...entry, threshold: -1 }] }],
    ['an impossible threshold', { repositories: urls, mapping: [{ ...entry, threshold: 2 }] }],
    ['a threshold that is no number', { repositories: urls, mapping: [{ ...entry, threshold: '1' }] }],
    ['a terminating that is no boolean', { repositories: urls, mapping: [{ ...entry, terminating: 1 }] }],
  ])('refuses %s', (_name, value) => {
    expect(() => read(value)).toThrow(MapFileError);
  });
});

describe('MultiRepositoryUpdater', () => {
  let folder: string;
  let company: RepositorySimulator;
  let pypi: RepositorySimulator;
  /** Hosts that answer with status 500. */
  let down: Set<string>;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'rind-map-'));
    down = new Set();
    company = new RepositorySimulator();
    pypi = new RepositorySimulator();
  });

  afterEach(() => rm(folder, { recursive: true, force: true }));

  function list(path: string, inCompany: string | undefined, inPypi: string | undefined): void {
    for (const [repository, content] of [
      [company, inCompany],
      [pypi, inPypi],
    ] as const) {
      if (content !== undefined) {
        repository.addTarget('targets', path, Buffer.from(content));
        repository.publishAll();
      }
    }
  }

  function updater(mapping: readonly object[]): MultiRepositoryUpdater {
    return new MultiRepositoryUpdater({
      map: read({ repositories: urls, mapping }),
      metadataFolder: folder,
      bootstrapRoots: new Map([
        ['company', company.initialRoot],
        ['pypi', pypi.initialRoot],
      ]),
      fetcher: {
        async *fetch(url, options) {
          const { hostname } = new URL(url);
          if (down.has(hostname)) {
            throw unexpectedStatus(url, 500);
          }
          yield* (hostname === 'company.invalid' ? company : pypi).fetch(url, options);
        },
      },
    });
  }

  const both = { paths: ['*'], repositories: ['company', 'pypi'] };

  it('gives the target on which all repositories of the entry agree, and keeps their metadata apart', async () => {
    list('x', 'content', 'content');
    const session = updater([both]);
    const agreed = (await session.getTargetInfo('x'))!;
    expect(agreed).toMatchObject({ target: { length: 7 }, repositories: ['company', 'pypi'] });
    await session.downloadTarget(agreed, join(folder, 'x'));
    expect(await readFile(join(folder, 'x'), 'utf8')).toBe('content');
    expect((await readdir(folder)).toSorted()).toEqual(['company', 'pypi', 'x']);
  });

  it('refuses a target that one repository lists with other content', async () => {
    list('x', 'content', 'forgery');
    await expect(updater([both]).getTargetInfo('x')).rejects.toMatchObject({
      code: 'NO_AGREEMENT',
      path: 'x',
    });
  });

  it('does not count a target of the same length and other hashes as agreement, nor one with more hashes', async () => {
    list('x', 'content', 'content');
    pypi.targets.targets['x']!.hashes['sha512'] = '00'.repeat(64);
    pypi.publishAll();
    await expect(updater([both]).getTargetInfo('x')).rejects.toMatchObject({ code: 'NO_AGREEMENT' });
  });

  it('ignores custom data in the comparison', async () => {
    list('x', 'content', 'content');
    pypi.targets.targets['x']!.custom = { note: 1 };
    pypi.publishAll();
    expect(await updater([both]).getTargetInfo('x')).toBeDefined();
  });

  it('finds nothing where too few repositories list the target, and goes on to the next entry', async () => {
    list('x', undefined, 'content');
    expect(await updater([both]).getTargetInfo('x')).toBeUndefined();
    const next = { paths: ['*'], repositories: ['pypi'] };
    expect(await updater([both, next]).getTargetInfo('x')).toMatchObject({ repositories: ['pypi'] });
  });

  it('does not let a public package take the place of an absent private one: a terminating entry ends the search', async () => {
    list('acme-x', undefined, 'dependency confusion');
    const mapping = [
      { paths: ['acme-*'], repositories: ['company'], terminating: true },
      { paths: ['*'], repositories: ['pypi'] },
    ];
    expect(await updater(mapping).getTargetInfo('acme-x')).toBeUndefined();
    expect(pypi.requests).toEqual([]);
  });

  it('does not let a public package take the place of a private one whose repository is blocked', async () => {
    list('acme-x', 'private', 'dependency confusion');
    const mapping = [
      { paths: ['acme-*'], repositories: ['company'] },
      { paths: ['*'], repositories: ['pypi'] },
    ];
    company.misbehave(/timestamp/, { kind: 'dropped', after: 0 });
    await expect(updater(mapping).getTargetInfo('acme-x')).rejects.toMatchObject({
      code: 'REPOSITORY_FAILED',
      cause: { code: 'CONNECTION_FAILED' },
    });
    expect(pypi.requests).toEqual([]);
  });

  it('takes the answer of a threshold while another repository fails', async () => {
    list('x', 'content', 'content');
    company.misbehave(/timestamp/, { kind: 'dropped', after: 0 });
    expect(await updater([{ ...both, threshold: 1 }]).getTargetInfo('x')).toMatchObject({
      repositories: ['pypi'],
    });
  });

  it('prefers the repository that stands first when each alone suffices', async () => {
    list('x', 'of the company', 'of pypi');
    const session = updater([{ ...both, threshold: 1 }]);
    expect(await session.getTargetInfo('x')).toMatchObject({
      target: { length: 14 },
      repositories: ['company'],
    });
  });

  it('downloads from another agreeing repository when the first has lost the file', async () => {
    list('x', 'content', 'content');
    company.misbehave(/targets\//, { kind: 'status', status: 404 });
    const session = updater([both]);
    await session.downloadTarget((await session.getTargetInfo('x'))!, join(folder, 'x'));
    expect(await readFile(join(folder, 'x'), 'utf8')).toBe('content');
    pypi.misbehave(/targets\//, { kind: 'flipped-bit', position: 0 });
    await expect(
      session.downloadTarget((await session.getTargetInfo('x'))!, join(folder, 'y')),
    ).rejects.toMatchObject({ code: 'DOWNLOAD_HTTP' });
  });

  it('uses the mirrors of a repository', async () => {
    list('x', undefined, 'content');
    down.add('pypi.invalid');
    const session = updater([{ paths: ['*'], repositories: ['pypi'] }]);
    await session.downloadTarget((await session.getTargetInfo('x'))!, join(folder, 'x'));
    expect(await readFile(join(folder, 'x'), 'utf8')).toBe('content');
  });

  it('finds nothing for a path no entry speaks about, without any request', async () => {
    expect(await updater([{ ...both, paths: ['a/*'] }]).getTargetInfo('b')).toBeUndefined();
    expect([...company.requests, ...pypi.requests]).toEqual([]);
    expect(() => updater([both]).updater('other')).toThrow(RangeError);
  });
});
