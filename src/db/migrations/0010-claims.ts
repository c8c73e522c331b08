import type { Kysely, Migration } from 'kysely';

/** Projects whose releases their developers sign (PEP 480), and the metadata that they signed. */
export const claims: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable('claims')
      .addColumn('project_id', 'integer', (column) => column.primaryKey().references('projects.id'))
      .addColumn('index_id', 'integer', (column) => column.notNull().references('indexes.id'))
      .addColumn('state', 'text', (column) => column.notNull())
      .addColumn('owners', 'text', (column) => column.notNull())
      .addColumn('wished_owners', 'text', (column) => column.notNull())
      .addColumn('staging', 'integer', (column) => column.notNull().defaultTo(0))
      .addColumn('claimed_at', 'text', (column) => column.notNull())
      .addColumn('moved_at', 'text')
      .execute();
    await db.schema.createIndex('claims_of_index').on('claims').columns(['index_id', 'state']).execute();
    await db.schema
      .createTable('signed_roles')
      .addColumn('id', 'integer', (column) => column.primaryKey().autoIncrement())
      .addColumn('index_id', 'integer', (column) => column.notNull().references('indexes.id'))
      .addColumn('project_id', 'integer', (column) => column.notNull().references('projects.id'))
      .addColumn('role', 'text', (column) => column.notNull())
      .addColumn('version', 'integer', (column) => column.notNull())
      .addColumn('sha256', 'text', (column) => column.notNull())
      .addColumn('length', 'integer', (column) => column.notNull())
      .addColumn('expires_at', 'text', (column) => column.notNull())
      .addColumn('journal_id', 'integer', (column) => column.references('journal.id'))
      .addColumn('bytes', 'blob', (column) => column.notNull())
      .addUniqueConstraint('signed_roles_version', ['index_id', 'role', 'version'])
      .execute();
    await db.schema
      .createIndex('signed_roles_of_project')
      .on('signed_roles')
      .columns(['project_id', 'role', 'version'])
      .execute();
  },
};
