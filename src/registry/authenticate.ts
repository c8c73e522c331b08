import { timingSafeEqual } from 'node:crypto';
import type { Executor, TokenRow, UserRow } from '../db/schema.ts';
import {
  findTokenByHash,
  insertToken,
  insertTokenProjects,
  projectsOfToken,
  touchToken,
  userOfToken,
} from '../db/tokens.ts';
import { CREDENTIALS_HINT } from './credentials.ts';
import { RegistryError } from './errors.ts';
import type { Principal, UserPrincipal, Verb } from './principal.ts';
import { generateToken, hashToken } from './token.ts';

export interface TokenRequest {
  /** Shown in lists; no secret. */
  readonly name: string;
  readonly verbs: readonly Verb[];
  readonly indexId?: number;
  /** Good for these projects only, all of one index. */
  readonly projectIds?: readonly number[];
  /** Whose it is; absent: its scope alone counts. */
  readonly userId?: number;
  readonly oidc?: { readonly issuer: string; readonly subject: string };
  readonly expires?: Date;
  readonly now: Date;
}

const TOUCH_INTERVAL = 60_000;

/** Makes a token and stores its hash; the text is returned once and can never be read again. Call it inside a write transaction. */
export async function issueToken(
  db: Executor,
  request: TokenRequest,
): Promise<{ readonly token: string; readonly id: number }> {
  const token = generateToken();
  const row = await insertToken(db, {
    index_id: request.indexId ?? null,
    name: request.name,
    hash: hashToken(token),
    verbs: [...new Set(request.verbs)].toSorted().join(','),
    project_id: null,
    is_project_scoped: request.projectIds === undefined ? 0 : 1,
    user_id: request.userId ?? null,
    oidc_issuer: request.oidc?.issuer ?? null,
    oidc_subject: request.oidc?.subject ?? null,
    created_at: request.now.toISOString(),
    expires_at: request.expires?.toISOString() ?? null,
    last_used_at: null,
    revoked_at: null,
  });
  if (request.projectIds !== undefined) await insertTokenProjects(db, row.id, request.projectIds);
  return { token, id: row.id };
}

/**
 * Looks a well-formed token up.
 *
 * @throws RegistryError NOT_AUTHENTICATED, without saying more than the holder of the token may know
 */
export async function authenticateToken(db: Executor, token: string, now: Date): Promise<Principal> {
  const hash = hashToken(token);
  const row = await findTokenByHash(db, hash);
  if (row === undefined || !timingSafeEqual(Buffer.from(row.hash, 'hex'), Buffer.from(hash, 'hex'))) {
    throw notAuthenticated(`This index does not know the API token: ${CREDENTIALS_HINT}.`);
  }
  requireValid(row, now);
  const principal = await principalOf(db, row);
  await noteUse(db, row, now);
  return principal;
}

async function principalOf(db: Executor, row: TokenRow): Promise<Principal> {
  const scope = {
    tokenId: row.id,
    indexId: row.index_id ?? undefined,
    projectIds: row.is_project_scoped === 1 ? new Set(await projectsOfToken(db, row.id)) : undefined,
    verbs: new Set(row.verbs.split(',')),
  };
  if (row.oidc_issuer !== null) {
    return { kind: 'oidc', ...scope, issuer: row.oidc_issuer, subject: row.oidc_subject ?? '' };
  }
  const user = await userOfToken(db, row);
  if (user !== undefined && (user.disabled_at !== null || user.removed_at !== null)) {
    throw notAuthenticated('The user of the API token may not use this server any more.');
  }
  return { kind: 'token', ...scope, name: row.name, user: user && userPrincipal(user) };
}

/** What is known of a user, for as long as a request lasts. */
export function userPrincipal({ id, name, is_admin }: UserRow): UserPrincipal {
  return { kind: 'user', userId: id, name, isAdmin: is_admin === 1 };
}

function requireValid(row: TokenRow, now: Date): void {
  if (row.revoked_at !== null) throw notAuthenticated('The API token has been revoked: ask for a new one.');
  if (row.expires_at !== null && now >= new Date(row.expires_at)) {
    throw notAuthenticated(`The API token expired at ${row.expires_at}: ask for a new one.`);
  }
}

async function noteUse(db: Executor, row: TokenRow, now: Date): Promise<void> {
  const last = row.last_used_at === null ? -Infinity : Date.parse(row.last_used_at);
  if (now.getTime() - last >= TOUCH_INTERVAL) await touchToken(db, row.id, now);
}

function notAuthenticated(message: string): RegistryError {
  return new RegistryError('NOT_AUTHENTICATED', message);
}
