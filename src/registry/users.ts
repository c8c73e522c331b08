import { appendAudit } from '../db/audit.ts';
import type { Executor, UserRow } from '../db/schema.ts';
import { writeTransaction } from '../db/transactions.ts';
import { changeUser, findUser, insertUser, listUsers, revokeTokensOf, type UserChange } from '../db/users.ts';
import { removeAllRoles } from '../db/members.ts';
import { quote } from '../pypi/errors.ts';
import { authorizeServer, requireStanding } from './authorize.ts';
import { RegistryError } from './errors.ts';
import { hashPassword } from './password.ts';
import { actorOf, type Principal } from './principal.ts';

/** What the operations on accounts need of the world. */
export interface AccountContext {
  readonly db: Executor;
  readonly clock: () => Date;
}

/** A user as others may see her. */
export interface UserSummary {
  readonly name: string;
  readonly isAdmin: boolean;
  readonly hasPassword: boolean;
  readonly created: string;
  readonly disabled: string | null;
}

const NAME = /^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$/;

/** @throws RegistryError NOT_AUTHENTICATED, NOT_PERMITTED, INVALID_REQUEST, CONFLICT */
export async function addUser(
  context: AccountContext,
  principal: Principal,
  user: { readonly name: string; readonly password?: string | undefined; readonly isAdmin?: boolean },
): Promise<UserSummary> {
  // Before the work of a hash; what counts is asked in the transaction.
  await authorizeServer(context.db, principal);
  const { name, isAdmin = false } = user;
  if (!NAME.test(name)) {
    throw new RegistryError(
      'INVALID_REQUEST',
      'A user name has 1 to 64 of a-z, 0-9, dot, hyphen and underscore, the first and last a letter or digit.',
    );
  }
  const password = user.password === undefined ? undefined : await hashPassword(user.password);
  return writeTransaction(context.db, async (tx) => {
    await authorizeServer(tx, principal);
    const known = await findUser(tx, name);
    if (known !== undefined) {
      const state = known.removed_at === null ? 'exists' : 'was removed, and a name is never used twice';
      throw new RegistryError('CONFLICT', `The user ${quote(name)} ${state}.`);
    }
    const now = context.clock();
    const row = await insertUser(tx, { name, password, isAdmin, now });
    await audit(tx, principal, 'user.create', name, now, { isAdmin });
    return summaryOf(row);
  });
}

/** Everybody, for administrators. @throws RegistryError */
export async function allUsers(
  context: AccountContext,
  principal: Principal,
): Promise<readonly UserSummary[]> {
  await authorizeServer(context.db, principal);
  return (await listUsers(context.db)).map(summaryOf);
}

/**
 * Sets a password: administrators anybody's; a user who logged in by password her own. Remembered logins with the old one end.
 *
 * @throws RegistryError
 */
export async function setPassword(
  context: AccountContext,
  principal: Principal,
  name: string,
  password: string,
): Promise<void> {
  await requireOwnAccount(context.db, principal, name);
  const hashed = await hashPassword(password);
  await change(
    context,
    principal,
    name,
    'user.change',
    () => ({ password: hashed }),
    { what: 'password' },
    (tx) => requireOwnAccount(tx, principal, name),
  );
}

/** Makes somebody an administrator, or no longer one. @throws RegistryError */
export async function setAdmin(
  context: AccountContext,
  principal: Principal,
  name: string,
  isAdmin: boolean,
): Promise<void> {
  await change(
    context,
    principal,
    name,
    'user.change',
    () => ({ is_admin: isAdmin ? 1 : 0 }),
    { isAdmin },
    (tx) => authorizeServer(tx, principal),
  );
}

/** Shuts a user out at once, tokens included, or lets her in again. @throws RegistryError */
export async function setDisabled(
  context: AccountContext,
  principal: Principal,
  name: string,
  isDisabled: boolean,
): Promise<void> {
  const at = (now: Date): UserChange => ({ disabled_at: isDisabled ? now.toISOString() : null });
  await change(context, principal, name, 'user.disable', at, { isDisabled }, (tx) =>
    authorizeServer(tx, principal),
  );
}

/** Takes a user away with her roles, password and tokens, for ever: the name is not given again. @throws RegistryError */
export async function removeUser(context: AccountContext, principal: Principal, name: string): Promise<void> {
  const allowed = (tx: Executor): Promise<void> => authorizeServer(tx, principal);
  const gone = (now: Date): UserChange => ({ removed_at: now.toISOString(), password: null, is_admin: 0 });
  await change(
    context,
    principal,
    name,
    'user.disable',
    gone,
    { removed: true },
    allowed,
    async (tx, user, now) => {
      await removeAllRoles(tx, user.id);
      await revokeTokensOf(tx, user.id, now);
    },
  );
}

/** The user of that name who may still use the server. @throws RegistryError NOT_FOUND */
export async function presentUser(db: Executor, name: string): Promise<UserRow> {
  const user = await findUser(db, name);
  if (user === undefined || user.removed_at !== null) {
    throw new RegistryError('NOT_FOUND', `There is no user ${quote(name)}.`);
  }
  return user;
}

/** Her own, logged in by password and still let in; else an administrator. */
async function requireOwnAccount(db: Executor, principal: Principal, name: string): Promise<void> {
  if (principal.kind === 'user' && principal.name === name) await requireStanding(db, principal);
  else await authorizeServer(db, principal);
}

async function change(
  { db, clock }: AccountContext,
  principal: Principal,
  name: string,
  action: 'user.change' | 'user.disable',
  changed: (now: Date) => UserChange,
  detail: Readonly<Record<string, string | boolean>>,
  /** Refuses whoever may not; runs before anything is changed. */
  allowed: (tx: Executor) => Promise<void>,
  more?: (tx: Executor, user: UserRow, now: Date) => Promise<void>,
): Promise<void> {
  await writeTransaction(db, async (tx) => {
    await allowed(tx);
    const user = await presentUser(tx, name);
    const now = clock();
    await changeUser(tx, user.id, changed(now));
    await more?.(tx, user, now);
    await audit(tx, principal, action, name, now, detail);
  });
}

async function audit(
  tx: Executor,
  principal: Principal,
  action: 'user.create' | 'user.change' | 'user.disable',
  subject: string,
  at: Date,
  detail: Readonly<Record<string, string | boolean>>,
): Promise<void> {
  await appendAudit(tx, { indexId: null, at, actor: actorOf(principal), action, subject, detail });
}

function summaryOf(row: UserRow): UserSummary {
  return {
    name: row.name,
    isAdmin: row.is_admin === 1,
    hasPassword: row.password !== null,
    created: row.created_at,
    disabled: row.disabled_at,
  };
}
