import { chunked } from './chunked.ts';
import type { Executor, NewStagedFile, StagedFileRow } from './schema.ts';

/** The staged file of that name, expired or not. */
export async function findStagedFile(
  db: Executor,
  indexId: number,
  filename: string,
): Promise<StagedFileRow | undefined> {
  return db
    .selectFrom('staged_files')
    .selectAll()
    .where('index_id', '=', indexId)
    .where('filename', '=', filename)
    .executeTakeFirst();
}

/** The staged files of a project that have not expired, in the order in which they came. */
export async function stagedFilesOf(
  db: Executor,
  projectId: number,
  now: Date,
): Promise<readonly StagedFileRow[]> {
  return db
    .selectFrom('staged_files')
    .selectAll()
    .where('project_id', '=', projectId)
    .where('expires_at', '>', now.toISOString())
    .orderBy('id')
    .execute();
}

/** Adds a file; fails on the unique constraint when one of that name is staged. */
export async function insertStagedFile(tx: Executor, file: NewStagedFile): Promise<void> {
  await tx.insertInto('staged_files').values(file).execute();
}

/** Gives a staged file more time. */
export async function keepStagedFile(tx: Executor, id: number, until: Date): Promise<void> {
  await tx
    .updateTable('staged_files')
    .set({ expires_at: until.toISOString() })
    .where('id', '=', id)
    .execute();
}

export async function deleteStagedFiles(tx: Executor, ids: readonly number[]): Promise<void> {
  for (const part of chunked(ids)) {
    await tx.deleteFrom('staged_files').where('id', 'in', part).execute();
  }
}

/** Staged files of an index and the names of their projects whose time is over, by id, in pages: pass the last id of the page before. */
export async function expiredStagedFiles(
  db: Executor,
  indexId: number,
  now: Date,
  after: number,
  limit: number,
): Promise<readonly (StagedFileRow & { readonly project: string })[]> {
  return db
    .selectFrom('staged_files')
    .innerJoin('projects', 'projects.id', 'staged_files.project_id')
    .selectAll('staged_files')
    .select('projects.name as project')
    .where('staged_files.index_id', '=', indexId)
    .where('staged_files.expires_at', '<=', now.toISOString())
    .where('staged_files.id', '>', after)
    .orderBy('staged_files.id')
    .limit(limit)
    .execute();
}

/** Staged files of a project and their bytes together. */
export async function stagedSize(
  db: Executor,
  projectId: number,
): Promise<{ readonly files: number; readonly bytes: number }> {
  const row = await db
    .selectFrom('staged_files')
    .select(({ fn }) => [fn.countAll<number>().as('files'), fn.sum<number | null>('length').as('bytes')])
    .where('project_id', '=', projectId)
    .executeTakeFirstOrThrow();
  return { files: Number(row.files), bytes: Number(row.bytes ?? 0) };
}
