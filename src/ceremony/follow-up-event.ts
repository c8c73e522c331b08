import { encodeUtf8 } from '../tuf/canonical-json.ts';
import { encodeHex } from '../tuf/hex.ts';
import { sha256 } from '../tuf/sha256.ts';
import { encodeCandidate, eventId, type Candidate } from './candidate.ts';
import { baseVersions, currentRoleFiles, type CurrentRoles } from './current-roles.ts';
import { partiesOf } from './event-lint.ts';
import type { Parties, Party } from './offline-roles.ts';
import { SIGNING_DAYS, type OfflineRoleName, type PlanProfile } from './plan.ts';

const DAY_MS = 86_400_000;
const USUAL_LIFETIME_DAYS = 365;

/**
 * A signing event that needs no ceremony: the holders of the present keys sign it. Its plan, holders and lifetimes follow from what is public
 * and from the ceremony of which that is, where it is known.
 */
export class FollowUpEvent {
  readonly base: CurrentRoles;
  /** Whole seconds, as metadata has them. */
  readonly now: Date;
  readonly #last: Candidate | undefined;

  constructor(base: CurrentRoles, last: Candidate | undefined, now: Date) {
    this.base = base;
    this.#last = last;
    this.now = new Date(Math.floor(now.getTime() / 1000) * 1000);
  }

  /** Who signs what is public; a sentence when it is not as Rind makes it. */
  parties(): Parties | string {
    const { root, targets, claimed, bins } = this.base;
    return partiesOf({ root: root.signed, targets: targets.signed, claimed: claimed.signed, bins: bins.signed }); // prettier-ignore
  }

  canSign(party: Party): boolean {
    return canSign(party, this.#last);
  }

  /** When the next version of a role is to end: it lives as long as in the ceremony before. */
  expires(role: OfflineRoleName): Date {
    return new Date(this.now.getTime() + lifetimeDays(role, this.#last) * DAY_MS);
  }

  /** What is to be signed. @param plan what the holders read */
  candidate(
    kind: 'renewal' | 'claims',
    roles: Pick<Candidate, 'root' | 'targets'>,
    { plan, profile }: { readonly plan: string; readonly profile: PlanProfile },
  ): Candidate {
    return {
      kind,
      rehearsal: false,
      profile,
      created: this.now,
      deadline: new Date(this.now.getTime() + SIGNING_DAYS * DAY_MS),
      plan: encodeHex(sha256(encodeUtf8(plan))),
      base: baseVersions(this.base),
      holders: this.#last?.holders ?? new Map(),
      oneTimeKeys: [],
      ...roles,
    };
  }

  /** The id of the event about a candidate, and the files of its folder. */
  files(
    candidate: Candidate,
    plan: string,
  ): { readonly id: string; readonly files: ReadonlyMap<string, Uint8Array> } {
    const bytes = encodeCandidate(candidate);
    const files = new Map([['candidate.json', bytes], ['plan', encodeUtf8(plan)]]); // prettier-ignore
    for (const [name, file] of currentRoleFiles(this.base)) files.set(`base/${name}`, file);
    return { id: eventId(bytes), files };
  }
}

/** Whether enough keys of a role can be there still: one-time keys were discarded in the ceremony that made them. */
export function canSign({ keys, threshold }: Party, last: Candidate | undefined): boolean {
  const discarded = new Set(last?.oneTimeKeys);
  return keys.filter(({ keyId }) => !discarded.has(keyId)).length >= threshold;
}

function lifetimeDays(role: OfflineRoleName, last: Candidate | undefined): number {
  const signed = role === 'root' ? last?.root : last?.targets.get(role);
  if (last === undefined || signed === undefined) return USUAL_LIFETIME_DAYS;
  return Math.max(1, Math.round((signed.expires.getTime() - last.created.getTime()) / DAY_MS));
}
