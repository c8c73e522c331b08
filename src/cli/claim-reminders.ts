import type { Reminder } from '../ceremony/reminders.ts';
import { countWaitingClaims, endingClaims } from '../db/claims.ts';
import type { Executor, IndexRow } from '../db/schema.ts';

const DAY_MS = 86_400_000;
/** Administrators move projects every few weeks (PEP 480); what waits longer is said. */
const WAITING_DAYS = 14;
/** Days before the end of what owners signed at which they are to be reminded, and how urgently. */
const STEPS: readonly (readonly [number, Reminder['urgency']])[] = [
  [30, 'notice'],
  [7, 'warning'],
];
/** More projects than this are not said one by one. */
const MOST_NAMED = 50;

/**
 * What administrators are to be told about claimed projects: every week how many wait for them, until they moved them, and whose owners' signatures
 * end soon.
 */
export async function claimReminders(
  db: Executor,
  { id, name }: IndexRow,
  now: Date,
): Promise<readonly Reminder[]> {
  const place = name === '' ? '' : ` --index ${name}`;
  const reminders: Reminder[] = [];
  const waiting = await countWaitingClaims(db, id, new Date(now.getTime() - WAITING_DAYS * DAY_MS));
  if (waiting > 0) {
    const week = Math.floor(now.getTime() / (7 * DAY_MS));
    const what = waiting === 1 ? '1 claimed project waits' : `${waiting} claimed projects wait`;
    const message = `${what} for the signature of the administrators${name === '' ? '' : ` of ${name}`}: rind claims list${place}, then rind claims move --all${place}.`;
    reminders.push({ key: `claims ${name} ${week}`, urgency: 'notice', message });
  }
  const [[longest] = [30]] = STEPS;
  const ending = await endingClaims(db, id, new Date(now.getTime() + longest * DAY_MS), MOST_NAMED);
  for (const { project, expires } of ending) {
    const left = expires.getTime() - now.getTime();
    const [days, urgency] = STEPS.findLast(([step]) => left <= step * DAY_MS) ?? [longest, 'notice'];
    const day = expires.toISOString().slice(0, 10);
    const message = `What the owners of ${project} signed ${left > 0 ? 'expires' : 'expired'} on ${day}; one of them runs rind sign ${project} --renew, or nobody can install it.`;
    reminders.push({ key: `claim ${name} ${project} ${day} ${days}`, urgency, message });
  }
  return reminders;
}
