import { windowOf, type ExpirySettings } from './expiry-settings.ts';

/** When a role's public version was signed. */
export interface SignedRole {
  readonly role: string;
  readonly version: number;
  readonly signedAt: Date;
}

/** How much earlier than its renewal a bin may come due, as a fraction of it. */
const JITTER = 0.5;
/** When a bin is due, those that come due within this fraction of their renewal are taken along, so that spread bins do not make a snapshot each. */
const LOOK_AHEAD = 1 / 24;
/** Nothing is signed so far in the future that a clock which was only a day ahead could explain it: such a signature lasts too long. Milliseconds. */
const TOO_FAR = 25 * 3_600_000;

/**
 * The time at which a role is to be signed anew. timestamp and snapshot: at the age of their renewal.
 * Other roles up to half of it earlier, by a fraction that differs from role to role and from version to version:
 * bins that were signed together drift apart, and no day has an hour in which all of them are signed.
 */
export function renewalTime(role: SignedRole, settings: ExpirySettings): Date {
  const early = isOnOwnClock(role.role) ? 0 : JITTER * fractionOf(`${role.role}#${role.version}`);
  return new Date(role.signedAt.getTime() + windowOf(settings, role.role).renewal * (1 - early));
}

/**
 * The roles to sign anew now: timestamp and snapshot when they are due themselves; the others when one of them is due, with those that soon
 * will be; at most `limit`, the most urgent first. What was signed by a clock that was far ahead is due at once.
 * With a limit the caller asks again at once: many small publications let uploads through in between, one large one makes them wait.
 */
export function dueRoles(
  roles: Iterable<SignedRole>,
  settings: ExpirySettings,
  now: Date,
  limit = Number.POSITIVE_INFINITY,
): readonly string[] {
  const horizon = now.getTime() + settings.bins.renewal * LOOK_AHEAD;
  const own: string[] = [];
  const soon: { role: string; time: number }[] = [];
  for (const role of roles) {
    const isTooFar = role.signedAt.getTime() > now.getTime() + TOO_FAR;
    const time = isTooFar ? Number.NEGATIVE_INFINITY : renewalTime(role, settings).getTime();
    if (!isOnOwnClock(role.role)) {
      if (time <= horizon) soon.push({ role: role.role, time });
    } else if (time <= now.getTime()) own.push(role.role);
  }
  soon.sort((a, b) => a.time - b.time);
  const [first] = soon;
  const taken = first === undefined || first.time > now.getTime() ? [] : soon.map(({ role }) => role);
  // With any other role, timestamp and snapshot are signed anyway.
  return [...taken, ...own].slice(0, limit);
}

function isOnOwnClock(role: string): boolean {
  return role === 'timestamp' || role === 'snapshot';
}

/** When `dueRoles` will next have something to say; undefined without roles. */
export function nextRenewal(roles: Iterable<SignedRole>, settings: ExpirySettings): Date | undefined {
  let next: Date | undefined;
  for (const role of roles) {
    const time = renewalTime(role, settings);
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
