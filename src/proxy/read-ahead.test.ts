import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { SimulatedIndex } from '../../test/support/simulated-index.ts';
import type { PageFile } from '../pypi/simple.ts';
import { HttpFetcher } from '../updater/http-fetcher.ts';
import { Updater } from '../updater/updater.ts';
import { explain } from './explain.ts';
import { ReadAhead, type AheadSource } from './read-ahead.ts';
import { VerifiedFiles } from './verified-files.ts';
import { VerifiedIndex } from './verified-index.ts';

const wheel = (name: string): string => `${name}-1.0-py3-none-any.whl`;
const metadata = (name: string, requires: readonly string[]): string =>
  [
    'Metadata-Version: 2.1',
    `Name: ${name}`,
    'Version: 1.0',
    ...requires.map((each) => `Requires-Dist: ${each}`),
    '',
    '',
  ].join('\n');

describe('an installer that asks for a project', () => {
  let folder: string;
  let upstream: SimulatedIndex;
  let fetcher: HttpFetcher;
  let files: VerifiedFiles;
  let elsewhere: Set<string>;
  let index: VerifiedIndex;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'rind-ahead-'));
    upstream = await SimulatedIndex.start();
    for (const [name, requires] of [
      ['foo', ['bar', 'absent']],
      ['bar', ['baz']],
      ['baz', []],
    ] as const) {
      const file = { filename: wheel(name), bytes: Buffer.from(name), metadata: metadata(name, requires) };
      upstream.addProject(name, [file]);
    }
    fetcher = new HttpFetcher();
    files = await VerifiedFiles.create(join(folder, 'files'));
    elsewhere = new Set();
    index = new VerifiedIndex({
      url: upstream.url,
      openUpdater: () =>
        new Updater({
          metadataDir: join(folder, 'metadata'),
          metadataBaseUrl: `${upstream.url}metadata/`,
          targetBaseUrl: upstream.url,
          fetcher,
          bootstrapRoot: upstream.repository.initialRoot,
        }),
      fetcher,
      files,
      mayReadAhead: (project) => !elsewhere.has(project),
    });
  });

  afterEach(async () => {
    await index.close();
    await fetcher.close();
    await files.close();
    await upstream.close();
    await rm(folder, { recursive: true });
  });

  const asked = (part: string): string[] => upstream.requests.filter((path) => path.includes(part));
  const until = (part: string): Promise<void> => vi.waitFor(() => expect(asked(part)).not.toEqual([]));

  it('finds there what the project requires, and what that requires', async () => {
    await index.page('foo', 'json');
    await until(`${wheel('baz')}.metadata`);
    await vi.waitFor(async () => {
      upstream.requests.length = 0;
      for (const name of ['foo', 'bar', 'baz']) {
        expect((await index.page(name, 'json'))?.bytes.length).toBeGreaterThan(0);
        expect(Buffer.from((await index.metadata(name, wheel(name))) ?? []).toString()).toContain(
          `Name: ${name}`,
        );
      }
      expect(upstream.requests).toEqual([]);
    });
  });

  it('is told of no newer snapshot because something that was read ahead is absent', async () => {
    await index.page('foo', 'json');
    await until(`${wheel('baz')}.metadata`);
    await index.close();
    expect(asked('timestamp.json')).toHaveLength(1);
    expect(await index.page('absent', 'json')).toBeUndefined();
  });

  it('gets the same refusal, and once the index behaves the same page, as without', async () => {
    upstream.tamper(/^simple\/bar\//);
    upstream.tamper(/\/baz-.*\.metadata$/);
    const verdict = (work: Promise<unknown>): Promise<string> =>
      work.then(
        () => 'given',
        (error: unknown) => explain(error, { subject: 'x', index: upstream.url, now: new Date() }).code,
      );
    await index.page('foo', 'json');
    await until('simple/bar/');
    expect(await verdict(index.page('bar', 'json'))).toBe('tampered');
    await index.page('baz', 'json');
    await until('.metadata');
    expect(await verdict(index.metadata('baz', wheel('baz')))).toBe('tampered');
    upstream.behave();
    expect(await verdict(index.page('bar', 'json'))).toBe('given');
    expect(await verdict(index.metadata('baz', wheel('baz')))).toBe('given');
  });

  it('makes nobody tell an index of names that come from elsewhere', async () => {
    elsewhere.add('bar');
    await index.page('foo', 'json');
    await until(`${wheel('foo')}.metadata`);
    await index.close();
    expect([...asked('bar'), ...asked('baz')]).toEqual([]);
  });

  it('in HTML, which says nothing of metadata, makes nobody read anything', async () => {
    await index.page('foo', 'html');
    await index.close();
    expect([...asked('.metadata'), ...asked('bar')]).toEqual([]);
  });
});

describe('an index that wants to be read without end', () => {
  let names: number;
  let [running, most] = [0, 0];
  let read: string[];
  const file = (project: string): PageFile => ({
    filename: `${project}.whl`,
    version: '1.0',
    sha256: '0'.repeat(64),
    size: 1,
    uploadTime: '2026-11-22T12:00:00.000000Z',
    coreMetadataSha256: '0'.repeat(64),
  });
  /** Every project requires a hundred others, which nobody has seen before. */
  const endless: AheadSource = {
    mayRead: () => true,
    page: async (name) => {
      read.push(name);
      most = Math.max(most, (running += 1));
      await new Promise(setImmediate);
      running -= 1;
      return { name, files: [file(name)] };
    },
    metadata: (name) =>
      Promise.resolve(
        Buffer.from(
          metadata(
            name,
            Array.from({ length: 100 }, () => `endless-${(names += 1)}`),
          ),
        ),
      ),
    target: () => Promise.resolve(undefined),
  };

  beforeEach(() => {
    [names, running, most, read] = [0, 0, 0, []];
  });

  const settled = async (): Promise<string[]> => {
    let before = -1;
    while (read.length !== before) {
      before = read.length;
      for (let turn = 0; turn < 50; turn += 1) await new Promise(setImmediate);
    }
    return read;
  };

  it('is read no further than 24 projects and as many more as the installer asked for', async () => {
    const ahead = new ReadAhead(endless);
    ahead.asked('first');
    expect(await settled()).toHaveLength(1 + 24 + 1);
    ahead.asked('first');
    expect(await settled()).toHaveLength(1 + 24 + 1);
    ahead.asked('second');
    expect(await settled()).toHaveLength(2 + 24 + 2);
    ahead.chosen('second', 'second-2.0.whl', Buffer.from(metadata('second', ['more', 'and-more'])));
    expect(await settled()).toHaveLength(2 + 24 + 2);
    expect(most).toBeLessThanOrEqual(8);
  });

  it('gets its place back when the installer asks for what was read', async () => {
    const ahead = new ReadAhead(endless);
    ahead.asked('first');
    for (const name of (await settled()).slice(1, 11)) ahead.asked(name);
    ahead.chosen('first', 'first-2.0.whl', Buffer.from(metadata('first', ['more', 'and-more'])));
    expect(await settled()).toEqual(expect.arrayContaining(['more', 'and-more']));
  });

  it('is left alone once it is stopped', async () => {
    const ahead = new ReadAhead(endless);
    ahead.asked('first');
    await ahead.stop();
    const before = read.length;
    ahead.asked('second');
    expect(await settled()).toHaveLength(before);
  });
});
