import { claimedProjectsOf, claimListOf, type ClaimList } from '../../claims/claim-lists.ts';
import { parseProjectRoleName, projectRoleName } from '../../claims/names.ts';
import { ownersOf, type Owners } from '../../claims/owners.ts';
import { ownersText } from '../../claims/owners-text.ts';
import { findClaims, forgetClaims, putClaim, putSignedRoles, type NewSignedRole } from '../../db/claims.ts';
import type { Executor } from '../../db/schema.ts';
import type { Targets } from '../../tuf/targets.ts';
import type { PublishedRole } from './published-walk.ts';

interface FoundClaim {
  readonly list: ClaimList;
  readonly owners: Owners;
  readonly roles: NewSignedRole[];
  wished: Owners | undefined;
}

/** The claimed projects of a published tree (PEP 480), collected from its roles in a client's search order, and the rows that say the same. */
export class ClaimsOfTree {
  readonly #claims = new Map<string, FoundClaim>();
  readonly #tombstones: { readonly project: string; readonly role: NewSignedRole }[] = [];

  /** Takes one role of the walk. Returns the project whose targets it lists. */
  take({ role, version, expires, bytes }: PublishedRole, targets: Targets): string | undefined {
    const list = claimListOf(role);
    if (list !== undefined) this.#takeList(list, targets);
    const project = parseProjectRoleName(role)?.project;
    const claim = project === undefined ? undefined : this.#claims.get(project);
    if (claim === undefined) return undefined;
    claim.roles.push({ role, version, expires, bytes });
    if (role === projectRoleName(project ?? '')) claim.wished = ownersOf(targets);
    return project;
  }

  /** A role of a project that is claimed no more: when it is claimed again, its versions go on. */
  takeTombstone({ role, version, expires, bytes }: PublishedRole): void {
    const project = parseProjectRoleName(role)?.project;
    if (project !== undefined) this.#tombstones.push({ project, role: { role, version, expires, bytes } });
  }

  /** The list that delegates a project: claimed comes first. */
  listOf(project: string): ClaimList | undefined {
    return this.#claims.get(project)?.list;
  }

  ownersOf(project: string): Owners | undefined {
    return this.#claims.get(project)?.owners;
  }

  #takeList(list: ClaimList, targets: Targets): void {
    for (const { project, owners } of claimedProjectsOf([targets]))
      if (!this.#claims.has(project))
        this.#claims.set(project, { list, owners, roles: [], wished: undefined });
  }

  /** Puts the rows of all claims in place of those that were there. What only rows know (staging, since when) stays. Returns the projects that have no row. */
  async write(tx: Executor, indexId: number, now: Date): Promise<readonly string[]> {
    const projects = await tx
      .selectFrom('projects')
      .select(['id', 'name'])
      .where('index_id', '=', indexId)
      .execute();
    const ids = new Map(projects.map(({ id, name }) => [name, id]));
    const before = await findClaims(tx, [...ids.values()]);
    await forgetClaims(tx, indexId);
    const unknown: string[] = [];
    for (const [project, { list, owners, roles, wished = owners }] of this.#claims) {
      const projectId = ids.get(project);
      if (projectId === undefined) {
        unknown.push(project);
        continue;
      }
      const old = before.get(projectId);
      await putClaim(tx, {
        project_id: projectId,
        index_id: indexId,
        state: list,
        owners: ownersText(owners),
        wished_owners: ownersText(wished),
        staging: old?.staging ?? 0,
        claimed_at: old?.claimed_at ?? now.toISOString(),
        moved_at: list === 'claimed' ? (old?.moved_at ?? now.toISOString()) : null,
      });
      await putSignedRoles(tx, { indexId, projectId, journalId: null }, roles);
    }
    for (const { project, role } of this.#tombstones) {
      const projectId = ids.get(project);
      if (projectId !== undefined) await putSignedRoles(tx, { indexId, projectId, journalId: null }, [role]);
    }
    return unknown;
  }
}
