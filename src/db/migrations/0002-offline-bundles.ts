import { sql, type Kysely, type Migration } from 'kysely';

/** Metadata that offline keys signed, on its way from a ceremony's bundle to the publisher. */
export const offlineBundles: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable('offline_bundles')
      .addColumn('id', 'integer', (column) => column.primaryKey())
      .addColumn('index_id', 'integer', (column) => column.notNull().references('indexes.id'))
      .addColumn('event', 'text', (column) => column.notNull())
      .addColumn('state', 'text', (column) => column.notNull())
      .addColumn('reason', 'text')
      .addColumn('created_at', 'text', (column) => column.notNull())
      .addColumn('root_published_at', 'text')
      .addColumn('finished_at', 'text')
      .addUniqueConstraint('offline_bundles_event', ['index_id', 'event'])
      .execute();
    await db.schema
      .createTable('offline_bundle_roles')
      .addColumn('bundle_id', 'integer', (column) => column.notNull().references('offline_bundles.id'))
      .addColumn('role', 'text', (column) => column.notNull())
      .addColumn('version', 'integer', (column) => column.notNull())
      .addColumn('bytes', 'blob', (column) => column.notNull())
      .addPrimaryKeyConstraint('offline_bundle_roles_key', ['bundle_id', 'role'])
      .modifyEnd(sql`without rowid`)
      .execute();
  },
};
