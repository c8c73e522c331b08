import { createHash } from 'node:crypto';
import { isSameOwners, withThresholdOne } from '../claims/owners.ts';
import { ownersText, parseOwnersText } from '../claims/owners-text.ts';
import type { CheckedTransaction } from '../claims/transaction.ts';
import type { ProjectChange, SignedTransaction } from '../claims/transaction-form.ts';
import { appendAudits, type AuditDetail, type AuditEntry } from '../db/audit.ts';
import { findClaim, putClaim, putSignedRoles, setClaimOwners } from '../db/claims.ts';
import { filesOfProject, insertFile, markFileRemoved, pageStates, setYanked } from '../db/files.ts';
import { appendJournal } from '../db/journal.ts';
import { ensureRelease, setProjectStatus } from '../db/projects.ts';
import { settleProposals } from '../db/proposals.ts';
import { insertProvenance } from '../db/provenances.ts';
import type { Executor, ProjectRow, StagedFileRow } from '../db/schema.ts';
import { deleteStagedFiles } from '../db/staged-files.ts';
import { parseDistributionFilename } from '../pypi/distribution-filename.ts';
import { canonicalVersion } from '../pypi/version.ts';
import { projectTargets } from '../repository/project-targets.ts';
import type { RegistryContext } from './context.ts';
import { requireFreeFilename } from './filename-rules.ts';
import { offeredMetadataOf } from './offered-metadata.ts';
import { actorOf, type Principal } from './principal.ts';
import { transactionTag } from './transaction-tag.ts';
import type { TransactionGoal } from './transaction-state.ts';

/** A transaction that passed every check, and by whom it came. */
export interface TransactionRecord {
  readonly context: Pick<RegistryContext, 'index'>;
  readonly principal: Principal;
  readonly project: ProjectRow;
  readonly transaction: SignedTransaction;
  readonly goal: TransactionGoal;
  readonly checked: CheckedTransaction;
  readonly now: Date;
}

/** Every row of a transaction: files, changes, signed roles, claim, journal, audit log. Returns the serial of the change. */
export async function recordTransaction(tx: Executor, record: TransactionRecord): Promise<number> {
  const { context, project, transaction, goal, checked, now } = record;
  const indexId = context.index.id;
  const audit: AuditEntry[] = [];
  for (const file of goal.published) await addFile(tx, record, file, audit);
  // Looked up once: thousands of changes of thousands of files must not hold the one writing transaction.
  const ids = new Map((await filesOfProject(tx, project.id)).map(({ filename, id }) => [filename, id]));
  for (const change of transaction.changes) await makeChange(tx, record, change, { audit, ids });
  const isFirst = goal.state.standing === 'unclaimed';
  await recordClaim(tx, record, isFirst);
  const detail = {
    files: transaction.files.length,
    changes: transaction.changes.length,
    roles: checked.roles.map(({ role, metadata }) => `${role} ${metadata.signed.version}`).join(', '),
    keys: [...new Set(checked.roles.flatMap(({ metadata }) => [...metadata.signaturesByKeyId.keys()]))]
      .toSorted()
      .join(', '),
  };
  const kind = isFirst ? 'claim' : 'publish';
  const journalId = await appendJournal(tx, { indexId, projectId: project.id, kind, detail, now });
  await putSignedRoles(
    tx,
    { indexId, projectId: project.id, journalId },
    checked.roles.map(({ role, metadata: { signed }, bytes }) => ({
      role,
      version: signed.version,
      expires: signed.expires,
      bytes,
    })),
  );
  await settleProposals(tx, project.id, transactionTag(transaction));
  audit.push(entryOf(record, isFirst ? 'claim.add' : 'claim.publish', project.name, detail));
  await appendAudits(tx, audit);
  await requireExpected(tx, record);
  return journalId;
}

