import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RepositorySimulator, SimulatedClient, timeText } from '../testing/index.ts';

let repository: RepositorySimulator;
let client: SimulatedClient;

beforeEach(async () => {
  repository = new RepositorySimulator();
  client = await SimulatedClient.create(repository);
});

afterEach(() => client.remove());

const FIRST_REFRESH = [
  'metadata/2.root.json',
  'metadata/timestamp.json',
  'metadata/1.snapshot.json',
  'metadata/1.targets.json',
];

describe('refresh', () => {
  it('asks for the next root, timestamp, snapshot and targets, in this order and for nothing else', async () => {
    expect(await client.refresh()).toEqual(FIRST_REFRESH);
    expect(await client.trusted()).toEqual({ root: 1, timestamp: 1, snapshot: 1, targets: 1 });
  });

  it('asks only for root and timestamp when nothing is new', async () => {
    await client.refresh();
    expect(await client.refresh()).toEqual(FIRST_REFRESH.slice(0, 2));
  });

  it('takes every root version on the way and saves each in the history', async () => {
    repository.publish(['root']);
    repository.publish(['root']);
    expect(await client.refresh()).toEqual([
      'metadata/2.root.json',
      'metadata/3.root.json',
      'metadata/4.root.json',
      ...FIRST_REFRESH.slice(1),
    ]);
    for (const version of [1, 2, 3]) {
      const bytes = await readFile(join(client.metadataDir, `root_history/${version}.root.json`));
      expect(bytes).toEqual(Buffer.from(repository.versions('root')[version - 1]!));
    }
    expect(await client.trusted()).toMatchObject({ root: 3 });
  });

  it('asks for unversioned names when the repository has no consistent snapshots', async () => {
    repository = new RepositorySimulator({ consistentSnapshot: false });
    repository.addTarget('targets', 'a/b.txt', Buffer.from('content'));
    repository.publishAll();
    await client.remove();
    client = await SimulatedClient.create(repository);
    const updater = client.updater();
    const target = await updater.getTargetInfo('a/b.txt');
    expect(Buffer.from(await updater.targetBytes(target!, 100)).toString()).toBe('content');
    expect(repository.requests).toEqual([
      'metadata/2.root.json',
      'metadata/timestamp.json',
      'metadata/snapshot.json',
      'metadata/targets.json',
      'targets/a/b.txt',
    ]);
  });

  it('treats a root without consistent_snapshot as one without consistent snapshots', async () => {
    delete repository.root.consistent_snapshot;
    repository.publish(['root', 'targets', 'snapshot', 'timestamp']);
    expect(await client.refresh()).toContain('metadata/snapshot.json');
  });

  it('makes one refresh for all who ask at the same time', async () => {
    const updater = client.updater();
    await Promise.all([updater.refresh(), updater.refresh(), updater.getTargetInfo('nothing')]);
    expect(repository.requests).toEqual(FIRST_REFRESH);
  });

  it('keeps one snapshot for the whole session while the repository moves on', async () => {
    repository.addTarget('targets', 'a', Buffer.from('old'));
    repository.publishAll();
    const updater = client.updater();
    await updater.refresh();
    repository.addTarget('targets', 'a', Buffer.from('newer'));
    repository.publishAll();
    expect((await updater.getTargetInfo('a'))?.length).toBe(3);
    expect((await client.updater().getTargetInfo('a'))?.length).toBe(5);
  });

  it('uses one reference time for the whole session', async () => {
    repository.addDelegation('targets', 'role').expires = timeText(new Date(client.now.getTime() + 60_000));
    repository.publishAll();
    const updater = client.updater();
    await updater.refresh();
    client.now = new Date(client.now.getTime() + 120_000);
    expect(await updater.getTargetInfo('missing')).toBeUndefined();
    await expect(client.updater().getTargetInfo('missing')).rejects.toMatchObject({
      code: 'EXPIRED_METADATA',
    });
  });

  it('stores the bytes as they were received', async () => {
    const received = Buffer.concat([repository.versions('timestamp')[0]!, Buffer.from(' \n')]);
    repository.files.set('metadata/timestamp.json', received);
    await client.refresh();
    expect(await readFile(join(client.metadataDir, 'timestamp.json'))).toEqual(received);
  });

  it('verifies metadata that is not canonical and has unknown fields everywhere', async () => {
    repository.indentation = 2;
    repository.root['x-custom'] = { é: [1, null, true], '€': '"\\' };
    repository.root.roles['snapshot']!['x'] = 1;
    repository.timestamp.meta['snapshot.json']!['x'] = 2;
    repository.listHashes = true;
    repository.publish(['root', 'targets', 'snapshot', 'timestamp']);
    await client.refresh();
    expect(await client.trusted()).toEqual({ root: 2, timestamp: 2, snapshot: 2, targets: 2 });
  });

  it('can be tried again after it failed', async () => {
    const updater = client.updater();
    repository.misbehave(/snapshot/, { kind: 'dropped', after: 10 });
    await expect(updater.refresh()).rejects.toMatchObject({ code: 'CONNECTION_FAILED' });
    repository.behave();
    await updater.refresh();
    expect(updater.trusted.snapshot?.version).toBe(1);
  });

  it('has no trusted metadata to show before it succeeded', () => {
    expect(() => client.updater().trusted).toThrow(/refresh/);
  });
});

