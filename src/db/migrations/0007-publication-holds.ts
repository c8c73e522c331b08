import type { Kysely, Migration } from 'kysely';

/** Why nothing may be published from this database for the time being: it is a backup, or its keys were stolen. */
export const publicationHolds: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable('publication_holds')
      .addColumn('index_id', 'integer', (column) => column.primaryKey().references('indexes.id'))
      .addColumn('kind', 'text', (column) => column.notNull())
      .addColumn('reason', 'text', (column) => column.notNull())
      .addColumn('created_at', 'text', (column) => column.notNull())
      .execute();
    // No clean-up while a backup reads objects by a list; `until` for one that died.
    await db.schema
      .createTable('collection_holds')
      .addColumn('id', 'integer', (column) => column.primaryKey().autoIncrement())
      .addColumn('until', 'text', (column) => column.notNull())
      .execute();
  },
};
