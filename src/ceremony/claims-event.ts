import { claimedProjectsOf, isSameDelegations, type ClaimedProject } from '../claims/claim-lists.ts';
import type { Targets } from '../tuf/targets.ts';
import type { Candidate } from './candidate.ts';
import {
  claimChanges,
  makeClaimedLists,
  presentClaimedLists,
  type ClaimChange,
  type ClaimedLists,
} from './claimed-lists.ts';
import { versionOf, type CurrentRoles } from './current-roles.ts';
import { CeremonyError } from './errors.ts';
import { lintEvent } from './event-lint.ts';
import { FollowUpEvent } from './follow-up-event.ts';
import type { ClaimedListName, PlanProfile } from './plan.ts';
import { RENEWAL_DAYS } from './reminders.ts';

const DAY_MS = 86_400_000;
const PLAN = 'Claimed projects: who is added, removed or given other keys. Nothing else changes.\n';

/** What administrators want of the list of claimed projects. */
export interface WantedClaims {
  /** Projects that are to be in it, with these owners: new ones, or present ones with other keys. */
  readonly put: readonly ClaimedProject[];
  /** Projects that are not to be in it any more. */
  readonly remove: readonly string[];
}

/** A signing event about claimed projects. */
export type ClaimsEvent =
  /** The list is as it is wanted already. */
  | { readonly kind: 'none' }
  /** The keys of claimed were discarded: a ceremony that gives it keys that are kept comes first. */
  | { readonly kind: 'ceremony' }
  | {
      readonly kind: 'event';
      readonly id: string;
      readonly files: ReadonlyMap<string, Uint8Array>;
      readonly changes: readonly ClaimChange[];
    };

/**
 * Moves projects to claimed, gives claimed ones other keys, or takes them out (PEP 480), on top of what is public. Lists whose delegations stay
 * as they are get no new version, unless they expire soon. `last`: the ceremony of which the present roles are, where it is known. Nothing here is
 * signed. Throws UNWORKABLE_PLAN with what stands against it.
 */
export function openClaimsEvent(
  base: CurrentRoles,
  last: Candidate | undefined,
  wanted: WantedClaims,
  options: { readonly profile: PlanProfile; readonly now: Date },
): ClaimsEvent {
  const event = new FollowUpEvent(base, last, options.now);
  const parties = event.parties();
  if (typeof parties === 'string') throw unworkable([parties]);
  if (!event.canSign(parties.claimed)) return { kind: 'ceremony' };

  const expires = event.expires('claimed');
  const common = (role: ClaimedListName) => ({ version: versionOf(base, role) + 1, expires });
  const present = presentClaimedLists(base);
  const lists = makeClaimedLists(projectsOf(present, wanted), parties.claimed, common);
  const targets = new Map([...lists].filter(([role, list]) => isDue(list, present.get(role), event.now)));
  const { profile } = options;
  const candidate = event.candidate('claims', { root: undefined, targets }, { plan: PLAN, profile });
  const changes = claimChanges(candidate, base);
  if (changes.length === 0) return { kind: 'none' };
  const problems = lintEvent(candidate, base);
  if (problems.length > 0) throw unworkable(problems);
  return { kind: 'event', ...event.files(candidate, PLAN), changes };
}

function projectsOf(present: ClaimedLists, { put, remove }: WantedClaims): readonly ClaimedProject[] {
  const projects = new Map(claimedProjectsOf(present.values()).map((one) => [one.project, one] as const));
  for (const project of remove) projects.delete(project);
  for (const one of put) projects.set(one.project, one);
  return [...projects.values()];
}

function isDue(list: Targets, present: Targets | undefined, now: Date): boolean {
  return (
    present === undefined ||
    !isSameDelegations(present.delegations, list.delegations) ||
    present.expires.getTime() - now.getTime() <= RENEWAL_DAYS * DAY_MS
  );
}

function unworkable([problem = '', ...problems]: readonly string[]): CeremonyError {
  return new CeremonyError(
    'UNWORKABLE_PLAN',
    `No event about claimed projects can be made on top of what is public: ${problem}`,
    { problems },
  );
}
