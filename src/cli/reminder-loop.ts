import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { EventFolder } from '../ceremony/event-folder.ts';
import { remindersDue, type ExpiringRole, type OpenEvent, type Reminder } from '../ceremony/reminders.ts';
import { listIndexes } from '../db/indexes.ts';
import { currentRoles } from '../db/roles.ts';
import type { Executor } from '../db/schema.ts';
import { errorFields } from '../repository/errors.ts';
import type { Log } from '../telemetry/log.ts';

const HOUR = 3_600_000;
const WEBHOOK_TIMEOUT = 10_000;
const OFFLINE: ReadonlySet<string> = new Set(['root', 'targets', 'claimed', 'bins']);

export interface ReminderLoopOptions {
  readonly db: Executor;
  /** Copies of signing events that are under way lie here, a folder each. */
  readonly eventsFolder: string;
  readonly log: Log;
  /** Gets each reminder as JSON by POST. */
  readonly webhook?: string | undefined;
  readonly clock?: () => Date;
}

/** Reminds people in time: in the log, and by webhook. What could not be delivered is tried again an hour later. */
export class ReminderLoop {
  readonly #options: ReminderLoopOptions;
  readonly #sent = new Set<string>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ReminderLoopOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer = setInterval(() => void this.remind(), HOUR);
    this.#timer.unref();
    void this.remind();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Tells what is due. Never throws: nothing else may stop because of it. */
  async remind(): Promise<void> {
    const { log, clock = () => new Date() } = this.#options;
    try {
      const state = { roles: await this.#roles(), events: await this.#events() };
      for (const reminder of remindersDue(state, clock(), this.#sent)) {
        log.warn({ urgency: reminder.urgency }, reminder.message);
        if (await this.#deliver(reminder)) this.#sent.add(reminder.key);
      }
    } catch (error) {
      log.warn(errorFields(error), 'reminders could not be made');
    }
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
      log.warn(
        { status: response.status },
        'the webhook did not take a reminder; it is sent again in an hour',
      );
    } catch (error) {
      log.warn(errorFields(error), 'the webhook cannot be reached; the reminder is sent again in an hour');
    }
    return false;
  }
}
