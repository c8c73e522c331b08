import type { Profile } from './profile.ts';

/** When a role's public version was signed. */
export interface SignedRole {
  readonly role: string;
  readonly version: number;
  readonly signedAt: Date;
}

/** How much earlier than `onlineRenewal` a bin may come due, as a fraction of it. */
const JITTER = 0.5;
/** What comes due within this fraction of `onlineRenewal` is taken along, so that spread bins do not make a snapshot each. */
const LOOK_AHEAD = 1 / 24;

/**
 * The time at which a role is to be signed anew. timestamp and snapshot: at the age of `onlineRenewal`.
 * Other roles up to half of it earlier, by a fraction that differs from role to role and from version to version:
 * bins that were signed together drift apart, and no day has an hour in which all of them are signed.
 */
export function renewalTime(role: SignedRole, profile: Profile): Date {
  const early =
    role.role === 'timestamp' || role.role === 'snapshot'
      ? 0
      : JITTER * fractionOf(`${role.role}#${role.version}`);
  return new Date(role.signedAt.getTime() + profile.onlineRenewal * (1 - early));
}

/**
 * The roles to sign anew now: none while none is due, else those that are due or soon will be, at most `limit`, the most urgent first.
 * With a limit the caller asks again at once: many small publications let uploads through in between, one large one makes them wait.
 */
export function dueRoles(
  roles: Iterable<SignedRole>,
  profile: Profile,
  now: Date,
  limit = Number.POSITIVE_INFINITY,
): readonly string[] {
  const horizon = now.getTime() + profile.onlineRenewal * LOOK_AHEAD;
  const soon: { role: string; time: number }[] = [];
  for (const role of roles) {
    const time = renewalTime(role, profile).getTime();
    if (time <= horizon) soon.push({ role: role.role, time });
  }
  soon.sort((a, b) => a.time - b.time);
  const [first] = soon;
  if (first === undefined || first.time > now.getTime()) return [];
  return soon.slice(0, limit).map(({ role }) => role);
}

/** When `dueRoles` will next have something to say; undefined without roles. */
export function nextRenewal(roles: Iterable<SignedRole>, profile: Profile): Date | undefined {
  let next: Date | undefined;
  for (const role of roles) {
    const time = renewalTime(role, profile);
    if (next === undefined || time < next) next = time;
  }
  return next;
}

/** The `expires` of something signed now; TUF times have whole seconds. */
export function expiryFrom(now: Date, lifetime: number): Date {
  return new Date(Math.floor((now.getTime() + lifetime) / 1000) * 1000);
}

/** A number in [0, 1) that depends on the text alone (FNV-1a, 32 bits). */
function fractionOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return (hash >>> 0) / 2 ** 32;
}
