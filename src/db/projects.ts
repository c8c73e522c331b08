import { lookAlikeKey, looksAlike } from '../pypi/project-name.ts';
import type { Executor, ProjectRow, ReleaseRow } from './schema.ts';

export interface NewProject {
  readonly indexId: number;
  /** Normalized. */
  readonly name: string;
  readonly displayName: string;
  readonly now: Date;
}

/** The project, made when it is not there. Call it inside a write transaction. */
export async function ensureProject(db: Executor, project: NewProject): Promise<ProjectRow> {
  await db
    .insertInto('projects')
    .values({
      index_id: project.indexId,
      name: project.name,
      display_name: project.displayName,
      look_alike: lookAlikeKey(project.name),
      status_reason: null,
      created_at: project.now.toISOString(),
    })
    .onConflict((conflict) => conflict.columns(['index_id', 'name']).doNothing())
    .execute();
  return db
    .selectFrom('projects')
    .selectAll()
    .where('index_id', '=', project.indexId)
    .where('name', '=', project.name)
    .executeTakeFirstOrThrow();
}

export async function findProject(
  db: Executor,
  indexId: number,
  name: string,
): Promise<ProjectRow | undefined> {
  return db
    .selectFrom('projects')
    .selectAll()
    .where('index_id', '=', indexId)
    .where('name', '=', name)
    .executeTakeFirst();
}

/** PEP 792 status marker of a project. */
export async function setProjectStatus(
  db: Executor,
  projectId: number,
  status: string,
  reason: string | undefined,
): Promise<void> {
  await db
    .updateTable('projects')
    .set({ status, status_reason: reason ?? null })
    .where('id', '=', projectId)
    .execute();
}

/** The first other project of the index, present or deleted, whose name looks like this one. */
export async function findLookAlike(
  db: Executor,
  indexId: number,
  name: string,
): Promise<Pick<ProjectRow, 'name'> | undefined> {
  const candidates = await db
    .selectFrom('projects')
    .select('name')
    .where('index_id', '=', indexId)
    .where('look_alike', '=', lookAlikeKey(name))
    .where('name', '!=', name)
    .orderBy('id')
    .limit(MOST_CANDIDATES)
    .execute();
  return candidates.find((other) => looksAlike(other.name, name));
}

const MOST_CANDIDATES = 1000;

/** Marks a project as deleted, or (undefined) as being there again. Its files are marked on their own. */
export async function setProjectRemoved(
  db: Executor,
  projectId: number,
  removed: Date | undefined,
): Promise<void> {
  await db
    .updateTable('projects')
    .set({ removed_at: removed?.toISOString() ?? null })
    .where('id', '=', projectId)
    .execute();
}

/** The limits of a project as JSON text; null: those of the index. */
export async function setProjectLimits(
  db: Executor,
  projectId: number,
  limits: string | null,
): Promise<void> {
  await db.updateTable('projects').set({ limits }).where('id', '=', projectId).execute();
}

export type ListedProject = Pick<ProjectRow, 'id' | 'name' | 'display_name' | 'last_serial'>;

/** Every project with something published, by name ascending: the `/simple/` list. */
export async function listProjects(db: Executor, indexId: number): Promise<readonly ListedProject[]> {
  return db
    .selectFrom('projects')
    .select(['id', 'name', 'display_name', 'last_serial'])
    .where('index_id', '=', indexId)
    .where('last_serial', '>', 0)
    .where('removed_at', 'is', null)
    .orderBy('name')
    .execute();
}

export interface NewRelease {
  readonly indexId: number;
  readonly projectId: number;
  /** Canonical. */
  readonly version: string;
  /** JSON text. */
  readonly coreMetadata: string;
  readonly now: Date;
}

/** The release, made when it is not there; the metadata of an existing one stays. Call it inside a write transaction. */
export async function ensureRelease(db: Executor, release: NewRelease): Promise<ReleaseRow> {
  await db
    .insertInto('releases')
    .values({
      index_id: release.indexId,
      project_id: release.projectId,
      version: release.version,
      core_metadata: release.coreMetadata,
      created_at: release.now.toISOString(),
    })
    .onConflict((conflict) => conflict.columns(['project_id', 'version']).doNothing())
    .execute();
  return db
    .selectFrom('releases')
    .selectAll()
    .where('project_id', '=', release.projectId)
    .where('version', '=', release.version)
    .executeTakeFirstOrThrow();
}

export async function listReleases(db: Executor, projectId: number): Promise<readonly ReleaseRow[]> {
  return db.selectFrom('releases').selectAll().where('project_id', '=', projectId).orderBy('id').execute();
}

/** The ids of the projects of an index, ascending, in pages: pass the last id of the previous page. */
export async function projectIdsAfter(
  db: Executor,
  indexId: number,
  after: number,
  limit: number,
): Promise<readonly number[]> {
  const rows = await db
    .selectFrom('projects')
    .select('id')
    .where('index_id', '=', indexId)
    .where('id', '>', after)
    .orderBy('id')
    .limit(limit)
    .execute();
  return rows.map(({ id }) => id);
}
