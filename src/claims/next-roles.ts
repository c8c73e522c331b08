import { canonicalJsonText } from '../tuf/canonical-json.ts';
import type { Targets } from '../tuf/targets.ts';
import { ClaimError } from './errors.ts';
import { projectRoleName, releaseRoleName, wheelsRoleName } from './names.ts';
import { isSameOwners, ownersOf, type Owners } from './owners.ts';
import {
  delegatedOwners,
  newProjectRole,
  newReleaseRole,
  newWheelsRole,
  type SignedTarget,
} from './project-role.ts';

/** What a developer wants to sign. */
export interface RolePlan {
  readonly project: string;
  /** The verified metadata of the project's roles now, by role; empty before the first claim. */
  readonly present: ReadonlyMap<string, Targets>;
  /** Versions that roles had in an earlier claim that is gone: clients take only what is above them. */
  readonly past?: ReadonlyMap<string, number> | undefined;
  /** Every target of the project afterwards, by path. */
  readonly targets: ReadonlyMap<string, SignedTarget>;
  readonly expires: Date;
  /** Other owners than now; needed for the first claim. */
  readonly owners?: Owners | undefined;
  /** Other machines than now; null takes them all away. */
  readonly release?: Owners | null | undefined;
  /** Another builder than now; null takes it away. */
  readonly wheels?: Owners | null | undefined;
  /** Sign everything anew even where nothing changes: before it expires. */
  readonly renews?: boolean | undefined;
}

/**
 * The roles that have to be signed for a plan, unsigned, by name: the owners' role when its own content changes, the machines' role when they
 * publish. Pure.
 * @throws {ClaimError} OWNERS when a first claim names no owners
 */
export function nextRoles(plan: RolePlan): ReadonlyMap<string, Targets> {
  const { project, present, targets, expires } = plan;
  const owned = present.get(projectRoleName(project));
  const owners = plan.owners ?? (owned === undefined ? undefined : ownersOf(owned));
  if (owners === undefined) throw new ClaimError('OWNERS', `Nobody is named as the owner of ${project}.`);
  const release = choose(plan.release, owned, releaseRoleName(project));
  const wheels = choose(plan.wheels, owned, wheelsRoleName(project));
  const roles = new Map<string, Targets>();
  const next = (role: string) => (present.get(role)?.version ?? plan.past?.get(role) ?? 0) + 1;
  const ownersRole = newProjectRole({
    project,
    version: next(projectRoleName(project)),
    expires,
    owners,
    targets: release === undefined ? targets : new Map(),
    release,
    wheels,
  });
  if (plan.renews === true || !hasSameContent(owned, ownersRole))
    roles.set(projectRoleName(project), ownersRole);
  if (release !== undefined) {
    const before = present.get(releaseRoleName(project));
    const listed = newReleaseRole({ project, version: next(releaseRoleName(project)), expires, targets });
    if (
      plan.renews === true ||
      !hasSameContent(before, listed) ||
      isOther(plan.release, owned, releaseRoleName(project))
    )
      roles.set(releaseRoleName(project), listed);
  }
  const built = present.get(wheelsRoleName(project));
  if (wheels !== undefined && (built === undefined || isOther(plan.wheels, owned, wheelsRoleName(project)))) {
    const version = next(wheelsRoleName(project));
    roles.set(
      wheelsRoleName(project),
      newWheelsRole({ project, version, expires, targets: keptWheels(built, targets) }),
    );
  }
  return roles;
}

/** What a builder signed and an owner has put on the page: nothing else outlives a change of the builder's keys. */
function keptWheels(
  built: Targets | undefined,
  targets: ReadonlyMap<string, SignedTarget>,
): ReadonlyMap<string, SignedTarget> {
  const kept = new Map<string, SignedTarget>();
  for (const path of built?.targets.keys() ?? []) {
    const target = targets.get(path);
    if (target !== undefined) kept.set(path, target);
  }
  return kept;
}

/** A change, or what the owners' role says now. */
function choose(
  wanted: Owners | null | undefined,
  owned: Targets | undefined,
  role: string,
): Owners | undefined {
  if (wanted === null) return undefined;
  return wanted ?? (owned === undefined ? undefined : delegatedOwners(owned, role));
}

/** Other machines have to sign what the present ones signed. */
function isOther(wanted: Owners | null | undefined, owned: Targets | undefined, role: string): boolean {
  const now = owned === undefined ? undefined : delegatedOwners(owned, role);
  return wanted !== undefined && wanted !== null && (now === undefined || !isSameOwners(wanted, now));
}

/** Whether two versions differ in version and expiry only. */
function hasSameContent(before: Targets | undefined, after: Targets): boolean {
  if (before === undefined) return false;
  const { version, expires } = after;
  return textOf(before.with({ version, expires })) === textOf(after);
}

function textOf(targets: Targets): string {
  return canonicalJsonText(targets.toJson());
}
