import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Attacker, copyOf } from '../../../test/compromise/attacker.ts';
import { IndexFixture, newSigner, sha256, signOffline } from '../../../test/support/index-fixture.ts';
import { StoreClient } from '../../../test/support/store-client.ts';
import { findFile, markFileRemoved } from '../../db/files.ts';
import { appendJournal } from '../../db/journal.ts';
import { putTargets, targetPathPrefix } from '../../db/targets.ts';
import type { MemoryStore } from '../../storage/memory-store.ts';
import type { Signer } from '../../tuf/signer.ts';
import { encodeLogHead, parseLogEntry, parseLogHead } from '../../transparency/log-entry.ts';
import { BinLayout } from '../bins.ts';
import { Upkeep } from '../upkeep.ts';
import { compareWithGood } from './comparison.ts';
import { storeSource } from './published-source.ts';
import { recoverIndex, type RecoverReport } from './recover.ts';

const BINS = 8;
const FLASK = 'packages/flask/flask-1.0.tar.gz';
const encode = (text: string) => new TextEncoder().encode(text);
let fixture: IndexFixture;
let good: MemoryStore;
let client: StoreClient;
let evidence: string[];
beforeEach(async () => {
  fixture = await IndexFixture.open();
  fixture.bins = BINS;
  await fixture.createRepository();
  await publish(['flask', '1.0'], ['django', '1.0'], ['click', '1.0']);
  client = await StoreClient.pin(fixture);
  expect(await client.read(FLASK)).toBe('flask 1.0');
  good = await copyOf(fixture.store);
  evidence = [];
});
afterEach(() => fixture.close());

async function publish(...uploads: readonly (readonly [string, string])[]): Promise<void> {
  const publisher = await fixture.startedPublisher();
  for (const [project, version] of uploads) await fixture.upload(project, version);
  await publisher.publishOnce();
  await publisher.close();
}

async function recover(
  keep: readonly string[] = [],
  online: Signer = newSigner(),
  keys: 'new' | 'old bins' = 'new',
): Promise<RecoverReport> {
  const fresh = () => ({ signers: [newSigner()], threshold: 1 });
  const { root, claimed, bins } = fixture.offline;
  const signers = { root, claimed, targets: fresh(), bins: keys === 'new' ? fresh() : bins };
  const options = { version: 2, now: fixture.now, bins: BINS };
  return recoverIndex({
    db: fixture.db,
    store: fixture.store,
    index: fixture.index,
    stolen: ['timestamp', 'snapshot', 'bin-n'],
    source: storeSource(good, ''),
    pinnedRoot: (await good.read('metadata/1.root.json'))!,
    keep: new Set(keep),
    bundle: { event: 'e'.repeat(64), roles: await signOffline(signers, [online.key], options) },
    signers: [online],
    keepEvidence: async (key) => void evidence.push(key),
    actor: 'cli:test',
    clock: fixture.clock,
  });
}

const kinds = ({ comparison }: RecoverReport) =>
  comparison.differences.map(({ kind, path }) => `${kind} ${path}`);

/** The tree of the server itself, as an attacker on it leaves it behind. */
async function overwriteTree(): Promise<void> {
  const attacker = new Attacker(await copyOf(fixture.store), { online: [fixture.online] }, fixture.now);
  const bin = new BinLayout(BINS).nameOf(targetPathPrefix(FLASK));
  await attacker.forgeFile(FLASK, bin, encode('evil'));
  for await (const { key } of attacker.store.list('')) {
    const bytes = await attacker.store.read(key);
    if (bytes !== undefined) await fixture.store.put(key, bytes);
  }
  expect(await client.read(FLASK)).toBe('evil');
}

