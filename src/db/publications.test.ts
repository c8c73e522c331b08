import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LeaseLostError } from './errors.ts';
import { insertIndex } from './indexes.ts';
import { appendJournal, journalState, lastJournalEntry, waitingJournal } from './journal.ts';
import { acquireLease, requireLease } from './leases.ts';
import { openDatabase, type Database } from './open.ts';
import { ensureProject, listProjects } from './projects.ts';
import {
  abandonPublication,
  findReservedPublication,
  finishPublication,
  journalIdsOf,
  lastPublication,
  projectIdsOf,
  reservePublication,
  targetChangesOf,
  type Reservation,
} from './publications.ts';
import { currentRoles, findRole, highestVersions, reservedRoleVersions, rolesSignedBefore } from './roles.ts';
import type { Executor } from './schema.ts';
import { isUniqueViolation } from './sqlite-error.ts';
import { countTargets, findTarget, putTargets, targetPathPrefix, targetsOfRange } from './targets.ts';
import { writeTransaction } from './transactions.ts';

const NOW = new Date('2026-11-22T12:00:00Z');
const LATER = new Date('2026-11-22T12:00:05Z');
const EXPIRES = new Date('2026-11-29T12:00:00Z');
const sha = (letter: string): string => letter.repeat(64);

let folder: string;
let database: Database;
let db: Executor;
let indexId: number;
let projectId: number;
let epoch: number;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rind-db-'));
  database = await openDatabase({ path: join(folder, 'rind.db') });
  ({ db } = database);
  indexId = (await insertIndex(db, { name: '', profile: 'team', now: NOW })).id;
  projectId = (await ensureProject(db, { indexId, name: 'foo', displayName: 'Foo', now: NOW })).id;
  epoch = await acquireLease(db, indexId, 'test', NOW);
});

afterEach(async () => {
  await database.close();
  await rm(folder, { recursive: true });
});

const upload = (): Promise<number> =>
  appendJournal(db, { indexId, projectId, kind: 'upload', detail: { filename: 'foo.whl' }, now: NOW });

/** A reservation of snapshot and timestamp `version` and one bin. */
function reservation(version: number, more: Partial<Reservation> = {}): Reservation {
  const roles = ['bin-00', 'snapshot', 'timestamp'].map((role) => ({
    role,
    version,
    sha256: sha('a'),
    length: 100 + version,
    expires: EXPIRES,
  }));
  return {
    indexId,
    epoch,
    snapshotVersion: version,
    timestampVersion: version,
    timestampSha256: sha('a'),
    roles,
    targetChanges: [],
    journalIds: [],
    now: NOW,
    ...more,
  };
}

const reserve = (wanted: Reservation): Promise<number> =>
  writeTransaction(db, (tx) => reservePublication(tx, wanted));
const finish = (id: number) => writeTransaction(db, (tx) => finishPublication(tx, id, epoch, LATER));
const abandon = (id: number): Promise<void> =>
  writeTransaction(db, (tx) => abandonPublication(tx, id, epoch, LATER));

