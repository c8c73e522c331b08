import { generateKeyPairSync } from 'node:crypto';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { IndexFixture } from '../../test/support/index-fixture.ts';
import { StoreClient } from '../../test/support/store-client.ts';
import { insertIndex } from '../db/indexes.ts';
import { acquireStoreLock } from '../db/store-lock.ts';
import { KeySigner } from '../keys/key-signer.ts';
import { writeSecretFile } from '../keys/passphrase.ts';
import { writePrivateKeyFile } from '../keys/private-key-file.ts';
import { fsck } from '../repository/fsck.ts';
import { PublisherClient, type PublisherClientOptions } from './publisher-client.ts';

const PASSPHRASE = 'correct horse battery staple';
const CHEAP = { N: 2 ** 14, r: 8, p: 1 };

let fixture: IndexFixture;
let client: PublisherClient | undefined;
let options: PublisherClientOptions;
let lines: string[];
let fatal: unknown[];
let changed: string[];

beforeEach(async () => {
  lines = [];
  fatal = [];
  changed = [];
  const { privateKey } = generateKeyPairSync('ed25519');
  const signer = KeySigner.fromPrivateKey(privateKey);
  fixture = await IndexFixture.open({ onDisk: true, online: signer });
  // The thread has the real clock.
  fixture.now = new Date();
  await fixture.createRepository();
  const keyFile = join(fixture.folder, 'online.key');
  const passphraseFile = join(fixture.folder, 'online.passphrase');
  await writePrivateKeyFile(keyFile, privateKey, PASSPHRASE, CHEAP);
  await writeSecretFile(passphraseFile, PASSPHRASE);
  const log = (level: string) => (fields: object, message: string) => {
    lines.push(`${level} ${message} ${JSON.stringify(fields)}`);
  };
  options = {
    databasePath: join(fixture.folder, 'rind.db'),
    storeRoot: join(fixture.folder, 'tree'),
    temporaryFolder: join(fixture.folder, 'temporary'),
    lockFolder: fixture.folder,
    indexes: [
      { indexId: fixture.index.id, keys: [{ uri: `file2:${keyFile}`, secret: `file:${passphraseFile}` }] },
    ],
    log: { info: log('info'), warn: log('warn'), error: log('error') },
    onPublished: ({ changedPaths }) => changed.push(...changedPaths),
    onFatal: (error) => fatal.push(error),
  };
});

afterEach(async () => {
  await client?.close();
  client = undefined;
  await fixture.close();
});

