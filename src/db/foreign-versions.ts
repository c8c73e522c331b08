import { sql } from 'kysely';
import { chunked } from './chunked.ts';
import {
  abandonPublication,
  findReservedPublication,
  roleVersionRow,
  type ReservedRole,
} from './publications.ts';
import type { Executor } from './schema.ts';
import type { TargetEntry } from './targets.ts';

/**
 * Reserves versions that somebody else published, or may have: this database never uses them, the next ones are higher (I2). In one write
 * transaction. Versions that are reserved already stay as they are.
 */
export async function reserveForeignVersions(
  tx: Executor,
  indexId: number,
  roles: readonly ReservedRole[],
  now: Date,
): Promise<void> {
  if (roles.length === 0) return;
  const id = await insertPublication(tx, indexId, 'abandoned', undefined, now);
  await insertVersions(tx, indexId, id, roles);
}

/**
 * Ends the publication that was open when this database was copied: what the published tree has of it is adopted afterwards, the rest never
 * became public. `epoch`: of the caller's lease. In one write transaction.
 */
export async function abandonOpenPublication(
  tx: Executor,
  indexId: number,
  epoch: number,
  now: Date,
): Promise<void> {
  const open = await findReservedPublication(tx, indexId);
  if (open !== undefined) await abandonPublication(tx, open.id, epoch, now);
}

/** What is public already, of which this database knows nothing yet, or less: for a database that is built from the published tree. */
export async function adoptPublication(
  tx: Executor,
  indexId: number,
  publication: {
    readonly roles: readonly ReservedRole[];
    readonly snapshotVersion: number;
    readonly timestampVersion: number;
    readonly timestampSha256: string;
  },
  now: Date,
): Promise<number> {
  const id = await insertPublication(tx, indexId, 'published', publication, now);
  await insertVersions(tx, indexId, id, publication.roles);
  await adoptAbandonedVersions(tx, indexId, id, publication.roles);
  // Signed at an unknown time: as if long ago, so that all of it is renewed at once.
  for (const part of chunked(publication.roles)) {
    const values = part.map(({ role, version }) => sql`(${role}, ${version})`);
    await sql`
    insert into roles (index_id, role, version, sha256, length, signed_at, expires_at)
    select index_id, role, version, sha256, length, ${new Date(0).toISOString()}, expires_at from role_versions
    where index_id = ${indexId} and (role, version) in (values ${sql.join(values)})
    on conflict (index_id, role) do update set version = excluded.version, sha256 = excluded.sha256,
      length = excluded.length, signed_at = excluded.signed_at, expires_at = excluded.expires_at`.execute(tx);
  }
  return id;
}

async function insertPublication(
  tx: Executor,
  indexId: number,
  state: 'published' | 'abandoned',
  versions:
    | {
        readonly snapshotVersion: number;
        readonly timestampVersion: number;
        readonly timestampSha256: string;
      }
    | undefined,
  now: Date,
): Promise<number> {
  const { id } = await tx
    .insertInto('publications')
    .values({
      index_id: indexId,
      epoch: 0,
      state,
      snapshot_version: versions?.snapshotVersion ?? 0,
      timestamp_version: versions?.timestampVersion ?? 0,
      timestamp_sha256: versions?.timestampSha256 ?? '',
      created_at: now.toISOString(),
      finished_at: now.toISOString(),
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  return id;
}

async function insertVersions(
  tx: Executor,
  indexId: number,
  publicationId: number,
  roles: readonly ReservedRole[],
): Promise<void> {
  for (const part of chunked(roles)) {
    await tx
      .insertInto('role_versions')
      .values(part.map((role) => roleVersionRow(indexId, publicationId, role)))
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }
}

/** Versions that an abandoned publication had reserved and that are public nevertheless belong to the one that made them so: clean-up goes by it. */
async function adoptAbandonedVersions(
  tx: Executor,
  indexId: number,
  publicationId: number,
  roles: readonly ReservedRole[],
): Promise<void> {
  for (const part of chunked(roles)) {
    const values = part.map(({ role, version, sha256 }) => sql`(${role}, ${version}, ${sha256})`);
    await sql`
      update role_versions set publication_id = ${publicationId}
      where index_id = ${indexId} and (role, version, sha256) in (values ${sql.join(values)})
        and publication_id in (select id from publications where index_id = ${indexId} and state = 'abandoned')`.execute(
      tx,
    );
  }
}

/** Takes targets out without a publication: for recovery, which signs every bin anew after it. */
export async function dropTargets(
  tx: Executor,
  indexId: number,
  targets: readonly Pick<TargetEntry, 'path'>[],
): Promise<void> {
  for (const part of chunked(targets)) {
    await tx
      .deleteFrom('targets')
      .where('index_id', '=', indexId)
      .where(
        'path',
        'in',
        part.map(({ path }) => path),
      )
      .execute();
  }
}

/** Forgets all targets of an index: for a database that is built anew from the published tree. */
export async function forgetTargets(tx: Executor, indexId: number): Promise<void> {
  await tx.deleteFrom('targets').where('index_id', '=', indexId).execute();
}

/** Every project of the index counts as published up to its youngest change: after a rebuild. */
export async function settleSerials(tx: Executor, indexId: number, publicationId: number): Promise<void> {
  await sql`
    update journal set publication_id = ${publicationId}
    where index_id = ${indexId} and publication_id is null`.execute(tx);
  await sql`
    update projects set last_serial = coalesce(
      (select max(id) from journal where journal.project_id = projects.id), last_serial)
    where index_id = ${indexId}`.execute(tx);
}

/** The timestamp in the store counts as the last one published: for recovery from somebody else's. In one write transaction. */
export async function acknowledgeTimestamp(
  tx: Executor,
  indexId: number,
  timestampSha256: string,
  now: Date,
): Promise<void> {
  const versions = { snapshotVersion: 0, timestampVersion: 0, timestampSha256 };
  await insertPublication(tx, indexId, 'published', versions, now);
}
