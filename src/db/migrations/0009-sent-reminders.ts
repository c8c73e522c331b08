import type { Kysely, Migration } from 'kysely';

/** Which reminders people got already: a restart tells nobody twice. */
export const sentReminders: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable('sent_reminders')
      .addColumn('key', 'text', (column) => column.primaryKey())
      .addColumn('sent_at', 'text', (column) => column.notNull())
      .execute();
  },
};
