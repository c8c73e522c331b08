import { setYanked } from '../db/files.ts';
import { changeProject, checkedReason, type ChangeContext, type ChangeOutcome } from './project-change.ts';
import type { Principal } from './principal.ts';
import { choiceName, chosenFiles, type FileChoice } from './release-files.ts';

/**
 * Marks a release or one file as yanked (PEP 592): installers skip it unless it is pinned exactly. Yanking again changes the reason.
 *
 * @throws RegistryError NOT_FOUND, INVALID_REQUEST, NOT_PERMITTED
 */
export function yank(
  context: ChangeContext,
  principal: Principal,
  project: string,
  choice: FileChoice,
  reason?: string,
): Promise<ChangeOutcome> {
  return mark(context, principal, project, choice, { yanked: true, reason: checkedReason(reason) });
}

/** Takes the mark away. @throws RegistryError NOT_FOUND, NOT_PERMITTED */
export function unyank(
  context: ChangeContext,
  principal: Principal,
  project: string,
  choice: FileChoice,
): Promise<ChangeOutcome> {
  return mark(context, principal, project, choice, { yanked: false, reason: undefined });
}

function mark(
  context: ChangeContext,
  principal: Principal,
  name: string,
  choice: FileChoice,
  { yanked, reason }: { readonly yanked: boolean; readonly reason: string | undefined },
): Promise<ChangeOutcome> {
  return changeProject(context, principal, { project: name, verb: 'maintain' }, async (tx, project) => {
    const files = await chosenFiles(tx, project, choice);
    for (const { id } of files) await setYanked(tx, id, yanked, reason);
    const what = 'filename' in choice ? 'file' : 'release';
    return {
      kind: yanked ? 'yank' : 'unyank',
      action: yanked ? `${what}.yank` : `${what}.unyank`,
      subject: choiceName(project, choice, files),
      detail: { project: project.name, files: files.length, ...(reason === undefined ? {} : { reason }) },
      files: files.map(({ filename }) => filename),
    };
  });
}
