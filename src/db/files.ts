import { chunked } from './chunked.ts';
import type { Executor, FileRow, NewFile } from './schema.ts';

/** Adds a file; fails on the unique constraint when the index ever had a file of that name. */
export async function insertFile(db: Executor, file: NewFile): Promise<FileRow> {
  return db.insertInto('files').values(file).returningAll().executeTakeFirstOrThrow();
}

/** The file of that name, also when it was removed (`removed_at`). */
export async function findFile(
  db: Executor,
  indexId: number,
  filename: string,
): Promise<FileRow | undefined> {
  return db
    .selectFrom('files')
    .selectAll()
    .where('index_id', '=', indexId)
    .where('filename', '=', filename)
    .executeTakeFirst();
}

/** What a page of a project shows: the project and its files that are not removed, in the order of upload. */
export interface PageState {
  readonly project: { readonly id: number; readonly name: string; readonly display_name: string };
  readonly status: string;
  readonly statusReason: string | undefined;
  /** The whole project was deleted: it has no page. */
  readonly isRemoved: boolean;
  readonly files: readonly FileRow[];
}

/** The page states of the given projects, in the order of their ids. Take them in the same read transaction as the journal rows. */
export async function pageStates(db: Executor, projectIds: readonly number[]): Promise<readonly PageState[]> {
  const files = new Map<number, FileRow[]>();
  const states: PageState[] = [];
  for (const ids of chunked([...new Set(projectIds)].toSorted((a, b) => a - b))) {
    const projects = await db
      .selectFrom('projects')
      .select(['id', 'name', 'display_name', 'status', 'status_reason', 'removed_at'])
      .where('id', 'in', ids)
      .orderBy('id')
      .execute();
    for (const { id, name, display_name, status, status_reason, removed_at } of projects) {
      const own: FileRow[] = [];
      files.set(id, own);
      const project = { id, name, display_name };
      states.push({
        project,
        status,
        statusReason: status_reason ?? undefined,
        isRemoved: removed_at !== null,
        files: own,
      });
    }
    const rows = await db
      .selectFrom('files')
      .selectAll()
      .where('project_id', 'in', ids)
      .where('removed_at', 'is', null)
      .orderBy('id')
      .execute();
    for (const row of rows) files.get(row.project_id)?.push(row);
  }
  return states;
}

/** Marks a file as yanked (PEP 592), or no longer. */
export async function setYanked(
  db: Executor,
  fileId: number,
  yanked: boolean,
  reason: string | undefined,
): Promise<void> {
  await db
    .updateTable('files')
    .set({ yanked: yanked ? 1 : 0, yanked_reason: yanked ? (reason ?? null) : null })
    .where('id', '=', fileId)
    .execute();
}

/** Takes a file out of the page; its name stays used for ever. */
export async function markFileRemoved(db: Executor, fileId: number, now: Date): Promise<void> {
  await db
    .updateTable('files')
    .set({ removed_at: now.toISOString() })
    .where('id', '=', fileId)
    .where('removed_at', 'is', null)
    .execute();
}

/** The files of a project that are not removed, in the order of upload. */
export async function filesOfProject(db: Executor, projectId: number): Promise<readonly FileRow[]> {
  return db
    .selectFrom('files')
    .selectAll()
    .where('project_id', '=', projectId)
    .where('removed_at', 'is', null)
    .orderBy('id')
    .execute();
}

/** Files that are not removed, and their bytes together: of a project, or of a whole index. */
export async function storedSize(
  db: Executor,
  column: 'project_id' | 'index_id',
  id: number,
): Promise<{ readonly files: number; readonly bytes: number }> {
  const row = await db
    .selectFrom('files')
    .select(({ fn }) => [fn.countAll<number>().as('files'), fn.sum<number | null>('length').as('bytes')])
    .where('removed_at', 'is', null)
    .where(column, '=', id)
    .executeTakeFirstOrThrow();
  return { files: Number(row.files), bytes: Number(row.bytes ?? 0) };
}

/** Every file of an index that is not removed, by name, in pages: pass the last filename of the previous page. For fsck and listings. */
export async function listFiles(
  db: Executor,
  indexId: number,
  after: string,
  limit: number,
): Promise<readonly FileRow[]> {
  return db
    .selectFrom('files')
    .selectAll()
    .where('index_id', '=', indexId)
    .where('filename', '>', after)
    .where('removed_at', 'is', null)
    .orderBy('filename')
    .limit(limit)
    .execute();
}

/** The newest files of an index that are not removed: for the web page. */
export async function newestFiles(db: Executor, indexId: number, limit: number): Promise<readonly FileRow[]> {
  return db
    .selectFrom('files')
    .selectAll()
    .where('index_id', '=', indexId)
    .where('removed_at', 'is', null)
    .orderBy('id', 'desc')
    .limit(limit)
    .execute();
}

/** The names of the removed files of the given projects, by project: what may still stand among the targets. */
export async function removedFilenames(
  db: Executor,
  projectIds: readonly number[],
): Promise<ReadonlyMap<number, readonly string[]>> {
  const names = new Map<number, string[]>();
  for (const ids of chunked([...new Set(projectIds)])) {
    const rows = await db
      .selectFrom('files')
      .select(['project_id', 'filename'])
      .where('project_id', 'in', ids)
      .where('removed_at', 'is not', null)
      .execute();
    for (const { project_id, filename } of rows) {
      const own = names.get(project_id);
      if (own === undefined) names.set(project_id, [filename]);
      else own.push(filename);
    }
  }
  return names;
}

/** The files of those names, also removed ones, by name. */
export async function findFiles(
  db: Executor,
  indexId: number,
  filenames: readonly string[],
): Promise<ReadonlyMap<string, FileRow>> {
  const found = new Map<string, FileRow>();
  for (const names of chunked(filenames)) {
    const rows = await db
      .selectFrom('files')
      .selectAll()
      .where('index_id', '=', indexId)
      .where('filename', 'in', names)
      .execute();
    for (const row of rows) found.set(row.filename, row);
  }
  return found;
}