async function addFile(
  tx: Executor,
  record: TransactionRecord,
  { staged, uploadTime }: TransactionGoal['published'][number],
  audit: AuditEntry[],
): Promise<void> {
  const { project, now } = record;
  const { id, core_metadata: coreMetadata, provenance, ...rest } = staged;
  const release = await ensureRelease(tx, {
    indexId: staged.index_id,
    projectId: project.id,
    version: canonicalVersion(staged.version),
    coreMetadata,
    now,
  });
  await requireFreeFilename(tx, release.id, parseDistributionFilename(staged.filename));
  const offered = { ...rest, ...offeredMetadataOf(staged) };
  const file = await insertFile(tx, fileOf(offered, release.id, uploadTime));
  if (provenance !== null) await insertProvenance(tx, { fileId: file.id, document: provenance, now });
  await deleteStagedFiles(tx, [id]);
  const detail = { project: project.name, sha256: staged.sha256, stagedBy: staged.staged_by };
  audit.push(entryOf(record, 'file.upload', staged.filename, detail));
}

function fileOf(
  staged: Omit<StagedFileRow, 'id' | 'core_metadata' | 'provenance' | 'metadata_sha256' | 'metadata_length'> &
    ReturnType<typeof offeredMetadataOf>,
  releaseId: number,
  uploadTime: string,
): Parameters<typeof insertFile>[1] {
  const { staged_by: _by, staged_at: _at, expires_at: _expires, ...row } = staged;
  return { ...row, release_id: releaseId, uploaded_at: uploadTime, yanked_reason: null, removed_at: null };
}

async function makeChange(
  tx: Executor,
  record: TransactionRecord,
  change: ProjectChange,
  { audit, ids }: { readonly audit: AuditEntry[]; readonly ids: ReadonlyMap<string, number> },
): Promise<void> {
  const { project, now } = record;
  if (change.kind === 'status') {
    const { status, reason } = change;
    await setProjectStatus(tx, project.id, status, status === 'active' ? undefined : (reason ?? undefined));
    const detail = { before: project.status, after: status, ...(reason === null ? {} : { reason }) };
    audit.push(entryOf(record, 'project.status', project.name, detail));
    return;
  }
  const { filename } = change;
  const id = ids.get(filename);
  if (id === undefined) throw new Error(`${filename} was there when the transaction was checked.`);
  const detail = { project: project.name };
  if (change.kind === 'remove') {
    await markFileRemoved(tx, id, now);
    audit.push(entryOf(record, 'file.delete', filename, detail));
    return;
  }
  const isYanked = change.kind === 'yank';
  const reason = change.kind === 'yank' ? (change.reason ?? undefined) : undefined;
  await setYanked(tx, id, isYanked, reason);
  const told = reason === undefined ? detail : { ...detail, reason };
  audit.push(entryOf(record, isYanked ? 'file.yank' : 'file.unyank', filename, told));
}

/** Whom the owners want is in force at once where the online key delegates; the administrators' list follows with its next signature. */
async function recordClaim(
  tx: Executor,
  { context, project, checked, now }: TransactionRecord,
  isFirst: boolean,
): Promise<void> {
  const wished = ownersText(checked.owners);
  const soon = ownersText(withThresholdOne(checked.owners));
  if (isFirst) {
    await putClaim(tx, {
      project_id: project.id,
      index_id: context.index.id,
      state: 'recently-claimed',
      owners: soon,
      wished_owners: wished,
      claimed_at: now.toISOString(),
      moved_at: null,
    });
    return;
  }
  const claim = await findClaim(tx, project.id);
  if (claim === undefined || isSameOwners(parseOwnersText(claim.wished_owners), checked.owners)) return;
  const owners = claim.state === 'recently-claimed' ? { owners: soon } : {};
  await setClaimOwners(tx, project.id, { ...owners, wishedOwners: wished });
}

function entryOf(
  { context, principal, now }: TransactionRecord,
  action: AuditEntry['action'],
  subject: string,
  detail: AuditDetail,
): AuditEntry {
  return { indexId: context.index.id, at: now, actor: actorOf(principal), action, subject, detail };
}

/** The rows say what was signed: otherwise the publisher could never publish them. */
async function requireExpected(tx: Executor, { project, goal }: TransactionRecord): Promise<void> {
  const [state] = await pageStates(tx, [project.id]);
  const made = state === undefined ? new Map() : projectTargets(state).targets;
  if (textOf(made) === textOf(goal.expected)) return;
  throw new Error(`The rows of ${project.name} would say something else than what was signed.`);
}

function textOf(targets: TransactionGoal['expected']): string {
  const lines = [...targets].map(([path, { length, sha256 }]) => `${path} ${length} ${sha256}`);
  return createHash('sha256').update(lines.toSorted().join('\n')).digest('hex');
}
