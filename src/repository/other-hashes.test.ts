import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { IndexFixture, sha256 } from '../../test/support/index-fixture.ts';
import { StoreClient } from '../../test/support/store-client.ts';
import { setTargetHashes } from '../db/target-hashes.ts';
import { Metadata } from '../tuf/metadata.ts';
import { DEFAULT_COLLECTION_SETTINGS } from './collection-settings.ts';
import { fsck } from './fsck.ts';
import { repair } from './fsck-repair.ts';
import type { Publisher } from './publisher.ts';
import { Upkeep } from './upkeep.ts';

let fixture: IndexFixture;
let publisher: Publisher;
let upkeep: Upkeep;
beforeEach(async () => {
  fixture = await IndexFixture.create();
  for (const version of ['1.0', '2.0']) await fixture.upload('flask', version);
  publisher = await fixture.startedPublisher();
  await publishAll();
  upkeep = newUpkeep();
});
afterEach(() => fixture.close());

const newUpkeep = () =>
  new Upkeep({
    publisher,
    settings: { ...DEFAULT_COLLECTION_SETTINGS, snapshots: 1 },
    clock: fixture.clock,
  });
const publishAll = async () => {
  while ((await publisher.publishOnce()) !== undefined);
};
const keepUp = async () => {
  while (await upkeep.step());
};
const list = (...algorithms: string[]) =>
  setTargetHashes(fixture.db, fixture.index.id, algorithms, fixture.now);
/** The hashes that the public bins list, by path. */
const listed = async () => {
  const hashes = new Map<string, ReadonlyMap<string, string>>();
  const rows = await fixture.db.selectFrom('roles').selectAll().where('role', 'like', 'bin-%').execute();
  for (const { role, version } of rows) {
    const bytes = await fixture.store.read(fixture.tree.metadata(role, version));
    const { targets } = Metadata.fromBytes(bytes ?? new Uint8Array(), 'targets').signed;
    for (const target of targets.values()) hashes.set(target.path, target.hashes);
  }
  return hashes;
};
const algorithmsListed = async () =>
  new Set([...(await listed()).values()].map((hashes) => [...hashes.keys()].join()));
const FILE = 'packages/flask/flask-1.0.tar.gz';
const longKeys = async () =>
  [...(await fixture.objects()).keys()].filter((key) => /\/[0-9a-f]{96,128}\./.test(key));

describe('a transition of hashes', () => {
  it('lists the new one beside sha256, with a copy for each, by the online key alone; then drops it again', async () => {
    const client = await StoreClient.pin(fixture);
    await client.session();
    await list('sha512');
    await keepUp();
    // Everything has its copy before anything lists it.
    expect(await algorithmsListed()).toEqual(new Set(['sha256']));
    const pages = 2;
    expect(await longKeys()).toHaveLength(2 + pages);
    fixture.advance(24);
    await publishAll();
    expect(await algorithmsListed()).toEqual(new Set(['sha256,sha512']));
    for (const [path, hashes] of await listed()) {
      for (const [algorithm, digest] of hashes) {
        const bytes = (await fixture.store.read(fixture.tree.hashed(path, digest))) ?? new Uint8Array();
        expect(createHash(algorithm).update(bytes).digest('hex')).toBe(digest);
      }
    }
    // A client from before goes on.
    expect(await client.read(FILE)).toBe('flask 1.0');
    expect((await fsck(fixture)).findings).toEqual([]);

    await list();
    fixture.advance(2);
    await keepUp();
    expect((await longKeys()).length).toBeGreaterThan(0);
    fixture.advance(24);
    await publishAll();
    expect(await algorithmsListed()).toEqual(new Set(['sha256']));
    fixture.advance(2);
    await fixture.upload('other', '1.0');
    await publishAll();
    fixture.advance(2);
    await keepUp();
    expect(await longKeys()).toEqual([]);
    expect(await client.read(FILE)).toBe('flask 1.0');
    expect((await fsck(fixture)).findings).toEqual([]);
  });

  it('gives new uploads all hashes in their first publication', async () => {
    await list('sha384', 'sha512');
    await fixture.upload('flask', '3.0');
    await publishAll();
    const hashes = (await listed()).get('packages/flask/flask-3.0.tar.gz');
    expect([...(hashes?.keys() ?? [])]).toEqual(['sha256', 'sha384', 'sha512']);
    const page = (await listed()).get('simple/flask/index.json');
    expect(page?.size).toBe(3);
    for (const digest of page?.values() ?? [])
      expect(await fixture.store.stat(fixture.tree.hashed('simple/flask/index.json', digest))).toBeDefined();
  });

  it('is checked and mended by fsck like every other copy', async () => {
    await list('sha512');
    await fixture.upload('flask', '3.0');
    await publishAll();
    const before = await fixture.objects();
    const { db, store, index, online, clock } = fixture;
    for (const key of await longKeys()) await store.put(key, new TextEncoder().encode('damaged'));
    const { findings } = await fsck(fixture);
    expect(findings.length).toBeGreaterThan(2);
    const options = { db, store, index, signers: [online], clock, actor: 'cli:test' };
    expect((await repair(options, findings)).left).toEqual([]);
    expect(await fixture.objects()).toEqual(before);
    expect((await fsck(fixture)).findings).toEqual([]);
  });

  it('leaves a long file to the time after its publication', async () => {
    await list('sha512');
    const content = 'x'.repeat(9 * 1024 ** 2);
    await fixture.upload('long', '1.0', content);
    await publishAll();
    const path = 'packages/long/long-1.0.tar.gz';
    expect((await listed()).get(path)?.size).toBe(1);
    await keepUp();
    fixture.advance(24);
    await publishAll();
    expect((await listed()).get(path)?.get('sha512')).toBe(
      createHash('sha512').update(content).digest('hex'),
    );
  });

  it('collects old pages under every name', async () => {
    await list('sha512');
    await fixture.upload('flask', '3.0');
    await publishAll();
    for (let release = 4; release < 7; release++) {
      await fixture.upload('flask', `${release}.0`);
      await publishAll();
    }
    fixture.advance(5);
    await keepUp();
    const pages = (await longKeys()).filter((key) => key.startsWith('simple/flask/'));
    expect(pages).toHaveLength(2);
    expect((await fsck(fixture)).findings).toEqual([]);
  });

  it('gives a damaged file no further name', async () => {
    const key = fixture.tree.hashed(FILE, sha256('flask 1.0'));
    await fixture.store.put(key, new TextEncoder().encode('damaged'));
    await list('sha512');
    await keepUp();
    expect((await longKeys()).filter((name) => name.endsWith('flask-1.0.tar.gz'))).toEqual([]);
  });
});
