import { timingSafeEqual } from 'node:crypto';
import type { Executor, ProjectRow, TokenRow } from '../db/schema.ts';
import { findTokenByHash, insertToken, touchToken } from '../db/tokens.ts';
import { RegistryError } from './errors.ts';
import { generateToken, hashToken, isWellFormedToken } from './token.ts';

/** What a token may be good for. None includes another. */
export type Verb = 'admin' | 'read' | 'upload';

/** Who asks: a token that is known, neither expired nor revoked. What it may do is asked with `requirePermission`. */
export interface Identity {
  readonly tokenId: number;
  readonly name: string;
  /** Undefined: every index. */
  readonly indexId: number | undefined;
  /** Undefined: every project. */
  readonly projectId: number | undefined;
  readonly verbs: ReadonlySet<string>;
}

export interface TokenRequest {
  /** Shown in lists; no secret. */
  readonly name: string;
  readonly verbs: readonly Verb[];
  readonly indexId?: number;
  readonly projectId?: number;
  readonly expires?: Date;
  readonly now: Date;
}

const TOUCH_INTERVAL = 60_000;
const HINT = "use the user name '__token__' and an API token of this index as the password";

/** Makes a token and stores its hash; the text is returned once and can never be read again. */
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
    project_id: request.projectId ?? null,
    created_at: request.now.toISOString(),
    expires_at: request.expires?.toISOString() ?? null,
    last_used_at: null,
    revoked_at: null,
  });
  return { token, id: row.id };
}

/**
 * Reads an Authorization header (Basic with `__token__`, Bearer, or GitHub's and Warehouse's `token`) and looks the token up.
 *
 * @throws RegistryError NOT_AUTHENTICATED, without saying more than the holder of the token may know
 */
export async function authenticate(
  db: Executor,
  authorization: string | undefined,
  now: Date,
): Promise<Identity> {
  const token = tokenFrom(authorization);
  if (!isWellFormedToken(token)) {
    throw notAuthenticated(`This is no API token of this index (a part may be missing): ${HINT}.`);
  }
  const hash = hashToken(token);
  const row = await findTokenByHash(db, hash);
  if (row === undefined || !timingSafeEqual(Buffer.from(row.hash, 'hex'), Buffer.from(hash, 'hex'))) {
    throw notAuthenticated(`This index does not know the API token: ${HINT}.`);
  }
  requireValid(row, now);
  await noteUse(db, row, now);
  return {
    tokenId: row.id,
    name: row.name,
    indexId: row.index_id ?? undefined,
    projectId: row.project_id ?? undefined,
    verbs: new Set(row.verbs.split(',')),
  };
}

/** Refuses unless the token is good for the verb in this index. @throws RegistryError NOT_PERMITTED */
export function requirePermission(identity: Identity, verb: Verb, indexId: number): void {
  if (identity.indexId !== undefined && identity.indexId !== indexId) {
    throw new RegistryError('NOT_PERMITTED', 'The API token belongs to another index of this server.');
  }
  if (!identity.verbs.has(verb)) {
    throw new RegistryError('NOT_PERMITTED', `The API token may not ${verb} here.`);
  }
}

/** Refuses when the token is for one project and this is another, or one that does not exist yet. @throws RegistryError NOT_PERMITTED */
export function requireProject(
  identity: Identity,
  project: Pick<ProjectRow, 'id'> | undefined,
  name: string,
): void {
  if (identity.projectId === undefined || identity.projectId === project?.id) return;
  throw new RegistryError('NOT_PERMITTED', `The API token is not for the project '${name}'.`, {
    project: name,
  });
}

function tokenFrom(authorization: string | undefined): string {
  if (authorization === undefined) throw notAuthenticated(`Uploading needs an API token: ${HINT}.`);
  const space = authorization.indexOf(' ');
  const scheme = authorization.slice(0, Math.max(space, 0)).toLowerCase();
  const credentials = authorization.slice(space + 1).trim();
  if (scheme === 'bearer' || scheme === 'token') return credentials;
  if (scheme !== 'basic') throw notAuthenticated(`The Authorization header is not understood: ${HINT}.`);
  const pair = Buffer.from(credentials, 'base64').toString('utf8');
  const colon = pair.indexOf(':');
  if (colon === -1 || pair.slice(0, colon) !== '__token__') {
    throw notAuthenticated(`User names and passwords are not accepted here: ${HINT}.`);
  }
  return pair.slice(colon + 1).trim();
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
