import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RepositorySimulator, SimulatedClient, SimulatorKey, timeText } from '../testing/index.ts';

let repository: RepositorySimulator;
let client: SimulatedClient;

beforeEach(async () => {
  repository = new RepositorySimulator();
  client = await SimulatedClient.create(repository);
});

afterEach(() => client.remove());

const inOneDay = () => timeText(new Date(client.now.getTime() + 86_400_000));
const afterDays = (days: number) => new Date(client.now.getTime() + days * 86_400_000);

describe('a rollback attack', () => {
  it('with an old timestamp is refused and changes nothing', async () => {
    repository.publish(['timestamp']);
    await client.refresh();
    repository.files.set('metadata/timestamp.json', repository.versions('timestamp')[0]!);
    await expect(client.refresh()).rejects.toMatchObject({
      code: 'BAD_VERSION_NUMBER',
      role: 'timestamp',
      version: 1,
    });
    expect(await client.trusted()).toMatchObject({ timestamp: 2 });
  });

  it('with an old timestamp is refused even when the trusted one has expired', async () => {
    repository.timestamp.expires = inOneDay();
    repository.publish(['timestamp']);
    await client.refresh();
    repository.files.set('metadata/timestamp.json', repository.versions('timestamp')[0]!);
    client.now = afterDays(2);
    await expect(client.refresh()).rejects.toMatchObject({ code: 'BAD_VERSION_NUMBER', role: 'timestamp' });
  });

  it.each([false, true])(
    'with a timestamp that lists an older snapshot is refused (hashes listed: %s)',
    async (listHashes) => {
      repository.listHashes = listHashes;
      repository.publishAll();
      await client.refresh();
      repository.snapshot.version = 1;
      repository.publish(['snapshot'], { bumpVersion: false });
      repository.publish(['timestamp']);
      await expect(client.refresh()).rejects.toMatchObject({ code: 'BAD_VERSION_NUMBER', role: 'timestamp' });
      expect(await client.trusted()).toMatchObject({ timestamp: 2, snapshot: 2 });
    },
  );

  it.each([false, true])(
    'with a snapshot that lists older targets is refused (hashes listed: %s)',
    async (listHashes) => {
      repository.listHashes = listHashes;
      repository.publishAll();
      await client.refresh();
      repository.targets.version = 1;
      repository.publish(['targets'], { bumpVersion: false });
      repository.publish(['snapshot', 'timestamp']);
      await expect(client.refresh()).rejects.toMatchObject({ code: 'BAD_VERSION_NUMBER', role: 'snapshot' });
      expect(await client.trusted()).toMatchObject({ timestamp: 3, snapshot: 2, targets: 2 });
      await expect(client.refresh()).rejects.toMatchObject({ code: 'BAD_VERSION_NUMBER', role: 'snapshot' });
    },
  );

  it('with a snapshot that lists an older delegated role is refused', async () => {
    repository.addDelegation('targets', 'role');
    repository.publishAll();
    repository.publishAll('role');
    await client.updater().getTargetInfo('missing');
    repository.role('role').version = 1;
    repository.publish(['role'], { bumpVersion: false });
    repository.publish(['snapshot', 'timestamp']);
    await expect(client.refresh()).rejects.toMatchObject({ code: 'BAD_VERSION_NUMBER', role: 'snapshot' });
  });

  it('with a snapshot that no longer lists a role is refused', async () => {
    repository.addDelegation('targets', 'role');
    repository.publishAll();
    await client.refresh();
    delete repository.snapshot.meta['role.json'];
    repository.publish(['snapshot', 'timestamp'], { updateMeta: false });
    repository.timestamp.meta['snapshot.json'] = { version: repository.snapshot.version };
    repository.publish(['timestamp'], { updateMeta: false });
    await expect(client.refresh()).rejects.toMatchObject({ code: 'ROLE_NOT_FOUND', role: 'snapshot' });
  });

  it('with the old bytes of a delegated role is refused', async () => {
    repository.addDelegation('targets', 'role');
    repository.publishAll();
    repository.publishAll('role');
    repository.files.set('metadata/2.role.json', repository.versions('role')[0]!);
    await expect(client.updater().getTargetInfo('missing')).rejects.toMatchObject({
      code: 'BAD_VERSION_NUMBER',
      role: 'role',
    });
    expect(await client.trusted()).not.toHaveProperty('role');
  });

  it.each([1, 2, 4])('with a root of version %i where 3 must follow is refused', async (version) => {
    repository.publish(['root']);
    await client.refresh();
    repository.root.version = version;
    repository.files.set('metadata/3.root.json', repository.sign('root'));
    await expect(client.refresh()).rejects.toMatchObject({
      code: 'BAD_VERSION_NUMBER',
      role: 'root',
      version,
    });
    expect(await client.trusted()).toMatchObject({ root: 2 });
  });

  it('by rolling back nothing but the metadata of the same version is ignored: the trusted timestamp stays', async () => {
    await client.refresh();
    repository.timestamp.meta['snapshot.json']!.version = 100;
    repository.files.set('metadata/timestamp.json', repository.sign('timestamp'));
    expect(await client.refresh()).toEqual(['metadata/2.root.json', 'metadata/timestamp.json']);
    expect(await client.trusted()).toMatchObject({ timestamp: 1, snapshot: 1 });
  });
});

