import { createHash } from 'node:crypto';
import { sql } from 'kysely';
import { chunked } from './chunked.ts';
import type { ClaimRow, ClaimState, Executor, NewClaim, SignedRoleRow } from './schema.ts';

/** Metadata that a developer signed, checked. */
export interface NewSignedRole {
  readonly role: string;
  readonly version: number;
  readonly expires: Date;
  readonly bytes: Uint8Array;
}

export async function findClaim(db: Executor, projectId: number): Promise<ClaimRow | undefined> {
  return db.selectFrom('claims').selectAll().where('project_id', '=', projectId).executeTakeFirst();
}

/** Of those of the projects that are claimed, by project. */
export async function findClaims(
  db: Executor,
  projectIds: readonly number[],
): Promise<ReadonlyMap<number, ClaimRow>> {
  const found = new Map<number, ClaimRow>();
  for (const ids of chunked(projectIds)) {
    const rows = await db.selectFrom('claims').selectAll().where('project_id', 'in', ids).execute();
    for (const row of rows) found.set(row.project_id, row);
  }
  return found;
}

/** A claim and the normalized name of its project. */
export type NamedClaim = ClaimRow & { readonly project: string };

/** Every claimed project of an index, by name ascending. */
export async function listClaims(
  db: Executor,
  indexId: number,
  state?: ClaimState,
): Promise<readonly NamedClaim[]> {
  return db
    .selectFrom('claims')
    .innerJoin('projects', 'projects.id', 'claims.project_id')
    .selectAll('claims')
    .select('projects.name as project')
    .where('claims.index_id', '=', indexId)
    .$if(state !== undefined, (query) => query.where('claims.state', '=', state ?? 'claimed'))
    .orderBy('projects.name')
    .execute();
}

/** Makes the claim of a project, or replaces it. Call it in the transaction that appends the project's journal row. */
export async function putClaim(tx: Executor, claim: NewClaim): Promise<void> {
  const { state, owners, wished_owners, claimed_at, moved_at } = claim;
  await tx
    .insertInto('claims')
    .values(claim)
    .onConflict((conflict) =>
      conflict.column('project_id').doUpdateSet({ state, owners, wished_owners, claimed_at, moved_at }),
    )
    .execute();
}

/** Other owners of a claimed project, JSON texts. Call it in the transaction that appends the project's journal row. */
export async function setClaimOwners(
  tx: Executor,
  projectId: number,
  owners: { readonly owners?: string; readonly wishedOwners: string },
): Promise<void> {
  await tx
    .updateTable('claims')
    .set({
      wished_owners: owners.wishedOwners,
      ...(owners.owners === undefined ? {} : { owners: owners.owners }),
    })
    .where('project_id', '=', projectId)
    .execute();
}

/** Whether uploads by the legacy API are kept for the owners of a claimed project to sign. */
export async function setStaging(tx: Executor, projectId: number, isOn: boolean): Promise<void> {
  await tx
    .updateTable('claims')
    .set({ staging: isOn ? 1 : 0 })
    .where('project_id', '=', projectId)
    .execute();
}

/** The project is claimed no more: with its next publication its targets go back to the bins. Append its journal row in the same transaction. */
export async function deleteClaim(tx: Executor, projectId: number): Promise<void> {
  await tx.deleteFrom('claims').where('project_id', '=', projectId).execute();
}

/**
 * The rows follow the list that the administrators signed and that is public now. `claimed`: owners as JSON text by project. What it delegates
 * is 'claimed' with these owners; what it delegates no more is claimed no more. Returns the projects whose rows changed.
 */
export async function followClaimed(
  tx: Executor,
  indexId: number,
  claimed: ReadonlyMap<string, string>,
  now: Date,
): Promise<readonly string[]> {
  const changed: string[] = [];
  for (const { project, project_id, state, owners, moved_at } of await listClaims(tx, indexId)) {
    const listed = claimed.get(project);
    if (listed === undefined ? state !== 'claimed' : state === 'claimed' && owners === listed) continue;
    changed.push(project);
    if (listed === undefined) await deleteClaim(tx, project_id);
    else {
      await tx
        .updateTable('claims')
        .set({ state: 'claimed', owners: listed, moved_at: moved_at ?? now.toISOString() })
        .where('project_id', '=', project_id)
        .execute();
    }
  }
  return changed;
}

