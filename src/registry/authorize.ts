import { hasProjectRole, indexRole, projectRole } from '../db/members.ts';
import type { Executor, IndexRow, ProjectRow } from '../db/schema.ts';
import { CREDENTIALS_HINT } from './credentials.ts';
import { RegistryError } from './errors.ts';
import {
  tokenOf,
  userOf,
  type Principal,
  type TokenScope,
  type UserPrincipal,
  type Verb,
} from './principal.ts';

/** Where somebody wants to do something. Without a project: in the index as a whole. */
export interface Place {
  readonly index: {
    readonly id: number;
    /** When the caller knows it; asked of the database otherwise. */
    readonly readAccess?: 'open' | 'token';
  };
  /** The row, looked up in this very index. */
  readonly project?: Pick<ProjectRow, 'id' | 'name' | 'index_id'>;
}

/**
 * Refuses unless the principal may do this here. A token needs the verb, this index and this project in its scope, and, when it
 * is somebody's, a user who may do the same. Everything that changes something asks again inside its transaction.
 *
 * Not for the first upload to a project that does not exist: that is {@link authorizeCreation}.
 *
 * @throws RegistryError NOT_AUTHENTICATED when somebody known might, NOT_PERMITTED when this one may not
 */
export async function authorize(db: Executor, principal: Principal, verb: Verb, place: Place): Promise<void> {
  if (principal.kind === 'cli') return;
  if (verb !== 'read') await requireStanding(db, principal);
  if (principal.kind === 'anonymous') {
    if (verb === 'read' && (await isOpen(db, place))) return;
    throw notAuthenticated(verb);
  }
  // Whoever is known reads an open index as everybody does.
  if (verb === 'read' && (await isOpen(db, place))) return;
  if (principal.kind !== 'user') requireScope(principal, verb, place);
  const user = userOf(principal);
  if (user === undefined || user.isAdmin) return;
  if (await mayUser(db, user, verb, place)) return;
  throw notPermitted(`The user ${user.name} may not ${DEEDS[verb]}${placeName(place)}.`, place.project?.name);
}

/** Whether {@link authorize} lets the principal pass. */
export function isAuthorized(db: Executor, principal: Principal, verb: Verb, place: Place): Promise<boolean> {
  return passes(authorize(db, principal, verb, place));
}

/** Whether {@link authorizeServer} lets the principal pass. */
export function isServerAdmin(db: Executor, principal: Principal): Promise<boolean> {
  return passes(authorizeServer(db, principal));
}

async function passes(check: Promise<void>): Promise<boolean> {
  try {
    await check;
    return true;
  } catch (error) {
    if (error instanceof RegistryError) return false;
    throw error;
  }
}

/**
 * Refuses unless the principal may make this project by uploading to it: the index's policy says whether everybody who may
 * upload there can, or administrators only. A token for some projects never makes another one.
 *
 * @throws RegistryError NOT_AUTHENTICATED, NOT_PERMITTED
 */
export async function authorizeCreation(
  db: Executor,
  principal: Principal,
  index: { readonly id: number },
  project: string,
): Promise<void> {
  if (principal.kind === 'cli') return;
  if (principal.kind === 'anonymous') throw notAuthenticated('upload');
  await requireStanding(db, principal);
  if (principal.kind !== 'user') {
    requireScope(principal, 'upload', { index });
    if (principal.projectIds !== undefined) throw wrongProject(project);
  }
  const user = userOf(principal);
  if (user?.isAdmin === true) return;
  const { project_creation } = await accessOf(db, index.id);
  if (project_creation === 'admins' && !isAdminToken(principal)) {
    throw notPermitted(`Only an administrator makes new projects here, and '${project}' is new.`, project);
  }
  if (user === undefined || (await indexRole(db, index.id, user.userId)) === 'uploader') return;
  throw notPermitted(`The user ${user.name} may not make the new project '${project}' here.`, project);
}

/**
 * Refuses unless the principal runs the whole server: users, indexes, everybody's tokens. Whatever changes something asks again inside its
 * transaction, so that it counts what the principal may then, not what it could when the request began.
 *
 * @throws RegistryError NOT_AUTHENTICATED, NOT_PERMITTED
 */
export async function authorizeServer(db: Executor, principal: Principal): Promise<void> {
  if (principal.kind === 'cli') return;
  if (principal.kind === 'anonymous') throw notAuthenticated('admin');
  await requireStanding(db, principal);
  if (principal.kind !== 'user') requireWholeServer(principal, 'admin');
  const user = userOf(principal);
  if (user !== undefined && !user.isAdmin) {
    throw notPermitted(`The user ${user.name} may not ${DEEDS.admin}.`);
  }
}

/**
 * Refuses unless the principal reports heads of other indexes: what it says is kept for ever and may accuse somebody, so only a token counts
 * that an administrator made for it.
 *
 * @throws RegistryError NOT_AUTHENTICATED, NOT_PERMITTED
 */
export async function authorizeWitness(db: Executor, principal: Principal): Promise<void> {
  if (principal.kind === 'cli') return;
  if (principal.kind === 'anonymous') throw notAuthenticated('witness');
  await requireStanding(db, principal);
  if (principal.kind === 'user') {
    throw notPermitted('Heads of logs are taken from API tokens with the verb witness only.');
  }
  requireWholeServer(principal, 'witness');
}

