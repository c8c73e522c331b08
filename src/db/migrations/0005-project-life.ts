import type { Kysely, Migration } from 'kysely';
import { lookAlikeKey } from '../../pypi/project-name.ts';

interface Projects {
  projects: { id: number; name: string; look_alike: string };
}

/** Removal of projects and indexes, the settings of an index, the limits of a project, and names that look alike. */
export const projectLife: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema.alterTable('projects').addColumn('removed_at', 'text').execute();
    await db.schema
      .alterTable('projects')
      .addColumn('look_alike', 'text', (column) => column.notNull().defaultTo(''))
      .execute();
    await db.schema.alterTable('projects').addColumn('limits', 'text').execute();
    await db.schema.alterTable('indexes').addColumn('removed_at', 'text').execute();
    await db.schema.alterTable('indexes').addColumn('settings', 'text').execute();
    await fillLookAlikes(db as Kysely<Projects>);
    await db.schema
      .createIndex('projects_look_alike')
      .on('projects')
      .columns(['index_id', 'look_alike'])
      .execute();
  },
};

const PAGE = 1000;

async function fillLookAlikes(db: Kysely<Projects>): Promise<void> {
  for (let after = 0; ;) {
    const rows = await db
      .selectFrom('projects')
      .select(['id', 'name'])
      .where('id', '>', after)
      .orderBy('id')
      .limit(PAGE)
      .execute();
    for (const { id, name } of rows) {
      await db
        .updateTable('projects')
        .set({ look_alike: lookAlikeKey(name) })
        .where('id', '=', id)
        .execute();
    }
    const last = rows.at(-1);
    if (last === undefined) return;
    after = last.id;
  }
}
