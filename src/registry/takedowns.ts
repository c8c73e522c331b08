import { appendAudit } from '../db/audit.ts';
import { findFile } from '../db/files.ts';
import { appendJournal } from '../db/journal.ts';
import { findProject } from '../db/projects.ts';
import type { Executor } from '../db/schema.ts';
import { endTakedown, findTakedown, insertTakedown, takedownsInForce } from '../db/takedowns.ts';
import { writeTransaction } from '../db/transactions.ts';
import { quote } from '../pypi/errors.ts';
import type { Takedown } from '../pypi/takedown-list.ts';
import { authorize } from './authorize.ts';
import { RegistryError } from './errors.ts';
import { checkedReason, notFound, projectNamed, type ChangeContext } from './project-change.ts';
import { actorOf, type Principal } from './principal.ts';

/** What is withheld: one file of a project, or with `null` all of them. */
export interface TakedownSubject {
  /** In any spelling. */
  readonly project: string;
  readonly filename: string | null;
}

/** In force for every client once the journal entry is published; the server withholds from then on too. */
export interface TakedownOutcome {
  readonly takedown: Takedown;
  readonly journalId: number;
}

/**
 * Withholds a file or a project from everybody, whoever has signed it (PEP 480 leaves an administrator nothing else to do about a claimed
 * project). The list is signed with the online key and can only withhold; pages stay as they are. The bytes stay in the store.
 *
 * @throws RegistryError NOT_FOUND, CONFLICT, INVALID_REQUEST, NOT_PERMITTED
 */
export async function addTakedown(
  context: ChangeContext,
  principal: Principal,
  subject: TakedownSubject,
  reason: string,
): Promise<TakedownOutcome> {
  const { index } = context;
  const [project, { filename }] = [projectNamed(subject.project), subject];
  const why = checkedReason(reason);
  if (why === undefined)
    throw new RegistryError('INVALID_REQUEST', 'A takedown says why, for people to read: give a reason.');
  return change(context, principal, 'takedown.add', async (tx, now) => {
    await requireSubject(tx, index.id, project, filename);
    if ((await findTakedown(tx, index.id, project, filename)) !== undefined) {
      throw new RegistryError('CONFLICT', `${nameOf(project, filename)} is taken down already.`, { project });
    }
    await insertTakedown(tx, { indexId: index.id, project, filename, reason: why, now });
    return { project, filename, reason: why, since: now.toISOString() };
  });
}

/** Takes a takedown back. @throws RegistryError NOT_FOUND, NOT_PERMITTED */
export async function removeTakedown(
  context: ChangeContext,
  principal: Principal,
  subject: TakedownSubject,
): Promise<TakedownOutcome> {
  const [project, { filename }] = [projectNamed(subject.project), subject];
  return change(context, principal, 'takedown.remove', async (tx, now) => {
    const row = await findTakedown(tx, context.index.id, project, filename);
    if (row === undefined) throw notFound(`${nameOf(project, filename)} is not taken down.`, project);
    await endTakedown(tx, row.id, now);
    return { project, filename, reason: row.reason, since: row.since };
  });
}

/** What an index withholds now; it stands in its signed metadata, so whoever reads the index may know. */
export async function listTakedowns({ db, index }: ChangeContext): Promise<readonly Takedown[]> {
  const rows = await takedownsInForce(db, index.id);
  return rows.map(({ project, filename, reason, since }) => ({ project, filename, reason, since }));
}

function change(
  context: ChangeContext,
  principal: Principal,
  action: 'takedown.add' | 'takedown.remove',
  work: (tx: Executor, now: Date) => Promise<Takedown>,
): Promise<TakedownOutcome> {
  const { db, index, clock } = context;
  return writeTransaction(db, async (tx) => {
    await authorize(tx, principal, 'admin', { index });
    const now = clock();
    const takedown = await work(tx, now);
    const { project, filename, reason } = takedown;
    const detail = { project, filename };
    const journalId = await appendJournal(tx, { indexId: index.id, kind: 'takedown', detail, now });
    await appendAudit(tx, {
      indexId: index.id,
      at: now,
      actor: actorOf(principal),
      action,
      subject: filename ?? project,
      detail: { project, reason },
    });
    return { takedown, journalId };
  });
}

async function requireSubject(
  tx: Executor,
  indexId: number,
  project: string,
  filename: string | null,
): Promise<void> {
  const row = await findProject(tx, indexId, project);
  if (row === undefined) throw notFound(`There is no project ${quote(project)} here.`, project);
  if (filename === null) return;
  const file = await findFile(tx, indexId, filename);
  if (file?.project_id === row.id && file.removed_at === null) return;
  throw notFound(`The project '${project}' has no file ${quote(filename)}.`, project);
}

function nameOf(project: string, filename: string | null): string {
  return filename === null ? `The project '${project}'` : quote(filename);
}
