import { filesOfProject, markFileRemoved } from '../db/files.ts';
import { setProjectRemoved } from '../db/projects.ts';
import { changeProject, checkedReason, type ChangeContext, type ChangeOutcome } from './project-change.ts';
import type { Principal } from './principal.ts';
import { choiceName, chosenFiles, type FileChoice } from './release-files.ts';

/**
 * Takes a release or one file away for ever: the next snapshot has no such target (revocation, PEP 458), and its filename is never used
 * again. Garbage collection frees the disk when no kept snapshot needs the bytes.
 *
 * @throws RegistryError NOT_FOUND, INVALID_REQUEST, NOT_PERMITTED
 */
export function deleteFiles(
  context: ChangeContext,
  principal: Principal,
  name: string,
  choice: FileChoice,
  reason?: string,
): Promise<ChangeOutcome> {
  const why = checkedReason(reason);
  return changeProject(context, principal, { project: name, verb: 'own' }, async (tx, project, now) => {
    const files = await chosenFiles(tx, project, choice);
    for (const { id } of files) await markFileRemoved(tx, id, now);
    return {
      kind: 'remove',
      action: 'filename' in choice ? 'file.delete' : 'release.delete',
      subject: choiceName(project, choice, files),
      detail: { project: project.name, files: files.length, ...(why === undefined ? {} : { reason: why }) },
      files: files.map(({ filename }) => filename),
    };
  });
}

/**
 * Takes a whole project away: its files as above, and its pages. The name stays closed, so that nobody else takes it over, until an
 * administrator restores it; the filenames stay used even then.
 *
 * @throws RegistryError NOT_FOUND, NOT_PERMITTED
 */
export function deleteProject(
  context: ChangeContext,
  principal: Principal,
  name: string,
  reason?: string,
): Promise<ChangeOutcome> {
  const why = checkedReason(reason);
  return changeProject(context, principal, { project: name, verb: 'own' }, async (tx, project, now) => {
    const files = await filesOfProject(tx, project.id);
    for (const { id } of files) await markFileRemoved(tx, id, now);
    await setProjectRemoved(tx, project.id, now);
    return {
      kind: 'remove',
      action: 'project.delete',
      subject: project.name,
      detail: { files: files.length, ...(why === undefined ? {} : { reason: why }) },
      files: files.map(({ filename }) => filename),
    };
  });
}
