import { join } from 'node:path';
import { mkdir } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { IndexFixture, newSigner, signOffline } from '../../test/support/index-fixture.ts';
import { equivocations, faultStore, FaultPlan, type CrashMoment } from '../../test/support/fault-store.ts';
import { StoreClient } from '../../test/support/store-client.ts';
import type { BinsLayoutName } from '../ceremony/plan.ts';
import { findOfflineBundle, submitOfflineBundle } from '../db/offline-bundles.ts';
import { writeTransaction } from '../db/transactions.ts';
import { StorageError } from '../storage/errors.ts';
import { MemoryStore } from '../storage/memory-store.ts';
import type { Signer } from '../tuf/signer.ts';
import { DownloadHttpError } from '../tuf/download-error.ts';
import { Updater } from '../updater/updater.ts';
import type { SignedOfflineRoles } from './create-repository.ts';
import { fsck } from './fsck.ts';
import { Publisher } from './publisher.ts';

const FILE = 'packages/flask/flask-1.0.tar.gz';
const GRACE = 60_000;
let fixture: IndexFixture;
let client: StoreClient;
let version = 1;
let newcomers = 0;
beforeEach(async () => {
  fixture = await IndexFixture.open();
  fixture.bins = 64;
  await fixture.createRepository();
  const publisher = await fixture.startedPublisher();
  for (const project of ['flask', 'django', 'jinja2', 'click']) await fixture.upload(project, '1.0');
  await publisher.publishOnce();
  await publisher.close();
  client = await StoreClient.pin(fixture);
  expect(await client.read(FILE)).toBe('flask 1.0');
  version = 1;
});
afterEach(() => fixture.close());

interface Change {
  readonly bins?: number;
  readonly layout?: BinsLayoutName;
  readonly online?: readonly Signer[];
  readonly newKeys?: boolean;
}

/** The next offline roles; new keys of targets, claimed and bins where asked for. */
async function renewal({
  bins = 64,
  layout = 'path_hash_prefixes',
  online = [fixture.online],
  newKeys = false,
}: Change): Promise<SignedOfflineRoles> {
  version += 1;
  const fresh = () => ({ signers: [newSigner()], threshold: 1 });
  const signers = newKeys
    ? { ...fixture.offline, targets: fresh(), claimed: fresh(), bins: fresh() }
    : fixture.offline;
  return signOffline(
    signers,
    online.map(({ key }) => key),
    { version, now: fixture.now, bins, layout },
  );
}

async function submit(roles: Partial<SignedOfflineRoles>, event = `event ${version}`): Promise<void> {
  const list = Object.entries(roles).map(([role, one]) => ({
    role,
    version: one.signed.version,
    bytes: one.toBytes(),
  }));
  await writeTransaction(fixture.db, (tx) =>
    submitOfflineBundle(tx, { indexId: fixture.index.id, event, roles: list, now: fixture.now }),
  );
}

async function publisherWith(signers: readonly Signer[]): Promise<Publisher> {
  const { db, store, index, clock } = fixture;
  const publisher = new Publisher({ db, store, index, signers, clock, rootGrace: GRACE });
  await publisher.start();
  return publisher;
}

const stateOf = async (event = `event ${version}`) =>
  (await findOfflineBundle(fixture.db, fixture.index.id, event))!;
const snapshotMeta = async () => {
  const timestamp = JSON.parse(
    new TextDecoder().decode(await fixture.store.read('metadata/timestamp.json')),
  ).signed;
  const number = timestamp.meta['snapshot.json'].version;
  const snapshot = await fixture.store.read(`metadata/${number}.snapshot.json`);
  return Object.keys(JSON.parse(new TextDecoder().decode(snapshot)).signed.meta);
};

