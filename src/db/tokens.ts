import { chunked } from './chunked.ts';
import type { Executor, NewToken, TokenRow, UserRow } from './schema.ts';

/** Adds a token; `hash` is the sha256 of its text, which is never stored. */
export async function insertToken(db: Executor, token: NewToken): Promise<TokenRow> {
  return db.insertInto('tokens').values(token).returningAll().executeTakeFirstOrThrow();
}

/** The token with that hash in whatever state; expiry and revocation are the caller's to check. */
export async function findTokenByHash(db: Executor, hash: string): Promise<TokenRow | undefined> {
  return db.selectFrom('tokens').selectAll().where('hash', '=', hash).executeTakeFirst();
}

export async function listTokens(db: Executor): Promise<readonly TokenRow[]> {
  return db.selectFrom('tokens').selectAll().orderBy('id').execute();
}

/** True when this call revoked it, false when there is no such token or it was revoked before. */
export async function revokeToken(db: Executor, tokenId: number, now: Date): Promise<boolean> {
  const result = await db
    .updateTable('tokens')
    .set({ revoked_at: now.toISOString() })
    .where('id', '=', tokenId)
    .where('revoked_at', 'is', null)
    .executeTakeFirst();
  return result.numUpdatedRows > 0n;
}

/** Notes a use; call it at most now and then per token, it is a write. */
export async function touchToken(db: Executor, tokenId: number, now: Date): Promise<void> {
  await db.updateTable('tokens').set({ last_used_at: now.toISOString() }).where('id', '=', tokenId).execute();
}

/** The user a token belongs to. */
export async function userOfToken(db: Executor, { user_id }: TokenRow): Promise<UserRow | undefined> {
  if (user_id === null) return undefined;
  return db.selectFrom('users').selectAll().where('id', '=', user_id).executeTakeFirst();
}

/** The projects a token is for. */
export async function projectsOfToken(db: Executor, tokenId: number): Promise<readonly number[]> {
  const rows = await db
    .selectFrom('token_projects')
    .select('project_id')
    .where('token_id', '=', tokenId)
    .execute();
  return rows.map(({ project_id }) => project_id);
}

/** Call it in the transaction that makes the token. */
export async function insertTokenProjects(
  db: Executor,
  tokenId: number,
  projectIds: readonly number[],
): Promise<void> {
  for (const ids of chunked(projectIds)) {
    await db
      .insertInto('token_projects')
      .values(ids.map((project_id) => ({ token_id: tokenId, project_id })))
      .execute();
  }
}
