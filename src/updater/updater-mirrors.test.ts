import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RepositorySimulator, SimulatedClient } from '../testing/index.ts';
import type { Misbehaviour } from '../testing/index.ts';
import type { FetchOptions } from './fetcher.ts';
import { MetadataDir } from './metadata-dir.ts';
import { Sources } from './sources.ts';
import { DownloadError } from '../tuf/download-error.ts';
import { Updater } from './updater.ts';

let repository: RepositorySimulator;
let client: SimulatedClient;
/** Which source was asked for what, as `<host> <path>`. */
let requests: string[];
/** What a source does instead of answering. */
let misbehaviour: Map<string, { readonly pattern: RegExp; readonly behaviour: Misbehaviour }>;

const CONTENT = Buffer.from('content of the target '.repeat(20_000));

beforeEach(async () => {
  repository = new RepositorySimulator();
  repository.addTarget('targets', 'x', CONTENT);
  repository.publishAll();
  client = await SimulatedClient.create(repository);
  requests = [];
  misbehaviour = new Map();
});

afterEach(() => client.remove());

const mirror = (host: string) => ({
  metadataBaseUrl: `https://${host}/metadata`,
  targetBaseUrl: `https://${host}/targets`,
});

function updater(...hosts: readonly string[]): Updater {
  return new Updater({
    ...mirror('origin'),
    mirrors: hosts.map(mirror),
    metadataDir: client.metadataDir,
    bootstrapRoot: repository.initialRoot,
    fetcher: {
      async *fetch(url: string, options: FetchOptions) {
        const { hostname, pathname } = new URL(url);
        requests.push(`${hostname} ${pathname.slice(1)}`);
        const found = misbehaviour.get(hostname);
        repository.behave();
        if (found !== undefined) {
          repository.misbehave(found.pattern, found.behaviour);
        }
        yield* repository.fetch(url, options);
      },
    },
  });
}

const hostsAsked = (part: string) =>
  requests.filter((request) => request.includes(part)).map((request) => request.split(' ')[0]);

describe('a repository with mirrors', () => {
  it('asks no mirror while the first source answers, except for a newer root', async () => {
    await updater('mirror').refresh();
    expect(requests).toEqual([
      'origin metadata/2.root.json',
      'mirror metadata/2.root.json',
      'origin metadata/timestamp.json',
      'origin metadata/2.snapshot.json',
      'origin metadata/2.targets.json',
    ]);
  });

  it.each<readonly [string, Misbehaviour]>([
    ['is down', { kind: 'status', status: 503 }],
    ['has lost its files', { kind: 'status', status: 404 }],
    ['drops connections', { kind: 'dropped', after: 20 }],
    ['is too slow', { kind: 'too-slow' }],
    ['sends endless data', { kind: 'endless' }],
    ['sends damaged bytes', { kind: 'flipped-bit', position: 60 }],
    [
      'sends something else',
      { kind: 'bytes', bytes: Buffer.from('<html>welcome to the hotel network</html>') },
    ],
  ])('goes on with a mirror when the first source %s', async (_name, behaviour) => {
    misbehaviour.set('origin', { pattern: /./, behaviour });
    const session = updater('mirror');
    const target = (await session.getTargetInfo('x'))!;
    const path = join(client.folder, 'x');
    await session.downloadTarget(target, path);
    expect(await readFile(path)).toEqual(CONTENT);
    expect(Buffer.from(await session.targetBytes(target, CONTENT.length))).toEqual(CONTENT);
  });

  it('refuses what a mirror forged, and goes on with the next', async () => {
    misbehaviour.set('origin', { pattern: /./, behaviour: { kind: 'status', status: 500 } });
    misbehaviour.set('evil', {
      pattern: /timestamp/,
      behaviour: { kind: 'bytes', bytes: new RepositorySimulator().versions('timestamp')[0]! },
    });
    await updater('evil', 'mirror').refresh();
    expect(hostsAsked('timestamp')).toEqual(['origin', 'evil', 'mirror']);
    expect(hostsAsked('snapshot').at(-1)).toBe('mirror');
  });

  it('refuses the old timestamp of a mirror that lags behind, and goes on with the next', async () => {
    await updater().refresh();
    misbehaviour.set('origin', {
      pattern: /timestamp/,
      behaviour: { kind: 'bytes', bytes: repository.versions('timestamp')[0]! },
    });
    await updater('mirror').refresh();
    expect(await client.trusted()).toMatchObject({ timestamp: 2 });
  });

  it('takes the right snapshot from the next source when one serves another in its place', async () => {
    repository.publishAll();
    repository.publishAll();
    repository.files.set('metadata/timestamp.json', repository.versions('timestamp')[2]!);
    misbehaviour.set('origin', {
      pattern: /snapshot/,
      behaviour: { kind: 'bytes', bytes: repository.versions('snapshot')[3]! },
    });
    await updater('mirror').refresh();
    expect(await client.trusted()).toMatchObject({ snapshot: 3, targets: 3 });
  });

  it('takes a new root from whoever has it: one honest source is enough against a freeze', async () => {
    repository.publish(['root']);
    misbehaviour.set('origin', { pattern: /root/, behaviour: { kind: 'status', status: 404 } });
    await updater('mirror').refresh();
    expect(await client.trusted()).toMatchObject({ root: 2 });
  });

  it('takes the absence of a newer root at one source for the end of the roots when the others fail', async () => {
    misbehaviour.set('mirror', { pattern: /root/, behaviour: { kind: 'dropped', after: 0 } });
    await updater('mirror').refresh();
    misbehaviour.set('origin', { pattern: /root/, behaviour: { kind: 'status', status: 500 } });
    await expect(updater('mirror').refresh()).rejects.toBeInstanceOf(DownloadError);
  });

  it('reports forged bytes before anything else when all sources fail', async () => {
    misbehaviour.set('origin', { pattern: /timestamp/, behaviour: { kind: 'status', status: 404 } });
    misbehaviour.set('evil', {
      pattern: /timestamp/,
      behaviour: { kind: 'bytes', bytes: Buffer.from('{}') },
    });
    misbehaviour.set('mirror', { pattern: /timestamp/, behaviour: { kind: 'dropped', after: 0 } });
    await expect(updater('mirror', 'evil').refresh()).rejects.toMatchObject({ code: 'MALFORMED_METADATA' });
  });

  it('ends at once when the disk refuses', async () => {
    const session = updater('mirror');
    const target = (await session.getTargetInfo('x'))!;
    requests.length = 0;
    await expect(session.downloadTarget(target, join(client.folder, 'absent', 'x'))).rejects.toMatchObject({
      code: 'INPUT_OUTPUT',
    });
    expect(requests).toEqual([]);
  });
});

