import { sql, type Kysely, type Migration } from 'kysely';

/** The tables of the first release: indexes, the PyPI side (projects to tokens), the TUF side (journal to leases). */
export const firstLight: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await createIndexTables(db);
    await createTokenTable(db);
    await createFileTable(db);
    await createPublicationTables(db);
    await createRoleTables(db);
    await createTargetTables(db);
  },
};

async function createIndexTables(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('indexes')
    .addColumn('id', 'integer', (column) => column.primaryKey().autoIncrement())
    .addColumn('name', 'text', (column) => column.notNull().unique())
    .addColumn('profile', 'text', (column) => column.notNull())
    .addColumn('created_at', 'text', (column) => column.notNull())
    .execute();
  await db.schema
    .createTable('projects')
    .addColumn('id', 'integer', (column) => column.primaryKey().autoIncrement())
    .addColumn('index_id', 'integer', (column) => column.notNull().references('indexes.id'))
    .addColumn('name', 'text', (column) => column.notNull())
    .addColumn('display_name', 'text', (column) => column.notNull())
    .addColumn('status', 'text', (column) => column.notNull().defaultTo('active'))
    .addColumn('status_reason', 'text')
    .addColumn('last_serial', 'integer', (column) => column.notNull().defaultTo(0))
    .addColumn('created_at', 'text', (column) => column.notNull())
    .addUniqueConstraint('projects_name', ['index_id', 'name'])
    .execute();
  await db.schema
    .createTable('releases')
    .addColumn('id', 'integer', (column) => column.primaryKey().autoIncrement())
    .addColumn('index_id', 'integer', (column) => column.notNull().references('indexes.id'))
    .addColumn('project_id', 'integer', (column) => column.notNull().references('projects.id'))
    .addColumn('version', 'text', (column) => column.notNull())
    .addColumn('core_metadata', 'text', (column) => column.notNull())
    .addColumn('created_at', 'text', (column) => column.notNull())
    .addUniqueConstraint('releases_version', ['project_id', 'version'])
    .execute();
}

async function createFileTable(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('files')
    .addColumn('id', 'integer', (column) => column.primaryKey().autoIncrement())
    .addColumn('index_id', 'integer', (column) => column.notNull().references('indexes.id'))
    .addColumn('project_id', 'integer', (column) => column.notNull().references('projects.id'))
    .addColumn('release_id', 'integer', (column) => column.notNull().references('releases.id'))
    .addColumn('version', 'text', (column) => column.notNull())
    .addColumn('filename', 'text', (column) => column.notNull())
    .addColumn('packagetype', 'text', (column) => column.notNull())
    .addColumn('python_version', 'text', (column) => column.notNull())
    .addColumn('length', 'integer', (column) => column.notNull())
    .addColumn('sha256', 'text', (column) => column.notNull())
    .addColumn('blake2b_256', 'text', (column) => column.notNull())
    .addColumn('requires_python', 'text')
    .addColumn('metadata_sha256', 'text')
    .addColumn('metadata_length', 'integer')
    .addColumn('uploaded_at', 'text', (column) => column.notNull())
    .addColumn('uploaded_by', 'integer', (column) => column.references('tokens.id'))
    .addColumn('yanked', 'integer', (column) => column.notNull().defaultTo(0))
    .addColumn('yanked_reason', 'text')
    .addColumn('removed_at', 'text')
    .addUniqueConstraint('files_filename', ['index_id', 'filename'])
    .execute();
  await db.schema.createIndex('files_of_project').on('files').columns(['project_id', 'id']).execute();
  await db.schema.createIndex('files_of_release').on('files').column('release_id').execute();
}

async function createTokenTable(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('tokens')
    .addColumn('id', 'integer', (column) => column.primaryKey().autoIncrement())
    .addColumn('index_id', 'integer', (column) => column.references('indexes.id'))
    .addColumn('name', 'text', (column) => column.notNull())
    .addColumn('hash', 'text', (column) => column.notNull().unique())
    .addColumn('verbs', 'text', (column) => column.notNull())
    .addColumn('project_id', 'integer', (column) => column.references('projects.id'))
    .addColumn('created_at', 'text', (column) => column.notNull())
    .addColumn('expires_at', 'text')
    .addColumn('last_used_at', 'text')
    .addColumn('revoked_at', 'text')
    .execute();
}

