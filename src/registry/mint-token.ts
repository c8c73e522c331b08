import { createHash } from 'node:crypto';
import { appendAudit } from '../db/audit.ts';
import { indexRole, setProjectRole } from '../db/members.ts';
import { ensureProject, findProject } from '../db/projects.ts';
import { changePublisher, noteIdentityUse, publishersOfIssuer } from '../db/publishers.ts';
import type { Executor, PublisherRow, UserRow } from '../db/schema.ts';
import { findTokenByHash, revokeToken } from '../db/tokens.ts';
import { writeTransaction } from '../db/transactions.ts';
import { issueToken } from './authenticate.ts';
import { RegistryError } from './errors.ts';
import { MintError, type Identity, type IdentityVerifier } from './identity-token.ts';
import { settingsOf, type IndexSettingsForm } from './index-settings.ts';
import { checkNewName } from './policy-checks.ts';
import { matchesRule, type PublisherRule } from './publisher-rule.ts';
import type { PublishingSettings } from './publishing-settings.ts';
import { hashToken, isWellFormedToken } from './token.ts';

/** What trusted publishing needs of the world. */
export interface MintContext {
  readonly db: Executor;
  readonly clock: () => Date;
  readonly settings: PublishingSettings;
  readonly verifier: IdentityVerifier;
  /** What indexes are told that were told nothing else. */
  readonly indexDefaults?: IndexSettingsForm;
  /** What identity tokens must be made for. */
  readonly audience: () => string;
}

export interface MintedToken {
  readonly token: string;
  readonly expires: Date;
}

/**
 * Gives a short-lived upload token, for the projects whose publisher it is, to whoever shows an identity token of a trusted issuer.
 * A pending publisher makes its project. Each identity token is good once.
 *
 * @throws MintError, RegistryError BUSY
 */
export async function mintToken(context: MintContext, identityToken: string): Promise<MintedToken> {
  const { db, clock, settings, verifier } = context;
  const issuer = verifier.issuerOf(identityToken);
  // Nobody is asked for keys on behalf of strangers.
  if ((await publishersOfIssuer(db, issuer.url)).length === 0) throw noPublisher();
  const identity = await verifier.verify(identityToken, issuer, context.audience(), clock());
  return writeTransaction(db, async (tx) => {
    const now = clock();
    const projectIds = await projectsOf(tx, identity, context.indexDefaults, now);
    await requireUnused(tx, identity, settings, now);
    const expires = new Date(now.getTime() + settings.tokenLifetime * 1000);
    const oidc = { issuer: issuer.url, subject: identity.subject };
    const name = `trusted publishing: ${identity.subject}`.slice(0, 200);
    const { token, id } = await issueToken(tx, { name, verbs: ['upload'], projectIds, oidc, expires, now });
    await appendAudit(tx, {
      indexId: null,
      at: now,
      actor: actorOf(identity),
      action: 'token.create',
      subject: `token:${id}`,
      detail: { projects: projectIds.join(','), expires: expires.toISOString() },
    });
    return { token, expires };
  });
}

/** Makes a token that {@link mintToken} gave useless at once; says nothing of any other text, and leaves every other token as it is. */
export async function burnToken({ db, clock }: MintContext, token: string): Promise<void> {
  const row = isWellFormedToken(token) ? await findTokenByHash(db, hashToken(token)) : undefined;
  if (row === undefined || row.oidc_issuer === null || row.revoked_at !== null) return;
  await writeTransaction(db, async (tx) => {
    const at = clock();
    if (!(await revokeToken(tx, row.id, at))) return;
    const actor = `oidc:${row.oidc_issuer} ${row.oidc_subject ?? ''}`;
    await appendAudit(tx, { indexId: null, at, actor, action: 'token.revoke', subject: `token:${row.id}` });
  });
}

