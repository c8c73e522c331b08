import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RepositorySimulator, SimulatedClient } from '../testing/index.ts';
import type { Fetcher } from './fetcher.ts';
import { Updater } from './updater.ts';

let repository: RepositorySimulator;
let client: SimulatedClient;

beforeEach(async () => {
  repository = new RepositorySimulator();
  for (const role of ['a', 'b']) {
    repository.addDelegation('targets', role, { paths: [`${role}/*`] });
    repository.addTarget(role, `${role}/x`, Buffer.from(role));
  }
  repository.publishAll();
  client = await SimulatedClient.create(repository);
  await client.refresh();
});

afterEach(() => client.remove());

const temporary = (): string => join(client.metadataDir, 'tmp');
const refused = { name: 'LocalFileError', code: 'INPUT_OUTPUT' };

/** From now on nothing can be written, not even by root: a file stands where the folder for unfinished files was. */
async function breakDisk(): Promise<void> {
  await rm(temporary(), { recursive: true });
  await writeFile(temporary(), '');
}

async function mendDisk(): Promise<void> {
  await rm(temporary());
  await mkdir(temporary(), { mode: 0o700 });
}

/** Breaks the disk when the answer with `file` has come. */
function breakingAt(file: string): Fetcher {
  return {
    async *fetch(url, options) {
      yield* repository.fetch(url, options);
      if (url.endsWith(file)) await breakDisk();
    },
  };
}

describe('what was verified and cannot be saved', () => {
  it.each(['timestamp.json', 'snapshot.json', 'targets.json'])(
    'fails the refresh from %s on, and leaves nothing behind it in the folder',
    async (file) => {
      const before = await client.trusted();
      const [changed = ''] = file.split('.');
      repository.publishAll('targets');
      client.fetcher = breakingAt(file);
      await expect(client.updater().refresh()).rejects.toMatchObject(refused);
      const after = await client.trusted();
      const order = ['timestamp', 'snapshot', 'targets'];
      for (const role of order.slice(order.indexOf(changed))) expect(after[role]).toBe(before[role]);
      await mendDisk();
      client.fetcher = repository;
      await client.refresh();
      expect(await client.trusted()).toMatchObject({ timestamp: 3, snapshot: 3, targets: 3 });
    },
  );

  it('fails the refresh at once where it is a root: no role is asked for under keys that the folder does not know', async () => {
    repository.rotateKeys('timestamp');
    repository.publish(['root', 'timestamp']);
    client.fetcher = breakingAt('2.root.json');
    repository.requests.length = 0;
    await expect(client.updater().refresh()).rejects.toMatchObject(refused);
    expect(repository.requests).toEqual(['metadata/2.root.json']);
    expect(await client.trusted()).toMatchObject({ root: 1 });
    await mendDisk();
    client.fetcher = repository;
    await client.refresh();
    expect(await client.trusted()).toMatchObject({ root: 2, timestamp: 3 });
  });

  it('is the fault of this machine: no mirror is asked instead, and none is blamed', async () => {
    repository.publish(['root']);
    const hosts: string[] = [];
    const location = (host: string) => ({
      metadataBaseUrl: `https://${host}/metadata`,
      targetBaseUrl: `https://${host}/targets`,
    });
    const breaking = breakingAt('2.root.json');
    const updater = new Updater({
      ...location('first'),
      mirrors: [location('second')],
      metadataDir: client.metadataDir,
      fetcher: {
        fetch(url, options) {
          hosts.push(new URL(url).host);
          return breaking.fetch(url, options);
        },
      },
    });
    await expect(updater.refresh()).rejects.toMatchObject(refused);
    expect(hosts).toEqual(['first']);
    expect(await readdir(client.metadataDir)).not.toContain('mirror-health');
  });

  it('fails the search for a target, and the next search of the session does without the disk', async () => {
    const updater = client.updater();
    await updater.refresh();
    await breakDisk();
    await expect(updater.getTargetInfo('a/x')).rejects.toMatchObject(refused);
    expect((await updater.getTargetInfo('a/x'))?.length).toBe(1);
    await mendDisk();
    expect((await updater.getTargetInfo('b/x'))?.length).toBe(1);
    expect(await client.trusted()).toMatchObject({ b: 1 });
    expect(await client.trusted()).not.toHaveProperty('a');
  });

  it('fails all searches at the same time that wait for it', async () => {
    const updater = client.updater();
    await updater.refresh();
    await breakDisk();
    const searches = await Promise.allSettled(['a/x', 'b/x'].map((path) => updater.getTargetInfo(path)));
    expect(searches.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  });
});
