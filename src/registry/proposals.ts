import { readRole, type SignatureCount } from '../claims/transaction.ts';
import { parseTransaction, transactionJson, type SignedTransaction } from '../claims/transaction-form.ts';
import { ClaimError } from '../claims/errors.ts';
import { appendAudit } from '../db/audit.ts';
import {
  closeProposal,
  deleteExpiredProposals,
  findProposal,
  findSameProposal,
  insertProposal,
  openProposals,
  replaceProposalContent,
} from '../db/proposals.ts';
import type { Executor, ProjectRow, ProposalRow } from '../db/schema.ts';
import { writeTransaction } from '../db/transactions.ts';
import { authorize } from './authorize.ts';
import { RegistryError } from './errors.ts';
import { notFound } from './project-change.ts';
import { actorOf, type Principal } from './principal.ts';
import { STAGING_LIFETIME } from './stage-file.ts';
import {
  requirePerson,
  takeTransaction,
  type AppliedTransaction,
  type PartialTransaction,
  type TransactionContext,
} from './transaction.ts';
import { transactionTag } from './transaction-tag.ts';

/** A transaction that waits for further signatures. */
export interface Proposal {
  readonly id: number;
  /** As claims/transaction-form.ts writes it, with every signature so far. */
  readonly transaction: Record<string, unknown>;
  readonly proposedBy: string;
  readonly created: string;
  readonly expires: string;
}

/** What came of a transaction that may be short of signatures. */
export type CosignOutcome =
  AppliedTransaction | { readonly proposal: number; readonly missing: readonly SignatureCount[] };

/** Proposals of a project that are open at a time. */
const MOST_PROPOSALS = 20;

/**
 * Takes a transaction that is signed by some of the owners: applied when that is enough, kept for the others otherwise. The same again, with
 * other signatures, joins the one that is kept. A proposal has passed every check but the number of its signatures.
 *
 * @throws ClaimError, RegistryError
 */
export async function propose(
  context: TransactionContext,
  principal: Principal,
  project: ProjectRow,
  value: unknown,
): Promise<CosignOutcome> {
  requirePerson(principal);
  const transaction = parseTransaction(project.name, value);
  const { db } = context;
  const kept = await findSameProposal(db, project.id, tagOf(transaction), context.clock());
  if (kept === undefined) return takeProposal(context, principal, project, transaction, undefined);
  return addSignatures(context, principal, project, kept, transaction.roles);
}

/**
 * Adds signatures to a proposal; `roles` is the same metadata with more of them.
 *
 * @throws ClaimError, RegistryError NOT_FOUND, NOT_PERMITTED
 */
export async function cosign(
  context: TransactionContext,
  principal: Principal,
  project: ProjectRow,
  id: number,
  roles: unknown,
): Promise<CosignOutcome> {
  requirePerson(principal);
  const kept = await requireProposal(context, project, id);
  const whole = { ...(JSON.parse(kept.content) as object), roles };
  return addSignatures(context, principal, project, kept, parseTransaction(project.name, whole).roles);
}

/** The proposals that wait, oldest first. */
export async function listProposals(
  { db, clock }: TransactionContext,
  project: ProjectRow,
): Promise<readonly Proposal[]> {
  return (await openProposals(db, project.id, clock())).map(described);
}

/** @throws RegistryError NOT_FOUND */
export async function findOneProposal(
  context: TransactionContext,
  project: ProjectRow,
  id: number,
): Promise<Proposal> {
  return described(await requireProposal(context, project, id));
}

/** Nobody can sign it any more. @throws RegistryError NOT_FOUND, NOT_PERMITTED */
export async function withdrawProposal(
  context: TransactionContext,
  principal: Principal,
  project: ProjectRow,
  id: number,
): Promise<void> {
  requirePerson(principal);
  await requireProposal(context, project, id);
  await writeTransaction(context.db, async (tx) => {
    await authorize(tx, principal, 'upload', { index: context.index, project });
    await closeProposal(tx, id);
    await note(tx, context, principal, project, { proposal: id, withdrawn: true });
  });
}

function described({ id, content, proposed_by, created_at, expires_at }: ProposalRow): Proposal {
  const transaction = JSON.parse(content) as Record<string, unknown>;
  return { id, transaction, proposedBy: proposed_by, created: created_at, expires: expires_at };
}

