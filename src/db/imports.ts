import type { Executor, ImportRow } from './schema.ts';

/** Opens an import of targets. `sources` and `position` are JSON texts of repository/import-targets.ts. */
export async function insertImport(
  db: Executor,
  row: { readonly indexId: number; readonly sources: string; readonly position: string; readonly now: Date },
): Promise<ImportRow> {
  return db
    .insertInto('imports')
    .values({
      index_id: row.indexId,
      state: 'open',
      sources: row.sources,
      position: row.position,
      created_at: row.now.toISOString(),
      finished_at: null,
    })
    .returningAll()
    .executeTakeFirstOrThrow();
}

/** The import that was begun and neither finished nor given up. */
export async function findOpenImport(db: Executor, indexId: number): Promise<ImportRow | undefined> {
  return db
    .selectFrom('imports')
    .selectAll()
    .where('index_id', '=', indexId)
    .where('state', '=', 'open')
    .orderBy('id', 'desc')
    .executeTakeFirst();
}

/** Whether targets were ever imported without their files: then the files are elsewhere. */
export async function hasImportedTargets(db: Executor, indexId: number): Promise<boolean> {
  const row = await db.selectFrom('imports').select('id').where('index_id', '=', indexId).executeTakeFirst();
  return row !== undefined;
}

export async function setImportPosition(db: Executor, id: number, position: string): Promise<void> {
  await db.updateTable('imports').set({ position }).where('id', '=', id).execute();
}

export async function closeImport(
  db: Executor,
  id: number,
  state: 'finished' | 'abandoned',
  now: Date,
): Promise<void> {
  await db
    .updateTable('imports')
    .set({ state, finished_at: now.toISOString() })
    .where('id', '=', id)
    .execute();
}
