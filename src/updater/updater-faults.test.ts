import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RepositorySimulator, SimulatedClient } from '../testing/index.ts';
import { defaultCrypto, TargetFile } from '../tuf/index.ts';
import type { TufCrypto } from '../tuf/index.ts';
import { DEFAULT_DOWNLOAD_LIMITS } from './config.ts';
import type { Fetcher } from './fetcher.ts';
import { downloadBytes, limitedDownload } from './limited-download.ts';
import { parseMapFile } from './map-file.ts';
import { MetadataDir } from './metadata-dir.ts';
import { MultiRepositoryUpdater } from './multi-repository-updater.ts';
import { isCopyOf, verifiedStream } from './target-download.ts';
import { Updater } from './updater.ts';

let repository: RepositorySimulator;
let client: SimulatedClient;

beforeEach(async () => {
  repository = new RepositorySimulator();
  client = await SimulatedClient.create(repository);
});

afterEach(() => client.remove());

/** Gives these pieces, whatever was asked for. */
function sending(...pieces: readonly string[]): Fetcher {
  return {
    async *fetch() {
      for (const piece of pieces) yield await Promise.resolve(Buffer.from(piece));
    },
  };
}

async function collect(source: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

describe('a fault of this machine', () => {
  it('is not taken for a bad file: what is cached is not thrown away for it', async () => {
    await client.refresh();
    const crypto: TufCrypto = {
      digest: (...args) => defaultCrypto.digest(...args),
      verify: (key, signature, bytes) => {
        if (Buffer.from(bytes).includes('"_type":"timestamp"')) throw new Error('out of memory');
        return defaultCrypto.verify(key, signature, bytes);
      },
    };
    const { metadataDir } = client;
    const updater = new Updater({ ...repository.location, metadataDir, fetcher: repository, crypto });
    await expect(updater.refresh()).rejects.toThrow('out of memory');
    expect(await client.trusted()).toMatchObject({ timestamp: 1 });
  });

  it('does not happen to two sessions with one MetadataDir', async () => {
    const metadataDir = new MetadataDir(client.metadataDir);
    const { initialRoot: bootstrapRoot } = repository;
    const session = () =>
      new Updater({ ...repository.location, metadataDir, fetcher: repository, bootstrapRoot });
    await Promise.all([session().refresh(), session().refresh()]);
    expect(await client.trusted()).toMatchObject({ root: 1, timestamp: 1 });
  });

  it('leaves nothing trusted to look at before the first refresh', () => {
    expect(() => client.updater().trusted).toThrow('refresh() must succeed');
  });
});

describe('bytes of a target', () => {
  const target = (hashes: Readonly<Record<string, string>>, length = 5) =>
    new TargetFile({ path: 'a', length, hashes: new Map(Object.entries(hashes)) });
  const sha256 = '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824';
  const stream = (...pieces: string[]) => sending(...pieces).fetch('', { maxLength: 0 });

  it('pass in any pieces, empty ones too', async () => {
    expect(await collect(verifiedStream(target({ sha256 }), stream('', 'he', '', 'llo', '')))).toBe('hello');
  });

  it('that are too many are refused when they come, whatever the fetcher allowed', async () => {
    const endless = verifiedStream(target({ sha256 }), stream('hello', '!', 'never asked for'));
    await expect(collect(endless)).rejects.toThrow('has more than the 5 bytes that are listed');
  });

  it('on the disk are no copy when the listed hash cannot be computed', async () => {
    const path = join(client.folder, 'a');
    await writeFile(path, 'hello');
    expect(await isCopyOf(target({ sha256 }), path)).toBe(true);
    expect(await isCopyOf(target({ md5: '5d41402abc4b2a76b9719d911017c592' }), path)).toBe(false);
    expect(await isCopyOf(target({ sha256 }), client.folder)).toBe(false);
    expect(await isCopyOf(target({ sha256 }, 4), path)).toBe(false);
  });
});

describe('a download', () => {
  const limits = DEFAULT_DOWNLOAD_LIMITS;

  it('of nothing, one piece and several pieces gives all bytes', async () => {
    for (const pieces of [[], ['one'], ['o', 'n', 'e']]) {
      const bytes = await downloadBytes(sending(...pieces), 'https://host/', { maxLength: 3 }, limits);
      expect(Buffer.from(bytes).toString()).toBe(pieces.join(''));
    }
  });

  it('does not start when its caller has given up', async () => {
    const signal = AbortSignal.abort(new Error('given up'));
    const download = limitedDownload(sending('x'), 'https://host/', { maxLength: 3, signal }, limits);
    await expect(collect(download)).rejects.toThrow('given up');
  });

  it('that somebody leaves does not wait for a source that hangs', async () => {
    let isAborted = false;
    const hanging: Fetcher = {
      fetch: (_url, { signal }) => ({
        [Symbol.asyncIterator]: () => ({
          next: () => {
            signal?.addEventListener('abort', () => (isAborted = true));
            return Promise.resolve({ done: false, value: Buffer.from('x') });
          },
        }),
      }),
    };
    for await (const chunk of limitedDownload(hanging, 'https://host/', { maxLength: 3 }, limits)) {
      expect(chunk).toHaveLength(1);
      break;
    }
    expect(isAborted).toBe(true);
  });
});

describe('several repositories', () => {
  const map = parseMapFile(
    Buffer.from(
      JSON.stringify({
        repositories: { one: ['https://repository.invalid'] },
        mapping: [{ paths: ['*'], repositories: ['one'] }],
      }),
    ),
  );

  it('have a session each, made once, and none that the map does not name', () => {
    const updater = new MultiRepositoryUpdater({ map, metadataFolder: client.folder, fetcher: repository });
    expect(updater.updater('one')).toBe(updater.updater('one'));
    expect(() => updater.updater('two')).toThrow(RangeError);
  });

  it('agree whatever the order in which they list the hashes', async () => {
    const entry = repository.addTarget('targets', 'a', Buffer.from('hello'));
    repository.indentation = 1;
    entry.hashes = { sha512: '00'.repeat(64), ...entry.hashes };
    repository.publishAll();
    const updater = new MultiRepositoryUpdater({
      map,
      metadataFolder: client.folder,
      fetcher: repository,
      bootstrapRoots: new Map([['one', repository.initialRoot]]),
      config: { maxDelegations: 4 },
    });
    const agreed = await updater.getTargetInfo('a');
    expect(agreed).toMatchObject({ repositories: ['one'], target: { length: 5 } });
  });

  it('and a mistake of the caller about the map file stays what it is', () => {
    expect(() => parseMapFile(undefined as unknown as Uint8Array)).toThrow(TypeError);
  });
});