async function projectsOf(
  tx: Executor,
  identity: Identity,
  indexDefaults: IndexSettingsForm | undefined,
  now: Date,
): Promise<readonly number[]> {
  const { host } = new URL(identity.issuer.url);
  const publishers = (await publishersOfIssuer(tx, identity.issuer.url)).filter(({ claims }) =>
    matchesRule(JSON.parse(claims) as PublisherRule, identity.claims, host),
  );
  if (publishers.length === 0) throw noPublisher();
  const projectIds = new Set<number>();
  for (const publisher of publishers) {
    const projectId =
      publisher.project_id ??
      ((await mayBeMade(tx, publisher, indexDefaults))
        ? await makeProject(tx, publisher, identity, now)
        : undefined);
    if (projectId === undefined || !(await isThere(tx, projectId))) continue;
    projectIds.add(projectId);
    await changePublisher(tx, publisher.id, { last_used_at: now.toISOString() });
  }
  if (projectIds.size > 0) return [...projectIds];
  throw new MintError(
    'invalid-pending-publisher',
    'The project was made by somebody else meanwhile, is deleted, or who registered the publisher may not make it any more.',
  );
}

async function isThere(tx: Executor, projectId: number): Promise<boolean> {
  const row = await tx
    .selectFrom('projects')
    .select('removed_at')
    .where('id', '=', projectId)
    .executeTakeFirst();
  return row?.removed_at === null;
}

/** Whether who registered a pending publisher could make its project today, and the name may be used. */
async function mayBeMade(
  tx: Executor,
  { index_id: indexId, project_name: name, registered_by }: PublisherRow,
  indexDefaults: IndexSettingsForm | undefined,
): Promise<boolean> {
  const index = await tx
    .selectFrom('indexes')
    .select(['removed_at', 'project_creation'])
    .where('id', '=', indexId)
    .executeTakeFirst();
  if (index === undefined || index.removed_at !== null) return false;
  if ((await findProject(tx, indexId, name)) !== undefined) return false;
  const owner = registered_by === null ? undefined : await userById(tx, registered_by);
  if (owner !== undefined) {
    if (owner.disabled_at !== null || owner.removed_at !== null) return false;
    if (owner.is_admin !== 1) {
      if (index.project_creation === 'admins') return false;
      if ((await indexRole(tx, indexId, owner.id)) !== 'uploader') return false;
    }
  }
  try {
    await checkNewName(tx, indexId, name, (await settingsOf(tx, indexId, indexDefaults)).upload);
    return true;
  } catch (error) {
    if (error instanceof RegistryError && error.code === 'NAME_REFUSED') return false;
    throw error;
  }
}

/** The project of a pending publisher, which is an ordinary one from now on. */
async function makeProject(
  tx: Executor,
  publisher: PublisherRow,
  identity: Identity,
  now: Date,
): Promise<number> {
  const { index_id: indexId, project_name: name, registered_by } = publisher;
  const owner = registered_by === null ? undefined : await userById(tx, registered_by);
  const project = await ensureProject(tx, { indexId, name, displayName: name, now });
  if (owner !== undefined) {
    await setProjectRole(tx, { projectId: project.id, userId: owner.id, role: 'owner', now });
  }
  await changePublisher(tx, publisher.id, { project_id: project.id });
  await appendAudit(tx, {
    indexId,
    at: now,
    actor: actorOf(identity),
    action: 'project.create',
    subject: name,
    detail: { owner: owner?.name ?? null, publisher: publisher.id },
  });
  return project.id;
}

async function userById(tx: Executor, id: number): Promise<UserRow | undefined> {
  return tx.selectFrom('users').selectAll().where('id', '=', id).executeTakeFirst();
}

/** Its use is remembered for as long as it could be shown again, the difference of clocks included. @throws MintError */
async function requireUnused(
  tx: Executor,
  { issuer, tokenId, expires }: Identity,
  { clockSkew }: PublishingSettings,
  now: Date,
): Promise<void> {
  const isNew = await noteIdentityUse(tx, {
    issuer: issuer.url,
    jtiSha256: createHash('sha256').update(tokenId).digest('hex'),
    until: new Date(expires.getTime() + 2 * clockSkew * 1000 + 1000),
    now,
  });
  if (!isNew)
    throw new MintError('invalid-reuse-token', 'The identity token was used before: ask for a new one.');
}

function noPublisher(): MintError {
  return new MintError(
    'invalid-publisher',
    'The identity token is real, but no project here knows this workflow as its publisher.',
  );
}

function actorOf({ issuer, subject }: Identity): string {
  return `oidc:${issuer.url} ${subject}`;
}
