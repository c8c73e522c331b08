import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Candidate } from '../ceremony/candidate.ts';
import { presentClaimedLists } from '../ceremony/claimed-lists.ts';
import type { CurrentRoles } from '../ceremony/current-roles.ts';
import { encodePublicKey } from '../ceremony/public-key-file.ts';
import { canSign } from '../ceremony/follow-up-event.ts';
import { claimedProjectsOf, type ClaimedProject } from '../claims/claim-lists.ts';
import { isSameOwners } from '../claims/owners.ts';
import type { Comparison } from '../repository/recovery/comparison.ts';

type Vouched = Comparison['vouched'];

/** The projects of claimed that stay after its keys were stolen: those that have the keys of the good state, and whose metadata these vouch for. */
export function stayingClaims(base: CurrentRoles, vouched: Vouched): readonly string[] {
  return present(base)
    .filter(({ project, owners }) => isStaying(owners, vouched.get(project)))
    .map(({ project }) => project);
}

/** What becomes of each project of claimed, a line each (PEP 480, compromised claimed key: compare, regenerate). */
export function describeClaims(base: CurrentRoles, vouched: Vouched): readonly string[] {
  return present(base).map(({ project, owners }) => {
    const good = vouched.get(project);
    if (isStaying(owners, good)) return `claimed ${project}: stays, as in the good state`;
    if (good !== undefined)
      return `claimed ${project}: goes, claimed delegates it to other keys than in the good state`;
    return `claimed ${project}: goes, it was not in the good state or its keys of then do not vouch for what is public`;
  });
}

/** The line of the ceremony's plan that leaves the others out. */
export function stayingText(base: CurrentRoles, vouched: Vouched): string {
  return `# the others may be the thief's: their owners claim them again\nclaimed-projects = ${JSON.stringify(stayingClaims(base, vouched))}\n`;
}

/**
 * The section of the ceremony's plan for claimed where people keep its keys and it lists projects; writes their public halves. Undefined: one-time
 * keys do.
 */
export async function claimedParty(
  folder: string,
  base: CurrentRoles,
  last: Candidate | undefined,
  isStolen: boolean,
): Promise<string | undefined> {
  const delegations = base.targets.signed.delegations;
  const role = delegations?.role('claimed');
  const keys = (role?.keyIds ?? []).flatMap((id) => delegations?.keys.get(id) ?? []);
  if (role === undefined || present(base).length === 0) return undefined;
  if (!canSign({ keys, threshold: role.threshold }, last)) return undefined;
  const entries: string[] = [];
  for (const [position, key] of keys.entries()) {
    const name = `${isStolen ? 'new-claimed' : 'claimed'}-${position + 1}.public-key`;
    if (!isStolen) await writeFile(join(folder, name), encodePublicKey(key));
    entries.push(`[[claimed.keys]]\nholder = "holder ${position + 1} of claimed"\npublic-key = "${name}"\n`);
  }
  const why = isStolen ? '# the keys of claimed were stolen: each holder makes a new one (rind key)\n' : '';
  return [`${why}[claimed]\nthreshold = ${role.threshold}\n`, ...entries].join('\n');
}

function present(base: CurrentRoles): readonly ClaimedProject[] {
  return claimedProjectsOf(presentClaimedLists(base).values());
}

function isStaying(owners: ClaimedProject['owners'], good: ClaimedProject['owners'] | undefined): boolean {
  return good !== undefined && isSameOwners(owners, good);
}
