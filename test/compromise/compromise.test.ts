/**
 * Table 4 of PEP 458, "Attacks possible by compromising certain combinations of role keys": each row with really stolen keys, each column tried
 * against two real clients, ours and python-tuf's ngclient, with the result that the table has; then the index recovers and the same clients go
 * on.
 */
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { BinLayout } from '../../src/repository/bins.ts';
import { recoverIndex } from '../../src/repository/recovery/recover.ts';
import { storeSource } from '../../src/repository/recovery/published-source.ts';
import type { StolenRole } from '../../src/repository/recovery/stolen-keys.ts';
import { targetPathPrefix } from '../../src/db/targets.ts';
import type { ObjectStore } from '../../src/storage/object-store.ts';
import { IndexFixture, newSigner, signOffline } from '../support/index-fixture.ts';
import { UnavailableError } from '../tools/unavailable-error.ts';
import { whenAvailable } from '../tools/unavailable.ts';
import { pythonTools } from '../tools/python-tools.ts';
import { Attacker, copyOf, type Loot } from './attacker.ts';
import { PythonTuf, rindClient, type Client } from './clients.ts';

const BINS = 8;
const layout = new BinLayout(BINS);
const FLASK = 'packages/flask/flask-1.0.tar.gz';
const FLASK_2 = 'packages/flask/flask-2.0.tar.gz';
const DJANGO_2 = 'packages/django/django-2.0.tar.gz';
const EVIL = 'something else';
const binOf = (path: string) => layout.nameOf(targetPathPrefix(path));

let fixture: IndexFixture;
let served: ObjectStore;
let bootstrapRoot: Uint8Array;
let clients: readonly Client[];
let pythonTuf: PythonTuf | undefined;

beforeAll(async () => {
  // Without Python the last test says so, and the table is held against our client.
  pythonTuf = await PythonTuf.start().catch((error: unknown) => {
    if (error instanceof UnavailableError) return undefined;
    throw error;
  });
});
afterAll(() => pythonTuf?.close());

beforeEach(async () => {
  fixture = await IndexFixture.open();
  fixture.bins = BINS;
  await fixture.createRepository();
  await publish(['flask', '1.0'], ['django', '1.0']);
  served = fixture.store;
  clients = await newClients('client');
  bootstrapRoot = (await fixture.store.read('metadata/1.root.json'))!;
  expect(await take(FLASK)).toBe('flask 1.0');
  expect(await take('packages/django/django-1.0.tar.gz')).toBe('django 1.0');
});
afterEach(() => fixture.close());

async function publish(...uploads: readonly (readonly [string, string])[]): Promise<void> {
  const publisher = await fixture.startedPublisher();
  for (const [project, version] of uploads) await fixture.upload(project, version);
  await publisher.publishOnce();
  await publisher.close();
}

/** A new session of every client: what they all take, 'refused' or undefined when they believe that there is no such file. */
async function take(path: string): Promise<string | undefined> {
  const answers = await takeEach(path);
  expect(new Set(answers.values()), JSON.stringify([...answers])).toHaveLength(1);
  return answers.get('rind');
}

/** The same by client, where they differ. */
async function takeEach(path: string): Promise<ReadonlyMap<Client['name'], string | undefined>> {
  const view = { served, bootstrapRoot, now: fixture.now };
  const answers = new Map<Client['name'], string | undefined>();
  for (const client of clients) answers.set(client.name, await client.take(path, view));
  return answers;
}

/** Clients that see the index for the first time. */
async function newClients(name: string): Promise<readonly Client[]> {
  const ours = await rindClient(join(fixture.folder, name));
  return pythonTuf === undefined ? [ours] : [ours, pythonTuf.client(join(fixture.folder, `${name}-python`))];
}

/** What is stolen in each row, and the table's answer. */
const ROWS: readonly {
  readonly row: string;
  readonly stolen: readonly StolenRole[];
  readonly loot: () => Loot;
  readonly possible: boolean;
}[] = [
  {
    row: 'targets',
    stolen: ['targets'],
    loot: () => ({ targets: fixture.offline.targets.signers }),
    possible: false,
  },
  { row: 'bins', stolen: ['bins'], loot: () => ({ bins: fixture.offline.bins.signers }), possible: false },
  {
    row: 'targets and bins',
    stolen: ['targets', 'bins'],
    loot: () => ({ targets: fixture.offline.targets.signers, bins: fixture.offline.bins.signers }),
    possible: false,
  },
  {
    row: 'timestamp, snapshot and bin-n',
    stolen: ['timestamp', 'snapshot', 'bin-n'],
    loot: () => ({ online: [fixture.online] }),
    possible: true,
  },
  { row: 'root', stolen: ['root'], loot: () => ({ root: fixture.offline.root.signers }), possible: true },
];

