import type { Kysely, Migration } from 'kysely';

/** Whether a webhook may be at an address of the server's own network: what was there before went on working, so it may. */
export const webhookReach: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .alterTable('webhooks')
      .addColumn('may_be_internal', 'integer', (column) => column.notNull().defaultTo(1))
      .execute();
  },
};
