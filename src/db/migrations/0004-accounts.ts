import { sql, type Kysely, type Migration } from 'kysely';

/** Users, their roles in projects and indexes, tokens that belong to somebody, trusted publishers. */
export const accounts: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await createUserTables(db);
    await extendTokens(db);
    await createPublisherTables(db);
    await db.schema
      .alterTable('indexes')
      .addColumn('read_access', 'text', (column) => column.notNull().defaultTo('open'))
      .execute();
    await db.schema
      .alterTable('indexes')
      .addColumn('project_creation', 'text', (column) => column.notNull().defaultTo('uploaders'))
      .execute();
  },
};

async function createUserTables(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('users')
    .addColumn('id', 'integer', (column) => column.primaryKey().autoIncrement())
    .addColumn('name', 'text', (column) => column.notNull().unique())
    .addColumn('password', 'text')
    .addColumn('is_admin', 'integer', (column) => column.notNull().defaultTo(0))
    .addColumn('created_at', 'text', (column) => column.notNull())
    .addColumn('disabled_at', 'text')
    .addColumn('removed_at', 'text')
    .execute();
  await db.schema
    .createTable('index_members')
    .addColumn('index_id', 'integer', (column) => column.notNull().references('indexes.id'))
    .addColumn('user_id', 'integer', (column) => column.notNull().references('users.id'))
    .addColumn('role', 'text', (column) => column.notNull())
    .addColumn('granted_at', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('index_members_key', ['index_id', 'user_id'])
    .execute();
  await db.schema
    .createTable('project_roles')
    .addColumn('project_id', 'integer', (column) => column.notNull().references('projects.id'))
    .addColumn('user_id', 'integer', (column) => column.notNull().references('users.id'))
    .addColumn('role', 'text', (column) => column.notNull())
    .addColumn('granted_at', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('project_roles_key', ['project_id', 'user_id'])
    .execute();
  await db.schema.createIndex('project_roles_of_user').on('project_roles').column('user_id').execute();
}

/** Which projects a token is for stands in its own table; that it is for projects at all stands with the token, so that losing the last one leaves it good for nothing. */
async function extendTokens(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .alterTable('tokens')
    .addColumn('user_id', 'integer', (column) => column.references('users.id'))
    .execute();
  await db.schema
    .alterTable('tokens')
    .addColumn('is_project_scoped', 'integer', (column) => column.notNull().defaultTo(0))
    .execute();
  await db.schema.alterTable('tokens').addColumn('oidc_issuer', 'text').execute();
  await db.schema.alterTable('tokens').addColumn('oidc_subject', 'text').execute();
  await db.schema
    .createTable('token_projects')
    .addColumn('token_id', 'integer', (column) => column.notNull().references('tokens.id'))
    .addColumn('project_id', 'integer', (column) => column.notNull().references('projects.id'))
    .addPrimaryKeyConstraint('token_projects_key', ['token_id', 'project_id'])
    .execute();
  await sql`insert into token_projects select id, project_id from tokens where project_id is not null`.execute(
    db,
  );
  await sql`update tokens set is_project_scoped = 1 where project_id is not null`.execute(db);
}

async function createPublisherTables(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('publishers')
    .addColumn('id', 'integer', (column) => column.primaryKey().autoIncrement())
    .addColumn('index_id', 'integer', (column) => column.notNull().references('indexes.id'))
    .addColumn('project_id', 'integer', (column) => column.references('projects.id'))
    .addColumn('project_name', 'text', (column) => column.notNull())
    .addColumn('issuer', 'text', (column) => column.notNull())
    .addColumn('claims', 'text', (column) => column.notNull())
    .addColumn('registered_by', 'integer', (column) => column.references('users.id'))
    .addColumn('created_at', 'text', (column) => column.notNull())
    .addColumn('last_used_at', 'text')
    .addColumn('removed_at', 'text')
    .execute();
  await db.schema.createIndex('publishers_of_issuer').on('publishers').column('issuer').execute();
  await db.schema
    .createTable('oidc_uses')
    .addColumn('issuer', 'text', (column) => column.notNull())
    .addColumn('jti_sha256', 'text', (column) => column.notNull())
    .addColumn('expires_at', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('oidc_uses_key', ['issuer', 'jti_sha256'])
    .execute();
}
