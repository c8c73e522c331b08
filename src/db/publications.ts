import { sql } from 'kysely';
import { chunked } from './chunked.ts';
import { forgetReplacedRoles } from './claims.ts';
import { DatabaseError } from './errors.ts';
import { takeJournal } from './journal.ts';
import { requireLease } from './leases.ts';
import type { Executor, PublicationRow, RoleVersionRow } from './schema.ts';
import { CLAIMED_PREFIX, targetPathPrefix } from './targets.ts';
import { enqueueDeliveries } from './webhooks.ts';

export interface ReservedRole {
  readonly role: string;
  readonly version: number;
  readonly sha256: string;
  readonly length: number;
  readonly expires: Date;
}

/**
 * `target` undefined: the target of that path goes. One that moves from a bin to the role of a claimed project goes there and comes here:
 * two changes of one path.
 */
export interface TargetChange {
  readonly path: string;
  readonly target: { readonly length: number; readonly sha256: string } | undefined;
  /** It is listed by the role of its project, not by a bin. */
  readonly isClaimed?: boolean;
}

export interface Reservation {
  readonly indexId: number;
  /** The epoch of the lease under which the versions were chosen. */
  readonly epoch: number;
  readonly snapshotVersion: number;
  readonly timestampVersion: number;
  readonly timestampSha256: string;
  /** Set when the publication was begun already and some of its roles are reserved. */
  readonly publicationId?: number | undefined;
  /** Every role that gets a new version and is not reserved yet, snapshot and timestamp included. */
  readonly roles: readonly ReservedRole[];
  readonly targetChanges: readonly TargetChange[];
  readonly journalIds: readonly number[];
  readonly now: Date;
}

/**
 * Reserves the versions of a publication; to be called in one write transaction, before any object is written. Returns the publication's id.
 * Throws LeaseLostError when the epoch is over, WRONG_STATE when another publication is still open or a change no longer waits;
 * fails on the primary key when one of the versions was reserved before (I2).
 */
export async function reservePublication(tx: Executor, reservation: Reservation): Promise<number> {
  const { indexId, epoch, journalIds } = reservation;
  await requireLease(tx, indexId, epoch);
  const id = reservation.publicationId ?? (await beginPublication(tx, indexId, epoch, reservation.now));
  await tx
    .updateTable('publications')
    .set({
      snapshot_version: reservation.snapshotVersion,
      timestamp_version: reservation.timestampVersion,
      timestamp_sha256: reservation.timestampSha256,
    })
    .where('id', '=', id)
    .where('state', '=', 'reserved')
    .executeTakeFirstOrThrow();
  await insertRoleVersions(tx, id, reservation);
  await insertTargetChanges(tx, id, reservation);
  const taken = await takeJournal(tx, id, journalIds);
  if (taken !== journalIds.length) {
    throw new DatabaseError(
      'WRONG_STATE',
      `Only ${taken} of ${journalIds.length} changes still wait; another publication took the others.`,
    );
  }
  return id;
}

/**
 * Opens a publication whose timestamp is not known yet; for those so large that their roles are reserved part by part. In one write
 * transaction. Throws LeaseLostError, WRONG_STATE when another publication is still open.
 */
