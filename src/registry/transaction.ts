import { createHash } from 'node:crypto';
import { ClaimError } from '../claims/errors.ts';
import { projectRoleName, wheelsRoleName } from '../claims/names.ts';
import { checkTransaction, type CheckedTransaction, type SignatureCount } from '../claims/transaction.ts';
import { parseTransaction, type SignedTransaction } from '../claims/transaction-form.ts';
import { findFile } from '../db/files.ts';
import type { Executor, ProjectRow, StagedFileRow } from '../db/schema.ts';
import { readTransaction, writeTransaction } from '../db/transactions.ts';
import { packagePath } from '../pypi/layout.ts';
import { ServedTree } from '../repository/served-tree.ts';
import { StagedObjects, type StoredFile } from '../repository/staged-objects.ts';
import { StorageError } from '../storage/errors.ts';
import { authorize } from './authorize.ts';
import type { RegistryContext } from './context.ts';
import { RegistryError } from './errors.ts';
import type { Principal } from './principal.ts';
import { lockProject } from './project-lock.ts';
import { recordTransaction } from './transaction-rows.ts';
import { goalOf, readStanding, standingTag, type TransactionGoal } from './transaction-state.ts';

export type TransactionContext = Pick<RegistryContext, 'db' | 'store' | 'index' | 'clock'>;

/** A transaction that was taken: public once its journal entry is; undefined: it is public since long. */
export interface AppliedTransaction {
  readonly journalId: number | undefined;
  readonly missing: readonly [];
}

/** A transaction that passed every check but has too few signatures. */
export interface PartialTransaction {
  readonly transaction: SignedTransaction;
  /** Not empty. */
  readonly missing: readonly SignatureCount[];
}

export interface TransactionOptions {
  /** Too few signatures are no error: the caller keeps it until there are enough. */
  readonly allowsPartial?: boolean;
  /** When it was proposed: the upload times in it are measured by that. */
  readonly proposedAt?: Date;
}

/**
 * Applies what the owners of a project signed (PEP 480): staged files become public, the page changes, whole or not at all. Every check is made
 * before anything is stored; the same transaction again gives the same answer.
 *
 * @throws ClaimError, RegistryError NOT_PERMITTED, PROJECT_CLOSED
 */
export async function takeTransaction(
  context: TransactionContext,
  principal: Principal,
  project: ProjectRow,
  value: unknown,
  options: TransactionOptions = {},
): Promise<AppliedTransaction | PartialTransaction> {
  requirePerson(principal);
  const transaction = parseTransaction(project.name, value);
  // The second one finds what the first made, before it serves a byte.
  return lockProject(context, project.name, () => take(context, principal, project, transaction, options));
}

/** What CI uploads waits for its owners: a workflow that was broken into publishes nothing. @throws RegistryError NOT_PERMITTED */
export function requirePerson(principal: Principal): void {
  if (principal.kind !== 'oidc') return;
  throw new RegistryError(
    'NOT_PERMITTED',
    'Trusted publishing stages files of a claimed project and publishes none: its owners do, with rind sign.',
  );
}

async function take(
  context: TransactionContext,
  principal: Principal,
  project: ProjectRow,
  transaction: SignedTransaction,
  options: TransactionOptions,
): Promise<AppliedTransaction | PartialTransaction> {
  const { db, index } = context;
  const before = await findApplied(db, index.id, transaction);
  if (before !== undefined) return { journalId: before.journalId, missing: [] };
  const now = context.clock();
  const standing = await readTransaction(db, (tx) => readStanding(tx, project, now));
  requireOpen(project.name, standing.page, transaction);
  const goal = goalOf(standing, transaction);
  let checked: CheckedTransaction;
  try {
    checked = await check(goal, transaction, now, options);
  } catch (error) {
    const missing = missingVoucher(error, project.name, options);
    for (const verb of OWNERS_WORD) await authorize(db, principal, verb, { index, project });
    return { transaction, missing: [missing] };
  }
  const verbs = verbsOf(goal, checked);
  for (const verb of verbs) await authorize(db, principal, verb, { index, project });
  if (checked.missing.length > 0) return { transaction, missing: distinct(checked.missing) };
  const served = await serveObjects(context, project.name, goal, checked);
  try {
    const journalId = await writeTransaction(db, async (tx) => {
      for (const verb of verbs) await authorize(tx, principal, verb, { index, project });
      const present = await readStanding(tx, project, now);
      if (standingTag(present) !== standingTag(standing)) throw changedMeanwhile();
      return recordTransaction(tx, { context, principal, project, transaction, goal, checked, now });
    });
    await forgetStaged(context, project.name, goal);
    return { journalId, missing: [] };
  } catch (error) {
    await takeBack(context, served);
    throw error;
  }
}

/** The owners before and those after are often the same people. */
function distinct(counts: readonly SignatureCount[]): readonly SignatureCount[] {
  const texts = new Set(counts.map((count) => JSON.stringify(count)));
  return [...texts].map((text) => JSON.parse(text) as SignatureCount);
}

async function check(
  { state, expected, builtWheels }: TransactionGoal,
  transaction: SignedTransaction,
  now: Date,
  { allowsPartial = false, proposedAt }: TransactionOptions,
): Promise<CheckedTransaction> {
  const at = proposedAt ?? now;
  const checked = await checkTransaction({
    state,
    transaction,
    now: at,
    expected,
    builtWheels,
    allowsPartial,
  });
  const expired = checked.roles.find(({ metadata }) => metadata.signed.isExpired(now));
  if (expired === undefined) return checked;
  throw new ClaimError('EXPIRY', `${expired.role} expired while it waited for signatures.`, {
    role: expired.role,
  });
}

