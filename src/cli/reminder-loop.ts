import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { EventFolder } from '../ceremony/event-folder.ts';
import { remindersDue, type ExpiringRole, type OpenEvent, type Reminder } from '../ceremony/reminders.ts';
import { listIndexes } from '../db/indexes.ts';
import { noteReminder, sentReminders } from '../db/reminders.ts';
import { currentRoles } from '../db/roles.ts';
import type { Executor } from '../db/schema.ts';
import { writeTransaction } from '../db/transactions.ts';
import { errorFields } from '../repository/errors.ts';
import type { Log } from '../telemetry/log.ts';
import { claimReminders } from './claim-reminders.ts';
import type { RenewalOpener } from './renewal-opener.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const WEBHOOK_TIMEOUT = 10_000;
const OFFLINE: ReadonlySet<string> = new Set(['root', 'targets', 'claimed', 'bins']);

export interface ReminderLoopOptions {
  readonly db: Executor;
  /** Copies of signing events that are under way lie here, a folder each. */
  readonly eventsFolder: string;
  readonly log: Log;
  /** Gets each reminder as JSON by POST. */
  readonly webhook?: string | undefined;
  /** Opens signing events for offline roles that are due. */
  readonly renewals?: Pick<RenewalOpener, 'reminders'> | undefined;
  readonly clock?: () => Date;
}

/**
 * Reminds people in time: in the log, and by webhook. What could not be delivered is tried again after a minute, then after two, and so on up
 * to an hour; what was delivered is written down, so that a restart tells nobody twice.
 */
export class ReminderLoop {
  readonly #options: ReminderLoopOptions;
  /** Told in the log by this process. */
  readonly #logged = new Set<string>();
  #failures = 0;
  #isStopped = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ReminderLoopOptions) {
    this.#options = options;
  }

  start(): void {
    void this.#round();
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  /** Milliseconds until the next look. */
  get pause(): number {
    return this.#failures === 0 ? HOUR : Math.min(HOUR, MINUTE * 2 ** Math.min(this.#failures - 1, 10));
  }

  /** Tells what is due. Never throws: nothing else may stop because of it. */
  async remind(): Promise<void> {
    const { db, log, clock = () => new Date() } = this.#options;
    let hasFailed = false;
    try {
      const sent = await sentReminders(db);
      for (const reminder of await this.#due(sent)) {
        const { key, urgency, message } = reminder;
        if (!this.#logged.has(key)) log.warn({ urgency }, message);
        this.#logged.add(key);
        if (await this.#deliver(reminder)) await writeTransaction(db, (tx) => noteReminder(tx, key, clock()));
        else hasFailed = true;
      }
    } catch (error) {
      hasFailed = true;
      log.warn(errorFields(error), 'reminders could not be made');
    }
    this.#failures = hasFailed ? this.#failures + 1 : 0;
  }

  async #round(): Promise<void> {
    await this.remind();
    if (this.#isStopped) return;
    this.#timer = setTimeout(() => void this.#round(), this.pause);
    this.#timer.unref();
  }

  async #due(sent: ReadonlySet<string>): Promise<readonly Reminder[]> {
    const { db, clock = () => new Date(), renewals, log } = this.#options;
    const opened: Reminder[] = [];
    for (const index of await listIndexes(db)) {
      try {
        opened.push(...((await renewals?.reminders(index, clock())) ?? []));
      } catch (error) {
        log.warn(
          { index: index.name, ...errorFields(error) },
          'no signing event could be opened for this index',
        );
      }
      opened.push(...(await claimReminders(db, index, clock())));
    }
    const state = { roles: await this.#roles(), events: await this.#events() };
    return [...opened.filter(({ key }) => !sent.has(key)), ...remindersDue(state, clock(), sent)];
  }

  async #roles(): Promise<readonly ExpiringRole[]> {
    const { db } = this.#options;
    const roles: ExpiringRole[] = [];
    for (const index of await listIndexes(db)) {
      for (const { role, version, expires_at } of await currentRoles(db, index.id)) {
        const name = index.name === '' ? role : `${role} of ${index.name}`;
        if (OFFLINE.has(role)) roles.push({ role: name, version, expires: new Date(expires_at) });
      }
    }
    return roles;
  }

  async #events(): Promise<readonly OpenEvent[]> {
    const { eventsFolder, clock = () => new Date(), log } = this.#options;
    const events: OpenEvent[] = [];
    for (const name of await readdir(eventsFolder).catch(() => [])) {
      try {
        const { event } = await EventFolder.open(join(eventsFolder, name));
        const { quorums, complete, expired } = await event.status(clock());
        if (complete || expired) continue;
        const missing = quorums.filter(({ met }) => !met).flatMap((quorum) => quorum.missing);
        events.push({
          id: event.id,
          deadline: event.candidate.deadline,
          missing: [...new Set(missing.map((holder) => holder.name))],
        });
      } catch (error) {
        log.warn({ folder: name, ...errorFields(error) }, 'a signing event cannot be read');
      }
    }
    return events;
  }

  async #deliver({ message, urgency }: Reminder): Promise<boolean> {
    const { webhook, log } = this.#options;
    if (webhook === undefined) return true;
    try {
      const body = JSON.stringify({ text: message, urgency });
      const headers = { 'content-type': 'application/json' };
      const signal = AbortSignal.timeout(WEBHOOK_TIMEOUT);
      const response = await fetch(webhook, { method: 'POST', headers, body, signal, redirect: 'error' });
      if (response.ok) return true;
      log.warn({ status: response.status }, 'the webhook did not take a reminder; it is sent again');
    } catch (error) {
      log.warn(errorFields(error), 'the webhook cannot be reached; the reminder is sent again');
    }
    return false;
  }
}
