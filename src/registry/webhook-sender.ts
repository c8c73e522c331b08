import { createHmac } from 'node:crypto';
import { Agent, fetch } from 'undici';
import type { Executor, WebhookRow } from '../db/schema.ts';
import { writeTransaction } from '../db/transactions.ts';
import { changeDelivery, dueDeliveries, forgetDelivered, type DueDelivery } from '../db/webhooks.ts';
import { lookupPublic, NOT_PUBLIC } from './public-address.ts';
import { publicationEvent } from './publication-event.ts';

export interface WebhookLog {
  warn(fields: object, message: string): void;
}

export interface WebhookSenderOptions {
  readonly db: Executor;
  readonly log: WebhookLog;
  readonly clock?: () => Date;
  /** Milliseconds for one delivery. */
  readonly timeout?: number;
}

/** The outcome of one attempt: undefined when it was taken, else why not. */
export type SendFailure = string | undefined;

const TIMEOUT = 10_000;
const LOOK_AGAIN = 1_000;
const AT_ONCE = 20;
const SECOND = 1_000;
const HOUR = 3_600 * SECOND;
/** Milliseconds after each failure; after the last the delivery is given up: eight attempts in about ten hours. */
const PAUSES = [5 * SECOND, 30 * SECOND, 120 * SECOND, 600 * SECOND, HOUR, 3 * HOUR, 6 * HOUR];
/** Days for which the log of deliveries keeps what arrived. */
const KEPT = 30 * 24 * HOUR;

/** For webhooks that may not be in the server's own network. No connection is kept: the next delivery looks the name up again. */
const PUBLIC_ONLY = new Agent({ connect: { lookup: lookupPublic }, pipelining: 0 });

/** The value of `X-Rind-Signature`: `t=<Unix seconds>,v1=<HMAC-SHA256 over "<t>.<body>", hex>`. */
export function webhookSignature(secret: string, body: string, at: Date): string {
  const time = Math.floor(at.getTime() / SECOND);
  return `t=${time},v1=${createHmac('sha256', secret).update(`${time}.${body}`).digest('hex')}`;
}

/**
 * Sends one message. No redirect is followed, of the answer nothing is read but its status, and no proxy of the environment is asked, so that
 * whoever answers cannot make this server ask anybody else. Never throws.
 */
export async function sendWebhook(
  { url, secret, may_be_internal }: Pick<WebhookRow, 'url' | 'secret' | 'may_be_internal'>,
  message: { readonly id: string; readonly event: string; readonly body: string },
  at: Date,
  timeout = TIMEOUT,
): Promise<SendFailure> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      redirect: 'manual',
      ...(may_be_internal === 1 ? {} : { dispatcher: PUBLIC_ONLY }),
      headers: {
        'content-type': 'application/json',
        'user-agent': 'rind-webhook',
        'x-rind-event': message.event,
        'x-rind-delivery': message.id,
        'x-rind-signature': webhookSignature(secret, message.body, at),
      },
      body: message.body,
      signal: AbortSignal.timeout(timeout),
    });
    await response.body?.cancel();
    return response.ok ? undefined : `it answered ${response.status}`;
  } catch (error) {
    return failureOf(error);
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

/** Says why without the address, whose path may be a secret. */
function failureOf(error: unknown): string {
  if (error instanceof Error && error.name === 'TimeoutError') return 'it did not answer in time';
  if (hasCode(error, NOT_PUBLIC) || (error instanceof Error && hasCode(error.cause, NOT_PUBLIC))) {
    return "it is at no public address, and only an administrator of the whole server has webhooks in the server's own network";
  }
  const cause = error instanceof Error ? error.cause : undefined;
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  return typeof code === 'string' ? `it cannot be reached (${code})` : 'it cannot be reached';
}

/**
 * Tells webhooks of publications, each of each at least once: what is to be told is written down in the transaction that finishes the
 * publication. What fails is tried again with growing pauses, and given up in the end; then it is a dead letter that somebody may revive.
 */
export class WebhookSender {
  readonly #options: WebhookSenderOptions;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();
  #isStopped = false;

  constructor(options: WebhookSenderOptions) {
    this.#options = options;
  }

  start(): void {
    if (this.#isStopped) return;
    this.#running = this.deliver()
      .catch((error: unknown) => this.#options.log.warn({ err: error }, 'webhooks could not be told'))
      .then(() => {
        if (this.#isStopped) return;
        this.#timer = setTimeout(() => this.start(), LOOK_AGAIN);
        this.#timer.unref();
      });
  }

  /** Waits for what is under way. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  /** Sends what is due, once. */
  async deliver(): Promise<void> {
    const { db } = this.#options;
    const now = this.#now();
    const due = await dueDeliveries(db, now, AT_ONCE);
    await Promise.all(due.map((delivery) => this.#tell(delivery)));
    if (due.length > 0) {
      await writeTransaction(db, (tx) => forgetDelivered(tx, new Date(now.getTime() - KEPT)));
    }
  }

  async #tell(delivery: DueDelivery): Promise<void> {
    const { db, log, timeout } = this.#options;
    const body = JSON.stringify(await publicationEvent(db, delivery.publication_id));
    const message = { id: String(delivery.id), event: 'publication', body };
    const failure = await sendWebhook(delivery, message, this.#now(), timeout);
    const now = this.#now();
    const attempts = delivery.attempts + 1;
    const pause = PAUSES[delivery.attempts];
    const isOver = failure === undefined || pause === undefined;
    await writeTransaction(db, (tx) =>
      changeDelivery(tx, delivery.id, {
        attempts,
        state: failure === undefined ? 'delivered' : isOver ? 'dead' : 'waiting',
        due_at: new Date(now.getTime() + (pause ?? 0)).toISOString(),
        last_error: failure ?? null,
        finished_at: isOver ? now.toISOString() : null,
      }),
    );
    if (failure === undefined) return;
    const fields = { webhook: delivery.webhook_id, delivery: delivery.id, attempts, failure };
    log.warn(
      fields,
      isOver ? 'a webhook was not told of a publication: given up' : 'a webhook is told again later',
    );
  }

  #now(): Date {
    return this.#options.clock?.() ?? new Date();
  }
}
