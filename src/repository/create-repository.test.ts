import { afterEach, describe, expect, it } from 'vitest';
import { equivocations, faultStore, FaultPlan, type CrashMoment } from '../../test/support/fault-store.ts';
import { IndexFixture, newSigner, sha256, signOffline } from '../../test/support/index-fixture.ts';
import { putTargets } from '../db/targets.ts';
import { MemoryStore } from '../storage/memory-store.ts';
import { Metadata } from '../tuf/metadata.ts';
import { createRepository } from './create-repository.ts';
import { fsck } from './fsck.ts';

let fixture: IndexFixture;
afterEach(() => fixture.close());

const checked = () => fsck(fixture);
const readSigned = async (role: 'root' | 'targets' | 'bins' | 'snapshot', version = 1) => {
  const bytes = await fixture.store.read(fixture.tree.metadata(role, version));
  const type = role === 'bins' ? 'targets' : role;
  return Metadata.fromBytes(bytes ?? new Uint8Array(), type);
};

describe('createRepository', () => {
  it('makes the roles of PEP 458 with 256 bins for a team, and nothing for fsck to find', async () => {
    fixture = await IndexFixture.create();
    const report = await checked();
    expect(report.findings).toEqual([]);
    expect(report.roles).toBe(3 + 4 + 256);
    const root = (await readSigned('root')) as Metadata<never>;
    expect(JSON.parse(new TextDecoder().decode(root.toBytes())).signed.consistent_snapshot).toBe(true);
  });

  it('delegates claimed and recently-claimed before bins, none terminating', async () => {
    fixture = await IndexFixture.create();
    const targets = JSON.parse(new TextDecoder().decode((await readSigned('targets')).toBytes())).signed;
    const { roles } = targets.delegations;
    expect(roles.map(({ name }: { name: string }) => name)).toEqual(['claimed', 'recently-claimed', 'bins']);
    for (const role of roles) {
      expect(role.terminating).toBe(false);
      expect(role.paths).toEqual(['simple/*/*', 'packages/*/*']);
    }
    expect(roles[1].keyids).toEqual([fixture.online.key.keyId]);
    expect(roles[0].keyids).not.toEqual(roles[2].keyids);
  });

  it('lists only the version of the roles that the online key signs, and the sha256 of the others', async () => {
    fixture = await IndexFixture.create();
    const { meta } = JSON.parse(new TextDecoder().decode((await readSigned('snapshot')).toBytes())).signed;
    expect(Object.keys(meta)).toHaveLength(256 + 4);
    expect(meta['bin-00.json']).toEqual({ version: 1 });
    expect(meta['recently-claimed.json']).toEqual({ version: 1 });
    for (const role of ['targets', 'claimed', 'bins']) {
      const bytes = (await fixture.store.read(fixture.tree.metadata(role, 1))) ?? new Uint8Array();
      expect(meta[`${role}.json`]).toEqual({
        version: 1,
        length: bytes.length,
        hashes: { sha256: sha256(bytes) },
      });
    }
  });

  it('returns the sha256 of the signed part of root as its fingerprint', async () => {
    fixture = await IndexFixture.open();
    const { fingerprint } = await fixture.createRepository();
    const text = new TextDecoder().decode(await fixture.store.read('metadata/1.root.json'));
    const signed = text.slice(text.indexOf('"signed":') + 9, -1);
    expect(fingerprint).toBe(sha256(signed));
  });

  it('signs what the index already has into the first bins', async () => {
    fixture = await IndexFixture.open();
    const bytes = new TextEncoder().encode('old');
    const path = 'packages/old/old-1.0.tar.gz';
    await putTargets(fixture.db, fixture.index.id, [{ path, length: bytes.length, sha256: sha256(bytes) }]);
    await fixture.createRepository();
    const bins = [...(await fixture.objects('metadata/')).values()].filter((text) => text.includes(path));
    expect(bins).toHaveLength(1);
  });

  it('keeps the tree of a named index below index/<name>/', async () => {
    fixture = await IndexFixture.create({ indexName: 'team-a' });
    const keys = [...(await fixture.objects()).keys()];
    expect(keys).toContain('index/team-a/metadata/timestamp.json');
    expect(keys.every((key) => key.startsWith('index/team-a/'))).toBe(true);
  });

  it('refuses a profile it does not know', async () => {
    fixture = await IndexFixture.open({ profile: 'galactic' });
    await expect(fixture.createRepository()).rejects.toMatchObject({ code: 'UNKNOWN_PROFILE' });
    expect((await fixture.objects()).size).toBe(0);
  });

  it('is not made twice', async () => {
    fixture = await IndexFixture.create();
    const before = await fixture.objects();
    await expect(fixture.createRepository()).rejects.toMatchObject({ code: 'REPOSITORY_EXISTS' });
    expect(await fixture.objects()).toEqual(before);
  });

  it('refuses a store in which another repository lives, and writes nothing', async () => {
    const store = new MemoryStore();
    const other = await IndexFixture.create({ store });
    const before = await other.objects();
    await other.close();
    fixture = await IndexFixture.open({ store });
    await expect(fixture.createRepository()).rejects.toMatchObject({ code: 'FOREIGN_TIMESTAMP' });
    expect(await fixture.objects()).toEqual(before);
  });

  it('refuses to go on with other keys than the interrupted attempt had', async () => {
    const plan = new FaultPlan();
    fixture = await IndexFixture.open({ store: faultStore(new MemoryStore(), plan) });
    plan.arm(10);
    await expect(fixture.createRepository()).rejects.toMatchObject({ name: 'Crash' });
    plan.disarm();
    const { db, store, index, online, clock } = fixture;
    const signers = { ...fixture.offline, root: { signers: [newSigner()], threshold: 1 } };
    const offline = await signOffline(signers, [online.key], { version: 1, now: clock(), bins: 256 });
    const again = createRepository({ db, store, index, offline, online: [online], clock });
    await expect(again).rejects.toMatchObject({ code: 'FOREIGN_OBJECT', role: 'root' });
  });

  it.each<CrashMoment>(['before', 'after'])(
    'goes on after dying %s any of the first, the last and some operations between, without equivocation',
    async (moment) => {
      const store = faultStoreOf();
      fixture = await IndexFixture.open({ store: store.store, beforeCommit: store.plan.beforeCommit });
      store.plan.arm(Number.POSITIVE_INFINITY);
      await fixture.createRepository();
      const operations = store.plan.count;
      await fixture.close();
      const ks = [...Array(8).keys(), 100, 200, ...[...Array(12).keys()].map((k) => operations - k - 1)];
      for (const k of new Set(ks.map((at) => at + 1))) {
        const { store: faulty, plan } = faultStoreOf();
        fixture = await IndexFixture.open({ store: faulty, beforeCommit: plan.beforeCommit });
        plan.arm(k, moment);
        await fixture.createRepository().catch((error: unknown) => error);
        expect(plan.disarm()).toBe(true);
        fixture.advance(1);
        await fixture.createRepository().catch((error: unknown) => {
          expect(error).toMatchObject({ code: 'REPOSITORY_EXISTS' });
        });
        expect((await checked()).findings, `died ${moment} operation ${k}`).toEqual([]);
        expect(equivocations(plan)).toEqual([]);
        const publisher = await fixture.startedPublisher();
        await fixture.upload('flask', '1.0');
        expect(await publisher.publishOnce()).toBeDefined();
        expect((await checked()).findings).toEqual([]);
        await fixture.close();
      }
    },
    120_000,
  );
});

function faultStoreOf() {
  const plan = new FaultPlan();
  return { plan, store: faultStore(new MemoryStore(), plan) };
}