describe('a freeze attack', () => {
  it.each(['timestamp', 'snapshot', 'targets'])(
    'with expired %s metadata is refused, and it is not saved',
    async (role) => {
      await client.refresh();
      repository.role(role).expires = timeText(new Date(client.now.getTime() - 1000));
      repository.publish(['targets', 'snapshot', 'timestamp']);
      await expect(client.refresh()).rejects.toMatchObject({ code: 'EXPIRED_METADATA', role });
      expect(await client.trusted()).toMatchObject({ [role]: 1 });
    },
  );

  it('with an expired delegated role is refused', async () => {
    repository.addDelegation('targets', 'role').expires = timeText(new Date(client.now.getTime() - 1000));
    repository.publishAll();
    await expect(client.updater().getTargetInfo('missing')).rejects.toMatchObject({
      code: 'EXPIRED_METADATA',
      role: 'role',
    });
  });

  it('by answering with the trusted timestamp for ever ends with its lifetime', async () => {
    repository.timestamp.expires = inOneDay();
    repository.publish(['timestamp']);
    await client.refresh();
    client.now = afterDays(2);
    await expect(client.refresh()).rejects.toMatchObject({ code: 'EXPIRED_METADATA', role: 'timestamp' });
  });

  it('counts the moment of expiry itself as expired', async () => {
    client.now = new Date(Math.floor(client.now.getTime() / 1000) * 1000);
    repository.timestamp.expires = timeText(client.now);
    repository.publish(['timestamp']);
    await expect(client.refresh()).rejects.toMatchObject({ code: 'EXPIRED_METADATA', role: 'timestamp' });
    client.now = new Date(client.now.getTime() - 1);
    await client.refresh();
  });

  it('does not keep a client with expired local metadata from updating', async () => {
    for (const role of ['timestamp', 'snapshot', 'targets']) {
      repository.role(role).expires = inOneDay();
    }
    repository.publishAll();
    await client.refresh();
    for (const role of ['timestamp', 'snapshot', 'targets']) {
      repository.role(role).expires = timeText(afterDays(20));
    }
    repository.publishAll();
    client.now = afterDays(10);
    await client.refresh();
    expect(await client.trusted()).toMatchObject({ timestamp: 3, snapshot: 3, targets: 3 });
  });
});

