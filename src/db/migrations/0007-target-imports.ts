import type { Kysely, Migration } from 'kysely';

/** How far an import has come, so that it can go on after a kill. */
export const targetImports: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable('imports')
      .addColumn('id', 'integer', (column) => column.primaryKey().autoIncrement())
      .addColumn('index_id', 'integer', (column) => column.notNull().references('indexes.id'))
      .addColumn('state', 'text', (column) => column.notNull())
      .addColumn('sources', 'text', (column) => column.notNull())
      .addColumn('position', 'text', (column) => column.notNull())
      .addColumn('created_at', 'text', (column) => column.notNull())
      .addColumn('finished_at', 'text')
      .execute();
  },
};
