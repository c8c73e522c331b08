import { sql } from 'kysely';
import { chunked } from './chunked.ts';
import type { Executor, RoleRow, RoleVersionRow } from './schema.ts';

/** Every role that is public now, by name. */
export async function currentRoles(db: Executor, indexId: number): Promise<readonly RoleRow[]> {
  return db.selectFrom('roles').selectAll().where('index_id', '=', indexId).orderBy('role').execute();
}

export async function findRole(db: Executor, indexId: number, role: string): Promise<RoleRow | undefined> {
  return db
    .selectFrom('roles')
    .selectAll()
    .where('index_id', '=', indexId)
    .where('role', '=', role)
    .executeTakeFirst();
}

/** The public roles signed at or before `signedBefore`, the oldest first: what is due for renewal. */
export async function rolesSignedBefore(
  db: Executor,
  indexId: number,
  signedBefore: Date,
): Promise<readonly RoleRow[]> {
  return db
    .selectFrom('roles')
    .selectAll()
    .where('index_id', '=', indexId)
    .where('signed_at', '<=', signedBefore.toISOString())
    .orderBy('signed_at')
    .orderBy('role')
    .execute();
}

/** The highest version ever reserved for each of the roles, published or not; roles never reserved are absent. The next version is one more. */
export async function highestVersions(
  db: Executor,
  indexId: number,
  roles: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const highest = new Map<string, number>();
  for (const names of chunked(roles)) {
    // One index seek per role; GROUP BY would read every version there ever was.
    const { rows } = await sql<{ role: string; version: number | null }>`
      with names(role) as (values ${sql.join(names.map((name) => sql`(${name})`))})
      select names.role as role, (
        select max(version) from role_versions
        where role_versions.index_id = ${indexId} and role_versions.role = names.role
      ) as version from names`.execute(db);
    for (const { role, version } of rows) if (version !== null) highest.set(role, version);
  }
  return highest;
}

export async function findRoleVersion(
  db: Executor,
  indexId: number,
  role: string,
  version: number,
): Promise<RoleVersionRow | undefined> {
  return db
    .selectFrom('role_versions')
    .selectAll()
    .where('index_id', '=', indexId)
    .where('role', '=', role)
    .where('version', '=', version)
    .executeTakeFirst();
}

/** What a publication reserved, by role. */
export async function reservedRoleVersions(
  db: Executor,
  publicationId: number,
): Promise<readonly RoleVersionRow[]> {
  return db
    .selectFrom('role_versions')
    .selectAll()
    .where('publication_id', '=', publicationId)
    .orderBy('role')
    .orderBy('version')
    .execute();
}

/**
 * Forgets reservations of abandoned publications for exactly these bytes, so that the next attempt can reserve them again: for roles that
 * are signed elsewhere (root) and published as they are. A version never gets other bytes by it. Call it in the reserving transaction.
 */
export async function releaseAbandonedVersions(
  tx: Executor,
  indexId: number,
  roles: readonly { readonly role: string; readonly version: number; readonly sha256: string }[],
): Promise<void> {
  for (const { role, version, sha256 } of roles) {
    await tx
      .deleteFrom('role_versions')
      .where('index_id', '=', indexId)
      .where('role', '=', role)
      .where('version', '=', version)
      .where('sha256', '=', sha256)
      .where('publication_id', 'in', (query) =>
        query.selectFrom('publications').select('id').where('state', '=', 'abandoned'),
      )
      .execute();
  }
}

/** Forgets that roles are public; what was reserved for them stays. */
export async function forgetRoles(tx: Executor, indexId: number, roles: readonly string[]): Promise<void> {
  for (const names of chunked(roles)) {
    await tx.deleteFrom('roles').where('index_id', '=', indexId).where('role', 'in', names).execute();
  }
}
