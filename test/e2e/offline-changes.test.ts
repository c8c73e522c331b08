import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Updater as TufJsUpdater } from 'tuf-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BinsLayoutName } from '../../src/ceremony/plan.ts';
import { findOfflineBundle, submitOfflineBundle } from '../../src/db/offline-bundles.ts';
import { writeTransaction } from '../../src/db/transactions.ts';
import { fsck } from '../../src/repository/fsck.ts';
import { Publisher } from '../../src/repository/publisher.ts';
import type { Signer } from '../../src/tuf/signer.ts';
import { StoreServer } from '../support/store-server.ts';
import { IndexFixture, newSigner, sha256, signOffline } from '../support/index-fixture.ts';
import { succeed } from '../tools/process.ts';
import { pythonTools } from '../tools/python-tools.ts';
import { whenAvailable } from '../tools/unavailable.ts';

const FILE = 'packages/flask/flask-1.0.tar.gz';
const follower = join(import.meta.dirname, 'python_tuf_follower.py');

interface Change {
  readonly bins: number;
  readonly layout?: BinsLayoutName;
  readonly online?: readonly string[];
  readonly newKeys?: boolean;
}

describe('other implementations follow every change of the offline roles, each from its folder of the first day:', () => {
  const tools = whenAvailable(pythonTools);
  const keys = new Map<string, Signer>();
  let fixture: IndexFixture;
  let server: StoreServer;
  let url: string;
  let version = 1;

  beforeAll(async () => {
    fixture = await IndexFixture.open();
    fixture.now = new Date();
    fixture.bins = 64;
    keys.set('first', fixture.online).set('second', newSigner()).set('third', newSigner());
    await fixture.createRepository();
    const publisher = await fixture.startedPublisher();
    await fixture.upload('flask', '1.0');
    await publisher.publishOnce();
    await publisher.close();
    server = await StoreServer.start(() => fixture.store);
    url = server.url;
    await writeFile(join(fixture.folder, 'root.json'), (await fixture.store.read('metadata/1.root.json'))!);
    await expectFollowed();
  });

  afterAll(async () => {
    server.close();
    await fixture.close();
  });

  /** python-tuf and tuf-js with the metadata that they trusted last time. */
  async function expectFollowed(): Promise<void> {
    const { stdout } = await succeed(tools.value.python, [
      follower,
      join(fixture.folder, 'python'),
      url,
      join(fixture.folder, 'root.json'),
      FILE,
    ]);
    expect(JSON.parse(stdout)).toEqual({ root: version, targets: { [FILE]: sha256('flask 1.0') } });
    const metadataDir = join(fixture.folder, 'tuf-js');
    const targetDir = join(fixture.folder, 'tuf-js-targets');
    await mkdir(metadataDir, { recursive: true });
    await mkdir(targetDir, { recursive: true });
    const root = join(metadataDir, 'root.json');
    if (version === 1) await writeFile(root, await readFile(join(fixture.folder, 'root.json')));
    const updater = new TufJsUpdater({
      metadataDir,
      metadataBaseUrl: `${url}metadata`,
      targetDir,
      targetBaseUrl: url.slice(0, -1),
      config: { fetchTimeout: 60_000 },
    });
    await updater.refresh();
    const target = await updater.getTargetInfo(FILE);
    const path = await updater.downloadTarget(target!);
    expect(await readFile(path, 'utf8')).toBe('flask 1.0');
    await rm(path);
    expect(JSON.parse(await readFile(root, 'utf8')).signed.version).toBe(version);
  }

  it.each<[string, Change]>([
    ['a yearly renewal with new keys of targets, claimed and bins', { bins: 64, newKeys: true }],
    ['more bins', { bins: 256 }],
    ['succinct_roles', { bins: 256, layout: 'succinct_roles' }],
    ['fewer bins, as succinct_roles', { bins: 16, layout: 'succinct_roles' }],
    ['explicit bins again, more of them', { bins: 32 }],
    ['two online keys', { bins: 32, online: ['first', 'second'] }],
    ['the second online key alone', { bins: 32, online: ['second'] }],
    ['a third one at once, and the retired bins leave the snapshot', { bins: 32, online: ['third'] }],
    ['the first number of bins', { bins: 64, online: ['third'] }],
  ])('%s', async (_, { bins, layout = 'path_hash_prefixes', online = ['first'], newKeys = false }) => {
    const fresh = () => ({ signers: [newSigner()], threshold: 1 });
    const signers = newKeys
      ? { ...fixture.offline, targets: fresh(), claimed: fresh(), bins: fresh() }
      : fixture.offline;
    const named = online.map((name) => keys.get(name)!);
    version += 1;
    const roles = await signOffline(
      signers,
      named.map(({ key }) => key),
      { version, now: fixture.now, bins, layout },
    );
    const list = Object.entries(roles).map(([role, one]) => ({
      role,
      version: one.signed.version,
      bytes: one.toBytes(),
    }));
    const { db, store, index, clock } = fixture;
    const event = `event ${version}`;
    await writeTransaction(db, (tx) =>
      submitOfflineBundle(tx, { indexId: index.id, event, roles: list, now: fixture.now }),
    );
    const publisher = new Publisher({ db, store, index, signers: [...keys.values()], clock, rootGrace: 0 });
    await publisher.start();
    for (let step = 0; step < 3; step++) {
      await publisher.publishOnce();
      await expectFollowed();
    }
    await publisher.close();
    expect(await findOfflineBundle(db, index.id, event)).toMatchObject({ state: 'published', reason: null });
    expect((await fsck(fixture)).findings).toEqual([]);
  });
});
