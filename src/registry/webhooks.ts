import { randomBytes } from 'node:crypto';
import { isIP } from 'node:net';
import { appendAudit, type AuditAction } from '../db/audit.ts';
import type { Executor, WebhookDeliveryRow, WebhookRow } from '../db/schema.ts';
import { writeTransaction } from '../db/transactions.ts';
import {
  insertWebhook,
  listWebhooks,
  markWebhookRemoved,
  recentDeliveries,
  reviveDeliveries,
} from '../db/webhooks.ts';
import { authorize, isServerAdmin } from './authorize.ts';
import { RegistryError } from './errors.ts';
import { actorOf, type Principal } from './principal.ts';
import { isPublicAddress } from './public-address.ts';

export interface WebhooksContext {
  readonly db: Executor;
  readonly index: { readonly id: number; readonly name: string };
  readonly clock: () => Date;
}

/** A webhook as it is told; its secret is told once, when it is made. */
export interface WebhookSummary {
  readonly number: number;
  readonly url: string;
  readonly created: string;
}

/** One attempt to tell a webhook of one publication. */
export interface DeliverySummary {
  readonly number: number;
  readonly webhook: number;
  readonly publication: number;
  readonly state: WebhookDeliveryRow['state'];
  readonly attempts: number;
  readonly lastError: string | null;
  readonly created: string;
  readonly finished: string | null;
}

const MOST_WEBHOOKS = 20;
const MOST_SHOWN = 100;
const LONGEST_URL = 2000;

/**
 * Where a webhook may point to. Addresses of the server's own network are for administrators of the whole server: those of one index would
 * learn what answers there. What follows from the answer (a redirect) is never asked.
 *
 * @throws RegistryError INVALID_REQUEST
 */
export function checkedWebhookUrl(text: string): string {
  const url = text.length <= LONGEST_URL && URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
    throw new RegistryError(
      'INVALID_REQUEST',
      'A webhook is an address that begins with https:// or http://.',
    );
  }
  if (url.username !== '' || url.password !== '' || url.hash !== '') {
    throw new RegistryError(
      'INVALID_REQUEST',
      'The address of a webhook has no user, password or fragment: check its signature instead.',
    );
  }
  return url.href;
}

/** What can be said of an address without looking its name up; a name is looked at when it is connected to. */
function requirePublic(url: string): void {
  const host = new URL(url).hostname.replace(/^\[(.*)\]$/, '$1');
  if (isIP(host) === 0 || isPublicAddress(host)) return;
  throw new RegistryError(
    'NOT_PERMITTED',
    "Only an administrator of the whole server has webhooks at addresses of the server's own network.",
  );
}

/** Tells of the publications of an index from now on. The secret is told here and never again. @throws RegistryError */
export async function addWebhook(
  { db, index, clock }: WebhooksContext,
  principal: Principal,
  address: string,
): Promise<WebhookSummary & { readonly secret: string }> {
  await authorize(db, principal, 'admin', { index });
  const url = checkedWebhookUrl(address);
  const secret = `whsec_${randomBytes(32).toString('base64url')}`;
  return writeTransaction(db, async (tx) => {
    const known = await listWebhooks(tx, index.id);
    if (known.some((webhook) => webhook.url === url)) {
      throw new RegistryError('CONFLICT', 'There is a webhook with this address already.');
    }
    if (known.length >= MOST_WEBHOOKS) {
      throw new RegistryError('CONFLICT', `An index has at most ${MOST_WEBHOOKS} webhooks.`);
    }
    const mayBeInternal = await isServerAdmin(tx, principal);
    if (!mayBeInternal) requirePublic(url);
    const now = clock();
    const row = await insertWebhook(tx, { indexId: index.id, url, secret, mayBeInternal, now });
    await note(tx, { index, principal, now }, 'webhook.add', row);
    return { ...summaryOf(row), secret };
  });
}

/** @throws RegistryError */
export async function webhooksOf(
  { db, index }: WebhooksContext,
  principal: Principal,
): Promise<readonly WebhookSummary[]> {
  await authorize(db, principal, 'admin', { index });
  return (await listWebhooks(db, index.id)).map(summaryOf);
}

/** Tells no more, not even what waits. @throws RegistryError NOT_FOUND */
export async function removeWebhook(
  context: WebhooksContext,
  principal: Principal,
  number: number,
): Promise<void> {
  const { db, index, clock } = context;
  await authorize(db, principal, 'admin', { index });
  await writeTransaction(db, async (tx) => {
    const row = await requireWebhook(tx, index, number);
    const now = clock();
    await markWebhookRemoved(tx, row.id, now);
    await note(tx, { index, principal, now }, 'webhook.remove', row);
  });
}

/** The row with the secret, for the one who sends. @throws RegistryError NOT_FOUND */
export async function webhookToTest(
  { db, index }: WebhooksContext,
  principal: Principal,
  number: number,
): Promise<WebhookRow> {
  await authorize(db, principal, 'admin', { index });
  return requireWebhook(db, index, number);
}

/** The youngest deliveries, newest first. @throws RegistryError */
export async function deliveriesOf(
  { db, index }: WebhooksContext,
  principal: Principal,
  state?: DeliverySummary['state'],
): Promise<readonly DeliverySummary[]> {
  await authorize(db, principal, 'admin', { index });
  const rows = await recentDeliveries(db, index.id, {
    limit: MOST_SHOWN,
    ...(state === undefined ? {} : { state }),
  });
  return rows.map((row) => ({
    number: row.id,
    webhook: row.webhook_id,
    publication: row.publication_id,
    state: row.state,
    attempts: row.attempts,
    lastError: row.last_error,
    created: row.created_at,
    finished: row.finished_at,
  }));
}

/** Sends what was given up once more. Returns how many. @throws RegistryError NOT_FOUND */
export async function retryDeliveries(
  { db, index, clock }: WebhooksContext,
  principal: Principal,
  number: number,
): Promise<number> {
  await authorize(db, principal, 'admin', { index });
  return writeTransaction(db, async (tx) => {
    const row = await requireWebhook(tx, index, number);
    return reviveDeliveries(tx, row.id, clock());
  });
}

async function requireWebhook(
  db: Executor,
  index: { readonly id: number },
  number: number,
): Promise<WebhookRow> {
  const row = (await listWebhooks(db, index.id)).find(({ id }) => id === number);
  if (row === undefined) throw new RegistryError('NOT_FOUND', 'There is no such webhook at this index.');
  return row;
}

async function note(
  tx: Executor,
  by: { readonly index: { readonly id: number }; readonly principal: Principal; readonly now: Date },
  action: AuditAction,
  { id, url }: WebhookRow,
): Promise<void> {
  const { index, principal, now } = by;
  // The path of such an address is often its secret.
  const detail = { origin: new URL(url).origin };
  const entry = { indexId: index.id, at: now, actor: actorOf(principal), subject: `webhook ${id}` };
  await appendAudit(tx, { ...entry, action, detail });
}

function summaryOf({ id, url, created_at }: WebhookRow): WebhookSummary {
  return { number: id, url, created: created_at };
}