describe('a publication', () => {
  it('takes waiting changes and makes them public only when finished', async () => {
    const [first, second] = [await upload(), await upload()];
    expect((await waitingJournal(db, indexId, 10)).map(({ id }) => id)).toEqual([first, second]);
    expect(await journalState(db, first)).toBe('waiting');
    const id = await reserve(reservation(1, { journalIds: [first] }));
    expect(await journalState(db, first)).toBe('reserved');
    expect(await journalState(db, second)).toBe('waiting');
    expect((await waitingJournal(db, indexId, 10)).map((row) => row.id)).toEqual([second]);
    expect(await listProjects(db, indexId)).toEqual([]);
    await finish(id);
    expect(await journalState(db, first)).toBe('published');
    expect(await journalState(db, 999)).toBeUndefined();
    expect(await journalIdsOf(db, id)).toEqual([first]);
    expect(await projectIdsOf(db, id)).toEqual([projectId]);
    expect(await listProjects(db, indexId)).toMatchObject([{ name: 'foo', last_serial: first }]);
    expect((await lastJournalEntry(db, projectId))?.id).toBe(second);
  });

  it('moves targets and roles when finished, and not before', async () => {
    await putTargets(db, indexId, [
      { path: 'simple/foo/index.json', length: 1, sha256: sha('0') },
      { path: 'packages/foo/gone.whl', length: 2, sha256: sha('1') },
      { path: 'packages/foo/stays.whl', length: 3, sha256: sha('2') },
    ]);
    const targetChanges = [
      { path: 'packages/foo/gone.whl', target: undefined },
      { path: 'packages/foo/new.whl', target: { length: 9, sha256: sha('9') } },
      { path: 'simple/foo/index.json', target: { length: 8, sha256: sha('8') } },
    ];
    const id = await reserve(reservation(1, { targetChanges }));
    expect(await targetChangesOf(db, id)).toEqual(targetChanges);
    expect(await countTargets(db, indexId)).toBe(3);
    expect(await findTarget(db, indexId, 'simple/foo/index.json')).toMatchObject({ length: 1 });
    expect(await currentRoles(db, indexId)).toEqual([]);
    await finish(id);
    const inAnyOrder = await targetsOfRange(db, indexId, 0, 0xff_ff_ff);
    expect(inAnyOrder.toSorted((a, b) => (a.path < b.path ? -1 : 1))).toEqual([
      { path: 'packages/foo/new.whl', length: 9, sha256: sha('9') },
      { path: 'packages/foo/stays.whl', length: 3, sha256: sha('2') },
      { path: 'simple/foo/index.json', length: 8, sha256: sha('8') },
    ]);
    expect(await currentRoles(db, indexId)).toMatchObject([
      {
        role: 'bin-00',
        version: 1,
        length: 101,
        signed_at: NOW.toISOString(),
        expires_at: EXPIRES.toISOString(),
      },
      { role: 'snapshot', version: 1 },
      { role: 'timestamp', version: 1 },
    ]);
    expect(await lastPublication(db, indexId)).toMatchObject({ id, finished_at: LATER.toISOString() });
    expect(await targetChangesOf(db, id)).toEqual([]);
  });

  it('leaves nothing but used version numbers when abandoned', async () => {
    const serial = await upload();
    const targetChanges = [{ path: 'packages/foo/new.whl', target: { length: 9, sha256: sha('9') } }];
    const id = await reserve(reservation(4, { journalIds: [serial], targetChanges }));
    await abandon(id);
    expect(await journalState(db, serial)).toBe('waiting');
    expect(await countTargets(db, indexId)).toBe(0);
    expect(await currentRoles(db, indexId)).toEqual([]);
    expect(await findReservedPublication(db, indexId)).toBeUndefined();
    expect(await lastPublication(db, indexId)).toBeUndefined();
    expect(await highestVersions(db, indexId, ['bin-00', 'snapshot', 'root'])).toEqual(
      new Map([
        ['bin-00', 4],
        ['snapshot', 4],
      ]),
    );
    expect(await reservedRoleVersions(db, id)).toHaveLength(3);
  });

  it('never reserves the same version twice, abandoned or not (I2)', async () => {
    await abandon(await reserve(reservation(1)));
    const again: unknown = await reserve(reservation(1)).catch((error: unknown) => error);
    expect(isUniqueViolation(again)).toBe(true);
    expect(await findReservedPublication(db, indexId)).toBeUndefined();
    await finish(await reserve(reservation(2)));
    expect(await findRole(db, indexId, 'snapshot')).toMatchObject({ version: 2 });
  });

  it('is refused while another one is open', async () => {
    const id = await reserve(reservation(1));
    await expect(reserve(reservation(2))).rejects.toMatchObject({ code: 'WRONG_STATE' });
    expect(await findReservedPublication(db, indexId)).toMatchObject({ id, timestamp_version: 1 });
  });

  it('is refused whole when one of its changes no longer waits', async () => {
    const serial = await upload();
    await finish(await reserve(reservation(1, { journalIds: [serial] })));
    const other = await upload();
    const twice = reserve(reservation(2, { journalIds: [serial, other] }));
    await expect(twice).rejects.toMatchObject({ code: 'WRONG_STATE' });
    expect(await journalState(db, other)).toBe('waiting');
    expect((await highestVersions(db, indexId, ['snapshot'])).get('snapshot')).toBe(1);
  });

  it('is finished or abandoned once', async () => {
    const id = await reserve(reservation(1));
    await finish(id);
    await expect(finish(id)).rejects.toMatchObject({ code: 'WRONG_STATE' });
    await expect(abandon(id)).rejects.toMatchObject({ code: 'WRONG_STATE' });
    await expect(finish(999)).rejects.toMatchObject({ code: 'WRONG_STATE' });
  });

  it('keeps the indexes of a server apart', async () => {
    const other = await insertIndex(db, { name: 'other', profile: 'team', now: NOW });
    const otherEpoch = await acquireLease(db, other.id, 'test', NOW);
    await reserve(
      reservation(1, { targetChanges: [{ path: 'a', target: { length: 1, sha256: sha('1') } }] }),
    );
    const id = await reserve(reservation(1, { indexId: other.id, epoch: otherEpoch }));
    await finish(id);
    expect(await countTargets(db, indexId)).toBe(0);
    expect(await currentRoles(db, indexId)).toEqual([]);
    expect(await currentRoles(db, other.id)).toHaveLength(3);
  });

  it('carries more rows than one statement can', async () => {
    const serials: number[] = [];
    await writeTransaction(db, async (tx) => {
      for (let number = 0; number < 1200; number += 1) {
        serials.push(await appendJournal(tx, { indexId, projectId, kind: 'upload', detail: {}, now: NOW }));
      }
    });
    const names = Array.from({ length: 1300 }, (_, number) => `bin-${number}`);
    const id = await reserve(
      reservation(1, {
        journalIds: serials,
        roles: names.map((role) => ({ role, version: 7, sha256: sha('b'), length: 1, expires: EXPIRES })),
        targetChanges: names.map((path) => ({ path, target: { length: 1, sha256: sha('c') } })),
      }),
    );
    await finish(id);
    expect(await countTargets(db, indexId)).toBe(1300);
    expect(await waitingJournal(db, indexId, 10)).toEqual([]);
    expect((await highestVersions(db, indexId, names)).size).toBe(1300);
    expect(await rolesSignedBefore(db, indexId, NOW)).toHaveLength(1300);
    expect(await rolesSignedBefore(db, indexId, new Date(NOW.getTime() - 1))).toEqual([]);
  });
});

