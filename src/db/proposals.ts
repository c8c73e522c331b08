import type { Executor, NewProposal, ProposalRow } from './schema.ts';

/** Those of a project that wait for signatures. */
function waitingFor(db: Executor, projectId: number, now: Date) {
  return db
    .selectFrom('proposals')
    .selectAll()
    .where('project_id', '=', projectId)
    .where('state', '=', 'open')
    .where('expires_at', '>', now.toISOString());
}

/** The proposals of a project that wait for signatures, oldest first. */
export async function openProposals(
  db: Executor,
  projectId: number,
  now: Date,
): Promise<readonly ProposalRow[]> {
  return waitingFor(db, projectId, now).orderBy('id').execute();
}

/** An open proposal of the project; undefined when there is none of that number. */
export async function findProposal(
  db: Executor,
  projectId: number,
  id: number,
  now: Date,
): Promise<ProposalRow | undefined> {
  return waitingFor(db, projectId, now).where('id', '=', id).executeTakeFirst();
}

/** The open proposal of the same content, whoever signed it so far. */
export async function findSameProposal(
  db: Executor,
  projectId: number,
  contentSha256: string,
  now: Date,
): Promise<ProposalRow | undefined> {
  return waitingFor(db, projectId, now).where('content_sha256', '=', contentSha256).executeTakeFirst();
}

export async function insertProposal(tx: Executor, proposal: NewProposal): Promise<number> {
  const { id } = await tx.insertInto('proposals').values(proposal).returning('id').executeTakeFirstOrThrow();
  return id;
}

/** The same content with more signatures; false when it is not the one any more that they were added to. */
export async function replaceProposalContent(
  tx: Executor,
  { id, content: before }: Pick<ProposalRow, 'id' | 'content'>,
  content: string,
): Promise<boolean> {
  const result = await tx
    .updateTable('proposals')
    .set({ content })
    .where('id', '=', id)
    .where('state', '=', 'open')
    .where('content', '=', before)
    .executeTakeFirst();
  return Number(result.numUpdatedRows) === 1;
}

/** Every other open proposal of the project builds on what is past: 'replaced'; the one named was 'applied'. */
export async function settleProposals(tx: Executor, projectId: number, appliedSha256: string): Promise<void> {
  const open = tx.updateTable('proposals').where('project_id', '=', projectId).where('state', '=', 'open');
  await open.set({ state: 'applied' }).where('content_sha256', '=', appliedSha256).execute();
  await open.set({ state: 'replaced' }).execute();
}

/** Nobody signs it any more. */
export async function closeProposal(tx: Executor, id: number): Promise<void> {
  await tx.updateTable('proposals').set({ state: 'replaced' }).where('id', '=', id).execute();
}

/** Takes proposals away whose time is over. */
export async function deleteExpiredProposals(tx: Executor, indexId: number, now: Date): Promise<void> {
  await tx
    .deleteFrom('proposals')
    .where('index_id', '=', indexId)
    .where('expires_at', '<=', now.toISOString())
    .execute();
}
