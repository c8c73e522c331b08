import type { Executor, NewPublisher, PublisherRow } from './schema.ts';

export async function insertPublisher(db: Executor, publisher: NewPublisher): Promise<PublisherRow> {
  return db.insertInto('publishers').values(publisher).returningAll().executeTakeFirstOrThrow();
}

/** The publishers of an issuer that are in force, on every index. */
export async function publishersOfIssuer(db: Executor, issuer: string): Promise<readonly PublisherRow[]> {
  return db
    .selectFrom('publishers')
    .selectAll()
    .where('issuer', '=', issuer)
    .where('removed_at', 'is', null)
    .orderBy('id')
    .execute();
}

/** The publishers of an index that are in force; of one project when its name is given. */
export async function publishersOfIndex(
  db: Executor,
  indexId: number,
  projectName?: string,
): Promise<readonly PublisherRow[]> {
  const query = db
    .selectFrom('publishers')
    .selectAll()
    .where('index_id', '=', indexId)
    .where('removed_at', 'is', null)
    .orderBy('id');
  return (projectName === undefined ? query : query.where('project_name', '=', projectName)).execute();
}

export type PublisherChange = Partial<Pick<PublisherRow, 'project_id' | 'last_used_at' | 'removed_at'>>;

export async function changePublisher(db: Executor, id: number, change: PublisherChange): Promise<void> {
  await db.updateTable('publishers').set(change).where('id', '=', id).execute();
}

/** Notes that an identity token was used; false when it was before. Forgets those that expired. */
export async function noteIdentityUse(
  db: Executor,
  use: { readonly issuer: string; readonly jtiSha256: string; readonly until: Date; readonly now: Date },
): Promise<boolean> {
  await db.deleteFrom('oidc_uses').where('expires_at', '<', use.now.toISOString()).execute();
  const result = await db
    .insertInto('oidc_uses')
    .values({ issuer: use.issuer, jti_sha256: use.jtiSha256, expires_at: use.until.toISOString() })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst();
  return (result.numInsertedOrUpdatedRows ?? 0n) > 0n;
}

/** Revokes what trusted publishing gave out for a project by an issuer. */
export async function revokeIdentityTokens(
  db: Executor,
  projectId: number,
  issuer: string,
  now: Date,
): Promise<void> {
  await db
    .updateTable('tokens')
    .set({ revoked_at: now.toISOString() })
    .where('oidc_issuer', '=', issuer)
    .where('revoked_at', 'is', null)
    .where('id', 'in', (query) =>
      query.selectFrom('token_projects').select('token_id').where('project_id', '=', projectId),
    )
    .execute();
}