/** Keeps metadata that becomes public with the journal row of its project; in that row's transaction. Fails on the unique key for a version that there is. */
export async function putSignedRoles(
  tx: Executor,
  place: { readonly indexId: number; readonly projectId: number; readonly journalId: number | null },
  roles: readonly NewSignedRole[],
): Promise<void> {
  for (const { role, version, expires, bytes } of roles) {
    await tx
      .insertInto('signed_roles')
      .values({
        index_id: place.indexId,
        project_id: place.projectId,
        role,
        version,
        sha256: createHash('sha256').update(bytes).digest('hex'),
        length: bytes.length,
        expires_at: expires.toISOString(),
        journal_id: place.journalId,
        bytes,
      })
      .execute();
  }
}

/** The newest version of each role of the projects, public or on its way: what the next transaction builds on. */
export async function latestSignedRoles(
  db: Executor,
  projectIds: readonly number[],
): Promise<readonly SignedRoleRow[]> {
  const found: SignedRoleRow[] = [];
  for (const ids of chunked(projectIds)) {
    const { rows } = await sql<SignedRoleRow>`
      select * from signed_roles as this where project_id in (${sql.join(ids)}) and not exists (
        select 1 from signed_roles as newer where newer.project_id = this.project_id
          and newer.role = this.role and newer.version > this.version)
      order by project_id, role`.execute(db);
    for (const row of rows) found.push(row);
  }
  return found;
}

/** The bytes of a version that a developer signed, while they are kept. */
export async function findSignedRole(
  db: Executor,
  indexId: number,
  role: string,
  version: number,
): Promise<Uint8Array | undefined> {
  const row = await db
    .selectFrom('signed_roles')
    .select('bytes')
    .where('index_id', '=', indexId)
    .where('role', '=', role)
    .where('version', '=', version)
    .executeTakeFirst();
  return row?.bytes;
}

/** Takes away every claim of an index and what was signed for it: for a database that is built anew from the published tree. */
export async function forgetClaims(tx: Executor, indexId: number): Promise<void> {
  await tx.deleteFrom('signed_roles').where('index_id', '=', indexId).execute();
  await tx.deleteFrom('claims').where('index_id', '=', indexId).execute();
}

/** Drops the versions that a public one has replaced; their objects stay until they are collected. */
export async function forgetReplacedRoles(tx: Executor, publicationId: number): Promise<void> {
  // Between 'project-' and 'project.' are all roles of projects and no bin.
  await sql`
    delete from signed_roles where id in (
      select old.id from role_versions as listed inner join signed_roles as old
        on old.index_id = listed.index_id and old.role = listed.role and old.version < listed.version
      where listed.publication_id = ${publicationId}
        and listed.role > 'project-' and listed.role < 'project.')`.execute(tx);
}

/** How many projects of an index wait for the administrators: recently claimed before a date, or with owners who want another delegation. */
export async function countWaitingClaims(
  db: Executor,
  indexId: number,
  claimedBefore: Date,
): Promise<number> {
  const { count } = await db
    .selectFrom('claims')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .where('index_id', '=', indexId)
    .where((eb) =>
      eb.or([
        eb('owners', '<>', eb.ref('wished_owners')),
        eb.and([eb('state', '=', 'recently-claimed'), eb('claimed_at', '<=', claimedBefore.toISOString())]),
      ]),
    )
    .executeTakeFirstOrThrow();
  return Number(count);
}

/** A claimed project and when the first of its roles ends. */
export interface EndingClaim {
  readonly project: string;
  readonly expires: Date;
}

/** Claimed projects whose owners must sign anew before a date, the first to end first; at most `limit`. */
export async function endingClaims(
  db: Executor,
  indexId: number,
  before: Date,
  limit: number,
): Promise<readonly EndingClaim[]> {
  const { rows } = await sql<{ project: string; expires_at: string }>`
    select projects.name as project, min(this.expires_at) as expires_at
      from signed_roles as this
      inner join claims on claims.project_id = this.project_id
      inner join projects on projects.id = this.project_id
      where this.index_id = ${indexId} and this.expires_at <= ${before.toISOString()} and not exists (
        select 1 from signed_roles as newer where newer.project_id = this.project_id
          and newer.role = this.role and newer.version > this.version)
      group by projects.name order by expires_at, projects.name limit ${limit}`.execute(db);
  return rows.map(({ project, expires_at }) => ({ project, expires: new Date(expires_at) }));
}
