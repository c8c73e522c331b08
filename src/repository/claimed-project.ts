import { projectRoleName, wheelsRoleName } from '../claims/names.ts';
import type { Owners } from '../claims/owners.ts';
import { requireOwnDelegations, requireOwnTargets, requireTargets } from '../claims/project-content.ts';
import { projectDelegation, type SignedTarget } from '../claims/project-role.ts';
import type { SignedRoleRow } from '../db/schema.ts';
import { Delegations } from '../tuf/delegations.ts';
import { RepositoryError } from '../tuf/errors.ts';
import { Metadata } from '../tuf/metadata.ts';
import type { Targets } from '../tuf/targets.ts';
import { PublicationError } from './errors.ts';

/** A claimed project as its developers signed it. */
export interface SignedProject {
  readonly project: string;
  /** To whom claimed or recently-claimed delegates it. */
  readonly owners: Owners;
  /** Its roles, by name: that of the owners, and those that it delegates to. */
  readonly roles: ReadonlyMap<string, Metadata<Targets>>;
}

/**
 * Reads what developers signed, and only what clients would take: a threshold of the right keys under each role, own delegations, own paths.
 * Throws UNUSABLE_METADATA, ClaimError.
 */
export async function readSignedProject(
  project: string,
  owners: Owners,
  rows: readonly Pick<SignedRoleRow, 'role' | 'bytes'>[],
): Promise<SignedProject> {
  const found = new Map(rows.map(({ role, bytes }) => [role, readRole(role, bytes)]));
  const role = projectRoleName(project);
  const owned = found.get(role);
  if (owned === undefined)
    throw new PublicationError('UNUSABLE_METADATA', `${role} is not there, though ${project} is claimed.`, {
      role,
    });
  await requireSigned(delegationTo(project, owners), role, owned);
  requireOwnDelegations(project, owned);
  const roles = new Map([[role, owned]]);
  for (const name of owned.signed.delegations?.roles?.keys() ?? []) {
    const delegated = found.get(name);
    if (delegated === undefined)
      throw new PublicationError(
        'UNUSABLE_METADATA',
        `${name} is not there, though ${role} delegates to it.`,
        {
          role: name,
        },
      );
    await requireSigned(owned.signed, name, delegated);
    roles.set(name, delegated);
  }
  requireOwnTargets(project, roles);
  return { project, owners, roles };
}

/** The delegation of a project as it stands in a list, alone. */
export function delegationTo(project: string, owners: Owners): Delegations {
  const keys = new Map(owners.keys.map((key) => [key.keyId, key]));
  return new Delegations({ keys, roles: [projectDelegation(project, owners)] });
}

/**
 * Everything that clients find for the project: `expected`, which must be signed as it is, and wheels that a builder lists before they stand on
 * the page. Throws ClaimError FILES.
 */
export function signedTargets(
  { project, roles }: SignedProject,
  expected: ReadonlyMap<string, SignedTarget>,
): ReadonlyMap<string, SignedTarget> {
  const built = new Map<string, SignedTarget>();
  for (const [path, { length, hashes }] of roles.get(wheelsRoleName(project))?.signed.targets ?? [])
    built.set(path, { length, sha256: hashes.get('sha256') ?? '' });
  requireTargets(project, roles, { expected, builtWheels: built });
  const targets = new Map(expected);
  for (const [path, target] of built) if (!targets.has(path)) targets.set(path, target);
  return targets;
}

function readRole(role: string, bytes: Uint8Array): Metadata<Targets> {
  try {
    return Metadata.fromBytes(bytes, 'targets', { role });
  } catch (cause) {
    if (!(cause instanceof RepositoryError)) throw cause;
    throw new PublicationError('UNUSABLE_METADATA', `${role} cannot be read: ${cause.message}.`, {
      role,
      cause,
    });
  }
}

async function requireSigned(
  delegator: Pick<Delegations, 'verifyDelegate'>,
  role: string,
  metadata: Metadata<Targets>,
): Promise<void> {
  const { version, roleName } = metadata.signed;
  if (roleName === role && (await delegator.verifyDelegate(role, metadata)).verified) return;
  throw new PublicationError(
    'UNUSABLE_METADATA',
    `Version ${version} of ${role} is not signed by a threshold of the keys that it is delegated to.`,
    { role, version },
  );
}
