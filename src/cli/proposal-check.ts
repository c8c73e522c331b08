import { ClaimError } from '../claims/errors.ts';
import { projectRoleName, releaseRoleName, wheelsRoleName } from '../claims/names.ts';
import { nextRoles } from '../claims/next-roles.ts';
import { ownersOf, type Owners } from '../claims/owners.ts';
import { delegatedOwners, type SignedTarget } from '../claims/project-role.ts';
import { LONGEST_LIFETIME } from '../claims/transaction.ts';
import { encodeCanonicalJson } from '../tuf/canonical-json.ts';
import type { Metadata } from '../tuf/metadata.ts';
import type { Targets } from '../tuf/targets.ts';
import type { VerifiedProject } from './verified-project.ts';

/** What somebody else wants signed, by role. */
export type ProposedRoles = ReadonlyMap<string, Metadata<Targets>>;

/** One of the parties whom a project's metadata names, before and after. */
export interface NamedParty {
  readonly party: 'owner' | 'machine' | 'builder';
  readonly before: Owners | undefined;
  readonly after: Owners | undefined;
}

/**
 * A proposal comes from the index, so that it may be anybody's: each of its roles is made here once more, from the verified project and from
 * what the signer is shown, and has to be the same to the last field.
 * @param targets everything of the project afterwards
 * @throws {ClaimError}
 */
export function requireProposed(
  project: Pick<VerifiedProject, 'page' | 'roles'>,
  proposed: ProposedRoles,
  targets: ReadonlyMap<string, SignedTarget>,
  now: Date,
): void {
  const { name } = project.page;
  const owned = ownedAfter(project, proposed);
  for (const [role, { signed, signedBytes }] of proposed) {
    const lifetime = signed.expires.getTime() - now.getTime();
    if (lifetime <= 0 || lifetime > LONGEST_LIFETIME)
      throw new ClaimError('EXPIRY', `The proposal lets ${role} expire at ${signed.expires.toISOString()}.`, {
        role,
      });
    const wanted = nextRoles({
      project: name,
      present: project.roles,
      targets,
      expires: signed.expires,
      owners: owned === undefined ? undefined : ownersOf(owned),
      release: partyOf(owned, releaseRoleName(name)) ?? null,
      wheels: partyOf(owned, wheelsRoleName(name)) ?? null,
      renews: true,
    }).get(role);
    if (wanted !== undefined && Buffer.compare(encodeCanonicalJson(wanted.toJson()), signedBytes) === 0)
      continue;
    throw new ClaimError(
      'FILES',
      `The proposal does not sign ${role} as it should be: it says other or more than the project as you see it and what is shown here. Do not sign it.`,
      { role },
    );
  }
}

/** Whose keys the project's metadata names, before and after a proposal. */
export function partiesOf(
  project: Pick<VerifiedProject, 'page' | 'roles' | 'owners'>,
  proposed: ProposedRoles,
): readonly NamedParty[] {
  const { name } = project.page;
  const before = project.roles.get(projectRoleName(name));
  const after = ownedAfter(project, proposed);
  const delegated = (role: string) => ({ before: partyOf(before, role), after: partyOf(after, role) });
  return [
    { party: 'owner', before: project.owners, after: after === undefined ? undefined : ownersOf(after) },
    { party: 'machine', ...delegated(releaseRoleName(name)) },
    { party: 'builder', ...delegated(wheelsRoleName(name)) },
  ];
}

function ownedAfter(
  { page, roles }: Pick<VerifiedProject, 'page' | 'roles'>,
  proposed: ProposedRoles,
): Targets | undefined {
  const role = projectRoleName(page.name);
  return proposed.get(role)?.signed ?? roles.get(role);
}

function partyOf(owned: Targets | undefined, role: string): Owners | undefined {
  return owned === undefined ? undefined : delegatedOwners(owned, role);
}
