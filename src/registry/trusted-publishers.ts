import { appendAudit } from '../db/audit.ts';
import { findProject } from '../db/projects.ts';
import {
  changePublisher,
  insertPublisher,
  publishersOfIndex,
  revokeIdentityTokens,
} from '../db/publishers.ts';
import type { PublisherRow } from '../db/schema.ts';
import { writeTransaction } from '../db/transactions.ts';
import { authorize, authorizeCreation } from './authorize.ts';
import type { RegistryContext } from './context.ts';
import { RegistryError } from './errors.ts';
import { settingsOf } from './index-settings.ts';
import { checkNewName } from './policy-checks.ts';
import { notFound, projectNamed, type ChangeContext } from './project-change.ts';
import { actorOf, userOf, type Principal } from './principal.ts';
import { checkRule, type PublisherRule } from './publisher-rule.ts';
import type { PublishingSettings } from './publishing-settings.ts';

/** A publisher as lists show it. */
export interface PublisherSummary {
  readonly number: number;
  readonly project: string;
  /** The project does not exist yet. */
  readonly isPending: boolean;
  readonly issuer: string;
  readonly rule: PublisherRule;
  readonly created: string;
  readonly lastUsed: string | null;
}

const MOST = 50;

/**
 * Lets a workflow elsewhere upload to a project. Its owner may; for a project that does not exist yet whoever could make it, and
 * she becomes its owner once the workflow makes it.
 *
 * @throws RegistryError
 */
export async function addPublisher(
  context: ChangeContext & Pick<RegistryContext, 'indexDefaults'> & { readonly settings: PublishingSettings },
  principal: Principal,
  wish: { readonly project: string; readonly issuer: string; readonly rule: PublisherRule },
): Promise<PublisherSummary> {
  const { db, index, settings, clock } = context;
  requireOwnVerb(principal);
  const name = projectNamed(wish.project);
  return writeTransaction(db, async (tx) => {
    const project = await findProject(tx, index.id, name);
    if (project === undefined) {
      await authorizeCreation(tx, principal, index, name);
      // Asked again when the project is made; said at once to whoever registers it.
      await checkNewName(tx, index.id, name, (await settingsOf(tx, index.id, context.indexDefaults)).upload);
    } else await authorize(tx, principal, 'own', { index, project });
    if (project !== undefined && project.removed_at !== null) throw notFound('The project is deleted.', name);
    const issuer = settings.issuers.find(({ url }) => url === wish.issuer);
    if (issuer === undefined) {
      throw new RegistryError(
        'INVALID_REQUEST',
        'This server trusts no such issuer; its settings name them.',
      );
    }
    checkRule(wish.rule, issuer.kind);
    const claims = JSON.stringify(wish.rule);
    const known = await publishersOfIndex(tx, index.id, name);
    if (known.some((row) => row.issuer === issuer.url && row.claims === claims)) {
      throw new RegistryError('CONFLICT', 'The project has this publisher.', { project: name });
    }
    if (known.length >= MOST)
      throw new RegistryError('CONFLICT', `A project has at most ${MOST} publishers.`);
    const now = clock();
    const row = await insertPublisher(tx, {
      index_id: index.id,
      project_id: project?.id ?? null,
      project_name: name,
      issuer: issuer.url,
      claims,
      registered_by: userOf(principal)?.userId ?? null,
      created_at: now.toISOString(),
    });
    await audit(tx, context, principal, 'publisher.add', row);
    return summaryOf(row);
  });
}

/** The publishers of a project, pending ones included. @throws RegistryError */
export async function projectPublishers(
  { db, index }: ChangeContext,
  principal: Principal,
  text: string,
): Promise<readonly PublisherSummary[]> {
  requireOwnVerb(principal);
  const name = projectNamed(text);
  const project = await findProject(db, index.id, name);
  if (project === undefined) await authorizeCreation(db, principal, index, name);
  else await authorize(db, principal, 'own', { index, project });
  const rows = await publishersOfIndex(db, index.id, name);
  // Whom others want to trust with a name that is still free is theirs to know.
  const user = userOf(principal);
  const seesAll =
    project !== undefined ||
    (user === undefined
      ? principal.kind === 'cli' || (principal.kind === 'token' && principal.verbs.has('admin'))
      : user.isAdmin);
  return rows
    .filter(({ registered_by }) => seesAll || registered_by === (user?.userId ?? null))
    .map(summaryOf);
}

/** Trusts a workflow no longer; what it was given expires at once. @throws RegistryError NOT_FOUND when the project has no such publisher */
export async function removePublisher(
  context: ChangeContext,
  principal: Principal,
  { project, number }: { readonly project: string; readonly number: number },
): Promise<void> {
  requireOwnVerb(principal);
  const { db, index, clock } = context;
  const seen = await projectPublishers(context, principal, project);
  await writeTransaction(db, async (tx) => {
    // Looked up by its project: a number alone reaches nothing of others.
    const rows = await publishersOfIndex(tx, index.id, projectNamed(project));
    const row = rows.find(({ id }) => id === number);
    if (row === undefined || !seen.some((summary) => summary.number === number)) {
      throw notFound(`The project has no publisher ${number}.`, projectNamed(project));
    }
    const now = clock();
    await changePublisher(tx, row.id, { removed_at: now.toISOString() });
    if (row.project_id !== null) await revokeIdentityTokens(tx, row.project_id, row.issuer, now);
    await audit(tx, context, principal, 'publisher.remove', row);
  });
}

/** A publisher is a way in that outlives every token: the right to upload makes none. @throws RegistryError NOT_PERMITTED */
function requireOwnVerb(principal: Principal): void {
  if (principal.kind !== 'token' && principal.kind !== 'oidc') return;
  if (principal.verbs.has('own') || principal.verbs.has('admin')) return;
  throw new RegistryError('NOT_PERMITTED', 'An API token without the verb own changes no publishers.');
}

async function audit(
  tx: ChangeContext['db'],
  { index, clock }: ChangeContext,
  principal: Principal,
  action: 'publisher.add' | 'publisher.remove',
  row: PublisherRow,
): Promise<void> {
  await appendAudit(tx, {
    indexId: index.id,
    at: clock(),
    actor: actorOf(principal),
    action,
    subject: row.project_name,
    detail: { publisher: row.id, issuer: row.issuer, rule: row.claims, pending: row.project_id === null },
  });
}

function summaryOf(row: PublisherRow): PublisherSummary {
  return {
    number: row.id,
    project: row.project_name,
    isPending: row.project_id === null,
    issuer: row.issuer,
    rule: JSON.parse(row.claims) as PublisherRule,
    created: row.created_at,
    lastUsed: row.last_used_at,
  };
}
