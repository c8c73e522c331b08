import { encodeHex } from '../tuf/hex.ts';
import { encodeUtf8 } from '../tuf/canonical-json.ts';
import { sha256 } from '../tuf/sha256.ts';
import type { Targets } from '../tuf/targets.ts';
import { encodeCandidate, eventId, type Candidate } from './candidate.ts';
import { claimedProjectsOf } from '../claims/claim-lists.ts';
import { makeClaimedLists, presentClaimedLists } from './claimed-lists.ts';
import { baseVersions, currentRoleFiles, versionOf, type CurrentRoles } from './current-roles.ts';
import { binsShape, lintEvent, partiesOf } from './event-lint.ts';
import { makeBins, makeRoot, makeTargets, type Party } from './offline-roles.ts';
import { OFFLINE_ROLES, type OfflineRoleName, type PlanProfile, type SignedRoleName } from './plan.ts';
import { RENEWAL_DAYS } from './reminders.ts';

const DAY_MS = 86_400_000;
/** How long people have to sign. */
export const SIGNING_DAYS = 30;
const USUAL_LIFETIME_DAYS = 365;
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
  const now = new Date(Math.floor(options.now.getTime() / 1000) * 1000);
  const due = OFFLINE_ROLES.filter((role) => earliest(role, base) - now.getTime() <= RENEWAL_DAYS * DAY_MS);
  if (due.length === 0) return { kind: 'none' };
  const { root, targets, claimed, bins } = base;
  const parties = partiesOf({ root: root.signed, targets: targets.signed, claimed: claimed.signed, bins: bins.signed }); // prettier-ignore
  if (typeof parties === 'string') return { kind: 'ceremony', roles: due };
  const lost = due.filter((role) => !canSign(parties[role], last));
  if (lost.length > 0) return { kind: 'ceremony', roles: lost };

  const common = (role: OfflineRoleName) => ({
    version: base[role].signed.version + 1,
    expires: new Date(now.getTime() + lifetimeDays(role, last) * DAY_MS),
  });
  const made: Readonly<
    Record<
      Exclude<OfflineRoleName, 'root'>,
      () => readonly (readonly [Exclude<SignedRoleName, 'root'>, Targets])[]
    >
  > = {
    targets: () => [['targets', makeTargets(parties, common('targets'))]],
    claimed: () => {
      const projects = claimedProjectsOf(presentClaimedLists(base).values());
      const { expires } = common('claimed');
      return [
        ...makeClaimedLists(projects, parties.claimed, (name) => ({
          version: versionOf(base, name) + 1,
          expires,
        })),
      ];
    },
    bins: () => [['bins', makeBins(parties.online, binsShape(bins.signed), common('bins'))]],
  };
  const plan = encodeUtf8(PLAN);
  const candidate: Candidate = {
    kind: 'renewal',
    rehearsal: false,
    profile: options.profile,
    created: now,
    deadline: new Date(now.getTime() + SIGNING_DAYS * DAY_MS),
    plan: encodeHex(sha256(plan)),
    base: baseVersions(base),
    holders: last?.holders ?? new Map(),
    oneTimeKeys: [],
    root: due.includes('root') ? makeRoot(parties, common('root')) : undefined,
    targets: new Map(due.flatMap((role) => (role === 'root' ? [] : made[role]()))),
  };
  if (lintEvent(candidate, base).length > 0) return { kind: 'ceremony', roles: due };
  return { kind: 'event', ...eventFiles(candidate, plan, base) };
}

/** A new event and the files of its folder. */
export function eventFiles(
  candidate: Candidate,
  plan: Uint8Array,
  base: CurrentRoles,
): { readonly id: string; readonly files: ReadonlyMap<string, Uint8Array> } {
  const bytes = encodeCandidate(candidate);
  const files = new Map([['candidate.json', bytes], ['plan', plan]]); // prettier-ignore
  for (const [name, file] of currentRoleFiles(base)) files.set(`base/${name}`, file);
  return { id: eventId(bytes), files };
}

/** Whether enough keys of a role can be there still: one-time keys were discarded in the ceremony that made them. */
export function canSign({ keys, threshold }: Party, last: Candidate | undefined): boolean {
  const discarded = new Set(last?.oneTimeKeys);
  return keys.filter(({ keyId }) => !discarded.has(keyId)).length >= threshold;
}

/** Parts of claimed are signed when they change, so that some may end before it; they are renewed together. */
function earliest(role: OfflineRoleName, base: CurrentRoles): number {
  const parts = role === 'claimed' ? [...base.claimedParts.values()] : [];
  return Math.min(...[base[role], ...parts].map(({ signed }) => signed.expires.getTime()));
}

/** How long a role is to live: as long as in the ceremony before. */
export function lifetimeDays(role: OfflineRoleName, last: Candidate | undefined): number {
  const signed = role === 'root' ? last?.root : last?.targets.get(role);
  if (last === undefined || signed === undefined) return USUAL_LIFETIME_DAYS;
  return Math.max(1, Math.round((signed.expires.getTime() - last.created.getTime()) / DAY_MS));
}
