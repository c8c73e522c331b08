import { filesOfProject } from '../db/files.ts';
import type { Executor, ProjectRow } from '../db/schema.ts';
import { PROJECT_STATUSES, type ProjectStatus } from '../pypi/simple.ts';
import { storedLimits, type ProjectLimits } from './index-settings.ts';

/** A project in a list. */
export interface ProjectSummary {
  readonly name: string;
  readonly displayName: string;
  readonly status: ProjectStatus;
  readonly statusReason: string | null;
  /** When it was deleted. */
  readonly removed: string | null;
  readonly files: number;
  /** Of its files; pages and metadata come on top. */
  readonly bytes: number;
}

export interface ProjectFile {
  readonly filename: string;
  readonly version: string;
  readonly size: number;
  readonly sha256: string;
  readonly uploaded: string;
  readonly yanked: boolean;
  readonly yankedReason: string | null;
}

/** A project with everything about it. */
export interface ProjectDescription extends Omit<ProjectSummary, 'files'> {
  readonly files: ProjectFile[];
  readonly limits: ProjectLimits;
}

/** Projects by name; `after` is the last name of the page before. Those that nobody can install, deleted or not published yet, with `all` only. */
export async function listProjectSummaries(
  db: Executor,
  indexId: number,
  {
    after = '',
    limit = 100,
    all,
  }: {
    readonly after?: string | undefined;
    readonly limit?: number | undefined;
    readonly all: boolean;
  },
): Promise<ProjectSummary[]> {
  const rows = await db
    .selectFrom('projects')
    .leftJoin('files', (join) =>
      join.onRef('files.project_id', '=', 'projects.id').on('files.removed_at', 'is', null),
    )
    .select(({ fn }) => [
      'projects.name',
      'projects.display_name',
      'projects.status',
      'projects.status_reason',
      'projects.removed_at',
      fn.count<number>('files.id').as('files'),
      fn.sum<number | null>('files.length').as('bytes'),
    ])
    .where('projects.index_id', '=', indexId)
    .where('projects.name', '>', after)
    .groupBy('projects.id')
    .orderBy('projects.name')
    .limit(limit)
    .$if(!all, (query) =>
      query.where('projects.removed_at', 'is', null).where('projects.last_serial', '>', 0),
    )
    .execute();
  return rows.map((row) => ({
    ...headOf(row),
    files: Number(row.files),
    bytes: Number(row.bytes ?? 0),
  }));
}

export async function describeProject(db: Executor, project: ProjectRow): Promise<ProjectDescription> {
  const files = await filesOfProject(db, project.id);
  return {
    ...headOf(project),
    bytes: files.reduce((sum, { length }) => sum + length, 0),
    limits: storedLimits(project),
    files: files.map((file) => ({
      filename: file.filename,
      version: file.version,
      size: file.length,
      sha256: file.sha256,
      uploaded: file.uploaded_at,
      yanked: file.yanked === 1,
      yankedReason: file.yanked_reason,
    })),
  };
}

function headOf(
  row: Pick<ProjectRow, 'name' | 'display_name' | 'status' | 'status_reason' | 'removed_at'>,
): Omit<ProjectSummary, 'files' | 'bytes'> {
  return {
    name: row.name,
    displayName: row.display_name,
    status: isStatus(row.status) ? row.status : 'active',
    statusReason: row.status_reason,
    removed: row.removed_at,
  };
}

function isStatus(status: string): status is ProjectStatus {
  return PROJECT_STATUSES.has(status);
}
