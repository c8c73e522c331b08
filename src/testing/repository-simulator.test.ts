import { describe, expect, it } from 'vitest';
import { Metadata } from '../tuf/metadata.ts';
import {
  RepositorySimulator,
  SimulatedClient,
  SimulatorKey,
  plainObject,
  prefixesOfBin,
  timeText,
} from './index.ts';
import type { Misbehaviour, SimulatorScheme } from './index.ts';

async function read(repository: RepositorySimulator, path: string, signal?: AbortSignal): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of repository.fetch(`https://repository.invalid/${path}`, {
    maxLength: 1000,
    ...(signal === undefined ? {} : { signal }),
  })) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > 1_000_000) {
      break;
    }
  }
  return Buffer.concat(chunks);
}

describe('RepositorySimulator', () => {
  it.each<SimulatorScheme>(['ed25519', 'ecdsa-sha2-nistp256', 'ecdsa-sha2-nistp384', 'rsassa-pss-sha256'])(
    'is a repository that a client accepts, with %s keys',
    async (scheme) => {
      const repository = new RepositorySimulator({ scheme });
      const client = await SimulatedClient.create(repository);
      await client.refresh();
      expect(await client.trusted()).toEqual({ root: 1, timestamp: 1, snapshot: 1, targets: 1 });
      await client.remove();
    },
  );

  it('publishes canonical JSON, or indented JSON with the same meaning', () => {
    const repository = new RepositorySimulator();
    const canonical = Metadata.fromBytes(repository.sign('root'), 'root');
    repository.indentation = 2;
    const indented = repository.sign('root');
    expect(Buffer.from(indented).toString()).toContain('\n  "signed"');
    const { signedBytes } = Metadata.fromBytes(indented, 'root');
    expect(Buffer.from(signedBytes)).toEqual(Buffer.from(canonical.signedBytes));
  });

  it('keeps every version it has published', () => {
    const repository = new RepositorySimulator();
    repository.publishAll();
    expect(repository.versions('targets')).toHaveLength(2);
    expect([...repository.files.keys()].filter((path) => path.startsWith('metadata/'))).toEqual([
      'metadata/1.root.json',
      'metadata/1.targets.json',
      'metadata/1.snapshot.json',
      'metadata/timestamp.json',
      'metadata/2.targets.json',
      'metadata/2.snapshot.json',
    ]);
    expect(repository.versions('nobody')).toEqual([]);
    expect(() => repository.role('nobody')).toThrow(/no role nobody/);
  });

  it('lives for 30 days from its reference time', () => {
    const repository = new RepositorySimulator({ referenceTime: new Date('2030-01-01T00:00:00.123Z') });
    expect(repository.timestamp.expires).toBe('2030-01-31T00:00:00Z');
    expect(timeText(new Date(0))).toBe('1970-01-01T00:00:00Z');
  });

  it('answers requests, and writes them down', async () => {
    const repository = new RepositorySimulator();
    repository.addTarget('targets', 'a/ü b.txt', Buffer.alloc(70_000, 'x'));
    expect(await read(repository, 'targets/a/%C3%BC%20b.txt')).toHaveLength(70_000);
    await expect(read(repository, 'metadata/9.root.json')).rejects.toMatchObject({ statusCode: 404 });
    expect(repository.requests).toEqual(['targets/a/%C3%BC%20b.txt', 'metadata/9.root.json']);
  });

  const honest = 'metadata/timestamp.json';
  const misbehaving = (behaviour: Misbehaviour, path = honest) => {
    const repository = new RepositorySimulator();
    repository.misbehave(/timestamp|absent/, behaviour);
    return read(repository, path);
  };

  it('misbehaves on demand', async () => {
    expect((await misbehaving({ kind: 'endless' })).length).toBeGreaterThan(1_000_000);
    expect(await misbehaving({ kind: 'bytes', bytes: Buffer.from('x') })).toEqual(Buffer.from('x'));
    await expect(misbehaving({ kind: 'status', status: 418 })).rejects.toMatchObject({ statusCode: 418 });
    await expect(misbehaving({ kind: 'dropped', after: 3 })).rejects.toMatchObject({
      code: 'CONNECTION_FAILED',
    });
    await expect(misbehaving({ kind: 'dropped', after: 3 }, 'absent')).rejects.toMatchObject({
      code: 'CONNECTION_FAILED',
    });
    await expect(misbehaving({ kind: 'too-slow' })).rejects.toMatchObject({ code: 'SLOW_RETRIEVAL' });
    expect(await misbehaving({ kind: 'slow', interval: 0 }, 'absent')).toHaveLength(0);
    expect(await misbehaving({ kind: 'flipped-bit', position: 5 }, 'absent')).toEqual(Buffer.from([1]));
    const repository = new RepositorySimulator();
    const right = await read(repository, honest);
    repository.misbehave(honest, { kind: 'flipped-bit', position: 5 });
    const wrong = await read(repository, honest);
    expect([...wrong].flatMap((byte, index) => (byte === right[index] ? [] : [index]))).toEqual([5]);
    repository.behave();
    expect(await read(repository, honest)).toEqual(right);
  });

  it('stalls until the client gives up', async () => {
    const repository = new RepositorySimulator();
    repository.misbehave(honest, { kind: 'stalled' });
    const controller = new AbortController();
    const reading = read(repository, honest, controller.signal);
    setTimeout(() => controller.abort(), 5);
    await expect(reading).rejects.toMatchObject({ code: 'ABORTED' });
  });

  it('makes bins whose prefixes cover every hash exactly once', () => {
    for (const bitLength of [1, 3, 4, 6, 8]) {
      const prefixes = Array.from({ length: 2 ** bitLength }, (_, bin) =>
        prefixesOfBin(bin, bitLength),
      ).flat();
      expect(new Set(prefixes).size).toBe(prefixes.length);
      expect(prefixes.reduce((sum, prefix) => sum + 16 ** -prefix.length, 0)).toBe(1);
    }
  });

  it('replaces the keys of delegated roles and bins', async () => {
    const repository = new RepositorySimulator();
    repository.addDelegation('targets', 'role');
    const bins = new RepositorySimulator();
    bins.addBins('targets', 1, 'succinct_roles');
    repository.rotateKeys('role', 'targets');
    bins.addKey('bin-0', 'targets');
    repository.publishAll();
    const client = await SimulatedClient.create(repository);
    expect(await client.updater().getTargetInfo('x')).toBeUndefined();
    expect(bins.targets.delegations?.succinct_roles?.keyids).toHaveLength(2);
    await client.remove();
  });

  it('treats __proto__ as a name', () => {
    expect(Object.keys(plainObject([['__proto__', 1]]))).toEqual(['__proto__']);
    expect(SimulatorKey.generate().keyId).toMatch(/^[0-9a-f]{64}$/);
  });
});
