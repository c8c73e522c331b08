import type { Metadata } from '../tuf/metadata.ts';
import type { Targets } from '../tuf/targets.ts';
import { isSameDelegations } from './claim-lists.ts';
import { ClaimError } from './errors.ts';
import {
  isPathOfProject,
  parseProjectRoleName,
  projectRoleName,
  releaseRoleName,
  wheelsRoleName,
} from './names.ts';
import { delegatedOwners, delegationsOf, type SignedTarget } from './project-role.ts';

/** Delegations are exactly those that this project may have: to its own roles, for its own paths. */
export function requireOwnDelegations(project: string, { signed }: Metadata<Targets>): void {
  const { delegations } = signed;
  if (delegations === undefined) return;
  const own = [wheelsRoleName(project), releaseRoleName(project)];
  for (const role of delegations.roles?.keys() ?? []) {
    if (own.includes(role)) continue;
    throw new ClaimError(
      'DELEGATION',
      `${projectRoleName(project)} delegates to ${JSON.stringify(role)}; it may delegate to ${own.join(' and ')} only.`,
      { role },
    );
  }
  const [wheels, release] = own.map((role) => delegatedOwners(signed, role));
  const proper = delegationsOf(project, { wheels, release });
  if (isSameDelegations(delegations, proper) && (delegations.roles?.size ?? 0) > 0) return;
  throw new ClaimError(
    'DELEGATION',
    `${projectRoleName(project)} delegates in another way than a project may: release terminating for the project's own paths, wheels not terminating for its wheels.`,
    { role: projectRoleName(project) },
  );
}

/** Every target is the project's, and nothing but length and sha256 is said of it. @throws {ClaimError} FOREIGN_TARGET, FILES, DELEGATION */
export function requireOwnTargets(project: string, roles: ReadonlyMap<string, Metadata<Targets>>): void {
  for (const [role, { signed }] of roles) {
    const kind = parseProjectRoleName(role)?.kind;
    if (kind !== 'project' && signed.delegations !== undefined) {
      throw new ClaimError(
        'DELEGATION',
        `${role} delegates to others; only ${projectRoleName(project)} may.`,
        { role },
      );
    }
    for (const [path, target] of signed.targets) {
      const isOwn =
        isPathOfProject(path, project) &&
        (kind !== 'wheels' || (path.startsWith('packages/') && path.endsWith('.whl')));
      if (!isOwn)
        throw new ClaimError(
          'FOREIGN_TARGET',
          `${role} signs for ${JSON.stringify(path)}, with which it is not trusted.`,
          { role, path },
        );
      if (target.hashes.size !== 1 || !target.hashes.has('sha256') || target.unrecognizedFields.size > 0)
        throw new ClaimError(
          'FILES',
          `${role} must list ${path} with its length and sha256 and nothing else.`,
          { role, path },
        );
    }
  }
}

/** What a project will consist of. */
export interface ExpectedTargets {
  /** Its pages and files, by path. */
  readonly expected: ReadonlyMap<string, SignedTarget>;
  /** Wheels that a builder may list before they stand on the page, by path. */
  readonly builtWheels?: ReadonlyMap<string, SignedTarget> | undefined;
}

/** What a client finds for each path is what there will be, and nothing more is listed. */
export function requireTargets(
  project: string,
  roles: ReadonlyMap<string, Metadata<Targets>>,
  { expected, builtWheels }: ExpectedTargets,
): void {
  const owned = roles.get(projectRoleName(project))?.signed;
  const isReachable = (role: string) => owned?.delegations?.role(role) !== undefined;
  const searched = [projectRoleName(project), wheelsRoleName(project), releaseRoleName(project)].filter(
    (role) => roles.has(role) && (role === projectRoleName(project) || isReachable(role)),
  );
  for (const [path, want] of expected) {
    const role = searched.find((name) => roles.get(name)?.signed.targets.has(path) === true);
    const listed = role === undefined ? undefined : roles.get(role)?.signed.targets.get(path);
    if (listed === undefined)
      throw new ClaimError('FILES', `${path} is not signed, though the project has it.`, { path });
    requireSame(role ?? '', path, { length: listed.length, sha256: listed.hashes.get('sha256') ?? '' }, want);
  }
  for (const role of searched) {
    for (const [path, listed] of roles.get(role)?.signed.targets ?? []) {
      const want =
        expected.get(path) ?? (role === wheelsRoleName(project) ? builtWheels?.get(path) : undefined);
      if (want === undefined)
        throw new ClaimError('FILES', `${role} signs ${path}, which the project does not have.`, {
          role,
          path,
        });
      requireSame(role, path, { length: listed.length, sha256: listed.hashes.get('sha256') ?? '' }, want);
    }
  }
}

function requireSame(role: string, path: string, signed: SignedTarget, want: SignedTarget): void {
  if (signed.length === want.length && signed.sha256 === want.sha256) return;
  throw new ClaimError(
    'FILES',
    `${role} signs ${path} with ${signed.length} bytes and sha256 ${signed.sha256}; it has ${want.length} bytes and ${want.sha256}.`,
    { role, path },
  );
}