/** Publishes a bundle to the end, while a client refreshes over and over. Returns what went wrong for it. */
async function publishWhilePolling(
  publisher: Publisher,
  change: SignedOfflineRoles,
): Promise<readonly unknown[]> {
  const failures: unknown[] = [];
  let sessions = 0;
  let done = false;
  const polling = (async () => {
    while (!done) {
      await client
        .read(FILE)
        .then((text) => expect(text).toBe('flask 1.0'))
        .catch((error: unknown) => failures.push(error));
      sessions += 1;
      // With an index in memory nothing of a session waits for the event loop: the publisher would never have its turn.
      await new Promise((resolve) => setImmediate(resolve));
    }
  })();
  await submit(change);
  for (let step = 0; step < 3; step++) {
    await publisher.publishOnce();
    const seen = sessions;
    while (sessions < seen + 2) await new Promise((resolve) => setTimeout(resolve, 5));
    fixture.now = new Date(fixture.now.getTime() + GRACE + 1000);
  }
  done = true;
  await polling;
  expect(await stateOf()).toMatchObject({ state: 'published', reason: null });
  expect(sessions).toBeGreaterThan(5);
  return failures;
}

async function expectSound(): Promise<void> {
  expect((await fsck(fixture)).findings).toEqual([]);
  expect(await client.read(FILE)).toBe('flask 1.0');
  const old = await StoreClient.pin(fixture, `newcomer ${newcomers++}`);
  expect(await old.read(FILE)).toBe('flask 1.0');
}

describe('a bundle is adopted while clients read:', () => {
  it.each<[string, Change]>([
    ['the same again, with later expiries', {}],
    ['more bins', { bins: 256 }],
    ['fewer bins', { bins: 16 }],
    ['bins with names in common', { bins: 32 }],
    ['succinct_roles', { layout: 'succinct_roles' }],
    ['succinct_roles and more bins at once', { layout: 'succinct_roles', bins: 512 }],
  ])('%s', async (_, change) => {
    const publisher = await publisherWith([fixture.online]);
    expect(await publishWhilePolling(publisher, await renewal(change))).toEqual([]);
    await expectSound();
    await fixture.upload('werkzeug', '2.0');
    await publisher.publishOnce();
    expect(await client.read('packages/werkzeug/werkzeug-2.0.tar.gz')).toBe('werkzeug 2.0');
    await expectSound();
  });

  it('bins alone, which needs no new root', async () => {
    const { bins } = await renewal({ bins: 128 });
    const publisher = await publisherWith([fixture.online]);
    await submit({ bins });
    await publisher.publishOnce();
    expect(await stateOf()).toMatchObject({ state: 'published' });
    expect((await fixture.objects('metadata/')).has('metadata/2.root.json')).toBe(false);
    await expectSound();
  });

  it('and back from succinct_roles, with the numbers of the bins going on', async () => {
    const publisher = await publisherWith([fixture.online]);
    expect(
      await publishWhilePolling(publisher, await renewal({ layout: 'succinct_roles', bins: 128 })),
    ).toEqual([]);
    expect(await publishWhilePolling(publisher, await renewal({ bins: 64 }))).toEqual([]);
    expect(await publishWhilePolling(publisher, await renewal({ bins: 128 }))).toEqual([]);
    await expectSound();
  });

  it('an upload that waits is not lost, and not held up while a root is given time', async () => {
    const online = newSigner();
    const publisher = await publisherWith([fixture.online, online]);
    await submit(await renewal({ online: [fixture.online, online] }));
    await publisher.publishOnce();
    expect(await stateOf()).toMatchObject({ state: 'root-published' });
    await fixture.upload('werkzeug', '2.0');
    await publisher.publishOnce();
    expect(await client.read('packages/werkzeug/werkzeug-2.0.tar.gz')).toBe('werkzeug 2.0');
    expect(await stateOf()).toMatchObject({ state: 'root-published' });
    await expectSound();
  });
});

describe('a planned change of the online key, in two roots', () => {
  it('fails no client that polls all the time, and the old key signs nothing in the end', async () => {
    const online = newSigner();
    const publisher = await publisherWith([fixture.online, online]);
    expect(await publishWhilePolling(publisher, await renewal({ online: [fixture.online, online] }))).toEqual(
      [],
    );
    await expectSound();
    expect(await publishWhilePolling(publisher, await renewal({ online: [online] }))).toEqual([]);
    await publisher.close();
    const alone = await publisherWith([online]);
    await fixture.upload('werkzeug', '2.0');
    await alone.publishOnce();
    await expectSound();
    for (const [key, text] of await fixture.objects('metadata/')) {
      if (key.includes('timestamp')) expect(text).not.toContain(fixture.online.key.keyId);
    }
  });

  it('is verified by a client that asked for a newer root just before it came, whatever is published before its next request', async () => {
    const online = newSigner();
    const publisher = await publisherWith([fixture.online, online]);
    for (const keys of [[fixture.online, online], [online]]) {
      await submit(await renewal({ online: keys }));
      await expectSlowClients(publisher);
    }
  });
});

