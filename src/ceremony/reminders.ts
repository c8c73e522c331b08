/** An offline role as it is public. */
export interface ExpiringRole {
  readonly role: string;
  readonly version: number;
  readonly expires: Date;
}

/** A signing event that waits for signatures. */
export interface OpenEvent {
  readonly id: string;
  readonly deadline: Date;
  /** The names of those whose signature can still count. */
  readonly missing: readonly string[];
}

/** Something that somebody should be told, once. */
export interface Reminder {
  /** The same for the same reminder, so that it is sent once. */
  readonly key: string;
  readonly urgency: 'notice' | 'warning' | 'urgent';
  /** One sentence: what, until when, what to do. */
  readonly message: string;
}

const DAY_MS = 86_400_000;
/** A renewal opens this many days before the first offline role expires. */
export const RENEWAL_DAYS = 90;
/** Days before an expiry at which people are reminded, and how urgently. */
const EXPIRY_STEPS: readonly (readonly [number, Reminder['urgency']])[] = [
  [RENEWAL_DAYS, 'notice'],
  [30, 'warning'],
  [14, 'warning'],
  [7, 'urgent'],
  [3, 'urgent'],
  [1, 'urgent'],
];
/** Days before a signing window closes. */
const EVENT_STEPS: readonly (readonly [number, Reminder['urgency']])[] = [
  [7, 'notice'],
  [3, 'warning'],
  [1, 'urgent'],
];

/**
 * What people are to be reminded of now and were not yet: renewals from 90 days before the first expiry on, signing windows from seven days
 * before they close; more urgently the nearer it comes. Of steps that were missed only the latest is told. `sent`: keys of earlier reminders.
 */
export function remindersDue(
  state: { readonly roles: readonly ExpiringRole[]; readonly events: readonly OpenEvent[] },
  now: Date,
  sent: ReadonlySet<string>,
): readonly Reminder[] {
  const reminders: Reminder[] = [];
  for (const { role, version, expires } of state.roles) {
    const step = stepAt(EXPIRY_STEPS, expires, now);
    if (step === undefined) continue;
    const [days, urgency] = step;
    const message = `${role} version ${version} ${when('expires', expires, now)}: hold a renewal (rind ceremony renew) before that, or clients stop.`;
    reminders.push({ key: `${role} ${version} ${days}`, urgency, message });
  }
  for (const { id, deadline, missing } of state.events) {
    const step = missing.length === 0 ? undefined : stepAt(EVENT_STEPS, deadline, now);
    if (step === undefined) continue;
    const [days, urgency] = step;
    const message = `The signing window of event ${id.slice(0, 12)} ${when('closes', deadline, now)}; these have not signed: ${missing.join(', ')}.`;
    reminders.push({ key: `event ${id} ${days}`, urgency, message });
  }
  return reminders.filter(({ key }) => !sent.has(key));
}

/** The latest step that was reached. */
function stepAt<T>(
  steps: readonly (readonly [number, T])[],
  end: Date,
  now: Date,
): readonly [number, T] | undefined {
  const left = end.getTime() - now.getTime();
  return steps.findLast(([days]) => left <= days * DAY_MS);
}

function when(verb: string, end: Date, now: Date): string {
  const day = end.toISOString().slice(0, 10);
  const days = Math.ceil((end.getTime() - now.getTime()) / DAY_MS);
  return days > 0
    ? `${verb} on ${day}, in ${days} ${days === 1 ? 'day' : 'days'}`
    : `${verb.slice(0, -1)}d on ${day}`;
}
