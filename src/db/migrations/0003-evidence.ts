import { sql, type Kysely, type Migration } from 'kysely';

/** The audit log, the public log of each index, how far its heads were told to others, and heads that others told us. */
export const evidence: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable('audit_log')
      .addColumn('seq', 'integer', (column) => column.primaryKey())
      .addColumn('index_id', 'integer')
      .addColumn('at', 'text', (column) => column.notNull())
      .addColumn('actor', 'text', (column) => column.notNull())
      .addColumn('action', 'text', (column) => column.notNull())
      .addColumn('subject', 'text', (column) => column.notNull())
      .addColumn('detail', 'text', (column) => column.notNull())
      .addColumn('previous_sha256', 'text', (column) => column.notNull())
      .addColumn('sha256', 'text', (column) => column.notNull())
      .execute();
    await appendOnly(db, 'audit_log');
    await db.schema
      .createTable('log_entries')
      .addColumn('index_id', 'integer', (column) => column.notNull().references('indexes.id'))
      .addColumn('seq', 'integer', (column) => column.notNull())
      .addColumn('publication_id', 'integer', (column) => column.notNull())
      .addColumn('entry', 'text', (column) => column.notNull())
      .addColumn('root', 'text', (column) => column.notNull())
      .addPrimaryKeyConstraint('log_entries_key', ['index_id', 'seq'])
      .modifyEnd(sql`without rowid`)
      .execute();
    await appendOnly(db, 'log_entries');
    await db.schema
      .createTable('head_deliveries')
      .addColumn('sink', 'text', (column) => column.notNull())
      .addColumn('index_id', 'integer', (column) => column.notNull().references('indexes.id'))
      .addColumn('size', 'integer', (column) => column.notNull())
      .addColumn('delivered_at', 'text')
      .addColumn('failures', 'integer', (column) => column.notNull())
      .addColumn('retry_at', 'text')
      .addColumn('last_error', 'text')
      .addPrimaryKeyConstraint('head_deliveries_key', ['sink', 'index_id'])
      .execute();
    await db.schema
      .createTable('witnessed_heads')
      .addColumn('id', 'integer', (column) => column.primaryKey())
      .addColumn('origin', 'text', (column) => column.notNull())
      .addColumn('size', 'integer', (column) => column.notNull())
      .addColumn('root', 'text', (column) => column.notNull())
      .addColumn('received_at', 'text', (column) => column.notNull())
      .addColumn('token_id', 'integer')
      .addUniqueConstraint('witnessed_heads_once', ['origin', 'size', 'root'])
      .execute();
    await appendOnly(db, 'witnessed_heads');
  },
};

/** Refuses every UPDATE and DELETE, whoever asks: who wants to rewrite rows must first change the schema, and the hashes tell. */
async function appendOnly(db: Kysely<unknown>, table: string): Promise<void> {
  for (const verb of ['update', 'delete']) {
    await sql
      .raw(
        `create trigger ${table}_no_${verb} before ${verb} on ${table} begin select raise(abort, '${table} is append-only'); end`,
      )
      .execute(db);
  }
}
