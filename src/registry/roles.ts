import { appendAudit } from '../db/audit.ts';
import {
  listProjectRoles,
  removeIndexRole,
  removeProjectRole,
  setIndexRole,
  setProjectRole,
} from '../db/members.ts';
import { findProject } from '../db/projects.ts';
import type { Executor, IndexRole, ProjectRole, ProjectRow } from '../db/schema.ts';
import { writeTransaction } from '../db/transactions.ts';
import { quote } from '../pypi/errors.ts';
import { authorize } from './authorize.ts';
import { RegistryError } from './errors.ts';
import { notFound, projectNamed, type ChangeContext } from './project-change.ts';
import { actorOf, userOf, type Principal, type Verb } from './principal.ts';
import { presentUser } from './users.ts';

/** Somebody's role in a project. */
export interface RoleSummary {
  readonly user: string;
  readonly role: ProjectRole;
  readonly granted: string;
}

/** Who owns and maintains a project, owners first. @throws RegistryError */
export async function projectRoles(
  { db, index }: ChangeContext,
  principal: Principal,
  name: string,
): Promise<readonly RoleSummary[]> {
  const project = await permittedProject(db, index, principal, name, 'maintain');
  const roles = await listProjectRoles(db, project.id);
  return roles.map(({ user, role, grantedAt }) => ({ user, role, granted: grantedAt }));
}

/** Gives a user a role in a project, or another one than before. @throws RegistryError */
export async function grantProjectRole(
  context: ChangeContext,
  principal: Principal,
  grant: { readonly project: string; readonly user: string; readonly role: ProjectRole },
): Promise<void> {
  await writeTransaction(context.db, async (tx) => {
    const project = await permittedProject(tx, context.index, principal, grant.project, 'own');
    const user = await presentUser(tx, grant.user);
    const now = context.clock();
    if (grant.role !== 'owner') await requireOtherOwner(tx, principal, project, user.id);
    await setProjectRole(tx, { projectId: project.id, userId: user.id, role: grant.role, now });
    await audit(tx, context, principal, 'role.grant', project.name, { user: user.name, role: grant.role });
  });
}

/** Takes a user's role in a project. The last owner goes only by an administrator's hand. @throws RegistryError */
export async function revokeProjectRole(
  context: ChangeContext,
  principal: Principal,
  { project: name, user: userName }: { readonly project: string; readonly user: string },
): Promise<void> {
  await writeTransaction(context.db, async (tx) => {
    const project = await permittedProject(tx, context.index, principal, name, 'own');
    const user = await presentUser(tx, userName);
    await requireOtherOwner(tx, principal, project, user.id);
    if (!(await removeProjectRole(tx, project.id, user.id))) {
      throw notFound(`The user ${quote(userName)} has no role in this project.`, project.name);
    }
    await audit(tx, context, principal, 'role.revoke', project.name, { user: user.name });
  });
}

/** Lets a user read an index, or upload to it too; undefined: neither, beyond the projects of hers. @throws RegistryError */
export async function changeIndexRole(
  context: ChangeContext,
  principal: Principal,
  userName: string,
  role: IndexRole | undefined,
): Promise<void> {
  const { db, index, clock } = context;
  await writeTransaction(db, async (tx) => {
    await authorize(tx, principal, 'admin', { index });
    const user = await presentUser(tx, userName);
    if (role === undefined) await removeIndexRole(tx, index.id, user.id);
    else await setIndexRole(tx, { indexId: index.id, userId: user.id, role, now: clock() });
    const subject = index.name === '' ? 'the default index' : `index ${index.name}`;
    const action = role === undefined ? 'role.revoke' : 'role.grant';
    await audit(tx, context, principal, action, subject, { user: user.name, role: role ?? null });
  });
}

/** Who may read an index, and who may make projects in it. */
export interface IndexAccess {
  readonly read: 'open' | 'token';
  readonly creation: 'uploaders' | 'admins';
}

/** What holds now. @throws RegistryError */
export async function indexAccess({ db, index }: ChangeContext, principal: Principal): Promise<IndexAccess> {
  await authorize(db, principal, 'admin', { index });
  const row = await db
    .selectFrom('indexes')
    .select(['read_access', 'project_creation'])
    .where('id', '=', index.id)
    .executeTakeFirstOrThrow();
  return { read: row.read_access, creation: row.project_creation };
}

/** Opens or closes an index; a running server follows within a second. @throws RegistryError */
export async function changeIndexAccess(
  context: ChangeContext,
  principal: Principal,
  change: {
    readonly read?: IndexAccess['read'] | undefined;
    readonly creation?: IndexAccess['creation'] | undefined;
  },
): Promise<void> {
  const { db, index } = context;
  await writeTransaction(db, async (tx) => {
    await authorize(tx, principal, 'admin', { index });
    const { read, creation } = change;
    if (read !== undefined) {
      await tx.updateTable('indexes').set({ read_access: read }).where('id', '=', index.id).execute();
    }
    if (creation !== undefined) {
      await tx
        .updateTable('indexes')
        .set({ project_creation: creation })
        .where('id', '=', index.id)
        .execute();
    }
    const subject = index.name === '' ? 'the default index' : `index ${index.name}`;
    const detail = { read: read ?? null, creation: creation ?? null };
    await audit(tx, context, principal, 'index.change', subject, detail);
  });
}

async function permittedProject(
  db: Executor,
  index: ChangeContext['index'],
  principal: Principal,
  text: string,
  verb: Verb,
): Promise<ProjectRow> {
  const name = projectNamed(text);
  const project = await findProject(db, index.id, name);
  const isThere = project !== undefined && project.removed_at === null;
  await authorize(db, principal, verb, isThere ? { index, project } : { index });
  if (!isThere) throw notFound(`There is no project ${quote(name)} here.`, name);
  return project;
}

async function requireOtherOwner(
  tx: Executor,
  principal: Principal,
  project: ProjectRow,
  userId: number,
): Promise<void> {
  if (principal.kind === 'cli' || userOf(principal)?.isAdmin === true) return;
  const owners = (await listProjectRoles(tx, project.id)).filter(({ role }) => role === 'owner');
  if (owners.some((owner) => owner.userId !== userId)) return;
  throw new RegistryError('CONFLICT', 'A project keeps at least one owner: name another one first.', {
    project: project.name,
  });
}

async function audit(
  tx: Executor,
  { index, clock }: ChangeContext,
  principal: Principal,
  action: 'role.grant' | 'role.revoke' | 'index.change',
  subject: string,
  detail: Readonly<Record<string, string | null>>,
): Promise<void> {
  await appendAudit(tx, {
    indexId: index.id,
    at: clock(),
    actor: actorOf(principal),
    action,
    subject,
    detail,
  });
}
