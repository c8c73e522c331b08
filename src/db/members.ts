import type { Executor, IndexRole, ProjectRole } from './schema.ts';

/** What the user is in an index; undefined: nothing beyond her projects. */
export async function indexRole(
  db: Executor,
  indexId: number,
  userId: number,
): Promise<IndexRole | undefined> {
  const row = await db
    .selectFrom('index_members')
    .select('role')
    .where('index_id', '=', indexId)
    .where('user_id', '=', userId)
    .executeTakeFirst();
  return row?.role;
}

export async function setIndexRole(
  db: Executor,
  member: { readonly indexId: number; readonly userId: number; readonly role: IndexRole; readonly now: Date },
): Promise<void> {
  const granted_at = member.now.toISOString();
  await db
    .insertInto('index_members')
    .values({ index_id: member.indexId, user_id: member.userId, role: member.role, granted_at })
    .onConflict((conflict) =>
      conflict.columns(['index_id', 'user_id']).doUpdateSet({ role: member.role, granted_at }),
    )
    .execute();
}

/** True when there was something to take. */
export async function removeIndexRole(db: Executor, indexId: number, userId: number): Promise<boolean> {
  const result = await db
    .deleteFrom('index_members')
    .where('index_id', '=', indexId)
    .where('user_id', '=', userId)
    .executeTakeFirst();
  return result.numDeletedRows > 0n;
}

/** What the user is in a project. */
export async function projectRole(
  db: Executor,
  projectId: number,
  userId: number,
): Promise<ProjectRole | undefined> {
  const row = await db
    .selectFrom('project_roles')
    .select('role')
    .where('project_id', '=', projectId)
    .where('user_id', '=', userId)
    .executeTakeFirst();
  return row?.role;
}

/** Whether the user has a role in any project of an index that is not deleted: whoever works on one may read the index. */
export async function hasProjectRole(db: Executor, indexId: number, userId: number): Promise<boolean> {
  const row = await db
    .selectFrom('project_roles')
    .innerJoin('projects', 'projects.id', 'project_roles.project_id')
    .select('project_roles.project_id')
    .where('project_roles.user_id', '=', userId)
    .where('projects.index_id', '=', indexId)
    .where('projects.removed_at', 'is', null)
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

export async function setProjectRole(
  db: Executor,
  grant: {
    readonly projectId: number;
    readonly userId: number;
    readonly role: ProjectRole;
    readonly now: Date;
  },
): Promise<void> {
  const granted_at = grant.now.toISOString();
  await db
    .insertInto('project_roles')
    .values({ project_id: grant.projectId, user_id: grant.userId, role: grant.role, granted_at })
    .onConflict((conflict) =>
      conflict.columns(['project_id', 'user_id']).doUpdateSet({ role: grant.role, granted_at }),
    )
    .execute();
}

/** True when there was something to take. */
export async function removeProjectRole(db: Executor, projectId: number, userId: number): Promise<boolean> {
  const result = await db
    .deleteFrom('project_roles')
    .where('project_id', '=', projectId)
    .where('user_id', '=', userId)
    .executeTakeFirst();
  return result.numDeletedRows > 0n;
}

export interface ProjectRoleEntry {
  readonly userId: number;
  readonly user: string;
  readonly role: ProjectRole;
  readonly grantedAt: string;
}

/** Everybody with a role in the project, owners first. */
export async function listProjectRoles(
  db: Executor,
  projectId: number,
): Promise<readonly ProjectRoleEntry[]> {
  return db
    .selectFrom('project_roles')
    .innerJoin('users', 'users.id', 'project_roles.user_id')
    .select([
      'project_roles.user_id as userId',
      'users.name as user',
      'project_roles.role',
      'project_roles.granted_at as grantedAt',
    ])
    .where('project_roles.project_id', '=', projectId)
    .orderBy('project_roles.role', 'desc')
    .orderBy('users.name')
    .execute();
}

/** Takes every role of a user, in projects and indexes. */
export async function removeAllRoles(db: Executor, userId: number): Promise<void> {
  await db.deleteFrom('project_roles').where('user_id', '=', userId).execute();
  await db.deleteFrom('index_members').where('user_id', '=', userId).execute();
}
