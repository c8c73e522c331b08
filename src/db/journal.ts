import { chunked } from './chunked.ts';
import type { Executor, JournalRow, PublicationState } from './schema.ts';

export type JournalKind =
  | 'import'
  | 'upload'
  | 'yank'
  | 'unyank'
  | 'remove'
  | 'status'
  | 'restore'
  | 'transfer'
  | 'promote'
  | 'retention'
  | 'render'
  | 'claim'
  | 'publish'
  | 'unclaim'
  | 'takedown';

export interface NewJournalEntry {
  readonly indexId: number;
  /** Undefined: no page changes, only a publication is wanted. */
  readonly projectId?: number;
  readonly kind: JournalKind;
  readonly detail: Readonly<Record<string, string | number | boolean | null>>;
  readonly now: Date;
}

/** Appends a change that waits to be published; call it in the transaction that makes the change. Returns its serial. */
export async function appendJournal(db: Executor, entry: NewJournalEntry): Promise<number> {
  const row = await db
    .insertInto('journal')
    .values({
      index_id: entry.indexId,
      project_id: entry.projectId ?? null,
      kind: entry.kind,
      detail: JSON.stringify(entry.detail),
      created_at: entry.now.toISOString(),
      publication_id: null,
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  return row.id;
}

/** The changes that wait, oldest first, from the one after `after` on. */
export async function waitingJournal(
  db: Executor,
  indexId: number,
  limit: number,
  after = 0,
): Promise<readonly JournalRow[]> {
  return db
    .selectFrom('journal')
    .selectAll()
    .where('index_id', '=', indexId)
    .where('publication_id', 'is', null)
    .where('id', '>', after)
    .orderBy('id')
    .limit(limit)
    .execute();
}

/** 'waiting', or the state of the publication that took it; undefined when there is no such change. */
export async function journalState(
  db: Executor,
  journalId: number,
): Promise<'waiting' | PublicationState | undefined> {
  const row = await db
    .selectFrom('journal')
    .leftJoin('publications', 'publications.id', 'journal.publication_id')
    .where('journal.id', '=', journalId)
    .select('publications.state')
    .executeTakeFirst();
  return row === undefined ? undefined : (row.state ?? 'waiting');
}

/** The youngest change of a project, published or not: what the same upload again waits for. */
export async function lastJournalEntry(db: Executor, projectId: number): Promise<JournalRow | undefined> {
  return db
    .selectFrom('journal')
    .selectAll()
    .where('project_id', '=', projectId)
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst();
}

/** Gives waiting changes to a publication; returns how many were still waiting. */
export async function takeJournal(
  db: Executor,
  publicationId: number,
  journalIds: readonly number[],
): Promise<number> {
  let taken = 0;
  for (const ids of chunked(journalIds)) {
    const result = await db
      .updateTable('journal')
      .set({ publication_id: publicationId })
      .where('id', 'in', ids)
      .where('publication_id', 'is', null)
      .executeTakeFirst();
    taken += Number(result.numUpdatedRows);
  }
  return taken;
}

/** How many changes are not public yet, and of which projects: those that wait and those of a publication that is still open. */
export async function waitingSummary(
  db: Executor,
  indexId: number,
): Promise<{ readonly count: number; readonly projectIds: ReadonlySet<number> }> {
  const rows = await db
    .selectFrom('journal')
    .select(['project_id', (eb) => eb.fn.countAll<number>().as('count')])
    .where('index_id', '=', indexId)
    .where((eb) =>
      eb.or([
        eb('publication_id', 'is', null),
        eb('publication_id', 'in', (query) =>
          query
            .selectFrom('publications')
            .select('id')
            .where('index_id', '=', indexId)
            .where('state', '=', 'reserved'),
        ),
      ]),
    )
    .groupBy('project_id')
    .execute();
  return {
    count: rows.reduce((sum, { count }) => sum + Number(count), 0),
    projectIds: new Set(rows.flatMap(({ project_id }) => project_id ?? [])),
  };
}