async function createPublicationTables(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('publications')
    .addColumn('id', 'integer', (column) => column.primaryKey().autoIncrement())
    .addColumn('index_id', 'integer', (column) => column.notNull().references('indexes.id'))
    .addColumn('epoch', 'integer', (column) => column.notNull())
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('snapshot_version', 'integer', (column) => column.notNull())
    .addColumn('timestamp_version', 'integer', (column) => column.notNull())
    .addColumn('timestamp_sha256', 'text', (column) => column.notNull())
    .addColumn('created_at', 'text', (column) => column.notNull())
    .addColumn('finished_at', 'text')
    .execute();
  await db.schema
    .createIndex('publications_state')
    .on('publications')
    .columns(['index_id', 'state', 'id'])
    .execute();
  await db.schema
    .createTable('journal')
    .addColumn('id', 'integer', (column) => column.primaryKey().autoIncrement())
    .addColumn('index_id', 'integer', (column) => column.notNull().references('indexes.id'))
    .addColumn('project_id', 'integer', (column) => column.references('projects.id'))
    .addColumn('kind', 'text', (column) => column.notNull())
    .addColumn('detail', 'text', (column) => column.notNull())
    .addColumn('created_at', 'text', (column) => column.notNull())
    .addColumn('publication_id', 'integer', (column) => column.references('publications.id'))
    .execute();
  await db.schema
    .createIndex('journal_waiting')
    .on('journal')
    .columns(['index_id', 'id'])
    .where(sql.ref('publication_id'), 'is', null)
    .execute();
  await db.schema.createIndex('journal_of_publication').on('journal').column('publication_id').execute();
  await db.schema.createIndex('journal_of_project').on('journal').columns(['project_id', 'id']).execute();
  await db.schema
    .createTable('leases')
    .addColumn('index_id', 'integer', (column) => column.primaryKey().references('indexes.id'))
    .addColumn('holder', 'text', (column) => column.notNull())
    .addColumn('epoch', 'integer', (column) => column.notNull())
    .addColumn('acquired_at', 'text', (column) => column.notNull())
    .execute();
}

async function createRoleTables(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('role_versions')
    .addColumn('index_id', 'integer', (column) => column.notNull().references('indexes.id'))
    .addColumn('role', 'text', (column) => column.notNull())
    .addColumn('version', 'integer', (column) => column.notNull())
    .addColumn('sha256', 'text', (column) => column.notNull())
    .addColumn('length', 'integer', (column) => column.notNull())
    .addColumn('expires_at', 'text', (column) => column.notNull())
    .addColumn('publication_id', 'integer', (column) => column.notNull().references('publications.id'))
    .addPrimaryKeyConstraint('role_versions_key', ['index_id', 'role', 'version'])
    .modifyEnd(sql`without rowid`)
    .execute();
  await db.schema
    .createIndex('role_versions_of_publication')
    .on('role_versions')
    .column('publication_id')
    .execute();
  await db.schema
    .createTable('roles')
    .addColumn('index_id', 'integer', (column) => column.notNull().references('indexes.id'))
    .addColumn('role', 'text', (column) => column.notNull())
    .addColumn('version', 'integer', (column) => column.notNull())
    .addColumn('sha256', 'text', (column) => column.notNull())
    .addColumn('length', 'integer', (column) => column.notNull())
    .addColumn('signed_at', 'text', (column) => column.notNull())
    .addColumn('expires_at', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('roles_key', ['index_id', 'role'])
    .modifyEnd(sql`without rowid`)
    .execute();
}

/** Both keyed by prefix before path and clustered: a bin is one contiguous read, also with twenty million targets. */
async function createTargetTables(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('targets')
    .addColumn('index_id', 'integer', (column) => column.notNull().references('indexes.id'))
    .addColumn('path_prefix', 'integer', (column) => column.notNull())
    .addColumn('path', 'text', (column) => column.notNull())
    .addColumn('length', 'integer', (column) => column.notNull())
    .addColumn('sha256', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('targets_key', ['index_id', 'path_prefix', 'path'])
    .modifyEnd(sql`without rowid`)
    .execute();
  await db.schema
    .createTable('target_changes')
    .addColumn('publication_id', 'integer', (column) => column.notNull().references('publications.id'))
    .addColumn('index_id', 'integer', (column) => column.notNull().references('indexes.id'))
    .addColumn('path_prefix', 'integer', (column) => column.notNull())
    .addColumn('path', 'text', (column) => column.notNull())
    .addColumn('length', 'integer')
    .addColumn('sha256', 'text')
    .addPrimaryKeyConstraint('target_changes_key', ['publication_id', 'path_prefix', 'path'])
    .modifyEnd(sql`without rowid`)
    .execute();
}
