import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { RepositorySimulator, SimulatedClient } from '../testing/index.ts';

let repository: RepositorySimulator;
let client: SimulatedClient;

beforeEach(async () => {
  repository = new RepositorySimulator();
  client = await SimulatedClient.create(repository);
});

afterEach(() => client.remove());

/** An attacker with the online keys pushes the version of a role as far as it goes. */
async function fastForward(role: 'timestamp' | 'snapshot'): Promise<void> {
  repository.role(role).version = 99_999;
  repository.publish(role === 'timestamp' ? ['timestamp'] : ['snapshot', 'timestamp'], {
    bumpVersion: false,
  });
  if (role === 'snapshot') {
    repository.publish(['timestamp']);
  }
  await client.refresh();
  expect(await client.trusted()).toMatchObject({ [role]: 99_999 });
}

describe('recovery from a fast-forward attack', () => {
  it('on timestamp succeeds when its key is replaced', async () => {
    await fastForward('timestamp');
    repository.rotateKeys('timestamp');
    repository.timestamp.version = 5;
    repository.publish(['root', 'timestamp']);
    await client.refresh();
    expect(await client.trusted()).toMatchObject({ root: 2, timestamp: 6 });
  });

  it('on snapshot succeeds when the keys of snapshot and timestamp are replaced', async () => {
    await fastForward('snapshot');
    repository.rotateKeys('snapshot');
    repository.rotateKeys('timestamp');
    repository.snapshot.version = 5;
    repository.publish(['root', 'snapshot', 'timestamp']);
    await client.refresh();
    expect(await client.trusted()).toMatchObject({ snapshot: 6 });
  });

  it('on targets succeeds when the key of snapshot is replaced', async () => {
    repository.targets.version = 99_999;
    repository.publishAll();
    await client.refresh();
    repository.rotateKeys('snapshot');
    repository.targets.version = 1;
    repository.publish(['root', 'targets', 'snapshot', 'timestamp']);
    await client.refresh();
    expect(await client.trusted()).toMatchObject({ targets: 2 });
  });

  it('succeeds when a key is added and the old one stays valid', async () => {
    await fastForward('timestamp');
    repository.addKey('timestamp');
    repository.timestamp.version = 5;
    repository.publish(['root', 'timestamp']);
    await client.refresh();
    expect(await client.trusted()).toMatchObject({ timestamp: 6 });
  });

  it('succeeds when only the threshold changes', async () => {
    const [first] = repository.signers('timestamp');
    repository.addKey('timestamp');
    repository.publish(['root']);
    await client.refresh();
    await fastForward('timestamp');
    repository.root.roles['timestamp']!.threshold = 2;
    expect(repository.signers('timestamp')[0]).toBe(first);
    repository.timestamp.version = 5;
    repository.publish(['root', 'timestamp']);
    await client.refresh();
    expect(await client.trusted()).toMatchObject({ timestamp: 6 });
  });

  it('succeeds in a later session when the first one after the rotation fails', async () => {
    await fastForward('timestamp');
    repository.addKey('timestamp');
    repository.timestamp.version = 5;
    repository.publish(['root', 'timestamp']);
    repository.misbehave('metadata/timestamp.json', { kind: 'status', status: 503 });
    await expect(client.refresh()).rejects.toMatchObject({ code: 'DOWNLOAD_HTTP' });
    repository.behave();
    await client.refresh();
    expect(await client.trusted()).toMatchObject({ timestamp: 6 });
  });

  it('does not happen without a rotation: the trusted version stays the baseline', async () => {
    await fastForward('timestamp');
    repository.timestamp.version = 5;
    repository.publish(['root', 'timestamp']);
    await expect(client.refresh()).rejects.toMatchObject({ code: 'BAD_VERSION_NUMBER', role: 'timestamp' });
  });

  it('does not happen when the same key is listed under another key id too', async () => {
    await fastForward('timestamp');
    repository.root.keys['other'] = repository.signers('timestamp')[0]!.json;
    repository.root.roles['timestamp']!.keyids.push('other');
    repository.timestamp.version = 5;
    repository.publish(['root', 'timestamp']);
    await expect(client.refresh()).rejects.toMatchObject({ code: 'BAD_VERSION_NUMBER', role: 'timestamp' });
  });

  it('leaves the new timestamp as the baseline from then on', async () => {
    await fastForward('timestamp');
    repository.addKey('timestamp');
    repository.timestamp.version = 5;
    repository.publish(['root', 'timestamp']);
    await client.refresh();
    repository.files.set('metadata/timestamp.json', repository.versions('timestamp')[0]!);
    await expect(client.refresh()).rejects.toMatchObject({ code: 'BAD_VERSION_NUMBER' });
  });

  it('replays no rotation of the past from a bootstrap root: rollback protection stays', async () => {
    repository.addKey('timestamp');
    repository.publish(['root', 'timestamp']);
    await client.refresh();
    repository.files.set('metadata/timestamp.json', repository.versions('timestamp')[0]!);
    await expect(client.refresh()).rejects.toMatchObject({ code: 'BAD_VERSION_NUMBER' });
  });
});

