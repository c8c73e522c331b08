import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  deleteClaim,
  findClaim,
  findClaims,
  latestSignedRoles,
  listClaims,
  putClaim,
  putSignedRoles,
  setClaimOwners,
  setStaging,
} from './claims.ts';
import { insertIndex } from './indexes.ts';
import { appendJournal } from './journal.ts';
import { acquireLease } from './leases.ts';
import { openDatabase, type Database } from './open.ts';
import { ensureProject } from './projects.ts';
import { finishPublication, reservePublication, targetChangesOf } from './publications.ts';
import type { ClaimState, Executor } from './schema.ts';
import { isUniqueViolation } from './sqlite-error.ts';
import { claimedTargetsUnder, findTarget, findTargets, putTargets } from './targets.ts';
import { writeTransaction } from './transactions.ts';

const NOW = new Date('2026-11-22T12:00:00Z');
const EXPIRES = new Date('2027-11-22T12:00:00Z');
const sha = (letter: string): string => letter.repeat(64);

let folder: string;
let database: Database;
let db: Executor;
let indexId: number;
let foo: number;
let bar: number;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rind-db-'));
  database = await openDatabase({ path: join(folder, 'rind.db') });
  ({ db } = database);
  indexId = (await insertIndex(db, { name: '', profile: 'team', now: NOW })).id;
  foo = (await ensureProject(db, { indexId, name: 'foo', displayName: 'Foo', now: NOW })).id;
  bar = (await ensureProject(db, { indexId, name: 'bar', displayName: 'bar', now: NOW })).id;
});

afterEach(async () => {
  await database.close();
  await rm(folder, { recursive: true });
});

const claim = (projectId: number, state: ClaimState = 'recently-claimed', owners = '{"a":1}') =>
  putClaim(db, {
    project_id: projectId,
    index_id: indexId,
    state,
    owners,
    wished_owners: owners,
    claimed_at: NOW.toISOString(),
    moved_at: null,
  });

const signed = (version: number, text = `version ${version}`, role = 'project-foo') => ({
  role,
  version,
  expires: EXPIRES,
  bytes: new TextEncoder().encode(text),
});

describe('claims', () => {
  it('keeps one claim for each project, with staging whatever else changes', async () => {
    await claim(foo);
    await setStaging(db, foo, true);
    await claim(foo, 'claimed', '{"b":2}');
    await setClaimOwners(db, foo, { wishedOwners: '{"c":3}' });
    expect(await findClaim(db, foo)).toMatchObject({
      state: 'claimed',
      owners: '{"b":2}',
      wished_owners: '{"c":3}',
      staging: 1,
    });
    await claim(bar);
    expect((await listClaims(db, indexId)).map(({ project }) => project)).toEqual(['bar', 'foo']);
    expect((await listClaims(db, indexId, 'claimed')).map(({ project }) => project)).toEqual(['foo']);
    await deleteClaim(db, foo);
    expect([...(await findClaims(db, [foo, bar])).keys()]).toEqual([bar]);
  });
});

describe('signed roles', () => {
  it('gives the newest version of each role and refuses a second one with the same number', async () => {
    const journalId = await appendJournal(db, {
      indexId,
      projectId: foo,
      kind: 'claim',
      detail: {},
      now: NOW,
    });
    const place = { indexId, projectId: foo, journalId };
    await putSignedRoles(db, place, [signed(9), signed(10), signed(1, 'r', 'project-foo.release')]);
    const latest = await latestSignedRoles(db, [foo, bar]);
    expect(latest.map(({ role, version }) => [role, version])).toEqual([
      ['project-foo', 10],
      ['project-foo.release', 1],
    ]);
    expect(Buffer.from(latest[0]?.bytes ?? []).toString()).toBe('version 10');
    const again = putSignedRoles(db, place, [signed(10, 'other bytes')]);
    await expect(again).rejects.toSatisfy(isUniqueViolation);
  });

  it('drops what a public version replaced, and keeps what is newer', async () => {
    const epoch = await acquireLease(db, indexId, 'test', NOW);
    await putSignedRoles(db, { indexId, projectId: foo, journalId: null }, [signed(1), signed(2), signed(3)]);
    await writeTransaction(db, async (tx) => {
      const id = await reservePublication(tx, {
        indexId,
        epoch,
        snapshotVersion: 1,
        timestampVersion: 1,
        timestampSha256: sha('a'),
        roles: [{ role: 'project-foo', version: 2, sha256: sha('b'), length: 9, expires: EXPIRES }],
        targetChanges: [],
        journalIds: [],
        now: NOW,
      });
      await finishPublication(tx, id, epoch, NOW);
    });
    const left = await db.selectFrom('signed_roles').select('version').orderBy('version').execute();
    expect(left).toEqual([{ version: 2 }, { version: 3 }]);
  });
});

describe('targets of claimed projects', () => {
  const path = 'packages/foo/foo-1.whl';
  const target = { length: 3, sha256: sha('a') };

  it('move from their bin and back in one publication each, and are found in either place', async () => {
    const epoch = await acquireLease(db, indexId, 'test', NOW);
    await putTargets(db, indexId, [{ path, ...target }]);
    const move = async (version: number, isClaimed: boolean) => {
      const targetChanges = [
        { path, target: undefined, ...(isClaimed ? {} : { isClaimed: true }) },
        { path, target, ...(isClaimed ? { isClaimed: true } : {}) },
      ];
      await writeTransaction(db, async (tx) => {
        const id = await reservePublication(tx, {
          indexId,
          epoch,
          snapshotVersion: version,
          timestampVersion: version,
          timestampSha256: sha('a'),
          roles: [],
          targetChanges,
          journalIds: [],
          now: NOW,
        });
        expect(await targetChangesOf(tx, id)).toEqual(expect.arrayContaining(targetChanges));
        await finishPublication(tx, id, epoch, NOW);
      });
    };
    await move(1, true);
    expect(await findTargets(db, indexId, [path])).toEqual(
      new Map([[path, { path, ...target, isClaimed: true }]]),
    );
    expect(await findTarget(db, indexId, path)).toMatchObject({ path_prefix: -1, sha256: sha('a') });
    expect(await claimedTargetsUnder(db, indexId, 'packages/foo/')).toEqual([{ path, ...target }]);
    expect(await claimedTargetsUnder(db, indexId, 'packages/fo/')).toEqual([]);
    await move(2, false);
    expect((await findTargets(db, indexId, [path])).get(path)?.isClaimed).toBe(false);
    expect(await db.selectFrom('targets').selectAll().execute()).toHaveLength(1);
  });
});
