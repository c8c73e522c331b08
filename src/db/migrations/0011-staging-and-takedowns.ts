import { sql, type Kysely, type Migration } from 'kysely';

/** Files that wait for their owners' signatures, transactions that wait for further signatures, and what administrators withhold. */
export const stagingAndTakedowns: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await createStagedFiles(db);
    await db.schema
      .createTable('proposals')
      .addColumn('id', 'integer', (column) => column.primaryKey().autoIncrement())
      .addColumn('index_id', 'integer', (column) => column.notNull().references('indexes.id'))
      .addColumn('project_id', 'integer', (column) => column.notNull().references('projects.id'))
      .addColumn('state', 'text', (column) => column.notNull())
      .addColumn('content', 'text', (column) => column.notNull())
      .addColumn('content_sha256', 'text', (column) => column.notNull())
      .addColumn('proposed_by', 'text', (column) => column.notNull())
      .addColumn('created_at', 'text', (column) => column.notNull())
      .addColumn('expires_at', 'text', (column) => column.notNull())
      .execute();
    await db.schema
      .createIndex('proposals_open')
      .unique()
      .on('proposals')
      .columns(['project_id', 'content_sha256'])
      .where(sql.ref('state'), '=', sql.lit('open'))
      .execute();
    await db.schema
      .createTable('takedowns')
      .addColumn('id', 'integer', (column) => column.primaryKey().autoIncrement())
      .addColumn('index_id', 'integer', (column) => column.notNull().references('indexes.id'))
      .addColumn('project', 'text', (column) => column.notNull())
      .addColumn('filename', 'text')
      .addColumn('reason', 'text', (column) => column.notNull())
      .addColumn('since', 'text', (column) => column.notNull())
      .addColumn('ended_at', 'text')
      .execute();
    await db.schema
      .createIndex('takedowns_in_force')
      .on('takedowns')
      .columns(['index_id', 'project', 'filename'])
      .where(sql.ref('ended_at'), 'is', null)
      .execute();
  },
};

async function createStagedFiles(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('staged_files')
    .addColumn('id', 'integer', (column) => column.primaryKey().autoIncrement())
    .addColumn('index_id', 'integer', (column) => column.notNull().references('indexes.id'))
    .addColumn('project_id', 'integer', (column) => column.notNull().references('projects.id'))
    .addColumn('version', 'text', (column) => column.notNull())
    .addColumn('filename', 'text', (column) => column.notNull())
    .addColumn('packagetype', 'text', (column) => column.notNull())
    .addColumn('python_version', 'text', (column) => column.notNull())
    .addColumn('length', 'integer', (column) => column.notNull())
    .addColumn('sha256', 'text', (column) => column.notNull())
    .addColumn('blake2b_256', 'text', (column) => column.notNull())
    .addColumn('requires_python', 'text')
    .addColumn('metadata_sha256', 'text', (column) => column.notNull())
    .addColumn('metadata_length', 'integer', (column) => column.notNull())
    .addColumn('core_metadata', 'text', (column) => column.notNull())
    .addColumn('provenance', 'text')
    .addColumn('provenance_url', 'text')
    .addColumn('uploaded_by', 'integer', (column) => column.references('tokens.id'))
    .addColumn('staged_by', 'text', (column) => column.notNull())
    .addColumn('staged_at', 'text', (column) => column.notNull())
    .addColumn('expires_at', 'text', (column) => column.notNull())
    .addUniqueConstraint('staged_files_name', ['index_id', 'filename'])
    .execute();
  await db.schema.createIndex('staged_files_of_project').on('staged_files').columns(['project_id']).execute();
  await db.schema.createIndex('staged_files_expired').on('staged_files').columns(['expires_at']).execute();
}
