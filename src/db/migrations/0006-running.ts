import { sql, type Kysely, type Migration } from 'kysely';

/** Clean-up of what no kept snapshot needs, and hashes beside sha256. */
export const running: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await createRetiredTargets(db);
    await createTargetDigests(db);
    await createCollections(db);
    await db.schema
      .alterTable('indexes')
      .addColumn('target_hashes', 'text', (column) => column.notNull().defaultTo(''))
      .execute();
    await db.schema.alterTable('indexes').addColumn('target_hashes_since', 'text').execute();
    await db.schema.alterTable('files').addColumn('collected_at', 'text').execute();
    await db.schema
      .createIndex('files_to_collect')
      .on('files')
      .columns(['index_id', 'removed_at'])
      .where(sql<boolean>`removed_at is not null and collected_at is null`)
      .execute();
  },
};

/** Clustered by publication: what may go is one range from the beginning. */
async function createRetiredTargets(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('retired_targets')
    .addColumn('index_id', 'integer', (column) => column.notNull().references('indexes.id'))
    .addColumn('publication_id', 'integer', (column) => column.notNull().references('publications.id'))
    .addColumn('path', 'text', (column) => column.notNull())
    .addColumn('sha256', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('retired_targets_key', ['index_id', 'publication_id', 'path', 'sha256'])
    .modifyEnd(sql`without rowid`)
    .execute();
  await db.schema
    .createIndex('retired_targets_path')
    .on('retired_targets')
    .columns(['index_id', 'path', 'sha256'])
    .execute();
}

async function createTargetDigests(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('target_digests')
    .addColumn('index_id', 'integer', (column) => column.notNull().references('indexes.id'))
    .addColumn('path_prefix', 'integer', (column) => column.notNull())
    .addColumn('path', 'text', (column) => column.notNull())
    .addColumn('sha256', 'text', (column) => column.notNull())
    .addColumn('algorithm', 'text', (column) => column.notNull())
    .addColumn('digest', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('target_digests_key', ['index_id', 'path_prefix', 'path', 'sha256', 'algorithm'])
    .modifyEnd(sql`without rowid`)
    .execute();
}

async function createCollections(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('collections')
    .addColumn('id', 'integer', (column) => column.primaryKey().autoIncrement())
    .addColumn('index_id', 'integer', (column) => column.notNull().references('indexes.id'))
    .addColumn('requested_at', 'text', (column) => column.notNull())
    .addColumn('finished_at', 'text')
    .addColumn('objects', 'integer', (column) => column.notNull().defaultTo(0))
    .addColumn('bytes', 'integer', (column) => column.notNull().defaultTo(0))
    .addColumn('error', 'text')
    .execute();
}