describe('a renewal with other one-time keys of targets', () => {
  it('is verified by such a client too, because the root goes first and lists the discarded keys once more', async () => {
    const publisher = await publisherWith([fixture.online]);
    const fresh = newSigner();
    const old = fixture.offline.targets.signers;
    version += 1;
    const signers = { ...fixture.offline, targets: { signers: [...old, fresh], threshold: 1 } };
    const roles = await signOffline(signers, [fixture.online.key], { version, now: fixture.now, bins: 64 });
    // The old keys exist no more: only the new one signs.
    const signatures = roles.targets.signatures.filter(({ keyId }) => keyId === fresh.key.keyId);
    await submit({ ...roles, targets: roles.targets.withSignatures(signatures) });
    await expectSlowClients(publisher);
    await expectSound();
  });
});

/** At each step of the bundle that waits, a client is between its request for a newer root and the one for the timestamp. */
async function expectSlowClients(publisher: Publisher): Promise<void> {
  for (let step = 0; step < 2; step++) {
    const folder = join(fixture.folder, `slow ${version} ${step}`);
    await mkdir(folder);
    let published = false;
    const updater = new Updater({
      metadataDir: folder,
      metadataBaseUrl: 'http://rind.test/metadata/',
      targetBaseUrl: 'http://rind.test/',
      clock: fixture.clock,
      bootstrapRoot: (await fixture.store.read('metadata/1.root.json'))!,
      fetcher: {
        async *fetch(url) {
          const key = decodeURIComponent(new URL(url).pathname.slice(1));
          if (key.endsWith('timestamp.json') && !published) {
            published = true;
            await publisher.publishOnce();
          }
          const bytes = await fixture.store.read(key);
          if (bytes === undefined) throw new DownloadHttpError('Not Found', 404, { url });
          yield bytes;
        },
      },
    });
    await updater.refresh();
    expect((await updater.getTargetInfo(FILE))?.path).toBe(FILE);
    expect(published).toBe(true);
    fixture.now = new Date(fixture.now.getTime() + GRACE + 1000);
  }
  expect(await stateOf()).toMatchObject({ state: 'published' });
}

describe('a change of keys at once, after a theft', () => {
  it('is followed by clients that try again', async () => {
    const online = newSigner();
    await submit(await renewal({ online: [online], newKeys: true }));
    const publisher = await publisherWith([fixture.online, online]);
    await publisher.publishOnce();
    expect(await stateOf()).toMatchObject({ state: 'published' });
    await publisher.close();
    await (await publisherWith([online])).publishOnce();
    await expectSound();
    const timestamp = await fixture.store.read('metadata/timestamp.json');
    expect(new TextDecoder().decode(timestamp)).not.toContain(fixture.online.key.keyId);
  });
});

describe('bins that exist no more', () => {
  it('stay in the snapshot as tombstones while its keys are the same, and go with the keys', async () => {
    const publisher = await publisherWith([fixture.online]);
    await publishWhilePolling(publisher, await renewal({ bins: 16 }));
    expect((await snapshotMeta()).filter((name) => name.startsWith('bin-'))).toHaveLength(64 + 16);
    await publisher.close();
    const online = newSigner();
    const next = await publisherWith([fixture.online, online]);
    await submit(await renewal({ bins: 16, online: [online] }));
    await next.publishOnce();
    expect(await stateOf()).toMatchObject({ state: 'published' });
    expect((await snapshotMeta()).filter((name) => name.startsWith('bin-'))).toHaveLength(16);
    await expectSound();
    await next.close();
    const last = await publisherWith([online]);
    await publishWhilePolling(last, await renewal({ bins: 64, online: [online] }));
    expect((await fixture.objects('metadata/')).has('metadata/2.bin-00.json')).toBe(true);
    await expectSound();
  });
});

