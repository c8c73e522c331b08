import { createHash } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import { DownloadHttpError } from '../tuf/download-error.ts';
import type { Fetcher } from '../updater/fetcher.ts';
import { RepositorySimulator } from '../testing/repository-simulator.ts';
import { findCommittedRoot, haveOneHistory } from './committed-root.ts';
import { readSelfSignedRoot, type SelfSignedRoot } from './trusted-root.ts';

const URL = 'https://a.example/';
let repository: RepositorySimulator;
let requests: string[];

/** Serves the roots of the repository, unless others are put in their place. */
let changed: Map<string, Uint8Array>;
const fetcher: Fetcher = {
  async *fetch(url) {
    const path = url.slice(URL.length);
    requests.push(path);
    const bytes = changed.get(path) ?? repository.files.get(path);
    if (bytes === undefined) throw new DownloadHttpError('absent', 404, { url });
    yield bytes;
  },
};

beforeEach(() => {
  [repository, requests, changed] = [new RepositorySimulator(), [], new Map()];
  for (let version = 2; version <= 5; version += 1) {
    repository.addKey('root');
    repository.publish(['root']);
  }
});

function bytesOf(version: number, of = repository): Uint8Array {
  return of.files.get(`metadata/${version}.root.json`) as Uint8Array;
}

function rootOf(version: number, of = repository): Promise<SelfSignedRoot> {
  return readSelfSignedRoot(bytesOf(version, of));
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

describe('findCommittedRoot', () => {
  it.each([1, 3, 5])('finds root %i by its file and by its signed part', async (version) => {
    const { fingerprint } = await rootOf(version);
    for (const sha of [sha256(bytesOf(version)), fingerprint]) {
      expect((await findCommittedRoot(fetcher, URL, sha)).root.version).toBe(version);
    }
  });

  it('says how many it looked at when none has the sha256', async () => {
    await expect(findCommittedRoot(fetcher, URL, '0'.repeat(64))).rejects.toMatchObject({
      code: 'wrong-fingerprint',
      message: expect.stringContaining('has 5 root versions') as string,
    });
  });

  it('passes over what is no root, and does not take a root at the place of another version', async () => {
    const wanted = sha256(bytesOf(4));
    changed.set('metadata/1.root.json', Buffer.from('{'));
    changed.set('metadata/2.root.json', bytesOf(4));
    expect((await findCommittedRoot(fetcher, URL, wanted)).root.version).toBe(4);
    changed.set('metadata/4.root.json', bytesOf(1));
    await expect(findCommittedRoot(fetcher, URL, wanted)).rejects.toMatchObject({
      code: 'wrong-fingerprint',
    });
  });

  it('does not take a root with the right sha256 that its own keys did not sign', async () => {
    const forged = repository.sign('root', repository.signers('timestamp'));
    changed.set('metadata/5.root.json', forged);
    await expect(findCommittedRoot(fetcher, URL, sha256(forged))).rejects.toMatchObject({
      code: 'wrong-fingerprint',
    });
  });

  it('gives up on a server that shows roots without end', async () => {
    const endless: Fetcher = {
      async *fetch() {
        requests.push('');
        yield Buffer.from('{}');
      },
    };
    await expect(findCommittedRoot(endless, URL, '0'.repeat(64))).rejects.toThrow('none of them');
    expect(requests.length).toBe(1024);
  });

  it('takes an index without a first root for one that cannot be asked', async () => {
    repository.files.clear();
    await expect(findCommittedRoot(fetcher, URL, '0'.repeat(64))).rejects.toBeInstanceOf(DownloadHttpError);
  });
});

describe('haveOneHistory', () => {
  it('is proven by signatures from one root to the other, whichever is older', async () => {
    expect(await haveOneHistory(await rootOf(1), await rootOf(5), fetcher, URL)).toBe(true);
    expect(await haveOneHistory(await rootOf(5), await rootOf(2), fetcher, URL)).toBe(true);
    expect(await haveOneHistory(await rootOf(3), await rootOf(3), fetcher, URL)).toBe(true);
  });

  it('is refused to roots that others signed, also of the same version', async () => {
    const stranger = new RepositorySimulator();
    stranger.addKey('root');
    stranger.publish(['root']);
    expect(await haveOneHistory(await rootOf(1), await rootOf(2, stranger), fetcher, URL)).toBe(false);
    expect(await haveOneHistory(await rootOf(4), await rootOf(1, stranger), fetcher, URL)).toBe(false);
    expect(await haveOneHistory(await rootOf(1), await rootOf(1, stranger), fetcher, URL)).toBe(false);
  });

  it('is not decided when the index cannot be asked for what lies between', async () => {
    const [first, last] = [await rootOf(1), await rootOf(5)];
    repository.files.delete('metadata/3.root.json');
    await expect(haveOneHistory(first, last, fetcher, URL)).rejects.toBeInstanceOf(DownloadHttpError);
  });
});