describe('the start of trust', () => {
  it('refuses to start without a trusted root, and makes no request', async () => {
    client.bootstrapRoot = undefined;
    await expect(client.refresh()).rejects.toMatchObject({ code: 'NO_TRUSTED_ROOT' });
    expect(repository.requests).toEqual([]);
  });

  it('refuses a stored root that is not signed by itself, and makes no request', async () => {
    client.bootstrapRoot = undefined;
    await mkdir(client.metadataDir, { mode: 0o700 });
    const forged = JSON.parse(Buffer.from(repository.initialRoot).toString()) as {
      signed: { version: number };
    };
    forged.signed.version = 7;
    await writeFile(join(client.metadataDir, 'root.json'), JSON.stringify(forged));
    await expect(client.refresh()).rejects.toMatchObject({ code: 'UNSIGNED_METADATA', role: 'root' });
    expect(repository.requests).toEqual([]);
  });

  it('refuses a stored root that is no metadata, and makes no request', async () => {
    client.bootstrapRoot = Buffer.from('{"signed": {}}');
    await expect(client.refresh()).rejects.toMatchObject({ code: 'MALFORMED_METADATA' });
    expect(repository.requests).toEqual([]);
  });

  it('starts from root.json of the folder when no bootstrap root is given', async () => {
    await client.refresh();
    client.bootstrapRoot = undefined;
    repository.publish(['root']);
    expect(await client.refresh()).toEqual([
      'metadata/2.root.json',
      'metadata/3.root.json',
      'metadata/timestamp.json',
    ]);
  });

  it('replays the local root history from the bootstrap root without asking for it again', async () => {
    repository.publish(['root']);
    await client.refresh();
    repository.requests.length = 0;
    expect(await client.refresh()).toEqual(['metadata/3.root.json', 'metadata/timestamp.json']);
  });

  it('re-anchors to another bootstrap root, whatever the folder holds', async () => {
    await client.refresh();
    const other = new RepositorySimulator();
    other.publish(['root']);
    const moved = Object.assign(client, {
      repository: other,
      fetcher: other,
      bootstrapRoot: other.initialRoot,
    });
    await moved.refresh();
    expect(await readFile(join(client.metadataDir, 'root.json'))).toEqual(
      Buffer.from(other.versions('root')[1]!),
    );
  });

  it('restores root.json from the root history', async () => {
    repository.publish(['root']);
    await client.refresh();
    await writeFile(join(client.metadataDir, 'root.json'), 'damaged');
    expect(await client.refresh()).not.toContain('metadata/2.root.json');
    expect(await readFile(join(client.metadataDir, 'root.json'))).toEqual(
      Buffer.from(repository.versions('root')[1]!),
    );
    expect(await readFile(join(client.metadataDir, 'root_history/1.root.json'))).toEqual(
      Buffer.from(repository.initialRoot),
    );
  });

  it('does not follow a damaged root history but the repository', async () => {
    repository.publish(['root']);
    await client.refresh();
    await writeFile(join(client.metadataDir, 'root_history/2.root.json'), 'damaged');
    await writeFile(join(client.metadataDir, 'root.json'), 'damaged');
    expect(await client.refresh()).toContain('metadata/2.root.json');
    expect(await client.trusted()).toMatchObject({ root: 2 });
  });

  it('does not take more root versions than it is allowed to in one session', async () => {
    for (let count = 0; count < 4; count += 1) {
      repository.publish(['root']);
    }
    await client.refresh({ maxRootRotations: 2 });
    expect(await client.trusted()).toMatchObject({ root: 3 });
    await client.refresh({ maxRootRotations: 2 });
    expect(await client.trusted()).toMatchObject({ root: 5 });
  });

  it('passes through an expired root on the way but not at the end', async () => {
    repository.root.expires = timeText(new Date(client.now.getTime() - 1000));
    repository.publish(['root']);
    await expect(client.refresh()).rejects.toMatchObject({ code: 'EXPIRED_METADATA', role: 'root' });
    expect(repository.requests).toEqual(['metadata/2.root.json', 'metadata/3.root.json']);
    expect(await client.trusted()).toEqual({ root: 2 });
    repository.root.expires = timeText(new Date(client.now.getTime() + 100_000));
    repository.publish(['root']);
    await client.refresh();
    expect(await client.trusted()).toMatchObject({ root: 3, timestamp: 1 });
  });

  it.each([500, 502, 429, 401])(
    'does not take status %i on the next root for the end of the roots',
    async (status) => {
      repository.misbehave('metadata/2.root.json', { kind: 'status', status });
      await expect(client.refresh()).rejects.toMatchObject({ code: 'DOWNLOAD_HTTP', statusCode: status });
    },
  );

  it.each([403, 404, 410])('takes status %i on the next root for the end of the roots', async (status) => {
    repository.misbehave('metadata/2.root.json', { kind: 'status', status });
    await client.refresh();
  });

  it('does not take a dropped connection on the next root for the end of the roots', async () => {
    repository.misbehave('metadata/2.root.json', { kind: 'dropped', after: 0 });
    await expect(client.refresh()).rejects.toMatchObject({ code: 'CONNECTION_FAILED' });
  });
});