describe('PublisherClient', () => {
  it('publishes what is woken for, tells who waits, and tells which pages changed before that', async () => {
    client = await PublisherClient.start(options);
    const id = await fixture.upload('flask', '1.0');
    client.wake(fixture.index.id);
    expect(await client.published(id, 20_000)).toBe(true);
    expect(changed).toEqual([
      'simple/flask/index.json',
      'simple/flask/index.html',
      'packages/flask/flask-1.0.tar.gz',
    ]);
    const reader = await StoreClient.pin(fixture);
    expect(await reader.read('packages/flask/flask-1.0.tar.gz')).toBe('flask 1.0');
    expect((await fsck(fixture)).findings).toEqual([]);
  });

  it('answers at once for a change that was published before anybody asked', async () => {
    client = await PublisherClient.start(options);
    const id = await fixture.upload('flask', '1.0');
    client.wake(fixture.index.id);
    await client.published(id, 20_000);
    expect(await client.published(id, 20_000)).toBe(true);
  });

  it('publishes what waited already when it started, without being woken', async () => {
    const id = await fixture.upload('flask', '1.0');
    client = await PublisherClient.start(options);
    expect(await client.published(id, 20_000)).toBe(true);
  });

  it('takes in one more index and lets it go while it works; one whose keys cannot be had is refused alone', async () => {
    const [index] = options.indexes;
    if (index === undefined) throw new Error('the fixture has an index');
    client = await PublisherClient.start({ ...options, indexes: [] });
    const wrong = { ...index, keys: index.keys.map(({ uri }) => ({ uri, secret: 'file:/nowhere' })) };
    await expect(client.add(wrong)).rejects.toMatchObject({ code: 'FILE_MISSING' });
    await client.add(index);
    const id = await fixture.upload('flask', '1.0');
    client.wake(fixture.index.id);
    expect(await client.published(id, 20_000)).toBe(true);
    await client.remove(fixture.index.id);
    const later = await fixture.upload('flask', '2.0');
    client.wake(fixture.index.id);
    expect(await client.published(later, 300)).toBe(false);
    expect(fatal).toEqual([]);
  });

  it('publishes what another process wrote, without being woken', async () => {
    client = await PublisherClient.start(options);
    const id = await fixture.upload('flask', '1.0');
    expect(await client.published(id, 30_000)).toBe(true);
  });

  it('says false after the timeout and leaves the change waiting', async () => {
    client = await PublisherClient.start(options);
    expect(await client.published(4711, 50)).toBe(false);
  });

  it('publishes many uploads at once in few snapshots', async () => {
    client = await PublisherClient.start(options);
    const started = client;
    const waits: Promise<boolean>[] = [];
    for (let index = 0; index < 40; index++) {
      const id = await fixture.upload(`p${index}`, '1.0');
      started.wake(fixture.index.id);
      waits.push(started.published(id, 20_000));
    }
    expect(await Promise.all(waits)).toEqual(waits.map(() => true));
    expect((await fsck(fixture)).findings).toEqual([]);
  });

  it('tells its state', async () => {
    client = await PublisherClient.start(options);
    const id = await fixture.upload('flask', '1.0');
    client.wake(fixture.index.id);
    await client.published(id, 20_000);
    await expect
      .poll(() => client?.state(fixture.index.id), { timeout: 10_000 })
      .toMatchObject({
        snapshotVersion: 2,
        timestampVersion: 2,
        waiting: 0,
        lastError: undefined,
      });
    const state = client.state(fixture.index.id);
    expect(state?.timestampExpires?.getTime()).toBeGreaterThan(Date.now() + 6.9 * 86_400_000);
    expect(state?.lastPublished?.getTime()).toBeGreaterThan(Date.now() - 60_000);
    expect(client.isAlive).toBe(true);
  });

  it('refuses to be the second publisher of a folder, and says what to do', async () => {
    client = await PublisherClient.start(options);
    const second = PublisherClient.start(options);
    await expect(second).rejects.toMatchObject({ name: 'PublisherThreadError', code: 'STORE_LOCKED' });
    await expect(second).rejects.toThrow(/stop it first/);
  });

  it('gives the lock back when it is closed, and after a refusal', async () => {
    client = await PublisherClient.start(options);
    await client.close();
    const wrong = {
      ...options,
      indexes: options.indexes.map((index) => ({
        ...index,
        keys: index.keys.map(({ uri }) => ({ uri, secret: `file:${join(fixture.folder, 'none')}` })),
      })),
    };
    await expect(PublisherClient.start(wrong)).rejects.toMatchObject({ code: 'FILE_MISSING' });
    const lock = await acquireStoreLock(fixture.folder);
    lock.release();
  });

  it('goes on failing and trying while the store is unusable, says so in the log, and publishes in the end', async () => {
    client = await PublisherClient.start(options);
    const id = await fixture.upload('flask', '1.0');
    const { store } = fixture;
    const own = await store.read('metadata/timestamp.json');
    await store.put('metadata/timestamp.json', new TextEncoder().encode('{}'));
    client.wake(fixture.index.id);
    expect(await client.published(id, 300)).toBe(false);
    await expect
      .poll(() => client?.state(fixture.index.id)?.lastError, { timeout: 10_000 })
      .toMatch(/timestamp\.json/);
    expect(lines.some((line) => line.startsWith('warn publishing failed'))).toBe(true);
    expect(fatal).toEqual([]);
    await store.put('metadata/timestamp.json', own ?? new Uint8Array());
    expect(await client.published(id, 30_000)).toBe(true);
  });

  it('stops for good when another publisher took the lease, and says so', async () => {
    client = await PublisherClient.start(options);
    await fixture.startedPublisher();
    const id = await fixture.upload('flask', '1.0');
    client.wake(fixture.index.id);
    await expect.poll(() => fatal, { timeout: 10_000 }).toMatchObject([{ code: 'LEASE_LOST' }]);
    expect(client.isAlive).toBe(false);
    expect(await client.published(id, 50)).toBe(false);
    expect(lines.some((line) => line.startsWith('error'))).toBe(true);
  });

  it('never lets the passphrase into its log', async () => {
    client = await PublisherClient.start(options);
    const id = await fixture.upload('flask', '1.0');
    client.wake(fixture.index.id);
    await client.published(id, 20_000);
    await client.close();
    expect(lines.length).toBeGreaterThan(0);
    expect(lines.join('\n')).not.toContain(PASSPHRASE);
  });

  it('publishes for no index when one of them cannot begin: the lock is free then, and another may have it', async () => {
    const other = await insertIndex(fixture.db, { name: 'other', profile: 'team', now: new Date() });
    const broken = { indexId: other.id, keys: [{ uri: 'file2:/nowhere', secret: 'file:/nowhere' }] };
    await expect(
      PublisherClient.start({ ...options, indexes: [...options.indexes, broken] }),
    ).rejects.toThrow('/nowhere');
    (await acquireStoreLock(fixture.folder)).release();
    await fixture.upload('flask', '1.0');
    const waiting = fixture.db.selectFrom('journal').select('id').where('publication_id', 'is', null);
    expect(await waiting.execute()).toHaveLength(1);
  });
});
