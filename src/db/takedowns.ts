import type { Executor, TakedownRow } from './schema.ts';

/** What is withheld now: by project, then by file (a whole project first). */
export async function takedownsInForce(db: Executor, indexId: number): Promise<readonly TakedownRow[]> {
  const rows = await db
    .selectFrom('takedowns')
    .selectAll()
    .where('index_id', '=', indexId)
    .where('ended_at', 'is', null)
    .execute();
  return rows.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
}

/** The takedown of that file, or with `null` of that whole project, while it is in force. */
export async function findTakedown(
  db: Executor,
  indexId: number,
  project: string,
  filename: string | null,
): Promise<TakedownRow | undefined> {
  return db
    .selectFrom('takedowns')
    .selectAll()
    .where('index_id', '=', indexId)
    .where('project', '=', project)
    .where('filename', filename === null ? 'is' : '=', filename)
    .where('ended_at', 'is', null)
    .executeTakeFirst();
}

/** Call it in the transaction that appends a journal row of the kind 'takedown'. */
export async function insertTakedown(
  tx: Executor,
  takedown: {
    readonly indexId: number;
    readonly project: string;
    readonly filename: string | null;
    readonly reason: string;
    readonly now: Date;
  },
): Promise<void> {
  const { indexId, project, filename, reason, now } = takedown;
  await tx
    .insertInto('takedowns')
    .values({ index_id: indexId, project, filename, reason, since: now.toISOString() })
    .execute();
}

/** Call it in the transaction that appends a journal row of the kind 'takedown'. */
export async function endTakedown(tx: Executor, id: number, now: Date): Promise<void> {
  await tx.updateTable('takedowns').set({ ended_at: now.toISOString() }).where('id', '=', id).execute();
}

/** The rows as a signed list has them: for a rebuilt database only. */
export async function replaceTakedowns(
  tx: Executor,
  indexId: number,
  takedowns: readonly Pick<TakedownRow, 'project' | 'filename' | 'reason' | 'since'>[],
): Promise<void> {
  await tx.deleteFrom('takedowns').where('index_id', '=', indexId).execute();
  for (const { project, filename, reason, since } of takedowns)
    await tx
      .insertInto('takedowns')
      .values({ index_id: indexId, project, filename, reason, since })
      .execute();
}

function keyOf({ project, filename }: TakedownRow): string {
  return `${project}/${filename ?? ''}`;
}
