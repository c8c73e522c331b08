import { setProjectRemoved } from '../db/projects.ts';
import { RegistryError } from './errors.ts';
import { changeProject, type ChangeContext, type ChangeOutcome } from './project-change.ts';
import type { Principal } from './principal.ts';

/** Opens the name of a deleted project again, with its roles and without its files. @throws RegistryError NOT_FOUND, CONFLICT, NOT_PERMITTED */
export function restoreProject(
  context: ChangeContext,
  principal: Principal,
  name: string,
): Promise<ChangeOutcome> {
  const request = { project: name, verb: 'admin', evenRemoved: true } as const;
  return changeProject(context, principal, request, async (tx, project) => {
    if (project.removed_at === null) {
      throw new RegistryError('CONFLICT', `The project '${project.name}' was not deleted.`, {
        project: project.name,
      });
    }
    await setProjectRemoved(tx, project.id, undefined);
    return { kind: 'restore', action: 'project.restore', subject: project.name };
  });
}