describe('a garbage-collected snapshot', () => {
  it('makes the session move on to the newer one when a bin is gone', async () => {
    const bins = repository.addBins('targets', 2, 'path_hash_prefixes');
    repository.publishAll();
    const updater = client.updater();
    await updater.refresh();
    for (const bin of bins) {
      repository.addTarget(bin, `file-${bin}`, Buffer.from(bin));
    }
    repository.publishAll(...bins);
    for (const bin of bins) {
      repository.files.delete(`metadata/1.${bin}.json`);
    }
    expect(await Promise.all(bins.map((bin) => updater.getTargetInfo(`file-${bin}`)))).toHaveLength(
      bins.length,
    );
    expect(updater.trusted.snapshot?.version).toBe(3);
    const timestamps = repository.requests.filter((path) => path === 'metadata/timestamp.json');
    expect(timestamps).toHaveLength(2);
  });

  it('makes the refresh start again when the snapshot is gone meanwhile', async () => {
    repository.beforeRequest = (path) => {
      if (path === 'metadata/1.snapshot.json') {
        repository.beforeRequest = undefined;
        repository.publishAll();
        repository.files.delete('metadata/1.snapshot.json');
      }
    };
    await client.refresh();
    expect(await client.trusted()).toMatchObject({ timestamp: 2, snapshot: 2 });
  });

  it('ends the session with the reason when the repository has nothing newer', async () => {
    repository.addDelegation('targets', 'role');
    repository.publishAll();
    const updater = client.updater();
    await updater.refresh();
    repository.files.delete('metadata/1.role.json');
    await expect(updater.getTargetInfo('missing')).rejects.toMatchObject({
      code: 'DOWNLOAD_HTTP',
      statusCode: 404,
    });
  });

  it('is not looked for again and again when a repository keeps losing files', async () => {
    repository.addDelegation('targets', 'role');
    repository.publishAll();
    repository.beforeRequest = (path) => {
      if (path.includes('role.json')) {
        repository.publishAll('role');
        repository.misbehave(/role\.json/, { kind: 'status', status: 404 });
      }
    };
    await expect(client.updater({ maxSupersessions: 3 }).getTargetInfo('x')).rejects.toMatchObject({
      statusCode: 404,
    });
    expect(repository.requests.filter((path) => path.includes('timestamp'))).toHaveLength(4);
  });

  it('costs no further request while the timestamp is younger than the limit', async () => {
    repository.misbehave(/snapshot/, { kind: 'status', status: 404 });
    await expect(client.refresh({ supersededAfter: 60_000 })).rejects.toMatchObject({ statusCode: 404 });
    expect(repository.requests.at(-1)).toBe('metadata/1.snapshot.json');
    expect(repository.requests).toHaveLength(3);
  });
});

describe('offline', () => {
  beforeEach(async () => {
    repository.addDelegation('targets', 'role', { paths: ['a*'] });
    repository.addTarget('role', 'a1', Buffer.from('content'));
    repository.publishAll();
    await client.updater().getTargetInfo('a1');
    repository.requests.length = 0;
  });

  it('answers from what is cached and verified, without any request', async () => {
    const updater = client.updater({ offline: true });
    expect(await updater.getTargetInfo('a1')).toMatchObject({ length: 7 });
    expect(await updater.getTargetInfo('other')).toBeUndefined();
    expect(repository.requests).toEqual([]);
  });

  it('refuses to download', async () => {
    const updater = client.updater({ offline: true });
    const target = await updater.getTargetInfo('a1');
    await expect(updater.targetBytes(target!, 100)).rejects.toMatchObject({ code: 'OFFLINE' });
    expect(repository.requests).toEqual([]);
  });

  it('accepts a copy that is already there', async () => {
    const path = join(client.folder, 'a1');
    const online = client.updater();
    await online.downloadTarget((await online.getTargetInfo('a1'))!, path);
    repository.requests.length = 0;
    const updater = client.updater({ offline: true });
    await updater.downloadTarget((await updater.getTargetInfo('a1'))!, path);
    expect(repository.requests).toEqual([]);
  });

  it.each(['timestamp', 'snapshot', 'targets', 'role'])('says so when %s is not cached', async (role) => {
    await rm(join(client.metadataDir, `${role}.json`));
    await expect(client.updater({ offline: true }).getTargetInfo('a1')).rejects.toMatchObject({
      code: 'OFFLINE',
    });
    expect(repository.requests).toEqual([]);
  });

  it('refuses expired metadata', async () => {
    client.now = new Date(client.now.getTime() + 31 * 86_400_000);
    await expect(client.updater({ offline: true }).refresh()).rejects.toMatchObject({
      code: 'EXPIRED_METADATA',
    });
  });
});
