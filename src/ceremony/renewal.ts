import type { Targets } from '../tuf/targets.ts';
import type { Candidate } from './candidate.ts';
import { claimedProjectsOf } from '../claims/claim-lists.ts';
import { makeClaimedLists, presentClaimedLists } from './claimed-lists.ts';
import { versionOf, type CurrentRoles } from './current-roles.ts';
import { binsShape, lintEvent } from './event-lint.ts';
import { FollowUpEvent } from './follow-up-event.ts';
import { makeBins, makeRoot, makeTargets, type Parties } from './offline-roles.ts';
import { OFFLINE_ROLES, type OfflineRoleName, type PlanProfile, type SignedRoleName } from './plan.ts';
import { RENEWAL_DAYS } from './reminders.ts';

const DAY_MS = 86_400_000;
const PLAN = 'A renewal that the index opened by itself: the same keys, thresholds and bins, new dates.\n';

/** What should be done about offline roles that expire. */
export type Renewal =
  | { readonly kind: 'none' }
  /** A signing event with new dates and nothing else, which the holders of the present keys can sign. */
  | { readonly kind: 'event'; readonly id: string; readonly files: ReadonlyMap<string, Uint8Array> }
  /** New keys are needed, because those that signed were one-time keys: `rind ceremony renew`. */
  | { readonly kind: 'ceremony'; readonly roles: readonly OfflineRoleName[] };

/**
 * The renewal of every offline role that expires within 90 days. `last` is the ceremony of which the present roles are, where it is known: it
 * says who holds the keys, which ones were discarded, and how long each role was to live. Nothing here is signed, so nothing has to be believed.
 */
export function openRenewal(
  base: CurrentRoles,
  last: Candidate | undefined,
  options: { readonly profile: PlanProfile; readonly now: Date },
): Renewal {
  const event = new FollowUpEvent(base, last, options.now);
  const { now } = event;
  const due = OFFLINE_ROLES.filter((role) => earliest(role, base) - now.getTime() <= RENEWAL_DAYS * DAY_MS);
  if (due.length === 0) return { kind: 'none' };
  const parties = event.parties();
  if (typeof parties === 'string') return { kind: 'ceremony', roles: due };
  const lost = due.filter((role) => !event.canSign(parties[role]));
  if (lost.length > 0) return { kind: 'ceremony', roles: lost };

  const { profile } = options;
  const candidate = event.candidate('renewal', renewedRoles(due, event, parties), { plan: PLAN, profile });
  if (lintEvent(candidate, base).length > 0) return { kind: 'ceremony', roles: due };
  return { kind: 'event', ...event.files(candidate, PLAN) };
}

/** The same content with new dates. */
function renewedRoles(
  due: readonly OfflineRoleName[],
  event: FollowUpEvent,
  parties: Parties,
): Pick<Candidate, 'root' | 'targets'> {
  const { base } = event;
  const common = (role: OfflineRoleName) => ({
    version: base[role].signed.version + 1,
    expires: event.expires(role),
  });
  const targets = new Map<Exclude<SignedRoleName, 'root'>, Targets>();
  if (due.includes('targets')) targets.set('targets', makeTargets(parties, common('targets')));
  if (due.includes('claimed')) {
    const projects = claimedProjectsOf(presentClaimedLists(base).values());
    const expires = event.expires('claimed');
    const next = (name: SignedRoleName) => ({ version: versionOf(base, name) + 1, expires });
    for (const [name, list] of makeClaimedLists(projects, parties.claimed, next)) targets.set(name, list);
  }
  if (due.includes('bins'))
    targets.set('bins', makeBins(parties.online, binsShape(base.bins.signed), common('bins')));
  return { root: due.includes('root') ? makeRoot(parties, common('root')) : undefined, targets };
}

/** Parts of claimed are signed when they change, so that some may end before it; they are renewed together. */
function earliest(role: OfflineRoleName, base: CurrentRoles): number {
  const parts = role === 'claimed' ? [...base.claimedParts.values()] : [];
  return Math.min(...[base[role], ...parts].map(({ signed }) => signed.expires.getTime()));
}