describe.each(ROWS)('PEP 458, table 4, $row stolen', ({ row, stolen, loot, possible }) => {
  const attack = async (jump?: number) =>
    new Attacker(await copyOf(fixture.store), loot(), fixture.now, jump);

  it(`a malicious update: ${possible ? 'YES' : 'NO'}, and after the recovery the client installs the true file`, async () => {
    const good = await copyOf(fixture.store);
    const attacker = await attack(2 ** 31);
    await attacker.forgeFile(FLASK, binOf(FLASK), new TextEncoder().encode(EVIL));
    served = attacker.store;
    expect(await take(FLASK)).toBe(possible ? EVIL : 'refused');
    if (!possible) {
      for (const role of ['targets', 'bins'] as const) {
        const quiet = await attack();
        await quiet.replaceRole(role);
        served = quiet.store;
        // What the client has already stays good; the replaced role is never taken.
        expect(await take(FLASK)).not.toBe(EVIL);
      }
    }
    await recover(stolen, good);
    if (row === 'root') {
      // The attacker's root is one that the stolen keys signed: only somebody outside can say which root is the right one.
      expect(await take(FLASK)).toBe('refused');
      bootstrapRoot = (await fixture.store.read('metadata/2.root.json'))!;
    }
    expect(await take(FLASK)).toBe('flask 1.0');
    await expectHonest();
  });

  it(`a freeze: ${possible ? 'YES, until the earliest of root, targets and bins expires' : 'NO'}`, async () => {
    const good = await copyOf(fixture.store);
    const old = await copyOf(fixture.store);
    await publish(['flask', '2.0']);
    fixture.advance(24 * 8);
    const replay = new Attacker(old, loot(), fixture.now);
    served = replay.store;
    // Without any key, the old timestamp serves for a week at most.
    expect(await take(FLASK_2)).toBe('refused');
    await replay.freeze(layout.names);
    // `undefined`: the client believes that there is no second release.
    expect(await take(FLASK_2)).toBe(possible ? undefined : 'refused');
    if (row === 'timestamp, snapshot and bin-n') {
      fixture.advance(24 * 400);
      expect(await take(FLASK_2)).toBe('refused');
      fixture.advance(-24 * 400);
    }
    await recover(stolen, good, [FLASK_2]);
    if (row === 'root') bootstrapRoot = (await fixture.store.read('metadata/2.root.json'))!;
    expect(await take(FLASK_2)).toBe('flask 2.0');
  });

  it(`an inconsistency: ${possible ? 'YES' : 'NO'}`, async () => {
    expect(binOf(FLASK_2)).not.toBe(binOf(DJANGO_2));
    const good = await copyOf(fixture.store);
    const attacker = await attack();
    await publish(['flask', '2.0'], ['django', '2.0']);
    const { meta } = await new Attacker(await copyOf(fixture.store), {}, fixture.now).snapshot();
    await attacker.mix(binOf(DJANGO_2), fixture.store, meta);
    for await (const { key } of fixture.store.list('packages/')) {
      const bytes = await fixture.store.read(key);
      if (bytes !== undefined) await attacker.store.put(key, bytes);
    }
    served = attacker.store;
    // Both came in one snapshot: there never was one with the one and without the other.
    expect(await take(DJANGO_2)).toBe(possible ? 'django 2.0' : 'refused');
    expect(await take(FLASK_2)).toBe(possible ? undefined : 'refused');
    await recover(stolen, good, [FLASK_2, DJANGO_2]);
    if (row === 'root') bootstrapRoot = (await fixture.store.read('metadata/2.root.json'))!;
    expect(await take(FLASK_2)).toBe('flask 2.0');
    expect(await take(DJANGO_2)).toBe('django 2.0');
  });
});

/** What an administrator does; `good` is the copy that was made before the theft. */
async function recover(
  stolen: readonly StolenRole[],
  good: ObjectStore,
  keep: readonly string[] = [],
): Promise<void> {
  const fresh = () => ({ signers: [newSigner()], threshold: 1 });
  const online = newSigner();
  const isRoot = stolen.includes('root');
  const signers = {
    root: isRoot ? fresh() : fixture.offline.root,
    targets: fresh(),
    claimed: fixture.offline.claimed,
    bins: fresh(),
  };
  const roles = await signOffline(signers, [online.key], {
    version: 2,
    now: fixture.now,
    bins: BINS,
    oldRoot: fixture.offline.root.signers,
  });
  const report = await recoverIndex({
    db: fixture.db,
    store: fixture.store,
    index: fixture.index,
    stolen,
    source: storeSource(good, ''),
    pinnedRoot: (await good.read('metadata/1.root.json'))!,
    keep: new Set(keep),
    bundle: { event: 'e'.repeat(64), roles },
    signers: [online],
    keepEvidence: async () => undefined,
    actor: 'cli:test',
    clock: fixture.clock,
  });
  expect(report.fsck.findings).toEqual([]);
  served = fixture.store;
}

/** The stolen keys are worth nothing any more: the same attack on the recovered index is refused. */
async function expectHonest(): Promise<void> {
  const attacker = new Attacker(
    await copyOf(fixture.store),
    {
      online: [fixture.online],
      targets: fixture.offline.targets.signers,
      bins: fixture.offline.bins.signers,
    },
    fixture.now,
  );
  await attacker.forgeFile(FLASK, binOf(FLASK), new TextEncoder().encode(EVIL));
  served = attacker.store;
  expect(await take(FLASK)).toBe('refused');
}

describe('python-tuf', () => {
  whenAvailable(pythonTools);

  it('was the second client in every row', () => {
    expect(clients.map(({ name }) => name)).toEqual(['rind', 'python-tuf']);
    expect(pythonTuf?.sessions).toBeGreaterThan(ROWS.length * 3 * 4);
  });

  it('takes one bin for another, which nothing in TUF tells apart: ours reads the name that each bin signs (ADR 12)', async () => {
    const mirror = await copyOf(fixture.store);
    const { meta } = await new Attacker(mirror, {}, fixture.now).snapshot();
    const bin = binOf(FLASK);
    const version = meta.get(`${bin}.json`)?.version;
    const other = layout.names.find((name) => name !== bin && meta.get(`${name}.json`)?.version === version);
    const bytes = await mirror.read(`metadata/${version}.${other}.json`);
    await mirror.put(`metadata/${version}.${bin}.json`, bytes!);
    served = mirror;
    clients = await newClients('stranger');
    const answers = await takeEach(FLASK);
    expect([...answers]).toEqual([
      ['rind', 'refused'],
      ['python-tuf', undefined],
    ]);
  });
});