export async function beginPublication(
  tx: Executor,
  indexId: number,
  epoch: number,
  now: Date,
): Promise<number> {
  await requireLease(tx, indexId, epoch);
  const open = await findReservedPublication(tx, indexId);
  if (open !== undefined) {
    throw new DatabaseError(
      'WRONG_STATE',
      `Publication ${open.id} is still open; finish or abandon it first.`,
    );
  }
  const { id } = await tx
    .insertInto('publications')
    .values({
      index_id: indexId,
      epoch,
      state: 'reserved',
      snapshot_version: 0,
      timestamp_version: 0,
      timestamp_sha256: '',
      created_at: now.toISOString(),
      finished_at: null,
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  return id;
}

/** Reserves further roles of an open publication. In one write transaction. Throws LeaseLostError; fails on the primary key as `reservePublication`. */
export async function reserveRoles(
  tx: Executor,
  publicationId: number,
  reservation: Pick<Reservation, 'indexId' | 'epoch' | 'roles'>,
): Promise<void> {
  await requireLease(tx, reservation.indexId, reservation.epoch);
  await insertRoleVersions(tx, publicationId, reservation);
}

/** The row that reserves a version of a role for a publication. */
export function roleVersionRow(
  indexId: number,
  publicationId: number,
  { role, version, sha256, length, expires }: ReservedRole,
): RoleVersionRow {
  return {
    index_id: indexId,
    role,
    version,
    sha256,
    length,
    expires_at: expires.toISOString(),
    publication_id: publicationId,
  };
}

async function insertRoleVersions(
  tx: Executor,
  id: number,
  { indexId, roles }: Pick<Reservation, 'indexId' | 'roles'>,
): Promise<void> {
  for (const part of chunked(roles)) {
    await tx
      .insertInto('role_versions')
      .values(part.map((role) => roleVersionRow(indexId, id, role)))
      .execute();
  }
}

async function insertTargetChanges(tx: Executor, id: number, reservation: Reservation): Promise<void> {
  for (const part of chunked(reservation.targetChanges)) {
    await tx
      .insertInto('target_changes')
      .values(
        part.map(({ path, target, isClaimed }) => ({
          publication_id: id,
          index_id: reservation.indexId,
          path,
          path_prefix: isClaimed === true ? CLAIMED_PREFIX : targetPathPrefix(path),
          length: target?.length ?? null,
          sha256: target?.sha256 ?? null,
        })),
      )
      .execute();
  }
}

/** The publication whose fate is open: at most one per index. At start it tells whether the last process died in the middle. */
export async function findReservedPublication(
  db: Executor,
  indexId: number,
): Promise<PublicationRow | undefined> {
  return db
    .selectFrom('publications')
    .selectAll()
    .where('index_id', '=', indexId)
    .where('state', '=', 'reserved')
    .executeTakeFirst();
}

/** The youngest publication that is public. */
export async function lastPublication(db: Executor, indexId: number): Promise<PublicationRow | undefined> {
  return db
    .selectFrom('publications')
    .selectAll()
    .where('index_id', '=', indexId)
    .where('state', '=', 'published')
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst();
}

export async function findPublication(db: Executor, id: number): Promise<PublicationRow | undefined> {
  return db.selectFrom('publications').selectAll().where('id', '=', id).executeTakeFirst();
}

/** The serials of the changes that a publication carries, ascending. */
export async function journalIdsOf(db: Executor, publicationId: number): Promise<readonly number[]> {
  const rows = await db
    .selectFrom('journal')
    .select('id')
    .where('publication_id', '=', publicationId)
    .orderBy('id')
    .execute();
  return rows.map(({ id }) => id);
}

/** The projects that a publication changes, ascending: their plain-named pages must be written again when it is finished. */
export async function projectIdsOf(db: Executor, publicationId: number): Promise<readonly number[]> {
  const rows = await db
    .selectFrom('journal')
    .select('project_id')
    .distinct()
    .where('publication_id', '=', publicationId)
    .where('project_id', 'is not', null)
    .orderBy('project_id')
    .execute();
  return rows.flatMap(({ project_id }) => (project_id === null ? [] : [project_id]));
}

/** What a reserved publication does to the targets, by path. */
export async function targetChangesOf(db: Executor, publicationId: number): Promise<readonly TargetChange[]> {
  const rows = await db
    .selectFrom('target_changes')
    .select(['path', 'path_prefix', 'length', 'sha256'])
    .where('publication_id', '=', publicationId)
    .orderBy('path')
    .execute();
  return rows.map(({ path, path_prefix, length, sha256 }) => ({
    path,
    target: length === null || sha256 === null ? undefined : { length, sha256 },
    ...(path_prefix === CLAIMED_PREFIX ? { isClaimed: true } : {}),
  }));
}

/** Its timestamp is public: moves targets and roles to what was reserved. In one write transaction; conditional on the epoch of the caller. */
export async function finishPublication(
  tx: Executor,
  publicationId: number,
  epoch: number,
  now: Date,
): Promise<PublicationRow> {
  const publication = await close(tx, publicationId, epoch, 'published', now);
  await sql`
    insert into retired_targets (index_id, publication_id, path, sha256)
    select target_changes.index_id, publication_id, target_changes.path, targets.sha256 from target_changes
    inner join targets on targets.index_id = target_changes.index_id
      and targets.path_prefix = target_changes.path_prefix and targets.path = target_changes.path
    where publication_id = ${publicationId}
      and (target_changes.sha256 is null or target_changes.sha256 <> targets.sha256)`.execute(tx);
  await sql`
    insert into targets (index_id, path, path_prefix, length, sha256)
    select index_id, path, path_prefix, length, sha256 from target_changes
    where publication_id = ${publicationId} and sha256 is not null
    on conflict (index_id, path_prefix, path) do update set length = excluded.length, sha256 = excluded.sha256`.execute(
    tx,
  );
  await sql`
    delete from targets where (index_id, path_prefix, path) in (
      select index_id, path_prefix, path from target_changes
      where publication_id = ${publicationId} and sha256 is null)`.execute(tx);
  await sql`
    insert into roles (index_id, role, version, sha256, length, signed_at, expires_at)
    select index_id, role, version, sha256, length, ${publication.created_at}, expires_at from role_versions
    where publication_id = ${publicationId}
    on conflict (index_id, role) do update set version = excluded.version, sha256 = excluded.sha256,
      length = excluded.length, signed_at = excluded.signed_at, expires_at = excluded.expires_at`.execute(tx);
  await sql`
    update projects set last_serial = (
      select max(id) from journal where publication_id = ${publicationId} and project_id = projects.id)
    where id in (select project_id from journal where publication_id = ${publicationId})`.execute(tx);
  await forgetReplacedRoles(tx, publicationId);
  await enqueueDeliveries(tx, publicationId, now);
  await tx.deleteFrom('target_changes').where('publication_id', '=', publicationId).execute();
  return publication;
}

/** Its timestamp never became public: its changes wait again, its versions are never used again. In one write transaction. */
export async function abandonPublication(
  tx: Executor,
  publicationId: number,
  epoch: number,
  now: Date,
): Promise<void> {
  await close(tx, publicationId, epoch, 'abandoned', now);
  await tx
    .updateTable('journal')
    .set({ publication_id: null })
    .where('publication_id', '=', publicationId)
    .execute();
  // Their objects may be in the store already.
  await sql`
    insert into retired_targets (index_id, publication_id, path, sha256)
    select index_id, publication_id, path, sha256 from target_changes
    where publication_id = ${publicationId} and sha256 is not null`.execute(tx);
  await tx.deleteFrom('target_changes').where('publication_id', '=', publicationId).execute();
}

async function close(
  tx: Executor,
  publicationId: number,
  epoch: number,
  state: 'published' | 'abandoned',
  now: Date,
): Promise<PublicationRow> {
  const publication = await tx
    .updateTable('publications')
    .set({ state, finished_at: now.toISOString() })
    .where('id', '=', publicationId)
    .where('state', '=', 'reserved')
    .returningAll()
    .executeTakeFirst();
  if (publication === undefined) {
    throw new DatabaseError('WRONG_STATE', `Publication ${publicationId} is not open.`);
  }
  await requireLease(tx, publication.index_id, epoch);
  return publication;
}

/** Gives changes that changed nothing which is signed to the last publication: they are public already. In one write transaction. */
export async function settleJournal(
  tx: Executor,
  indexId: number,
  epoch: number,
  journalIds: readonly number[],
): Promise<void> {
  await requireLease(tx, indexId, epoch);
  const last = await lastPublication(tx, indexId);
  if (last === undefined) {
    throw new DatabaseError('WRONG_STATE', `Index ${indexId} has no publication yet.`);
  }
  await takeJournal(tx, last.id, journalIds);
}
