import { canonicalJsonText } from '../tuf/canonical-json.ts';
import { DelegatedRole } from '../tuf/delegated-role.ts';
import { Delegations } from '../tuf/delegations.ts';
import type { Key } from '../tuf/key.ts';
import { ROLE_NAME_FIELD, Targets } from '../tuf/targets.ts';
import { parseProjectRoleName, projectPaths } from './names.ts';
import type { Owners } from './owners.ts';
import { delegatedOwners, projectDelegation } from './project-role.ts';

/** The two lists of claimed projects (PEP 480): signed with offline keys, and with the online key. */
export type ClaimList = 'claimed' | 'recently-claimed';

/** A project and the keys that it is delegated to. */
export interface ClaimedProject {
  readonly project: string;
  readonly owners: Owners;
}

/** No part of a list grows beyond this, in bytes: other clients take so much. */
export const MOST_LIST_BYTES = 1_000_000;
/** Lists below this stay in one piece. */
const WHOLE_LIST_BYTES = 32 * 1024;
/** What one part costs in the list above it, roughly. */
const SHARD_BYTES = 180;
/** A project that has to stand outside the parts stands in the list itself up to this size, otherwise in a part of its own. */
const MOST_ALONE_BYTES = 1024;
/** Beside the delegations: envelope, signatures, fields. */
const ENVELOPE_BYTES = 4096;

/**
 * A list of claimed projects, in parts by the beginning of the project's name (hash prefixes cannot hold a project together): the delegations
 * of each role, the list itself first. A client fetches the list and one part for a project, so that parts grow with the square
 * root of the whole. Pure: the same projects give the same parts.
 */
export function claimLists(
  list: ClaimList,
  projects: readonly ClaimedProject[],
  signedBy: Owners,
): ReadonlyMap<string, Delegations> {
  const sized = projects
    .map((project) => ({ ...project, bytes: sizeOf(project) }))
    .toSorted((left, right) => (left.project < right.project ? -1 : 1));
  const total = sized.reduce((sum, { bytes }) => sum + bytes, 0);
  const limit = partLimit(total);
  const lists = new Map<string, Delegations>();
  if (total <= limit) return lists.set(list, delegationsTo(sized));
  const shards: DelegatedRole[] = [];
  const alone: SizedProject[] = [];
  for (const part of split(sized, '', limit)) {
    if ('prefix' in part) {
      const name = `${list}-${part.prefix}`;
      shards.push(
        shardDelegation(name, [`packages/${part.prefix}*/*`, `simple/${part.prefix}*/*`], signedBy),
      );
      lists.set(name, delegationsTo(part.projects));
    } else if (part.bytes <= MOST_ALONE_BYTES) alone.push(part);
    else {
      // Names of projects hold no two hyphens in a row, so that this is no prefix of one.
      const name = `${list}-${part.project}--`;
      shards.push(shardDelegation(name, projectPaths(part.project), signedBy));
      lists.set(name, delegationsTo([part]));
    }
  }
  return new Map([[list, delegationsTo(alone, { shards, keys: signedBy.keys })], ...lists]);
}

/** The role of a list or of a part of it, unsigned. The parts share their keys, so each says its own name. */
export function claimListRole(
  role: string,
  delegations: Delegations,
  common: { readonly version: number; readonly expires: Date },
): Targets {
  return new Targets({
    ...common,
    targets: new Map(),
    ...(delegations.roles?.size === 0 ? {} : { delegations }),
    unrecognizedFields: new Map([[ROLE_NAME_FIELD, role]]),
  });
}

/** Whether a role is a list of claimed projects or a part of one, and of which. */
export function claimListOf(role: string): ClaimList | undefined {
  if (role === 'claimed' || role.startsWith('claimed-')) return 'claimed';
  return role === 'recently-claimed' || role.startsWith('recently-claimed-') ? 'recently-claimed' : undefined;
}

/** The parts that a list delegates to. */
export function shardNames(list: Targets): readonly string[] {
  return [...(list.delegations?.roles?.keys() ?? [])].filter((role) => claimListOf(role) !== undefined);
}

/** The projects that lists and their parts delegate to, by name. */
export function claimedProjectsOf(lists: Iterable<Targets>): readonly ClaimedProject[] {
  const found: ClaimedProject[] = [];
  for (const targets of lists) {
    for (const role of targets.delegations?.roles?.keys() ?? []) {
      const parsed = parseProjectRoleName(role);
      const owners = parsed?.kind === 'project' ? delegatedOwners(targets, role) : undefined;
      if (parsed !== undefined && owners !== undefined) found.push({ project: parsed.project, owners });
    }
  }
  return found.toSorted((left, right) => (left.project < right.project ? -1 : 1));
}

/** Whether two lists delegate the same, so that nobody has to sign again. */
export function isSameDelegations(left: Delegations | undefined, right: Delegations | undefined): boolean {
  return delegationText(left) === delegationText(right);
}

function delegationText(delegations: Delegations | undefined): string {
  return delegations === undefined || delegations.roles?.size === 0
    ? ''
    : canonicalJsonText(delegations.toJson());
}

type SizedProject = ClaimedProject & { readonly bytes: number };
interface Part {
  readonly prefix: string;
  readonly projects: readonly SizedProject[];
}

/** Powers of two, so that a list is seldom parted anew as a whole. */
function partLimit(total: number): number {
  let limit = WHOLE_LIST_BYTES;
  while (limit * limit < total * SHARD_BYTES && limit * 2 + ENVELOPE_BYTES <= MOST_LIST_BYTES) limit *= 2;
  return limit;
}

/** Sorted projects with a common prefix, parted by their next letters; a project whose name is the prefix itself stands alone. */
function* split(
  projects: readonly SizedProject[],
  prefix: string,
  limit: number,
): Generator<Part | SizedProject> {
  const bytes = projects.reduce((sum, project) => sum + project.bytes, 0);
  if (prefix !== '' && bytes <= limit) {
    yield { prefix, projects };
    return;
  }
  const byLetter = new Map<string, SizedProject[]>();
  for (const project of projects) {
    const letter = project.project.charAt(prefix.length);
    if (letter === '') {
      yield project;
      continue;
    }
    const group = byLetter.get(letter);
    if (group === undefined) byLetter.set(letter, [project]);
    else group.push(project);
  }
  for (const [letter, group] of byLetter) yield* split(group, prefix + letter, limit);
}

function shardDelegation(name: string, paths: readonly string[], { keys, threshold }: Owners): DelegatedRole {
  return new DelegatedRole({
    name,
    keyIds: keys.map(({ keyId }) => keyId),
    threshold,
    terminating: false,
    paths,
  });
}

function delegationsTo(
  projects: readonly ClaimedProject[],
  above: { readonly shards: readonly DelegatedRole[]; readonly keys: readonly Key[] } = {
    shards: [],
    keys: [],
  },
): Delegations {
  const keys = new Map(above.keys.map((key) => [key.keyId, key]));
  for (const { owners } of projects) for (const key of owners.keys) keys.set(key.keyId, key);
  return new Delegations({
    keys,
    roles: [...projects.map(({ project, owners }) => projectDelegation(project, owners)), ...above.shards],
  });
}

function sizeOf({ project, owners }: ClaimedProject): number {
  const keys = owners.keys.reduce(
    (sum, key) => sum + key.keyId.length + canonicalJsonText(key.toJson()).length + 4,
    0,
  );
  return keys + canonicalJsonText(projectDelegation(project, owners).toJson()).length + 1;
}