/** A proposal may wait for the signature of a new owner key, which is checked when all else is right. @throws what is none such */
function missingVoucher(
  error: unknown,
  project: string,
  { allowsPartial }: TransactionOptions,
): SignatureCount {
  const isVoucher = error instanceof ClaimError && error.code === 'OWNERS' && error.keyId !== undefined;
  if (!isVoucher || allowsPartial !== true) throw error;
  return { role: projectRoleName(project), have: 0, need: 1 };
}

/** The first claim, and other owners, are the owner's word; a release is a maintainer's too. */
function verbsOf(
  goal: TransactionGoal,
  { changesOwners }: CheckedTransaction,
): readonly ('upload' | 'own')[] {
  return goal.state.standing === 'unclaimed' || changesOwners ? OWNERS_WORD : ['upload'];
}

const OWNERS_WORD = ['upload', 'own'] as const;

function requireOpen(
  project: string,
  { isRemoved, status }: { readonly isRemoved: boolean; readonly status: string },
  { files, changes }: SignedTransaction,
): void {
  const wished = changes.findLast(({ kind }) => kind === 'status');
  const next = wished?.kind === 'status' ? wished.status : status;
  if (next === 'quarantined' || status === 'quarantined') {
    throw closed(
      `The project '${project}' is or would be quarantined, which is for administrators; they withhold a claimed project with rind takedown.`,
      project,
    );
  }
  if (isRemoved) throw closed(`The project '${project}' was deleted and its name is closed.`, project);
  if (files.length === 0 || next !== 'archived') return;
  throw closed(`The project '${project}' is archived and takes no files.`, project);
}

function closed(message: string, project: string): RegistryError {
  return new RegistryError('PROJECT_CLOSED', message, { project });
}

function changedMeanwhile(): ClaimError {
  return new ClaimError(
    'BASE_CHANGED',
    'Somebody else changed the project at this moment. Fetch it and sign again.',
  );
}

/** The transaction that made just these signed versions, if it was taken before. */
async function findApplied(
  db: Executor,
  indexId: number,
  { roles }: SignedTransaction,
): Promise<{ readonly journalId: number | undefined } | undefined> {
  let journalId: number | undefined;
  for (const [role, bytes] of roles) {
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    const place = { index_id: indexId, role, sha256 };
    const row = await db
      .selectFrom('signed_roles')
      .select('journal_id')
      .where((eb) => eb.and(place))
      .executeTakeFirst();
    if (row === undefined) {
      const listed = await db
        .selectFrom('role_versions')
        .innerJoin('publications', 'publications.id', 'role_versions.publication_id')
        .select('role_versions.version')
        .where('role_versions.index_id', '=', indexId)
        .where('role_versions.role', '=', role)
        .where('role_versions.sha256', '=', sha256)
        .where('publications.state', '=', 'published')
        .executeTakeFirst();
      if (listed === undefined) return undefined;
    }
    journalId = Math.max(journalId ?? 0, row?.journal_id ?? 0);
  }
  return { journalId: journalId === 0 ? undefined : journalId };
}

/** What was made in the served tree, so that it can be taken back: nothing lists it yet. */
type Served = readonly { readonly file: StoredFile; readonly keys: readonly string[] }[];

/** The bytes of what becomes public, durable under their hash names before the rows say so. @throws ClaimError FILES when they are gone */
async function serveObjects(
  context: TransactionContext,
  project: string,
  goal: TransactionGoal,
  checked: CheckedTransaction,
): Promise<Served> {
  const objects = new StagedObjects(context.store, new ServedTree(context.index.name));
  const served: { file: StoredFile; keys: readonly string[] }[] = [];
  try {
    for (const { staged } of goal.published) {
      const file = storedFile(project, staged);
      served.push({ file, keys: await objects.serve(file) });
    }
    for (const staged of wheelsListed(project, goal, checked)) {
      const file = storedFile(project, staged);
      served.push({ file, keys: await objects.serve(file) });
      served.push({ file, keys: await objects.servePlainMetadata(file) });
    }
  } catch (error) {
    await takeBack(context, served);
    if (!(error instanceof StorageError) || error.code !== 'OBJECT_NOT_FOUND') throw error;
    throw new ClaimError('FILES', 'The bytes of a staged file are gone: upload it again, then sign.', {
      cause: error,
    });
  }
  return served;
}

function storedFile(project: string, { filename, sha256 }: StagedFileRow): StoredFile {
  return { project, filename, sha256 };
}

/** Staged wheels that a builder lists now, before they stand on the page. */
function wheelsListed(
  project: string,
  { staged, expected }: TransactionGoal,
  { roles }: CheckedTransaction,
): readonly StagedFileRow[] {
  const listed = roles.find(({ role }) => role === wheelsRoleName(project))?.metadata.signed.targets;
  if (listed === undefined) return [];
  return [...staged.values()].filter(({ filename }) => {
    const path = packagePath(project, filename);
    return listed.has(path) && !expected.has(path);
  });
}

/** Nothing lists them; a file that another process made public meanwhile stays. */
async function takeBack({ db, store, index }: TransactionContext, served: Served): Promise<void> {
  for (const { file, keys } of served) {
    if ((await findFile(db, index.id, file.filename)) !== undefined) continue;
    for (const key of keys) await store.remove(key);
  }
}

/** Published: the private copies go. What a crash leaves is swept later. */
async function forgetStaged(
  { store, index }: TransactionContext,
  project: string,
  { published }: TransactionGoal,
): Promise<void> {
  const objects = new StagedObjects(store, new ServedTree(index.name));
  for (const { staged } of published)
    await objects.remove(storedFile(project, staged)).catch(() => undefined);
}
