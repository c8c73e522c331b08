import {
  claimedProjectsOf,
  claimListRole,
  claimLists,
  shardNames,
  type ClaimedProject,
} from '../claims/claim-lists.ts';
import { isSameOwners } from '../claims/owners.ts';
import type { Targets } from '../tuf/targets.ts';
import type { Candidate } from './candidate.ts';
import { versionOf, type CurrentRoles } from './current-roles.ts';
import type { Party } from './offline-roles.ts';
import type { ClaimedListName } from './plan.ts';

/** claimed and the parts that it delegates to, by name, claimed first. */
export type ClaimedLists = ReadonlyMap<ClaimedListName, Targets>;

/** What claimed and its parts are made of: the delegations follow from the projects alone. Versions and expiry come from `common`. */
export function makeClaimedLists(
  projects: readonly ClaimedProject[],
  signedBy: Party,
  common: (role: ClaimedListName) => { readonly version: number; readonly expires: Date },
): ClaimedLists {
  const lists = new Map<ClaimedListName, Targets>();
  for (const [role, delegations] of claimLists('claimed', projects, signedBy)) {
    const name = role as ClaimedListName;
    lists.set(name, claimListRole(name, delegations, common(name)));
  }
  return lists;
}

/** claimed and its parts as they are public. */
export function presentClaimedLists({ claimed, claimedParts }: CurrentRoles): ClaimedLists {
  const parts = [...claimedParts].map(([name, metadata]) => [name, metadata.signed] as const);
  return new Map<ClaimedListName, Targets>([['claimed', claimed.signed], ...parts]);
}

/** claimed and its parts once a candidate is public; a part that is nowhere is left out. */
export function resultingClaimedLists(candidate: Candidate, base: CurrentRoles | undefined): ClaimedLists {
  const lists = new Map<ClaimedListName, Targets>();
  const claimed = candidate.targets.get('claimed') ?? base?.claimed.signed;
  if (claimed === undefined) return lists;
  lists.set('claimed', claimed);
  for (const role of shardNames(claimed)) {
    const name = role as ClaimedListName;
    const part = candidate.targets.get(name) ?? base?.claimedParts.get(name as never)?.signed;
    if (part !== undefined) lists.set(name, part);
  }
  return lists;
}

/** What is wrong with the lists of a candidate, a sentence each: every one is made again from the projects that they state. */
export function lintClaimedLists(
  candidate: Candidate,
  base: CurrentRoles | undefined,
  signedBy: Party,
  isSame: (left: Targets, right: Targets) => boolean,
): readonly string[] {
  const lists = resultingClaimedLists(candidate, base);
  const projects = claimedProjectsOf(lists.values());
  const expected = makeClaimedLists(projects, signedBy, (role) => {
    const { version, expires } = lists.get(role) ?? {
      version: versionOf(base, role) + 1,
      expires: new Date(0),
    };
    return { version, expires };
  });
  const problems: string[] = [];
  for (const [role, wanted] of expected) {
    const found = lists.get(role);
    if (found === undefined) problems.push(`${role} is missing: a client would not find its projects.`);
    else if (!isSame(found, wanted))
      problems.push(`${role} says something that no list of claimed projects says; do not sign it.`);
  }
  for (const role of candidate.targets.keys()) {
    if (role.startsWith('claimed-') && !expected.has(role as ClaimedListName))
      problems.push(`${role} is a part to which claimed does not delegate.`);
  }
  if (candidate.kind === 'claims') return problems;
  const changes = claimChanges(candidate, base);
  const isCleaned = replacesKeys(candidate, base) && changes.every(({ after }) => after === undefined);
  if (changes.length > 0 && !isCleaned)
    problems.push(
      'claimed delegates other projects than before, which only an event of its own may do: rind claims move.',
    );
  return problems;
}

/** Whether no key of claimed stays: after a theft, what a thief may have added goes with them. */
function replacesKeys(candidate: Candidate, base: CurrentRoles | undefined): boolean {
  const next = candidate.targets.get('targets')?.delegations?.role('claimed');
  const old = new Set(base?.targets.signed.delegations?.role('claimed')?.keyIds);
  return next !== undefined && next.keyIds.every((keyId) => !old.has(keyId));
}

/** A project whose delegation in claimed changes. */
export interface ClaimChange {
  readonly project: string;
  readonly before: ClaimedProject['owners'] | undefined;
  readonly after: ClaimedProject['owners'] | undefined;
}

/** Who is added, removed, re-keyed by a candidate. */
export function claimChanges(candidate: Candidate, base: CurrentRoles | undefined): readonly ClaimChange[] {
  const before = ownersByProject(base === undefined ? new Map() : presentClaimedLists(base));
  const after = ownersByProject(resultingClaimedLists(candidate, base));
  const names = [...new Set([...before.keys(), ...after.keys()])].toSorted((a, b) => (a < b ? -1 : 1));
  return names.flatMap((project) => {
    const [old, fresh] = [before.get(project), after.get(project)];
    const isSame = old !== undefined && fresh !== undefined && isSameOwners(old, fresh);
    return isSame ? [] : [{ project, before: old, after: fresh }];
  });
}

/** The changes for people, with whole key ids: they are what a holder compares. */
export function describeClaimChanges(changes: readonly ClaimChange[]): readonly string[] {
  return changes.flatMap(({ project, before, after }) => {
    const verb = before === undefined ? 'added' : after === undefined ? 'removed' : 're-keyed';
    const old = new Set(before?.keys.map(({ keyId }) => keyId) ?? []);
    const fresh = new Set(after?.keys.map(({ keyId }) => keyId) ?? []);
    return [
      `project ${project}: ${verb}${after === undefined ? '' : `, ${after.threshold} of ${after.keys.length} owners must sign`}`,
      ...[...fresh].filter((id) => !old.has(id)).map((id) => `  + ${id}`),
      ...[...old].filter((id) => !fresh.has(id)).map((id) => `  - ${id}`),
    ];
  });
}

function ownersByProject(lists: ClaimedLists): ReadonlyMap<string, ClaimedProject['owners']> {
  return new Map(claimedProjectsOf(lists.values()).map(({ project, owners }) => [project, owners]));
}
