import type { Executor } from './schema.ts';

/** The keys of every reminder that was delivered. */
export async function sentReminders(db: Executor): Promise<ReadonlySet<string>> {
  const rows = await db.selectFrom('sent_reminders').select('key').execute();
  return new Set(rows.map(({ key }) => key));
}

/** Notes that a reminder was delivered, and forgets those of more than three years ago. To be called in a write transaction. */
export async function noteReminder(tx: Executor, key: string, now: Date): Promise<void> {
  const KEPT_MS = 3 * 366 * 86_400_000;
  const oldest = new Date(now.getTime() - KEPT_MS).toISOString();
  await tx.deleteFrom('sent_reminders').where('sent_at', '<', oldest).execute();
  await tx
    .insertInto('sent_reminders')
    .values({ key, sent_at: now.toISOString() })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}
