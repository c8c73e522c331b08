import { appendAudit } from '../db/audit.ts';
import { findIndex } from '../db/indexes.ts';
import { findProject } from '../db/projects.ts';
import type { Executor } from '../db/schema.ts';
import { revokeToken } from '../db/tokens.ts';
import { writeTransaction } from '../db/transactions.ts';
import { quote } from '../pypi/errors.ts';
import { issueToken } from './authenticate.ts';
import { authorizeServer, requireStanding } from './authorize.ts';
import { RegistryError } from './errors.ts';
import { projectNamed } from './project-change.ts';
import { actorOf, tokenOf, userOf, type Principal, type Verb } from './principal.ts';
import { presentUser, type AccountContext } from './users.ts';

/** What a token is to be good for. */
export interface TokenWish {
  readonly name: string;
  readonly verbs: readonly Verb[];
  /** Name of the index; undefined: every index. */
  readonly index?: string | undefined;
  /** Good for these projects of the index only. */
  readonly projects?: readonly string[] | undefined;
  /** Whose it is; undefined: of whoever asks, when she is a user, else nobody's. */
  readonly user?: string | undefined;
  readonly expires?: Date | undefined;
}

/** A token as lists show it; its text is not stored. */
export interface TokenSummary {
  readonly number: number;
  readonly name: string;
  readonly verbs: readonly string[];
  readonly user: string | null;
  readonly index: string | null;
  readonly projects: readonly string[] | null;
  readonly created: string;
  readonly lastUsed: string | null;
  readonly expires: string | null;
  readonly revoked: string | null;
}

const LONGEST_NAME = 100;
const MOST_PROJECTS = 100;

/**
 * Makes a token. Administrators make anybody's and nobody's; a user who logged in by password makes her own, which can never do
 * more than she may. A token that is no administrator's makes no tokens: who finds one gets no second.
 *
 * @throws RegistryError
 */
export async function createAccessToken(
  { db, clock }: AccountContext,
  principal: Principal,
  wish: TokenWish,
): Promise<{ readonly token: string; readonly number: number }> {
  await requireOwnOrAdmin(db, principal, wish);
  checkWish(wish, clock());
  const ownerName = wish.user ?? (principal.kind === 'user' ? principal.name : undefined);
  return writeTransaction(db, async (tx) => {
    await requireOwnOrAdmin(tx, principal, wish);
    const now = clock();
    const userId = ownerName === undefined ? undefined : (await presentUser(tx, ownerName)).id;
    const scope = await scopeOf(tx, wish);
    const { token, id } = await issueToken(tx, {
      name: wish.name.trim(),
      verbs: wish.verbs,
      now,
      ...scope,
      ...(userId === undefined ? {} : { userId }),
      ...(wish.expires === undefined ? {} : { expires: wish.expires }),
    });
    await appendAudit(tx, {
      indexId: scope.indexId ?? null,
      at: now,
      actor: actorOf(principal),
      action: 'token.create',
      subject: `token:${id}`,
      detail: {
        verbs: [...wish.verbs].toSorted().join(','),
        user: ownerName ?? null,
        projects: wish.projects?.join(',') ?? null,
        expires: wish.expires?.toISOString() ?? null,
      },
    });
    return { token, number: id };
  });
}

/** All tokens for administrators, her own for a user. @throws RegistryError */
export async function accessTokens(
  { db }: AccountContext,
  principal: Principal,
): Promise<readonly TokenSummary[]> {
  const onlyOf = await ownTokensOnly(db, principal);
  const query = db
    .selectFrom('tokens')
    .leftJoin('users', 'users.id', 'tokens.user_id')
    .leftJoin('indexes', 'indexes.id', 'tokens.index_id')
    .selectAll('tokens')
    .select(['users.name as user', 'indexes.name as index'])
    .orderBy('tokens.id');
  const rows = await (onlyOf === undefined ? query : query.where('tokens.user_id', '=', onlyOf)).execute();
  const projects = await db
    .selectFrom('token_projects')
    .innerJoin('projects', 'projects.id', 'token_projects.project_id')
    .select(['token_projects.token_id', 'projects.name'])
    .orderBy('projects.name')
    .execute();
  const namesOf = new Map<number, string[]>();
  for (const { token_id, name } of projects) {
    const names = namesOf.get(token_id);
    if (names === undefined) namesOf.set(token_id, [name]);
    else names.push(name);
  }
  return rows.map((row) => ({
    number: row.id,
    name: row.name,
    verbs: row.verbs.split(','),
    user: row.user,
    index: row.index,
    projects: row.is_project_scoped === 1 ? (namesOf.get(row.id) ?? []) : null,
    created: row.created_at,
    lastUsed: row.last_used_at,
    expires: row.expires_at,
    revoked: row.revoked_at,
  }));
}