describe('recoverIndex', () => {
  it('puts aside what the attacker published from the server, and the same client reads the true file again', async () => {
    await overwriteTree();
    const { foreign, fsck } = await recover();
    expect(evidence).toContain('metadata/timestamp.json');
    expect(foreign.map(({ role }) => role)).toEqual(expect.arrayContaining(['timestamp', 'snapshot']));
    expect(fsck.findings).toEqual([]);
    expect(await client.read(FLASK)).toBe('flask 1.0');
  });

  it('restores what was changed or deleted in the database, and drops what the good state does not know', async () => {
    const { db, index } = fixture;
    const evil = { length: 4, sha256: sha256('evil') };
    await fixture.store.create(`packages/flask/${evil.sha256}.flask-6.6.tar.gz`, encode('evil'));
    await putTargets(db, index.id, [
      { path: 'packages/flask/flask-6.6.tar.gz', ...evil },
      { path: FLASK, ...evil },
      { path: 'odd', ...evil },
    ]);
    await db.updateTable('files').set({ sha256: evil.sha256, length: 4 }).where('filename', '=', 'django-1.0.tar.gz').execute(); // prettier-ignore
    await db.updateTable('files').set({ removed_at: '2026-01-01T00:00:00.000Z' }).where('filename', '=', 'click-1.0.tar.gz').execute(); // prettier-ignore
    await fixture.upload('newcomer', '1.0');
    const report = await recover();
    expect(kinds(report)).toEqual(
      expect.arrayContaining([
        'added odd',
        'added packages/flask/flask-6.6.tar.gz',
        `changed ${FLASK}`,
        'waiting packages/newcomer/newcomer-1.0.tar.gz',
      ]),
    );
    expect(report.fsck.findings).toEqual([]);
    expect(await client.read(FLASK)).toBe('flask 1.0');
    expect(await client.read('packages/django/django-1.0.tar.gz')).toBe('django 1.0');
    expect(await client.read('packages/click/click-1.0.tar.gz')).toBe('click 1.0');
    for (const path of ['packages/flask/flask-6.6.tar.gz', 'packages/newcomer/newcomer-1.0.tar.gz', 'odd'])
      expect(await client.read(path)).toBeUndefined();
  });

  it('collects a file that it restored and that is removed later', async () => {
    const { db, store, index, tree, clock } = fixture;
    const key = tree.hashed('packages/click/click-1.0.tar.gz', sha256('click 1.0'));
    // Removed by the attacker, and collected.
    const gone = { removed_at: '2026-01-01T00:00:00.000Z', collected_at: '2026-02-01T00:00:00.000Z' };
    await db.updateTable('files').set(gone).where('filename', '=', 'click-1.0.tar.gz').execute();
    await store.remove(key);
    const online = newSigner();
    await recover([], online);
    expect(await client.read('packages/click/click-1.0.tar.gz')).toBe('click 1.0');

    const { id, project_id: projectId } = (await findFile(db, index.id, 'click-1.0.tar.gz'))!;
    await markFileRemoved(db, id, fixture.now);
    await appendJournal(db, { indexId: index.id, projectId, kind: 'remove', detail: {}, now: fixture.now });
    const publisher = fixture.newPublisher([online]);
    await publisher.start();
    while ((await publisher.publishOnce()) !== undefined);
    expect(await store.stat(key)).toBeDefined();
    fixture.advance(12);
    const hour = 3_600_000;
    const settings = { gracePeriod: hour, snapshots: 1, removedFiles: hour, interval: hour };
    await new Upkeep({ publisher, settings, clock }).collect();
    expect(await store.stat(key)).toBeUndefined();
    await publisher.close();
  });

  it('mends files and pages whose bytes were altered in the store', async () => {
    for (const key of (await fixture.objects('packages/flask/')).keys())
      if (!key.endsWith('.metadata')) await fixture.store.put(key, encode('flask 6.6'));
    for (const key of (await fixture.objects('simple/django/')).keys())
      await fixture.store.put(key, encode('{}'));
    const report = await recover();
    expect(kinds(report)).toEqual([
      `damaged ${FLASK}`,
      'damaged simple/django/index.html',
      'damaged simple/django/index.json',
    ]);
    expect(report.fsck.findings).toEqual([]);
    expect(await client.read(FLASK)).toBe('flask 1.0');
    expect(await client.read('simple/django/index.json')).toContain('django-1.0.tar.gz');
  });

  it('keeps later uploads that somebody vouches for, and no others', async () => {
    await publish(['flask', '2.0'], ['django', '2.0']);
    const report = await recover(['packages/flask/flask-2.0.tar.gz']);
    expect(report.restored).toMatchObject([
      { project: 'django', dropped: ['packages/django/django-2.0.tar.gz'] },
      { project: 'flask', dropped: [] },
    ]);
    expect(await client.read('packages/flask/flask-2.0.tar.gz')).toBe('flask 2.0');
    expect(await client.read('packages/django/django-2.0.tar.gz')).toBeUndefined();
    expect(report.fsck.findings).toEqual([]);
  });

  it.each(['online', 'bins'] as const)(
    'refuses a bundle in which the stolen %s key still counts',
    async (which) => {
      const refused = which === 'online' ? recover([], fixture.online) : recover([], newSigner(), 'old bins');
      await expect(refused).rejects.toMatchObject({ code: 'STOLEN_KEY_STAYS' });
      const held = fixture.startedPublisher();
      await expect(held).rejects.toMatchObject({ code: 'ON_HOLD' });
      await recover();
      expect(await client.read(FLASK)).toBe('flask 1.0');
    },
  );

  it('puts aside what the attacker wrote into the public log, and goes on from its own last entry', async () => {
    const { store } = fixture;
    const before = parseLogHead((await store.read('log/head.json'))!);
    await overwriteTree();
    // As a server with the stolen key would: further entries, tiles over them, another head; and one that it altered, one that it removed.
    const forged = encode('{"a":"later history"}');
    for (const seq of [before.size + 1, before.size + 2]) await store.put(`log/${seq}.json`, forged);
    await store.put(`log/tile/0/0.p/${before.size + 1}`, encode('x'.repeat(32)));
    await store.put('log/head.json', encodeLogHead({ size: before.size + 2, root: sha256('evil') }));
    await store.put('log/1.json', forged);
    await store.remove(`log/${before.size}.json`);
    const { foreignLog, fsck } = await recover();
    expect([...foreignLog].sort()).toEqual([
      'log/1.json',
      ...[1, 2].map((step) => `log/${before.size + step}.json`),
      'log/head.json',
      `log/tile/0/0.p/${before.size + 1}`,
    ]);
    expect(evidence).toEqual(expect.arrayContaining([...foreignLog]));
    expect(fsck.findings).toEqual([]);
    const entry = parseLogEntry((await store.read(`log/${before.size + 1}.json`))!);
    expect(entry.previous).toEqual(before);
    expect(await client.read(FLASK)).toBe('flask 1.0');
  });

  it('refuses to recover a database that was restored from before the good state, and says what comes first', async () => {
    const { size } = parseLogHead((await good.read('log/head.json'))!);
    // Rows of the log cannot be removed; a database that never had them is one without the trigger.
    await sql`drop trigger log_entries_no_delete`.execute(fixture.db);
    await fixture.db.deleteFrom('log_entries').where('seq', '=', size).execute();
    await expect(recover()).rejects.toMatchObject({
      code: 'CANNOT_PROCEED',
      message: expect.stringContaining('rind recover --published') as string,
    });
  });

  it('goes on where it was left', async () => {
    await overwriteTree();
    const online = newSigner();
    const put = fixture.store.put.bind(fixture.store);
    for (let failing = 0; failing < 3; failing++) {
      let count = 0;
      fixture.store.put = async (key, bytes) => {
        if (count++ === failing) throw new Error('the disk went away');
        return put(key, bytes);
      };
      await recover([], online).catch(() => undefined);
    }
    fixture.store.put = put;
    const { fsck } = await recover([], online);
    expect(fsck.findings).toEqual([]);
    expect(await client.read(FLASK)).toBe('flask 1.0');
  });

  it('changes nothing when it compares alone', async () => {
    await publish(['flask', '2.0']);
    const before = await fixture.objects();
    const { db, store, index } = fixture;
    const pinnedRoot = (await good.read('metadata/1.root.json'))!;
    const { differences, bins, targets } = await compareWithGood({ db, store, index, source: storeSource(good, ''), pinnedRoot }); // prettier-ignore
    expect({ bins, targets }).toEqual({ bins: 8, targets: 9 });
    expect(differences.map(({ kind }) => kind)).toEqual(['added', 'changed', 'changed']);
    expect(await fixture.objects()).toEqual(before);
  });
});