describe('a mix-and-match attack', () => {
  it('with another snapshot than the timestamp lists is refused by version', async () => {
    repository.publishAll();
    repository.files.set('metadata/2.snapshot.json', repository.versions('snapshot')[0]!);
    await expect(client.refresh()).rejects.toMatchObject({ code: 'BAD_VERSION_NUMBER', role: 'snapshot' });
    expect(await client.trusted()).toEqual({ root: 1, timestamp: 2 });
  });

  it('with a snapshot of the right version and other content is refused by hash, before it is parsed', async () => {
    repository.listHashes = true;
    repository.publishAll();
    const listed = repository.versions('snapshot')[1]!;
    repository.files.set('metadata/2.snapshot.json', Buffer.alloc(listed.length, '{'));
    await expect(client.refresh()).rejects.toMatchObject({
      code: 'LENGTH_OR_HASH_MISMATCH',
      role: 'snapshot',
    });
  });

  it('with targets of the right version and other content is refused by hash', async () => {
    repository.listHashes = true;
    repository.publishAll();
    repository.targets.spec_version = '1.0.33';
    repository.files.set('metadata/2.targets.json', repository.sign('targets'));
    await expect(client.refresh()).rejects.toMatchObject({
      code: 'LENGTH_OR_HASH_MISMATCH',
      role: 'targets',
    });
    expect(await client.trusted()).not.toHaveProperty('targets');
  });

  it('with targets of another snapshot is refused by version', async () => {
    repository.publishAll();
    repository.files.set('metadata/2.targets.json', repository.versions('targets')[0]!);
    await expect(client.refresh()).rejects.toMatchObject({
      code: 'BAD_VERSION_NUMBER',
      role: 'targets',
      version: 1,
    });
  });

  it('with the metadata of another role of the same keys is refused by type', async () => {
    const key = repository.signers('timestamp')[0]!;
    repository.addKey('snapshot', 'root', key);
    repository.publish(['root', 'snapshot']);
    repository.files.set('metadata/timestamp.json', repository.versions('snapshot')[1]!);
    await expect(client.refresh()).rejects.toMatchObject({ code: 'MALFORMED_METADATA', role: 'timestamp' });
  });
});

describe('an unsigned or wrongly signed role', () => {
  it.each([
    ['root', { root: 1 }],
    ['timestamp', { root: 2 }],
    ['snapshot', { root: 2, timestamp: 2 }],
    ['targets', { root: 2, timestamp: 2, snapshot: 2 }],
  ])('%s is refused, and what came before it is kept', async (role, expected) => {
    repository.signers(role).length = 0;
    repository.signers(role).push(SimulatorKey.generate());
    repository.publish(['root', 'targets', 'snapshot', 'timestamp']);
    await expect(client.refresh()).rejects.toMatchObject({ code: 'UNSIGNED_METADATA', role });
    expect(await client.trusted()).toEqual(expected);
  });

  it('root signed by the new keys only is refused', async () => {
    repository.rotateKeys('root');
    repository.publish(['root']);
    await expect(client.refresh()).rejects.toMatchObject({ code: 'UNSIGNED_METADATA', role: 'root' });
    expect(await client.trusted()).toEqual({ root: 1 });
  });

  it('root signed by the old keys only is refused', async () => {
    const [old] = repository.signers('root');
    repository.rotateKeys('root');
    repository.root.version += 1;
    repository.files.set('metadata/2.root.json', repository.sign('root', [old!]));
    await expect(client.refresh()).rejects.toMatchObject({ code: 'UNSIGNED_METADATA', role: 'root' });
  });

  it('root signed by old and new keys is taken', async () => {
    const [old] = repository.signers('root');
    repository.rotateKeys('root');
    repository.signers('root').push(old!);
    repository.publish(['root']);
    await client.refresh();
    expect(await client.trusted()).toMatchObject({ root: 2 });
  });

  it('snapshot that meets its threshold with one key under two key ids is refused', async () => {
    const key = repository.signers('snapshot')[0]!;
    repository.root.keys['other'] = key.json;
    repository.root.roles['snapshot'] = { keyids: [key.keyId, 'other'], threshold: 2 };
    repository.signers('snapshot').push(
      Object.assign(Object.create(key) as SimulatorKey, {
        keyId: 'other',
        json: key.json,
        sign: (bytes: Uint8Array) => key.sign(bytes),
      }),
    );
    repository.publish(['root', 'snapshot', 'timestamp']);
    await expect(client.refresh()).rejects.toMatchObject({ code: 'UNSIGNED_METADATA', role: 'snapshot' });
  });
});
