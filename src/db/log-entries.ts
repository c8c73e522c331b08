import type { Executor, LogEntryRow } from './schema.ts';

/** Records an entry of the public log as public; in the transaction that finishes its publication. Fails on the key when the seq has an entry (I2). */
export async function insertLogEntry(tx: Executor, row: LogEntryRow): Promise<void> {
  await tx.insertInto('log_entries').values(row).execute();
}

/** The youngest entry, undefined while the log is empty. */
export async function lastLogEntry(db: Executor, indexId: number): Promise<LogEntryRow | undefined> {
  return db
    .selectFrom('log_entries')
    .selectAll()
    .where('index_id', '=', indexId)
    .orderBy('seq', 'desc')
    .limit(1)
    .executeTakeFirst();
}

/** All entries in order, page by page. */
export async function* logEntries(db: Executor, indexId: number, afterSeq = 0): AsyncGenerator<LogEntryRow> {
  for (let after = afterSeq; ;) {
    const page = await db
      .selectFrom('log_entries')
      .selectAll()
      .where('index_id', '=', indexId)
      .where('seq', '>', after)
      .orderBy('seq')
      .limit(PAGE)
      .execute();
    yield* page;
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return;
    after = last.seq;
  }
}

const PAGE = 1000;
