import { listProjectRoles, removeProjectRole, setProjectRole } from '../db/members.ts';
import { quote } from '../pypi/errors.ts';
import { RegistryError } from './errors.ts';
import { changeProject, type ChangeContext, type ChangeOutcome } from './project-change.ts';
import type { Principal } from './principal.ts';

/**
 * Makes a user the only owner of a project. The owners before become maintainers, or nothing with `leave`.
 *
 * @throws RegistryError NOT_FOUND, NOT_PERMITTED
 */
export function transferProject(
  context: ChangeContext,
  principal: Principal,
  name: string,
  to: string,
  options: { readonly leave?: boolean } = {},
): Promise<ChangeOutcome> {
  return changeProject(
    context,
    principal,
    { project: name, verb: 'own', keepsPage: true },
    async (tx, project, now) => {
      const user = await tx
        .selectFrom('users')
        .select(['id', 'disabled_at', 'removed_at'])
        .where('name', '=', to)
        .executeTakeFirst();
      if (user?.disabled_at !== null || user.removed_at !== null) {
        throw new RegistryError('NOT_FOUND', `There is no user ${quote(to)} who could own the project.`, {
          project: project.name,
        });
      }
      const owners = (await listProjectRoles(tx, project.id)).filter(({ role }) => role === 'owner');
      for (const { userId } of owners) {
        if (options.leave === true) await removeProjectRole(tx, project.id, userId);
        else await setProjectRole(tx, { projectId: project.id, userId, role: 'maintainer', now });
      }
      await setProjectRole(tx, { projectId: project.id, userId: user.id, role: 'owner', now });
      return {
        kind: 'transfer',
        action: 'project.transfer',
        subject: project.name,
        detail: { to, from: owners.map(({ user: owner }) => owner).join(',') },
      };
    },
  );
}
