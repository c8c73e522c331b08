import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SimulatedIndex } from '../../test/support/simulated-index.ts';
import { HttpFetcher } from '../updater/http-fetcher.ts';
import { openAgreedSession } from './agreed-session.ts';
import { explain } from './explain.ts';
import { VerifiedFiles } from './verified-files.ts';
import { VerifiedIndex } from './verified-index.ts';

const WHEEL = 'foo-1.0-py3-none-any.whl';
const METADATA = 'Metadata-Version: 2.1\nName: foo\nVersion: 1.0\n\n';

let folder: string;
let first: SimulatedIndex;
let second: SimulatedIndex;
let fetcher: HttpFetcher;
let open: VerifiedFiles[];
let away: Map<string, number>;
/** The indexes that were done without, and whether that was said to be the network's fault. */
let notes: { readonly url: string; readonly isAway: boolean }[];
let now: Date;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rind-agreed-'));
  [first, second] = await Promise.all([SimulatedIndex.start(), SimulatedIndex.start()]);
  for (const index of [first, second]) publish(index, 'foo');
  fetcher = new HttpFetcher();
  [open, notes, away, now] = [[], [], new Map(), new Date()];
});

afterEach(async () => {
  await fetcher.close();
  for (const index of [first, second]) await index.close().catch(() => undefined);
  await settle();
  await rm(folder, { recursive: true });
});

function publish(index: SimulatedIndex, project: string, build = ''): void {
  const filename = `${project}-1.0-py3-none-any.whl`;
  const metadata = METADATA.replace('foo', project);
  index.addProject(project, [{ filename, bytes: Buffer.from(`wheel ${build}`), metadata }]);
}

/** What earlier installs have yet to write is written. */
async function settle(): Promise<void> {
  for (const files of open.splice(0)) await files.close();
}

/** One install: a new process would do the same, but for what it remembers of who was away. */
async function install({ threshold = 2, isOffline = false } = {}): Promise<VerifiedIndex> {
  await settle();
  const files = await VerifiedFiles.create(join(folder, 'files'));
  open.push(files);
  const indexes = [first, second].map(({ url, repository }, position) => ({
    url,
    metadataFolder: join(folder, `metadata-${position}`),
    bootstrapRoot: repository.initialRoot,
  }));
  const onOffline = (url: string, _updater: unknown, reason: unknown): void =>
    void notes.push({ url, isAway: reason !== undefined });
  return new VerifiedIndex({
    url: first.url,
    mirrors: [second.url],
    isOffline,
    openUpdater: () =>
      openAgreedSession(indexes, threshold, { fetcher, isOffline, away, onOffline, clock: () => now }),
    fetcher,
    files,
  });
}

/** Page, core metadata and file. */
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
    return (await action) === undefined ? 'absent' : 'given';
  } catch (error) {
    return explain(error, { subject: 'foo', index: first.url, now }).code;
  }
}

describe('indexes that have to agree, without network', () => {
  it('give what they agreed on before, and it is said of each of them', async () => {
    const honest = await everything(await install());
    await Promise.all([first.close(), second.close()]);
    expect(await everything(await install())).toEqual(honest);
    expect(notes).toHaveLength(2);
    expect(notes).toEqual(expect.arrayContaining([first, second].map(({ url }) => ({ url, isAway: true }))));
  });

  it('ask nobody when they are told so', async () => {
    const honest = await everything(await install());
    const before = first.requests.length + second.requests.length;
    expect(await everything(await install({ isOffline: true }))).toEqual(honest);
    expect(first.requests.length + second.requests.length).toBe(before);
    expect(notes.map(({ isAway }) => isAway)).toEqual([false, false]);
  });

  it('give nothing that was not verified here before, and nothing that has expired', async () => {
    publish(first, 'bar');
    publish(second, 'bar');
    await everything(await install());
    await Promise.all([first.close(), second.close()]);
    expect(await code((await install()).page('bar', 'json'))).toBe('unreachable');
    now = new Date(now.getTime() + 400 * 86_400_000);
    away.clear();
    expect(await code((await install()).page('foo', 'json'))).toBe('unreachable');
    expect(await code((await install({ isOffline: true })).page('foo', 'json'))).toBe('expired');
  });
});

describe.each(['first', 'second'] as const)('with the %s of two indexes away', (which) => {
  const gone = (): SimulatedIndex => (which === 'first' ? first : second);
  const other = (): SimulatedIndex => (which === 'first' ? second : first);

  it('its stored word counts towards the agreement, and is asked for no longer for a while', async () => {
    const honest = await everything(await install());
    await gone().close();
    await settle();
    await rm(join(folder, 'files'), { recursive: true });
    expect(await everything(await install())).toEqual(honest);
    expect(notes).toEqual([{ url: gone().url, isAway: true }]);
    await install().then((index) => index.refresh());
    expect(notes[1]).toEqual({ url: gone().url, isAway: false });
  });

  it('nothing new of the other one is given, which it has never agreed to', async () => {
    await everything(await install());
    await gone().close();
    other().addProject('foo', [{ filename: WHEEL, bytes: Buffer.from('of somebody who has broken in') }]);
    publish(other(), 'fresh');
    expect(await code((await install()).page('foo', 'json'))).toBe('no-agreement');
    expect(await code((await install()).page('fresh', 'json'))).toMatch(
      /^(?:absent|no-agreement|unreachable)$/,
    );
  });

  it('nothing of which nothing is stored is given', async () => {
    await gone().close();
    expect(await code((await install()).page('foo', 'json'))).toBe('unreachable');
    expect(notes).toEqual([]);
    expect(await code((await install({ threshold: 1 })).page('foo', 'json'))).toBe('given');
  });

  it('is not taken for away when it answers with an error or with something forged', async () => {
    await everything(await install());
    gone().tamper(/timestamp\.json$/, () => undefined);
    expect(await code((await install()).page('foo', 'json'))).toBe('unreachable');
    gone().behave();
    gone().tamper(/timestamp\.json$/);
    expect(await code((await install()).page('foo', 'json'))).toMatch(/wrongly-signed|malformed/);
    expect(notes).toEqual([]);
  });
});