function requireWholeServer(scope: TokenScope, verb: Verb): void {
  requireVerb(scope, verb);
  if (scope.indexId !== undefined || scope.projectIds !== undefined) {
    throw notPermitted('The API token is for a part of this server only.');
  }
}

/** For what needs nothing but being known. @throws RegistryError NOT_AUTHENTICATED */
export function requireKnown(principal: Principal): void {
  if (principal.kind === 'anonymous') throw notAuthenticated('read');
}

/** The principal is of when the request began; a long upload outlives a token that was stolen and revoked. @throws RegistryError NOT_AUTHENTICATED */
export async function requireStanding(db: Executor, principal: Principal): Promise<void> {
  const tokenId = tokenOf(principal);
  if (tokenId !== undefined) {
    const token = await db
      .selectFrom('tokens')
      .select('revoked_at')
      .where('id', '=', tokenId)
      .executeTakeFirst();
    if (token === undefined || token.revoked_at !== null) {
      throw new RegistryError('NOT_AUTHENTICATED', 'The API token has been revoked: ask for a new one.');
    }
  }
  const user = userOf(principal);
  if (user === undefined) return;
  const row = await db
    .selectFrom('users')
    .select(['disabled_at', 'removed_at', 'is_admin'])
    .where('id', '=', user.userId)
    .executeTakeFirst();
  if (row === undefined || row.disabled_at !== null || row.removed_at !== null) {
    throw new RegistryError('NOT_AUTHENTICATED', 'This user may not use this server any more.');
  }
  if (user.isAdmin && row.is_admin !== 1) {
    throw new RegistryError('NOT_AUTHENTICATED', 'This user is no administrator any more: try again.');
  }
}

async function mayUser(
  db: Executor,
  { userId }: UserPrincipal,
  verb: Verb,
  { index, project }: Place,
): Promise<boolean> {
  if (verb === 'admin' || verb === 'witness') return false;
  if (verb === 'read') {
    return (
      (await indexRole(db, index.id, userId)) !== undefined || (await hasProjectRole(db, index.id, userId))
    );
  }
  // Uploading in general: whoever has any business here; the project decides once it is known.
  if (project === undefined) {
    if (verb !== 'upload') return false;
    return (
      (await indexRole(db, index.id, userId)) === 'uploader' || (await hasProjectRole(db, index.id, userId))
    );
  }
  const role = await projectRole(db, project.id, userId);
  return role === 'owner' || (role === 'maintainer' && verb !== 'own');
}

function requireScope(scope: TokenScope, verb: Verb, { index, project }: Place): void {
  requireVerb(scope, verb);
  if (scope.indexId !== undefined && scope.indexId !== index.id) {
    throw notPermitted('The API token belongs to another index of this server.');
  }
  if (project !== undefined && project.index_id !== index.id) {
    throw notPermitted(`The project '${project.name}' is in another index.`, project.name);
  }
  if (scope.projectIds === undefined) return;
  if (verb === 'admin') throw notPermitted('A token for some projects administers nothing.');
  // A token for some projects may read their index, as every installer needs, and begin an upload.
  if (project === undefined && verb === 'upload') return;
  if (project === undefined && verb === 'read' && scope.indexId !== undefined) return;
  if (project === undefined || !scope.projectIds.has(project.id)) {
    throw project === undefined
      ? notPermitted('The API token is for some projects only.')
      : wrongProject(project.name);
  }
}

function requireVerb(scope: TokenScope, verb: Verb): void {
  if (!scope.verbs.has(verb)) throw notPermitted(`The API token may not ${DEEDS[verb]} here.`);
}

function isAdminToken(principal: Principal): boolean {
  return principal.kind === 'token' && principal.user === undefined && principal.verbs.has('admin');
}

async function isOpen(db: Executor, { index }: Place): Promise<boolean> {
  return (index.readAccess ?? (await accessOf(db, index.id)).read_access) === 'open';
}

async function accessOf(
  db: Executor,
  indexId: number,
): Promise<Pick<IndexRow, 'read_access' | 'project_creation'>> {
  const row = await db
    .selectFrom('indexes')
    .select(['read_access', 'project_creation'])
    .where('id', '=', indexId)
    .executeTakeFirst();
  // An index that is not there is open to nobody.
  return row ?? { read_access: 'token', project_creation: 'admins' };
}

const DEEDS: Readonly<Record<Verb, string>> = {
  read: 'read',
  upload: 'upload',
  maintain: 'maintain releases',
  own: 'own projects',
  admin: 'administer',
  witness: 'report heads of logs',
};

function placeName({ project }: Place): string {
  return project === undefined ? ' here' : ` in the project '${project.name}'`;
}

function notAuthenticated(verb: Verb): RegistryError {
  const subject = verb === 'upload' ? 'Uploading' : verb === 'read' ? 'Reading here' : 'This';
  return new RegistryError('NOT_AUTHENTICATED', `${subject} needs an API token: ${CREDENTIALS_HINT}.`);
}

function notPermitted(message: string, project?: string): RegistryError {
  return new RegistryError('NOT_PERMITTED', message, project === undefined ? {} : { project });
}

function wrongProject(name: string): RegistryError {
  return notPermitted(`The API token is not for the project '${name}'.`, name);
}
