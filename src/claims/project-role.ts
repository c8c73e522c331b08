import { DelegatedRole } from '../tuf/delegated-role.ts';
import { Delegations } from '../tuf/delegations.ts';
import { TargetFile } from '../tuf/file.ts';
import type { JsonValue } from '../tuf/json.ts';
import { ROLE_NAME_FIELD, Targets } from '../tuf/targets.ts';
import { projectPaths, projectRoleName, releaseRoleName, wheelPaths, wheelsRoleName } from './names.ts';
import { OWNERS_FIELD, ownersJson, type Owners } from './owners.ts';

/** A target of a project: length in bytes, sha256 in lower-case hex. */
export interface SignedTarget {
  readonly length: number;
  readonly sha256: string;
}

interface Common {
  readonly project: string;
  readonly version: number;
  readonly expires: Date;
}

/** What the owners' role is made of: it lists `targets` itself, or delegates them to `release`. */
export interface ProjectRoleFields extends Common {
  readonly owners: Owners;
  /** By path; empty in release mode. */
  readonly targets?: ReadonlyMap<string, SignedTarget> | undefined;
  /** The keys of the machines that publish, when it is not the owners' own keys. */
  readonly release?: Owners | undefined;
  /** The keys of a builder of wheels. */
  readonly wheels?: Owners | undefined;
}

/** The role of a claimed project, unsigned. Its delegations are trusted with the project's own paths and nothing else. */
export function newProjectRole(fields: ProjectRoleFields): Targets {
  const { project, version, expires, owners, targets = new Map(), release, wheels } = fields;
  const delegations = delegationsOf(project, { release, wheels });
  return new Targets({
    version,
    expires,
    targets: targetFiles(targets),
    ...(delegations === undefined ? {} : { delegations }),
    unrecognizedFields: new Map<string, JsonValue>([
      [ROLE_NAME_FIELD, projectRoleName(project)],
      [OWNERS_FIELD, ownersJson(owners)],
    ]),
  });
}

/** The role of the machines that publish a project, unsigned. */
export function newReleaseRole(
  fields: Common & { readonly targets: ReadonlyMap<string, SignedTarget> },
): Targets {
  return listing(releaseRoleName(fields.project), fields);
}

/** The role of a builder of wheels, unsigned. */
export function newWheelsRole(
  fields: Common & { readonly targets: ReadonlyMap<string, SignedTarget> },
): Targets {
  return listing(wheelsRoleName(fields.project), fields);
}

function listing(
  role: string,
  { version, expires, targets }: Common & { readonly targets: ReadonlyMap<string, SignedTarget> },
): Targets {
  return new Targets({
    version,
    expires,
    targets: targetFiles(targets),
    unrecognizedFields: new Map([[ROLE_NAME_FIELD, role]]),
  });
}

function targetFiles(targets: ReadonlyMap<string, SignedTarget>): ReadonlyMap<string, TargetFile> {
  const files = new Map<string, TargetFile>();
  for (const path of [...targets.keys()].toSorted()) {
    const target = targets.get(path);
    if (target !== undefined)
      files.set(
        path,
        new TargetFile({ path, length: target.length, hashes: new Map([['sha256', target.sha256]]) }),
      );
  }
  return files;
}

/** The delegations that a project's role may have, in their order; undefined for none. */
export function delegationsOf(
  project: string,
  { release, wheels }: { readonly release?: Owners | undefined; readonly wheels?: Owners | undefined },
): Delegations | undefined {
  const keys = [...(release?.keys ?? []), ...(wheels?.keys ?? [])];
  if (keys.length === 0) return undefined;
  return new Delegations({
    keys: new Map(keys.map((key) => [key.keyId, key])),
    roles: [
      ...(wheels === undefined ? [] : [wheelsDelegation(project, wheels)]),
      ...(release === undefined ? [] : [releaseDelegation(project, release)]),
    ],
  });
}

function wheelsDelegation(project: string, wheels: Owners): DelegatedRole {
  return delegation(wheelsRoleName(project), wheels, wheelPaths(project), false);
}

function releaseDelegation(project: string, release: Owners): DelegatedRole {
  return delegation(releaseRoleName(project), release, projectPaths(project), true);
}

/** The delegation of a project in claimed or recently-claimed: terminating, so that nobody after it can supply files of the project. */
export function projectDelegation(project: string, owners: Owners): DelegatedRole {
  return delegation(projectRoleName(project), owners, projectPaths(project), true);
}

function delegation(
  name: string,
  owners: Owners,
  paths: readonly string[],
  terminating: boolean,
): DelegatedRole {
  return new DelegatedRole({
    name,
    keyIds: owners.keys.map(({ keyId }) => keyId).toSorted(),
    threshold: owners.threshold,
    terminating,
    paths,
  });
}

/**
 * The keys and threshold that a role delegates to another one; undefined when it does not.
 */
export function delegatedOwners(targets: Targets, role: string): Owners | undefined {
  const found = targets.delegations?.role(role);
  if (found === undefined) return undefined;
  const keys = found.keyIds
    .map((keyId) => targets.delegations?.keys.get(keyId))
    .filter((key) => key !== undefined);
  return { keys, threshold: found.threshold };
}