async function addSignatures(
  context: TransactionContext,
  principal: Principal,
  project: ProjectRow,
  kept: ProposalRow,
  roles: SignedTransaction['roles'],
): Promise<CosignOutcome> {
  const before = parseTransaction(project.name, JSON.parse(kept.content));
  const merged = new Map(before.roles);
  for (const [role, bytes] of roles) merged.set(role, joined(role, before.roles.get(role), bytes));
  return takeProposal(context, principal, project, { ...before, roles: merged }, kept);
}

/** The same signed bytes under the signatures of both, ascending by key. @throws ClaimError SIGNATURE, MALFORMED */
function joined(role: string, before: Uint8Array | undefined, bytes: Uint8Array): Uint8Array {
  const added = readRole(role, bytes);
  const present = before === undefined ? undefined : readRole(role, before);
  if (present === undefined || Buffer.compare(present.signedBytes, added.signedBytes) !== 0) {
    throw new ClaimError(
      'SIGNATURE',
      `${role} is not what was proposed: only signatures are added to a proposal.`,
      { role },
    );
  }
  const all = new Map([...present.signaturesByKeyId, ...added.signaturesByKeyId]);
  const sorted = [...all.values()].toSorted((a, b) => (a.keyId < b.keyId ? -1 : 1));
  return present.withSignatures(sorted).toBytes();
}

function tagOf(transaction: SignedTransaction): string {
  for (const [role, bytes] of transaction.roles) readRole(role, bytes);
  return transactionTag(transaction);
}

async function takeProposal(
  context: TransactionContext,
  principal: Principal,
  project: ProjectRow,
  transaction: SignedTransaction,
  kept: ProposalRow | undefined,
): Promise<CosignOutcome> {
  const outcome = await takeTransaction(context, principal, project, transactionJson(transaction), {
    allowsPartial: true,
    ...(kept === undefined ? {} : { proposedAt: new Date(kept.created_at) }),
  });
  if ('transaction' in outcome) return keep(context, principal, project, outcome, kept);
  return outcome;
}

function keep(
  context: TransactionContext,
  principal: Principal,
  project: ProjectRow,
  { transaction, missing }: PartialTransaction,
  kept: ProposalRow | undefined,
): Promise<CosignOutcome> {
  const content = JSON.stringify(transactionJson(transaction));
  return writeTransaction(context.db, async (tx) => {
    await authorize(tx, principal, 'upload', { index: context.index, project });
    const proposal =
      kept === undefined
        ? await insert(tx, context, principal, project, { content, tag: transactionTag(transaction) })
        : kept.id;
    if (kept !== undefined && !(await replaceProposalContent(tx, kept, content))) {
      throw new RegistryError('CONFLICT', 'Somebody else signed at this moment: sign again.', {
        project: project.name,
      });
    }
    await note(tx, context, principal, project, {
      proposal,
      missing: missing.map(({ role, have, need }) => `${role} ${have}/${need}`).join(', '),
    });
    return { proposal, missing };
  });
}

async function insert(
  tx: Executor,
  { index, clock }: TransactionContext,
  principal: Principal,
  project: ProjectRow,
  { content, tag }: { readonly content: string; readonly tag: string },
): Promise<number> {
  const now = clock();
  await deleteExpiredProposals(tx, index.id, now);
  if ((await openProposals(tx, project.id, now)).length >= MOST_PROPOSALS) {
    throw new RegistryError(
      'QUOTA_EXCEEDED',
      `${MOST_PROPOSALS} proposals of the project '${project.name}' wait for signatures: sign or withdraw some first.`,
      { project: project.name },
    );
  }
  return insertProposal(tx, {
    index_id: index.id,
    project_id: project.id,
    state: 'open',
    content,
    content_sha256: tag,
    proposed_by: actorOf(principal),
    created_at: now.toISOString(),
    expires_at: new Date(now.getTime() + STAGING_LIFETIME).toISOString(),
  });
}

async function requireProposal(
  { db, clock }: TransactionContext,
  project: ProjectRow,
  id: number,
): Promise<ProposalRow> {
  const row = await findProposal(db, project.id, id, clock());
  if (row !== undefined) return row;
  throw notFound(
    `No proposal ${id} of the project '${project.name}' waits: it was published, replaced, withdrawn or is too old.`,
    project.name,
  );
}

function note(
  tx: Executor,
  { index, clock }: TransactionContext,
  principal: Principal,
  project: ProjectRow,
  detail: Readonly<Record<string, string | number | boolean>>,
): Promise<void> {
  return appendAudit(tx, {
    indexId: index.id,
    at: clock(),
    actor: actorOf(principal),
    action: 'claim.propose',
    subject: project.name,
    detail,
  });
}
