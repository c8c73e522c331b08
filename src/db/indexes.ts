import type { Executor, IndexRow } from './schema.ts';

export interface NewIndex {
  readonly name: string;
  readonly profile: string;
  readonly now: Date;
}

/** Adds an index; fails on the unique constraint when the name is taken. */
export async function insertIndex(db: Executor, index: NewIndex): Promise<IndexRow> {
  return db
    .insertInto('indexes')
    .values({ name: index.name, profile: index.profile, created_at: index.now.toISOString() })
    .returningAll()
    .executeTakeFirstOrThrow();
}

/** The index of that name; the default one is ''. */
export async function findIndex(db: Executor, name: string): Promise<IndexRow | undefined> {
  return db.selectFrom('indexes').selectAll().where('name', '=', name).executeTakeFirst();
}

/** Every index that is not removed, by name. */
export async function listIndexes(db: Executor): Promise<readonly IndexRow[]> {
  return db.selectFrom('indexes').selectAll().where('removed_at', 'is', null).orderBy('name').execute();
}

/** The settings of an index as JSON text. */
export async function setIndexSettings(db: Executor, indexId: number, settings: string): Promise<void> {
  await db.updateTable('indexes').set({ settings }).where('id', '=', indexId).execute();
}

/** Takes an index away; its row and name stay. */
export async function markIndexRemoved(db: Executor, indexId: number, now: Date): Promise<void> {
  await db.updateTable('indexes').set({ removed_at: now.toISOString() }).where('id', '=', indexId).execute();
}