describe('the lease', () => {
  it('gives every holder a higher epoch and stops the one before', async () => {
    const id = await reserve(reservation(1));
    const next = await acquireLease(db, indexId, 'next', LATER);
    expect(next).toBe(epoch + 1);
    await requireLease(db, indexId, next);
    await expect(requireLease(db, indexId, epoch)).rejects.toThrow(/held|holds it now/);
    await expect(finish(id)).rejects.toBeInstanceOf(LeaseLostError);
    await expect(abandon(id)).rejects.toMatchObject({ code: 'LEASE_LOST' });
    expect(await findReservedPublication(db, indexId)).toMatchObject({ id, state: 'reserved' });
    await writeTransaction(db, (tx) => abandonPublication(tx, id, next, LATER));
    await expect(reserve(reservation(2))).rejects.toBeInstanceOf(LeaseLostError);
    expect((await highestVersions(db, indexId, ['snapshot'])).get('snapshot')).toBe(1);
  });

  it('is lost when nobody ever took it', async () => {
    await expect(requireLease(db, 999, 1)).rejects.toThrow(/nobody/);
  });
});

describe('targets', () => {
  it('are found by the first 24 bits of the sha256 of their path', async () => {
    // printf '%s' simple/foo/index.json | sha256sum
    expect(targetPathPrefix('simple/foo/index.json').toString(16)).toBe('418e27');
  });

  it('come by bin, each in one bin, in order of code points', async () => {
    const paths = ['z', 'a', 'packages/\u{10000}', 'packages/\uffff', 'packages/b'];
    const many = [...paths, ...Array.from({ length: 200 }, (_, number) => `packages/p${number}`)];
    await putTargets(
      db,
      indexId,
      many.map((path) => ({ path, length: 1, sha256: sha('d') })),
    );
    const seen: string[] = [];
    for (let bin = 0; bin < 16; bin += 1) {
      const first = bin * 2 ** 20;
      const rows = await targetsOfRange(db, indexId, first, first + 2 ** 20 - 1);
      for (const { path } of rows) expect(targetPathPrefix(path) >> 20).toBe(bin);
      seen.push(...rows.map(({ path }) => path));
    }
    expect(seen.toSorted()).toEqual(many.toSorted());
  });
});