describe('a streamed target', () => {
  it('comes from the next source when the first fails before any data was passed on', async () => {
    misbehaviour.set('origin', { pattern: /targets\//, behaviour: { kind: 'dropped', after: 10 } });
    const session = updater('mirror');
    const chunks: Uint8Array[] = [];
    for await (const chunk of session.streamTarget((await session.getTargetInfo('x'))!)) {
      chunks.push(chunk);
    }
    expect(Buffer.concat(chunks)).toEqual(CONTENT);
  });

  it('fails when its source fails in the middle, which is asked last the next time', async () => {
    misbehaviour.set('origin', {
      pattern: /targets\//,
      behaviour: { kind: 'flipped-bit', position: 400_000 },
    });
    const split = { kind: 'bytes', bytes: CONTENT.subarray(0, 1000) } as const;
    misbehaviour.set('origin', { pattern: /targets\//, behaviour: split });
    const session = updater('mirror');
    const target = (await session.getTargetInfo('x'))!;
    requests.length = 0;
    expect((await session.targetBytes(target, CONTENT.length)).length).toBe(CONTENT.length);
    requests.length = 0;
    await session.targetBytes(target, CONTENT.length);
    expect(hostsAsked('targets')).toEqual(['mirror']);
  });
});

describe('the health of the sources', () => {
  const names = ['a', 'b', 'c'];
  let now: number;
  const sources = () => new Sources(names.map(mirror), new MetadataDir(client.metadataDir), () => now);
  const order = async (of: Sources) => {
    const asked: string[] = [];
    await of
      .first((source) => {
        asked.push(new URL(source.metadataBaseUrl).hostname);
        return Promise.reject(new RangeError('stop'));
      })
      .catch(() => undefined);
    return asked[0];
  };
  const fail = (of: Sources, host: string, error: unknown) => of.blame(mirror(host), error);

  beforeEach(async () => {
    now = 1_000_000;
    await updater().refresh();
  });

  async function errors() {
    misbehaviour.set('origin', { pattern: /timestamp/, behaviour: { kind: 'status', status: 500 } });
    const network: unknown = await updater()
      .refresh()
      .catch((error: unknown) => error);
    misbehaviour.set('origin', {
      pattern: /timestamp/,
      behaviour: { kind: 'bytes', bytes: Buffer.from('{}') },
    });
    const forged: unknown = await updater()
      .refresh()
      .catch((error: unknown) => error);
    return { network, forged };
  }

  it('is remembered by the next process', async () => {
    const { network } = await errors();
    const first = sources();
    expect(await order(first)).toBe('a');
    await fail(first, 'a', network);
    expect(await order(sources())).toBe('b');
  });

  it('recovers after a while, later after every failure in a row, and at once after a success', async () => {
    const { network } = await errors();
    const one = sources();
    await order(one);
    await fail(one, 'a', network);
    now += 5_001;
    expect(await order(one)).toBe('a');
    await fail(one, 'a', network);
    now += 5_001;
    expect(await order(one)).toBe('b');
    now += 5_000;
    expect(await order(one)).toBe('a');
    await one.first(() => Promise.resolve());
    await fail(one, 'a', network);
    now += 5_001;
    expect(await order(one)).toBe('a');
  });

  it('suffers longer from bytes that did not verify', async () => {
    const { forged } = await errors();
    const one = sources();
    await order(one);
    await fail(one, 'a', forged);
    now += 3_599_999;
    expect(await order(one)).toBe('b');
    now += 2;
    expect(await order(one)).toBe('a');
  });

  it('is not touched by errors of our own', async () => {
    const one = sources();
    await order(one);
    await fail(one, 'a', new RangeError('ours'));
    expect(await order(one)).toBe('a');
  });

  it.each([
    'no json',
    'null',
    '[]',
    '{"https://a/metadata": null}',
    '{"https://a/metadata": {"failures": "x"}}',
  ])('is forgotten when its file is damaged: %s', async (text) => {
    await writeFile(join(client.metadataDir, 'mirror-health'), text);
    expect(await order(sources())).toBe('a');
  });

  it('is not written where there is only one source', async () => {
    await expect(readFile(join(client.metadataDir, 'mirror-health'))).rejects.toThrow(/ENOENT/);
  });
});
