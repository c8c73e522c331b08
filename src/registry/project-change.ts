import { appendAudits, type AuditAction, type AuditDetail } from '../db/audit.ts';
import { appendJournal, type JournalKind } from '../db/journal.ts';
import { findProject } from '../db/projects.ts';
import type { Executor, ProjectRow } from '../db/schema.ts';
import { writeTransaction } from '../db/transactions.ts';
import { FormatError, quote } from '../pypi/errors.ts';
import { normalizeProjectName } from '../pypi/project-name.ts';
import { authorize } from './authorize.ts';
import { requireUnclaimed } from './claimed-projects.ts';
import type { RegistryContext } from './context.ts';
import { RegistryError } from './errors.ts';
import { actorOf, type Principal, type Verb } from './principal.ts';

/** What a change of a project needs of the world. */
export type ChangeContext = Pick<RegistryContext, 'db' | 'index' | 'clock'>;

/** What was done: public, for everybody in one snapshot, once the journal entry is published. */
export interface ChangeOutcome {
  /** Normalized. */
  readonly project: string;
  /** The distribution files it was done to. */
  readonly files: readonly string[];
  readonly journalId: number;
}

/** What a change writes down about itself. */
export interface ChangeRecord {
  readonly kind: JournalKind;
  readonly action: AuditAction;
  /** A filename, `flask 1.0`, or the project. */
  readonly subject: string;
  readonly detail?: AuditDetail;
  readonly files?: readonly string[];
}

export interface ChangeRequest {
  /** In any spelling. */
  readonly project: string;
  readonly verb: Verb;
  /** It leaves the page as it is, so that it may be done to a claimed project. Absent: refused there. */
  readonly keepsPage?: boolean;
  /** Deleted projects are found too. */
  readonly evenRemoved?: boolean;
}

/**
 * One change of one project: permission, check and rows, one journal row and one audit entry, all in one transaction or not at all.
 *
 * @throws RegistryError NOT_FOUND, NOT_PERMITTED, NOT_AUTHENTICATED, and what `work` throws
 */
export function changeProject(
  context: ChangeContext,
  principal: Principal,
  request: ChangeRequest,
  work: (tx: Executor, project: ProjectRow, now: Date) => Promise<ChangeRecord>,
): Promise<ChangeOutcome> {
  const { db, index } = context;
  const name = projectNamed(request.project);
  return writeTransaction(db, async (tx) => {
    const project = await findProject(tx, index.id, name);
    const isThere = project !== undefined && (request.evenRemoved === true || project.removed_at === null);
    // Whoever may not do it does not learn whether there is such a project.
    await authorize(tx, principal, request.verb, isThere ? { index, project } : { index });
    if (!isThere) throw notFound(`There is no project ${quote(name)} here.`, name);
    if (request.keepsPage !== true) await requireUnclaimed(tx, project);
    const now = context.clock();
    const { kind, action, subject, detail = {}, files = [] } = await work(tx, project, now);
    const entry = { indexId: index.id, projectId: project.id, kind, detail, now };
    const journalId = await appendJournal(tx, entry);
    const actor = actorOf(principal);
    await appendAudits(tx, [{ indexId: index.id, at: now, actor, action, subject, detail }]);
    return { project: name, files, journalId };
  });
}

export function notFound(message: string, project: string): RegistryError {
  return new RegistryError('NOT_FOUND', message, { project });
}

const LONGEST_REASON = 500;

/** A reason as people may give it: one line of at most 500 characters; undefined when it is empty. @throws RegistryError INVALID_REQUEST */
export function checkedReason(reason: string | undefined): string | undefined {
  const text = reason?.trim() ?? '';
  if (text === '') return undefined;
  if (text.length > LONGEST_REASON || /[\p{Cc}\u2028\u2029]/u.test(text)) {
    throw new RegistryError(
      'INVALID_REQUEST',
      `A reason is one line of at most ${LONGEST_REASON} characters without control characters.`,
    );
  }
  return text;
}

/** The normalized name that a person meant. @throws RegistryError INVALID_REQUEST */
export function projectNamed(name: string): string {
  try {
    return normalizeProjectName(name);
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw new RegistryError('INVALID_REQUEST', error.message, { cause: error });
  }
}
