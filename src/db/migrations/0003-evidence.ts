import { sql, type Kysely, type Migration } from 'kysely';

/** The audit log: rows that are only ever appended, each with the hash of the one before it. */
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