describe('a disk that is full', () => {
  it('shows no root whose timestamp could not be stored: clients go on', async () => {
    const online = newSigner();
    const publisher = await publisherWith([fixture.online, online]);
    await submit(await renewal({ online: [online] }));
    const full = vi
      .spyOn(fixture.store, 'replace')
      .mockImplementation((key) =>
        Promise.reject(new StorageError('NO_SPACE', 'The disk is full.', { key })),
      );
    await publisher.publishOnce().catch(() => undefined);
    expect(full).toHaveBeenCalledWith('metadata/timestamp.json', expect.anything(), expect.anything(), {
      staged: expect.any(Function),
    });
    expect((await fixture.objects('metadata/')).has('metadata/2.root.json')).toBe(false);
    expect(await client.read(FILE)).toBe('flask 1.0');
    full.mockRestore();
    await publisher.publishOnce();
    expect(await stateOf()).toMatchObject({ state: 'published' });
    expect((await fixture.objects('metadata/')).has('metadata/2.root.json')).toBe(true);
    await expectSound();
  });
});

describe('a publisher that dies while it adopts a bundle', () => {
  it.each<[CrashMoment, Change]>([
    ['before', { bins: 16 }],
    ['after', { bins: 16, newKeys: true }],
  ])(
    '%s any of its operations: the next one goes on, clients follow, and no version ever has two contents',
    async (moment, change) => {
      for (let k = 1; ; k += 4) {
        const plan = new FaultPlan();
        await fixture.close();
        fixture = await IndexFixture.open({
          store: faultStore(new MemoryStore(), plan),
          beforeCommit: plan.beforeCommit,
        });
        fixture.bins = 8;
        version = 1;
        await fixture.createRepository();
        const first = await fixture.startedPublisher();
        await fixture.upload('flask', '1.0');
        await first.publishOnce();
        await first.close();
        client = await StoreClient.pin(fixture);
        await client.read(FILE);
        await submit(await renewal(change));
        const dying = await publisherWith([fixture.online]);
        plan.arm(k, moment);
        for (let step = 0; step < 3; step++) {
          await dying.publishOnce().catch(() => undefined);
          fixture.now = new Date(fixture.now.getTime() + GRACE + 1000);
        }
        const struck = plan.disarm();
        const next = await publisherWith([fixture.online]);
        for (let step = 0; step < 4; step++) {
          await next.publishOnce();
          fixture.now = new Date(fixture.now.getTime() + GRACE + 1000);
        }
        expect(await stateOf(), `died ${moment} operation ${k}`).toMatchObject({ state: 'published' });
        await expectSound();
        expect(equivocations(plan)).toEqual([]);
        if (!struck) {
          expect(k).toBeGreaterThan(20);
          return;
        }
      }
    },
    240_000,
  );
});

describe('refuses a bundle with a sentence and goes on publishing:', () => {
  it.each<[string, (roles: SignedOfflineRoles) => Promise<SignedOfflineRoles>, RegExp]>([
    [
      'of another repository',
      async () =>
        signOffline(
          { ...fixture.offline, root: { signers: [newSigner()], threshold: 1 } },
          [fixture.online.key],
          { version: 2, now: fixture.now, bins: 64 },
        ),
      /not signed by a threshold of the keys of the public one/,
    ],
    [
      'that skips a root',
      async () => {
        version += 1;
        return renewal({});
      },
      /holds version \d of root, but version 1 is public/,
    ],
    [
      'whose bins nobody signed',
      async (roles) => ({ ...roles, bins: roles.bins.withSignatures([]) }),
      /bins is not signed/,
    ],
    [
      'whose online key the server does not have',
      async () => signOffline(fixture.offline, [newSigner().key], { version: 2, now: fixture.now, bins: 64 }),
      /check which online key/,
    ],
  ])('%s', async (_, change, sentence) => {
    const publisher = await publisherWith([fixture.online]);
    const before = await fixture.objects('metadata/');
    await submit(await change(await renewal({})), 'bad');
    await publisher.publishOnce();
    expect(await stateOf('bad')).toMatchObject({ state: 'refused', reason: expect.stringMatching(sentence) });
    expect(await fixture.objects('metadata/')).toEqual(before);
    await fixture.upload('werkzeug', '2.0');
    await publisher.publishOnce();
    expect(await client.read('packages/werkzeug/werkzeug-2.0.tar.gz')).toBe('werkzeug 2.0');
  });
});
