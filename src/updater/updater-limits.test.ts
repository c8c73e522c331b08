import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RepositorySimulator, SimulatedClient } from '../testing/index.ts';
import { DEFAULT_DOWNLOAD_LIMITS } from './config.ts';
import type { DownloadLimits } from './config.ts';

let repository: RepositorySimulator;
let client: SimulatedClient;

beforeEach(async () => {
  repository = new RepositorySimulator();
  repository.addDelegation('targets', 'role');
  repository.publishAll();
  client = await SimulatedClient.create(repository);
});

afterEach(() => client.remove());

const limits = (changes: Partial<DownloadLimits>) => ({ limits: { ...DEFAULT_DOWNLOAD_LIMITS, ...changes } });

const FILES = ['2.root.json', 'timestamp.json', '2.snapshot.json', '2.targets.json', '1.role.json'];

describe('an endless data attack', () => {
  it.each(FILES)('on %s ends at the limit and is not saved', async (file) => {
    repository.misbehave(`metadata/${file}`, { kind: 'endless' });
    await expect(client.updater().getTargetInfo('x')).rejects.toMatchObject({
      code: 'DOWNLOAD_LENGTH_MISMATCH',
    });
    const role = /(\w+)\.json$/.exec(file)![1]!;
    expect(await client.trusted()).not.toHaveProperty(role === 'root' ? 'none' : role);
  });

  it.each(FILES)('on %s ends at the listed length where one is listed', async (file) => {
    repository.listHashes = true;
    repository.publishAll('role');
    const shifted = file.replace(/^(\d+)\.(?!root)/, (_match, version) => `${Number(version) + 1}.`);
    const honest = repository.files.get(`metadata/${shifted}`) ?? Buffer.alloc(600_000);
    repository.misbehave(`metadata/${shifted}`, {
      kind: 'bytes',
      bytes: Buffer.concat([honest, Buffer.alloc(20_000, ' ')]),
    });
    await expect(client.updater().getTargetInfo('x')).rejects.toMatchObject({
      code: 'DOWNLOAD_LENGTH_MISMATCH',
    });
  });

  it.each([
    ['rootMaxLength', 'metadata/3.root.json'],
    ['timestampMaxLength', 'metadata/timestamp.json'],
    ['snapshotMaxLength', 'metadata/2.snapshot.json'],
    ['targetsMaxLength', 'metadata/2.targets.json'],
  ])('is bounded by %s', async (limit, path) => {
    repository.publish(['root']);
    const length = repository.files.get(path)?.length ?? repository.versions('root')[1]!.length;
    await expect(client.refresh({ [limit]: length - 1 })).rejects.toMatchObject({
      code: 'DOWNLOAD_LENGTH_MISMATCH',
    });
    await client.refresh({ [limit]: length });
  });

  it('by listing a snapshot longer than this client accepts is refused without asking for it', async () => {
    repository.timestamp.meta['snapshot.json'] = { version: 2, length: 33_000_000 };
    repository.publish(['timestamp'], { updateMeta: false });
    await expect(client.refresh()).rejects.toMatchObject({ code: 'DOWNLOAD_LENGTH_MISMATCH' });
    expect(repository.requests.at(-1)).toBe('metadata/timestamp.json');
  });

  it('by metadata that is deeply nested or no JSON is refused with a typed error', async () => {
    const hostile = [
      '',
      '{',
      '[]',
      'null',
      '['.repeat(10_000),
      '{"a":'.repeat(2_000),
      '{"signed":1e400}',
      '\u0000',
    ];
    for (const text of hostile) {
      repository.misbehave('metadata/timestamp.json', { kind: 'bytes', bytes: Buffer.from(text) });
      await expect(client.refresh()).rejects.toMatchObject({ code: 'MALFORMED_METADATA', role: 'timestamp' });
    }
  });
});

describe('a slow retrieval attack', () => {
  it.each(FILES)('on %s ends after the idle time', async (file) => {
    repository.misbehave(`metadata/${file}`, { kind: 'stalled' });
    const updater = client.updater(limits({ idleTimeout: 30 }));
    await expect(updater.getTargetInfo('x')).rejects.toMatchObject({
      code: 'SLOW_RETRIEVAL',
      message: /no data/,
    });
  });

  it('with a byte now and then ends after the total time', async () => {
    repository.misbehave('metadata/timestamp.json', { kind: 'slow', interval: 5 });
    const updater = client.updater(limits({ totalTimeout: 60, minimumRate: 1 }));
    await expect(updater.refresh()).rejects.toMatchObject({
      code: 'SLOW_RETRIEVAL',
      message: /not finished/,
    });
  });

  it('with a byte now and then ends when the average rate is too low', async () => {
    repository.misbehave('metadata/timestamp.json', { kind: 'slow', interval: 5 });
    const updater = client.updater(limits({ minimumRate: 1_000_000, minimumRateAfter: 40 }));
    await expect(updater.refresh()).rejects.toMatchObject({ code: 'SLOW_RETRIEVAL', message: /slower than/ });
  });

  it('does not count the time the reader of a target takes', async () => {
    repository.addTarget('targets', 'x', Buffer.alloc(200_000, 1));
    repository.publishAll();
    const updater = client.updater(limits({ idleTimeout: 5_000, totalTimeout: 200, minimumRateAfter: 200 }));
    let received = 0;
    for await (const chunk of updater.streamTarget((await updater.getTargetInfo('x'))!)) {
      received += chunk.length;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    expect(received).toBe(200_000);
  });

  it('ends the download at its source', async () => {
    let wasEnded = false;
    client.fetcher = {
      async *fetch(_url, { signal }) {
        yield new Uint8Array(1);
        await new Promise((resolve) => signal?.addEventListener('abort', resolve));
        wasEnded = true;
      },
    };
    await expect(client.refresh(limits({ idleTimeout: 20 }))).rejects.toMatchObject({
      code: 'SLOW_RETRIEVAL',
    });
    await expect.poll(() => wasEnded).toBe(true);
  });

  it('ends even if the fetcher ignores that it was ended', async () => {
    client.fetcher = {
      fetch: () => ({ [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => undefined) }) }),
    };
    await expect(client.refresh(limits({ idleTimeout: 20 }))).rejects.toMatchObject({
      code: 'SLOW_RETRIEVAL',
    });
  });
});
