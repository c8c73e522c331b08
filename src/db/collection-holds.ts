import type { Executor } from './schema.ts';

/** Nothing is collected before `until`, or before {@link releaseCollections}: somebody reads objects by a list that was made earlier. Returns its id. */
export async function holdCollections(tx: Executor, until: Date): Promise<number> {
  const { id } = await tx
    .insertInto('collection_holds')
    .values({ until: until.toISOString() })
    .returning('id')
    .executeTakeFirstOrThrow();
  return id;
}

/** Ends a hold, and forgets those that are over. */
export async function releaseCollections(tx: Executor, id: number, now: Date): Promise<void> {
  await tx
    .deleteFrom('collection_holds')
    .where((eb) => eb.or([eb('id', '=', id), eb('until', '<=', now.toISOString())]))
    .execute();
}

/** Whether somebody holds collections now. */
export async function areCollectionsHeld(db: Executor, now: Date): Promise<boolean> {
  const row = await db
    .selectFrom('collection_holds')
    .select('id')
    .where('until', '>', now.toISOString())
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}
