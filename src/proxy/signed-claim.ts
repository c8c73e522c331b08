import { claimListOf } from '../claims/claim-lists.ts';
import { parseProjectRoleName, projectRoleName } from '../claims/names.ts';
import { delegatedOwners } from '../claims/project-role.ts';
import type { ClaimStanding } from '../claims/transaction.ts';
import type { Targets } from '../tuf/targets.ts';

/** Whose word a page or a file rests on (PEP 480). */
export interface SignedClaim {
  /**
   * `claimed`: the project's developers, and the index's offline keys for who they are; `recently-claimed`: the developers, and the online key
   * for who they are; `unclaimed`: the online key alone.
   */
  readonly standing: ClaimStanding;
  /** Ids of the keys that the project is delegated to, ascending; none while it is unclaimed. */
  readonly keyIds: readonly string[];
  /** How many of them must sign. */
  readonly threshold: number;
}

export const UNCLAIMED: SignedClaim = { standing: 'unclaimed', keyIds: [], threshold: 0 };

/**
 * Reads who signed out of the way on which a target was found. Names of roles alone say nothing: whoever holds the online key can add a role of
 * any name below a bin, so that every delegation has to be the one that claimed projects have.
 * @param via the roles from `targets` to the one that signed
 * @param delegatedTargets verified metadata of a role on that way
 */
export async function signedClaim(
  project: string,
  via: readonly string[],
  delegatedTargets: (role: string, delegator: string) => Promise<Targets>,
): Promise<SignedClaim> {
  const own = projectRoleName(project);
  const position = via.indexOf(own);
  const list = claimListOf(via[1] ?? '');
  const above = via.slice(1, position);
  const below = via.slice(position + 1);
  const isClaim =
    position >= 2 &&
    via[0] === 'targets' &&
    list !== undefined &&
    above[0] === list &&
    above.every((role) => claimListOf(role) === list) &&
    below.every((role) => parseProjectRoleName(role)?.project === project);
  if (!isClaim) return UNCLAIMED;
  const delegator = await delegatedTargets(via[position - 1] ?? '', via[position - 2] ?? '');
  const owners = delegatedOwners(delegator, own);
  const keyIds = owners?.keys.map(({ keyId }) => keyId).toSorted() ?? [];
  return { standing: list, keyIds, threshold: owners?.threshold ?? 0 };
}
