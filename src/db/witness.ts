import type { Executor, HeadDeliveryRow, WitnessedHeadRow } from './schema.ts';

/** How far a sink was told of an index's log; undefined before the first attempt. */
export async function findDelivery(
  db: Executor,
  sink: string,
  indexId: number,
): Promise<HeadDeliveryRow | undefined> {
  return db
    .selectFrom('head_deliveries')
    .selectAll()
    .where('sink', '=', sink)
    .where('index_id', '=', indexId)
    .executeTakeFirst();
}

/** Notes an attempt, whatever came of it. */
export async function putDelivery(tx: Executor, row: HeadDeliveryRow): Promise<void> {
  await tx
    .insertInto('head_deliveries')
    .values(row)
    .onConflict((conflict) => conflict.columns(['sink', 'index_id']).doUpdateSet(row))
    .execute();
}

/** The time of the oldest publication that a sink has not been told of: the age of its queue. */
export async function oldestUndelivered(
  db: Executor,
  indexId: number,
  size: number,
): Promise<string | undefined> {
  const row = await db
    .selectFrom('log_entries')
    .innerJoin('publications', 'publications.id', 'log_entries.publication_id')
    .select('publications.finished_at')
    .where('log_entries.index_id', '=', indexId)
    .where('log_entries.seq', '=', size + 1)
    .executeTakeFirst();
  return row?.finished_at ?? undefined;
}

/** Keeps a head that somebody reported; false when it is known. */
export async function insertWitnessedHead(tx: Executor, row: Omit<WitnessedHeadRow, 'id'>): Promise<boolean> {
  const result = await tx
    .insertInto('witnessed_heads')
    .values(row)
    .onConflict((conflict) => conflict.columns(['origin', 'size', 'root']).doNothing())
    .executeTakeFirst();
  return (result.numInsertedOrUpdatedRows ?? 0n) > 0n;
}

/** Every head of a log that was reported, the youngest first; of all logs when no origin is named. */
export async function witnessedHeads(
  db: Executor,
  {
    origin,
    size,
    limit = 1000,
  }: { readonly origin?: string; readonly size?: number; readonly limit?: number },
): Promise<readonly WitnessedHeadRow[]> {
  let query = db.selectFrom('witnessed_heads').selectAll();
  if (origin !== undefined) query = query.where('origin', '=', origin);
  if (size !== undefined) query = query.where('size', '=', size);
  return query.orderBy('id', 'desc').limit(limit).execute();
}
