import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RepositorySimulator, SimulatedClient, SimulatorKey } from '../testing/index.ts';
import { MalformedMetadataError } from '../tuf/errors.ts';
import { defaultCrypto } from '../tuf/default-crypto.ts';
import type { TufCrypto } from '../tuf/crypto.ts';
import { MetadataMemory } from './metadata-memory.ts';

let repository: RepositorySimulator;
let client: SimulatedClient;
let verified: number;
let hashed: number;

const counting: TufCrypto = {
  verify(key, signature, bytes) {
    verified += 1;
    return defaultCrypto.verify(key, signature, bytes);
  },
  digest(algorithm, bytes) {
    hashed += 1;
    return defaultCrypto.digest(algorithm, bytes);
  },
};

beforeEach(async () => {
  repository = new RepositorySimulator({ listHashes: true });
  repository.addDelegation('targets', 'role');
  repository.addTarget('role', 'x', Buffer.from('content'));
  repository.publishAll();
  client = await SimulatedClient.create(repository);
  client.memory = new MetadataMemory({ crypto: counting });
  await client.updater().getTargetInfo('x');
  verified = 0;
  hashed = 0;
});

afterEach(() => client.remove());

describe('a session with the memory of earlier ones', () => {
  it('verifies nothing again while nothing changes', async () => {
    const first = await client.updater().getTargetInfo('x');
    expect(await client.updater().getTargetInfo('x')).toEqual(first);
    expect({ verified, hashed }).toEqual({ verified: 0, hashed: 0 });
  });

  it('verifies what changed, and only that', async () => {
    repository.publish(['snapshot', 'timestamp']);
    await client.updater().getTargetInfo('x');
    expect(verified).toBe(2);
  });

  it('refuses metadata it knows once the delegator names other keys', async () => {
    repository.rotateKeys('timestamp');
    repository.signers('timestamp').splice(0, 1, SimulatorKey.generate());
    repository.publish(['root']);
    await expect(client.refresh()).rejects.toMatchObject({ code: 'UNSIGNED_METADATA', role: 'timestamp' });
  });

  it('refuses metadata it knows once the threshold is higher', async () => {
    repository.addKey('targets');
    repository.root.roles['targets']!.threshold = 2;
    repository.publish(['root']);
    await expect(client.refresh()).rejects.toMatchObject({ code: 'UNSIGNED_METADATA', role: 'targets' });
  });

  it('refuses metadata it knows once it has expired', async () => {
    client.now = new Date(client.now.getTime() + 40 * 86_400_000);
    await expect(client.refresh()).rejects.toMatchObject({ code: 'EXPIRED_METADATA' });
  });

  it('refuses the signed part it knows under a signature it does not know', async () => {
    const forged = repository.sign('role', [
      Object.assign(SimulatorKey.generate(), { keyId: repository.signers('role')[0]!.keyId }),
    ]);
    repository.files.set('metadata/1.role.json', forged);
    const sha256 = createHash('sha256').update(forged).digest('hex');
    repository.snapshot.meta['role.json'] = { version: 1, length: forged.length, hashes: { sha256 } };
    repository.publish(['snapshot'], { updateMeta: false });
    repository.publish(['timestamp']);
    await expect(client.updater().getTargetInfo('x')).rejects.toMatchObject({
      code: 'UNSIGNED_METADATA',
      role: 'role',
    });
  });

  it('needs neither disk nor repository for a role it has in memory, and both when that is not the listed one', async () => {
    await rm(join(client.metadataDir, 'role.json'));
    repository.requests.length = 0;
    await client.updater().getTargetInfo('x');
    expect(repository.requests).toEqual(['metadata/2.root.json', 'metadata/timestamp.json']);
    repository.addTarget('role', 'x', Buffer.from('other content'));
    repository.publishAll('role');
    const { memory } = client;
    client.memory = undefined;
    expect((await client.updater().getTargetInfo('x'))?.length).toBe(13);
    client.memory = memory;
    repository.requests.length = 0;
    expect((await client.updater().getTargetInfo('x'))?.length).toBe(13);
    expect(repository.requests).not.toContain('metadata/2.role.json');
  });

  it('tells roles with the same bytes apart', async () => {
    const memory = new MetadataMemory();
    const bytes = repository.versions('role')[0]!;
    const first = memory.read(bytes, 'targets', { role: 'a' });
    expect(memory.read(Uint8Array.from(bytes), 'targets', { role: 'a' })).toBe(first);
    expect(memory.read(bytes, 'targets', { role: 'b' })).not.toBe(first);
    expect(() => memory.read(bytes, 'snapshot', { role: 'a' })).toThrow(MalformedMetadataError);
  });

  it('forgets what was used longest ago, and never what it just read', () => {
    const bytes = repository.versions('role')[0]!;
    const memory = new MetadataMemory({ maxLeafBytes: bytes.length * 2 });
    const a = memory.read(bytes, 'targets', { role: 'a' });
    const b = memory.read(bytes, 'targets', { role: 'b' });
    expect(memory.read(bytes, 'targets', { role: 'a' })).toBe(a);
    memory.read(bytes, 'targets', { role: 'c' });
    expect(memory.read(bytes, 'targets', { role: 'a' })).toBe(a);
    expect(memory.read(bytes, 'targets', { role: 'b' })).not.toBe(b);
    const tiny = new MetadataMemory({ maxBytes: 1, maxLeafBytes: 1 });
    expect(tiny.read(bytes, 'targets')).toBe(tiny.read(bytes, 'targets'));
  });

  it('does not forget what every search passes for the bins at its end', () => {
    const leaf = repository.versions('role')[0]!;
    const delegator = repository.versions('targets').at(-1)!;
    const memory = new MetadataMemory({ maxLeafBytes: 1 });
    const kept = memory.read(delegator, 'targets');
    for (const role of ['a', 'b', 'c']) {
      memory.read(leaf, 'targets', { role });
    }
    expect(memory.read(delegator, 'targets')).toBe(kept);
  });
});
