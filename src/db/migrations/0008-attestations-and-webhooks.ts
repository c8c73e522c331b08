import { sql, type Kysely, type Migration } from 'kysely';

/** The provenance of files (PEP 740), and whom publications are told to. */
export const attestationsAndWebhooks: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema.alterTable('files').addColumn('provenance_url', 'text').execute();
    await db.schema
      .createTable('provenances')
      .addColumn('file_id', 'integer', (column) => column.primaryKey().references('files.id'))
      .addColumn('document', 'text', (column) => column.notNull())
      .addColumn('created_at', 'text', (column) => column.notNull())
      .execute();
    await db.schema
      .createTable('webhooks')
      .addColumn('id', 'integer', (column) => column.primaryKey().autoIncrement())
      .addColumn('index_id', 'integer', (column) => column.notNull().references('indexes.id'))
      .addColumn('url', 'text', (column) => column.notNull())
      .addColumn('secret', 'text', (column) => column.notNull())
      .addColumn('created_at', 'text', (column) => column.notNull())
      .addColumn('removed_at', 'text')
      .execute();
    await db.schema
      .createTable('webhook_deliveries')
      .addColumn('id', 'integer', (column) => column.primaryKey().autoIncrement())
      .addColumn('webhook_id', 'integer', (column) => column.notNull().references('webhooks.id'))
      .addColumn('publication_id', 'integer', (column) => column.notNull().references('publications.id'))
      .addColumn('state', 'text', (column) => column.notNull())
      .addColumn('attempts', 'integer', (column) => column.notNull().defaultTo(0))
      .addColumn('due_at', 'text', (column) => column.notNull())
      .addColumn('last_error', 'text')
      .addColumn('created_at', 'text', (column) => column.notNull())
      .addColumn('finished_at', 'text')
      .addUniqueConstraint('webhook_deliveries_once', ['webhook_id', 'publication_id'])
      .execute();
    await db.schema
      .createIndex('webhook_deliveries_waiting')
      .on('webhook_deliveries')
      .columns(['due_at'])
      .where(sql.ref('state'), '=', sql.lit('waiting'))
      .execute();
  },
};
