import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { binOf, flipByte, sha256, SimulatedIndex } from '../../test/support/simulated-index.ts';
import { hashedPath, simpleJsonPath } from '../pypi/layout.ts';
import { HttpFetcher } from '../updater/http-fetcher.ts';
import { Updater } from '../updater/updater.ts';
import { explain } from './explain.ts';
import { VerifiedFiles } from './verified-files.ts';
import { VerifiedIndex } from './verified-index.ts';

const WHEEL = 'foo-1.0-py3-none-any.whl';
const METADATA = 'Metadata-Version: 2.1\nName: foo\nVersion: 1.0\n\n';

let folder: string;
let upstream: SimulatedIndex;
let fetcher: HttpFetcher;
let open: VerifiedFiles[];
let reasons: unknown[];
let now: Date;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rind-outages-'));
  upstream = await SimulatedIndex.start();
  upstream.addProject('foo', [{ filename: WHEEL, bytes: Buffer.from('wheel'), metadata: METADATA }]);
  fetcher = new HttpFetcher();
  [open, reasons] = [[], []];
  now = new Date();
});

afterEach(async () => {
  await fetcher.close();
  await upstream.close().catch(() => undefined);
  for (const files of open) await files.close();
  await rm(folder, { recursive: true });
});

interface Client {
  readonly url?: string;
  readonly mirrors?: readonly string[];
  readonly isOffline?: boolean;
}

/** One install: a new process would do the same. */
async function install({
  url = upstream.url,
  mirrors = [],
  isOffline = false,
}: Client = {}): Promise<VerifiedIndex> {
  // What the one before has yet to write is written then.
  for (const { cache } of open) await cache.settled();
  const files = await VerifiedFiles.create(join(folder, 'files'));
  open.push(files);
  return new VerifiedIndex({
    url,
    mirrors,
    isOffline,
    onOffline: (_session, reason) => void reasons.push(reason),
    openUpdater: (offline) =>
      new Updater({
        metadataDir: join(folder, 'metadata'),
        metadataBaseUrl: `${url}metadata/`,
        targetBaseUrl: url,
        mirrors: mirrors.map((mirror) => ({ metadataBaseUrl: `${mirror}metadata/`, targetBaseUrl: mirror })),
        fetcher,
        clock: () => now,
        bootstrapRoot: upstream.repository.initialRoot,
        config: { offline },
      }),
    fetcher,
    files,
  });
}

/** Page, metadata and file of foo. */
async function everything(index: VerifiedIndex): Promise<string[]> {
  const page = await index.page('foo', 'json');
  const metadata = await index.metadata('foo', WHEEL);
  const file = await index.fileTarget('foo', WHEEL);
  if (file === undefined) throw new Error('foo is gone');
  const { path } = await index.download(file);
  return [page?.sha256 ?? '', Buffer.from(metadata ?? []).toString(), await readFile(path, 'utf8')];
}

async function code(action: Promise<unknown>): Promise<string> {
  try {
    await action;
    return 'given';
  } catch (error) {
    return explain(error, { subject: 'foo', index: upstream.url, now }).code;
  }
}

describe('an index without network', () => {
  it('gives what was verified here before, and says so', async () => {
    const honest = await everything(await install());
    await upstream.close();
    expect(await everything(await install())).toEqual(honest);
    expect(reasons).toHaveLength(1);
    expect(reasons[0]).toMatchObject({ code: 'CONNECTION_FAILED' });
  });

  it('gives nothing that was not verified here before', async () => {
    upstream.addProject('bar', [{ filename: 'bar-1.0.tar.gz', bytes: Buffer.from('bar') }]);
    await (await install()).page('foo', 'json');
    await upstream.close();
    const index = await install();
    expect(await code(index.page('bar', 'json'))).toBe('unreachable');
    expect(await code(everything(index))).toBe('unreachable');
  });

  it('gives nothing after the metadata has expired, however long the network is held back', async () => {
    await everything(await install());
    await upstream.close();
    now = new Date(now.getTime() + 400 * 86_400_000);
    expect(await code(everything(await install()))).toBe('unreachable');
    expect(await code(everything(await install({ isOffline: true })))).toBe('expired');
  });

  it('asks nobody when it is told so', async () => {
    const honest = await everything(await install());
    const before = upstream.requests.length;
    expect(await everything(await install({ isOffline: true }))).toEqual(honest);
    expect(upstream.requests.length).toBe(before);
    expect(reasons).toEqual([undefined]);
  });

  it('is not taken for away when it answers with an error or with something forged', async () => {
    await everything(await install());
    upstream.tamper(/timestamp\.json$/, () => undefined);
    expect(await code(everything(await install()))).toBe('unreachable');
    upstream.behave();
    upstream.tamper(/timestamp\.json$/);
    expect(await code(everything(await install()))).toMatch(/wrongly-signed|malformed/);
    expect(reasons).toEqual([]);
  });
});

