import { setProjectStatus } from '../db/projects.ts';
import type { ProjectStatus } from '../pypi/simple.ts';
import { authorize } from './authorize.ts';
import { changeProject, checkedReason, type ChangeContext, type ChangeOutcome } from './project-change.ts';
import type { Principal } from './principal.ts';

/**
 * Sets the status marker of a project (PEP 792). `archived`: no uploads. `quarantined`: no uploads, and the index offers none of its files
 * until that is lifted; administrators only, in both directions. `deprecated`: a word of warning. `active`: none of them.
 *
 * @throws RegistryError NOT_FOUND, INVALID_REQUEST, NOT_PERMITTED
 */
export function setStatus(
  context: ChangeContext,
  principal: Principal,
  name: string,
  status: ProjectStatus,
  reason?: string,
): Promise<ChangeOutcome> {
  const why = status === 'active' ? undefined : checkedReason(reason);
  const verb = status === 'quarantined' ? 'admin' : 'own';
  return changeProject(context, principal, { project: name, verb }, async (tx, project) => {
    if (project.status === 'quarantined') {
      await authorize(tx, principal, 'admin', { index: context.index, project });
    }
    await setProjectStatus(tx, project.id, status, why);
    return {
      kind: 'status',
      action: 'project.status',
      subject: project.name,
      detail: { before: project.status, after: status, ...(why === undefined ? {} : { reason: why }) },
    };
  });
}
