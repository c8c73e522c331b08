import { Migrator, type Kysely, type Migration } from 'kysely';
import { DatabaseError } from './errors.ts';
import { firstLight } from './migrations/0001-first-light.ts';
import { offlineBundles } from './migrations/0002-offline-bundles.ts';
import { accounts } from './migrations/0004-accounts.ts';
import { projectLife } from './migrations/0005-project-life.ts';
import { evidence } from './migrations/0003-evidence.ts';
import { publicationHolds } from './migrations/0007-publication-holds.ts';
import { attestationsAndWebhooks } from './migrations/0008-attestations-and-webhooks.ts';
import { sentReminders } from './migrations/0009-sent-reminders.ts';
import { claims } from './migrations/0010-claims.ts';
import { stagingAndTakedowns } from './migrations/0011-staging-and-takedowns.ts';
import { webhookReach } from './migrations/0012-webhook-reach.ts';
import { running } from './migrations/0006-running.ts';
import { targetImports } from './migrations/0007-target-imports.ts';
import type { Schema } from './schema.ts';

/** Every migration there is, by name; only ever added to. */
const MIGRATIONS: Readonly<Record<string, Migration>> = {
  '0001-first-light': firstLight,
  '0002-offline-bundles': offlineBundles,
  '0003-evidence': evidence,
  '0004-accounts': accounts,
  '0005-project-life': projectLife,
  '0006-running': running,
  '0007-publication-holds': publicationHolds,
  '0007-target-imports': targetImports,
  '0008-attestations-and-webhooks': attestationsAndWebhooks,
  '0009-sent-reminders': sentReminders,
  '0010-claims': claims,
  '0011-staging-and-takedowns': stagingAndTakedowns,
  '0012-webhook-reach': webhookReach,
};

/** Brings the tables up to date, all or nothing. Throws NEWER_SCHEMA when a later version of Rind was here, MIGRATION_FAILED otherwise. */
export async function migrate(db: Kysely<Schema>): Promise<void> {
  const migrator = new Migrator({ db, provider: { getMigrations: async () => MIGRATIONS } });
  await refuseNewerSchema(db);
  const { error } = await migrator.migrateToLatest();
  if (error !== undefined) {
    throw new DatabaseError('MIGRATION_FAILED', 'The database could not be brought up to date.', {
      cause: error,
    });
  }
}

async function refuseNewerSchema(db: Kysely<Schema>): Promise<void> {
  const tables = await db.introspection.getTables({ withInternalKyselyTables: true });
  if (!tables.some(({ name }) => name === 'kysely_migration')) return;
  const applied = await db
    .withTables<{ kysely_migration: { name: string } }>()
    .selectFrom('kysely_migration')
    .select('name')
    .orderBy('name')
    .execute();
  const unknown = applied.find(({ name }) => !Object.hasOwn(MIGRATIONS, name));
  if (unknown === undefined) return;
  throw new DatabaseError(
    'NEWER_SCHEMA',
    `The database was used by a newer version of Rind (migration ${unknown.name}); run that version or restore a backup.`,
  );
}
