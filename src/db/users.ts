import type { Executor, UserRow } from './schema.ts';

export interface NewUser {
  /** As a name of registry/users.ts. */
  readonly name: string;
  /** Hashed. */
  readonly password: string | undefined;
  readonly isAdmin: boolean;
  readonly now: Date;
}

/** Adds a user; fails on the unique constraint when the name is or was taken. */
export async function insertUser(db: Executor, user: NewUser): Promise<UserRow> {
  return db
    .insertInto('users')
    .values({
      name: user.name,
      password: user.password ?? null,
      is_admin: user.isAdmin ? 1 : 0,
      created_at: user.now.toISOString(),
    })
    .returningAll()
    .executeTakeFirstOrThrow();
}

/** The user of that name in whatever state. */
export async function findUser(db: Executor, name: string): Promise<UserRow | undefined> {
  return db.selectFrom('users').selectAll().where('name', '=', name).executeTakeFirst();
}

/** Everybody who was not removed, by name. */
export async function listUsers(db: Executor): Promise<readonly UserRow[]> {
  return db.selectFrom('users').selectAll().where('removed_at', 'is', null).orderBy('name').execute();
}

export type UserChange = Partial<Pick<UserRow, 'password' | 'is_admin' | 'disabled_at' | 'removed_at'>>;

export async function changeUser(db: Executor, userId: number, change: UserChange): Promise<void> {
  await db.updateTable('users').set(change).where('id', '=', userId).execute();
}

/** Revokes all tokens of a user; returns how many. */
export async function revokeTokensOf(db: Executor, userId: number, now: Date): Promise<number> {
  const result = await db
    .updateTable('tokens')
    .set({ revoked_at: now.toISOString() })
    .where('user_id', '=', userId)
    .where('revoked_at', 'is', null)
    .executeTakeFirst();
  return Number(result.numUpdatedRows);
}
