import { appendAudit } from '../db/audit.ts';
import type { ProjectRow, StagedFileRow } from '../db/schema.ts';
import { deleteStagedFiles, stagedFilesOf } from '../db/staged-files.ts';
import { writeTransaction } from '../db/transactions.ts';
import { quote } from '../pypi/errors.ts';
import { ServedTree } from '../repository/served-tree.ts';
import { StagedObjects } from '../repository/staged-objects.ts';
import type { OpenObject } from '../storage/object-store.ts';
import { authorize } from './authorize.ts';
import { actorOf, type Principal } from './principal.ts';
import { notFound } from './project-change.ts';
import { lockProject } from './project-lock.ts';
import type { TransactionContext } from './transaction.ts';

/** The staged files of a project, in the order in which they came. */
export function listStagedFiles(
  { db, clock }: TransactionContext,
  project: ProjectRow,
): Promise<readonly StagedFileRow[]> {
  return stagedFilesOf(db, project.id, clock());
}

/** The bytes of a staged file, for whoever is to sign it; the caller closes the object. @throws RegistryError NOT_FOUND */
export async function openStagedFile(
  context: TransactionContext,
  project: ProjectRow,
  filename: string,
): Promise<{ readonly object: OpenObject; readonly sha256: string }> {
  const { sha256 } = await requireStaged(context, project, filename);
  const objects = new StagedObjects(context.store, new ServedTree(context.index.name));
  const object = await objects.open({ project: project.name, filename, sha256 });
  if (object === undefined) {
    throw notFound(`The bytes of ${quote(filename)} are gone: upload it again.`, project.name);
  }
  return { object, sha256 };
}

/** Throws a staged file away; its name is free again. @throws RegistryError NOT_FOUND, NOT_PERMITTED */
export async function discardStagedFile(
  context: TransactionContext,
  principal: Principal,
  project: ProjectRow,
  filename: string,
): Promise<void> {
  const { db, index, store, clock } = context;
  await lockProject(context, project.name, async () => {
    const { id, sha256 } = await requireStaged(context, project, filename);
    await writeTransaction(db, async (tx) => {
      await authorize(tx, principal, 'upload', { index, project });
      await deleteStagedFiles(tx, [id]);
      await appendAudit(tx, {
        indexId: index.id,
        at: clock(),
        actor: actorOf(principal),
        action: 'file.unstage',
        subject: filename,
        detail: { project: project.name, sha256 },
      });
    });
    const objects = new StagedObjects(store, new ServedTree(index.name));
    await objects.remove({ project: project.name, filename, sha256 });
  });
}

async function requireStaged(
  context: TransactionContext,
  project: ProjectRow,
  filename: string,
): Promise<StagedFileRow> {
  const found = (await listStagedFiles(context, project)).find((row) => row.filename === filename);
  if (found !== undefined) return found;
  throw notFound(`The project '${project.name}' has no staged file ${quote(filename)}.`, project.name);
}
