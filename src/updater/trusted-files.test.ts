import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RepositorySimulator, SimulatedClient } from '../testing/index.ts';
import type { Fetcher } from './fetcher.ts';
import { MetadataMemory } from './metadata-memory.ts';

let repository: RepositorySimulator;
let client: SimulatedClient;

beforeEach(async () => {
  repository = new RepositorySimulator();
  client = await SimulatedClient.create(repository);
  await client.refresh();
});

afterEach(() => client.remove());

/** A fetcher that runs `meanwhile` once, after the answer to the first request for `file` and before the client sees its end. */
function interrupted(file: string, meanwhile: () => Promise<unknown>): Fetcher {
  let isDue = true;
  return {
    async *fetch(url, options) {
      yield* repository.fetch(url, options);
      if (isDue && url.endsWith(file)) {
        isDue = false;
        client.fetcher = repository;
        await meanwhile();
      }
    },
  };
}

describe('a session beside another one', () => {
  it('does not replace the newer timestamp and snapshot of the other', async () => {
    repository.publishAll();
    client.fetcher = interrupted('timestamp.json', async () => {
      repository.publishAll();
      await client.updater().refresh();
    });
    await client.updater().refresh();
    expect(await client.trusted()).toMatchObject({ timestamp: 3, snapshot: 3 });
  });

  it('does not replace a newer root of the other, nor save under its own older one', async () => {
    repository.publish(['root', 'timestamp']);
    client.fetcher = interrupted('timestamp.json', async () => {
      repository.publish(['root']);
      repository.rotateKeys('timestamp');
      repository.publish(['root']);
      repository.timestamp.version = 1;
      repository.publish(['timestamp'], { bumpVersion: false });
      await client.updater().refresh();
      expect(await client.trusted()).toMatchObject({ root: 4, timestamp: 1 });
    });
    await client.updater().refresh();
    expect(await client.trusted()).toMatchObject({ root: 4, timestamp: 1 });
  });

  it('does not retire the timestamp that the other has verified with the new keys', async () => {
    repository.addKey('timestamp');
    repository.timestamp.version = 10;
    repository.publish(['root', 'timestamp']);
    client.fetcher = interrupted('2.root.json', () => client.updater().refresh());
    await client.updater().refresh();
    expect(await client.trusted()).toMatchObject({ root: 2, timestamp: 11 });
    repository.files.set('metadata/timestamp.json', repository.versions('timestamp')[0]!);
    await expect(client.refresh()).rejects.toMatchObject({ code: 'BAD_VERSION_NUMBER', role: 'timestamp' });
  });

  it('replaces what another program damaged meanwhile', async () => {
    repository.publishAll();
    client.fetcher = interrupted('timestamp.json', async () => {
      for (const role of ['root', 'timestamp', 'snapshot']) {
        await writeFile(join(client.metadataDir, `${role}.json`), '{"signed": "damaged"}');
      }
    });
    await client.updater().refresh();
    expect(await client.refresh()).toEqual(['metadata/2.root.json', 'metadata/timestamp.json']);
    expect(await client.trusted()).toMatchObject({ root: 1, timestamp: 2, snapshot: 2 });
  });
});

describe('an error that is no refusal', () => {
  it('of the cryptography is not taken for damaged local metadata', async () => {
    let calls = 0;
    client.memory = new MetadataMemory({
      crypto: {
        verify: () => {
          calls += 1;
          if (calls > 1) {
            throw new RangeError('out of order');
          }
          return true;
        },
        digest: () => new Uint8Array(32),
      },
    });
    await expect(client.refresh()).rejects.toThrow(RangeError);
    expect(repository.requests).toEqual(['metadata/2.root.json']);
  });
});