describe('an index with mirrors', () => {
  it('is read from a mirror while it is away', async () => {
    const url = 'http://127.0.0.1:9/';
    expect(await everything(await install({ url, mirrors: [upstream.url] }))).toHaveLength(3);
    expect(reasons).toEqual([]);
  });

  it.each([
    ['forges metadata', /timestamp\.json$/],
    ['has lost everything', /./],
    ['forges pages', /^simple\//],
    ['forges files', /^packages\/.*whl$/],
    ['forges core metadata', /\.metadata$/],
  ])('is not blocked by a mirror in front that %s', async (what, paths) => {
    const honest = await everything(await install());
    await rm(join(folder, 'files', 'store'), { recursive: true });
    const good = upstream;
    const evil = await SimulatedIndex.start();
    try {
      // The same repository, changed on the way.
      Object.assign(evil, { repository: good.repository });
      evil.addProject('foo', [{ filename: WHEEL, bytes: Buffer.from('wheel'), metadata: METADATA }]);
      evil.tamper(paths, what.includes('lost') ? () => undefined : flipByte);
      expect(await everything(await install({ url: evil.url, mirrors: [good.url] }))).toEqual(honest);
    } finally {
      await evil.close();
    }
  });
});

describe('a long resolve', () => {
  it('goes on with a newer snapshot when the server has removed the files of its own', async () => {
    const index = await install();
    const old = await index.fileTarget('foo', WHEEL);
    await index.page('foo', 'html');
    const page = upstream.repository.files.get(`targets/${simpleJsonPath('foo')}`) ?? new Uint8Array();
    upstream.addProject('foo', [
      { filename: WHEEL, bytes: Buffer.from('wheel'), metadata: METADATA },
      { filename: 'foo-2.0.tar.gz', bytes: Buffer.from('2') },
    ]);
    upstream.tamper(new RegExp(`^${hashedPath(simpleJsonPath('foo'), sha256(page))}$`), () => undefined);
    const listing = await index.listing('foo');
    expect(listing?.files.map(({ filename }) => filename)).toContain('foo-2.0.tar.gz');
    if (old === undefined) throw new Error('foo is gone');
    expect(await readFile((await index.download(old)).path, 'utf8')).toBe('wheel');
  });

  it('is told that a file was withdrawn while it went on', async () => {
    const index = await install();
    const old = await index.fileTarget('foo', WHEEL);
    const path = `packages/foo/${WHEEL}`;
    delete upstream.repository.role(binOf(path)).targets[path];
    upstream.repository.publishAll(binOf(path));
    upstream.tamper(/whl$/, () => undefined);
    if (old === undefined) throw new Error('foo is gone');
    expect(await code(index.download(old))).toBe('revoked');
  });
});

describe('what no role signs', () => {
  it('is unknown, not yet signed, or withdrawn, and each is said in other words', async () => {
    const index = await install();
    await everything(index);
    expect(await index.absence('foo', 'foo-9.0.tar.gz')).toMatchObject({ code: 'unknown' });
    expect(await index.absence('foo', WHEEL)).toMatchObject({
      code: 'revoked',
      what: expect.stringContaining('no longer'),
    });
    // Of a project it is enough that one of its files was installed here.
    expect(await index.absence('foo')).toMatchObject({ code: 'revoked' });
    expect(await index.absence('nowhere')).toMatchObject({ code: 'unknown' });
    upstream.addProject(
      'bar',
      [{ filename: 'bar-1.0.tar.gz', bytes: Buffer.from('bar') }],
      ['bar-1.0.tar.gz'],
    );
    expect(await index.absence('bar', 'bar-1.0.tar.gz')).toMatchObject({ code: 'not-yet-signed' });
  });
});