/** Makes a token useless at once: administrators any, a user her own, a token itself. @throws RegistryError NOT_FOUND when there is none she may see */
export async function revokeAccessToken(
  { db, clock }: AccountContext,
  principal: Principal,
  number: number,
): Promise<void> {
  await writeTransaction(db, async (tx) => {
    const onlyOf = tokenOf(principal) === number ? undefined : await ownTokensOnly(tx, principal);
    const now = clock();
    const row = await tx
      .selectFrom('tokens')
      .select(['user_id', 'index_id'])
      .where('id', '=', number)
      .executeTakeFirst();
    const isHers = row !== undefined && (onlyOf === undefined || row.user_id === onlyOf);
    if (!isHers || !(await revokeToken(tx, number, now))) {
      throw new RegistryError('NOT_FOUND', `There is no token ${number} that could be revoked.`);
    }
    await appendAudit(tx, {
      indexId: row.index_id,
      at: now,
      actor: actorOf(principal),
      action: 'token.revoke',
      subject: `token:${number}`,
    });
  });
}

/** The user whose tokens alone this principal may see, undefined when all. @throws RegistryError */
async function ownTokensOnly(db: Executor, principal: Principal): Promise<number | undefined> {
  if (principal.kind === 'user' && !principal.isAdmin) {
    await requireStanding(db, principal);
    return principal.userId;
  }
  await authorizeServer(db, principal);
  return undefined;
}

async function requireOwnOrAdmin(
  db: Executor,
  principal: Principal,
  { user: owner, verbs }: TokenWish,
): Promise<void> {
  const isOwn = principal.kind === 'user' && (owner === undefined || owner === principal.name);
  // What a witness is told is kept for ever: an administrator says who may tell it.
  if (isOwn && !verbs.includes('witness')) return requireStanding(db, principal);
  await authorizeServer(db, principal);
  if (isOwn) return;
  // A user's administration token makes tokens in her name as well as for others.
  if (owner === undefined && userOf(principal) !== undefined) {
    throw new RegistryError('INVALID_REQUEST', 'Say whose token it is to be.');
  }
}

function checkWish({ name, verbs, index, projects, expires }: TokenWish, now: Date): void {
  const refuse = (message: string): never => {
    throw new RegistryError('INVALID_REQUEST', message);
  };
  if (name.trim() === '' || name.length > LONGEST_NAME || /\p{Cc}/u.test(name)) {
    refuse(`A token has a name of at most ${LONGEST_NAME} characters that says what it is for.`);
  }
  if (verbs.length === 0) refuse('A token is for something: name at least one verb.');
  if (expires !== undefined && !(expires > now)) refuse('A token expires in the future.');
  if (projects === undefined) return;
  if (index === undefined) refuse('A token for projects names their index.');
  if (projects.length === 0 || projects.length > MOST_PROJECTS) {
    refuse(`A token for projects names 1 to ${MOST_PROJECTS} of them.`);
  }
  if (verbs.includes('witness')) refuse('A token for projects is no witness.');
  if (verbs.includes('admin')) refuse('A token for projects cannot administer the server.');
}

async function scopeOf(
  tx: Executor,
  { index: name, projects }: TokenWish,
): Promise<{ indexId?: number; projectIds?: readonly number[] }> {
  if (name === undefined) return {};
  const index = await findIndex(tx, name);
  if (index === undefined || index.removed_at !== null) {
    throw new RegistryError('NOT_FOUND', `There is no index ${quote(name)}.`);
  }
  if (projects === undefined) return { indexId: index.id };
  const ids = new Set<number>();
  for (const text of projects) {
    const project = await findProject(tx, index.id, projectNamed(text));
    if (project === undefined || project.removed_at !== null) {
      throw new RegistryError('NOT_FOUND', `There is no project ${quote(text)} in that index.`);
    }
    ids.add(project.id);
  }
  return { indexId: index.id, projectIds: [...ids] };
}
