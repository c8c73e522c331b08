import { sql } from 'kysely';
import { packagePath } from '../pypi/layout.ts';
import type { Executor } from './schema.ts';
import { findTargets } from './targets.ts';

/** A release or a project as a feed lists it. */
export interface FeedRow {
  readonly project: string;
  readonly display_name: string;
  /** '' in the feed of projects. */
  readonly version: string;
  /** JSON text. */
  readonly core_metadata: string;
  readonly created_at: string;
}

/** Releases whose rows are looked at for one feed: nearly all of them are public. */
const LOOKED_AT = 120;

/** The newest releases of an index, or of one project, that have a public file; newest first. */
export async function newestReleases(
  db: Executor,
  indexId: number,
  limit: number,
  projectId?: number,
): Promise<readonly FeedRow[]> {
  const newest = db
    .selectFrom('releases')
    .innerJoin('projects', 'projects.id', 'releases.project_id')
    .select([
      'releases.id',
      'releases.core_metadata',
      'releases.created_at',
      'projects.name as project',
      'projects.display_name',
    ])
    .where('releases.index_id', '=', indexId)
    .where('projects.removed_at', 'is', null)
    .orderBy('releases.id', 'desc')
    .limit(LOOKED_AT);
  const rows = await (
    projectId === undefined ? newest : newest.where('projects.id', '=', projectId)
  ).execute();
  const versions = await publicVersions(db, indexId, rows);
  return rows
    .flatMap((row) => {
      const version = versions.get(row.id);
      return version === undefined ? [] : [{ ...row, version }];
    })
    .slice(0, limit);
}

/** The version of each release that has a public file, as its files spell it. */
async function publicVersions(
  db: Executor,
  indexId: number,
  releases: readonly { readonly id: number; readonly project: string }[],
): Promise<ReadonlyMap<number, string>> {
  if (releases.length === 0) return new Map();
  const projects = new Map(releases.map(({ id, project }) => [id, project]));
  const files = await db
    .selectFrom('files')
    .select(['release_id', 'filename', 'version'])
    .where('release_id', 'in', [...projects.keys()])
    .where('removed_at', 'is', null)
    .execute();
  const pathOf = (file: (typeof files)[number]): string =>
    packagePath(projects.get(file.release_id) ?? '', file.filename);
  const targets = await findTargets(db, indexId, files.map(pathOf));
  return new Map(
    files.filter((file) => targets.has(pathOf(file))).map(({ release_id, version }) => [release_id, version]),
  );
}

/** The newest projects of an index with something published, newest first. */
export async function newestProjects(
  db: Executor,
  indexId: number,
  limit: number,
): Promise<readonly FeedRow[]> {
  return db
    .selectFrom('projects')
    .select((eb) => [
      'name as project',
      'display_name',
      'created_at',
      sql<string>`''`.as('version'),
      eb.fn
        .coalesce(
          eb
            .selectFrom('releases')
            .select('core_metadata')
            .whereRef('releases.project_id', '=', 'projects.id')
            .orderBy('releases.id', 'desc')
            .limit(1),
          sql<string>`'{}'`,
        )
        .as('core_metadata'),
    ])
    .where('index_id', '=', indexId)
    .where('last_serial', '>', 0)
    .where('removed_at', 'is', null)
    .orderBy('id', 'desc')
    .limit(limit)
    .execute();
}

/** The serial of the last published change of an index; 0 before the first. */
export async function lastSerial(db: Executor, indexId: number): Promise<number> {
  const row = await db
    .selectFrom('projects')
    .select(({ fn }) => fn.max('last_serial').as('serial'))
    .where('index_id', '=', indexId)
    .executeTakeFirst();
  return Number(row?.serial ?? 0);
}
