import { sql } from 'kysely';
import type { Executor, WebhookDeliveryRow, WebhookRow } from './schema.ts';

export interface NewWebhook {
  readonly indexId: number;
  readonly url: string;
  readonly secret: string;
  readonly mayBeInternal: boolean;
  readonly now: Date;
}

export async function insertWebhook(
  tx: Executor,
  { indexId, url, secret, mayBeInternal, now }: NewWebhook,
): Promise<WebhookRow> {
  return tx
    .insertInto('webhooks')
    .values({
      index_id: indexId,
      url,
      secret,
      may_be_internal: mayBeInternal ? 1 : 0,
      created_at: now.toISOString(),
    })
    .returningAll()
    .executeTakeFirstOrThrow();
}

/** The webhooks of an index that are in force. */
export async function listWebhooks(db: Executor, indexId: number): Promise<readonly WebhookRow[]> {
  return db
    .selectFrom('webhooks')
    .selectAll()
    .where('index_id', '=', indexId)
    .where('removed_at', 'is', null)
    .orderBy('id')
    .execute();
}

/** What still waits for it is given up. */
export async function markWebhookRemoved(tx: Executor, id: number, now: Date): Promise<void> {
  const at = now.toISOString();
  await tx.updateTable('webhooks').set({ removed_at: at }).where('id', '=', id).execute();
  await tx
    .updateTable('webhook_deliveries')
    .set({ state: 'dead', finished_at: at, last_error: 'the webhook was removed' })
    .where('webhook_id', '=', id)
    .where('state', '=', 'waiting')
    .execute();
}

/** One delivery to each webhook of the index, if the publication has changes (a renewal has none). In the transaction that finishes it. */
export async function enqueueDeliveries(tx: Executor, publicationId: number, now: Date): Promise<void> {
  const at = now.toISOString();
  await sql`
    insert into webhook_deliveries (webhook_id, publication_id, state, due_at, created_at)
    select webhooks.id, publications.id, 'waiting', ${at}, ${at} from webhooks
    inner join publications on publications.index_id = webhooks.index_id
    where publications.id = ${publicationId} and webhooks.removed_at is null
      and exists (select 1 from journal where publication_id = ${publicationId})`.execute(tx);
}

export type DueDelivery = WebhookDeliveryRow &
  Pick<WebhookRow, 'url' | 'secret' | 'index_id' | 'may_be_internal'>;

/** What is to be sent now, the longest waiting first. */
export async function dueDeliveries(db: Executor, now: Date, limit: number): Promise<readonly DueDelivery[]> {
  return db
    .selectFrom('webhook_deliveries')
    .innerJoin('webhooks', 'webhooks.id', 'webhook_deliveries.webhook_id')
    .selectAll('webhook_deliveries')
    .select(['webhooks.url', 'webhooks.secret', 'webhooks.index_id', 'webhooks.may_be_internal'])
    .where('state', '=', 'waiting')
    .where('due_at', '<=', now.toISOString())
    .orderBy('due_at')
    .limit(limit)
    .execute();
}

export type DeliveryChange = Partial<
  Pick<WebhookDeliveryRow, 'state' | 'attempts' | 'due_at' | 'last_error' | 'finished_at'>
>;

export async function changeDelivery(tx: Executor, id: number, change: DeliveryChange): Promise<void> {
  await tx.updateTable('webhook_deliveries').set(change).where('id', '=', id).execute();
}

/** The youngest deliveries of the webhooks of an index, newest first. */
export async function recentDeliveries(
  db: Executor,
  indexId: number,
  options: { readonly limit: number; readonly state?: WebhookDeliveryRow['state'] },
): Promise<readonly WebhookDeliveryRow[]> {
  const query = db
    .selectFrom('webhook_deliveries')
    .innerJoin('webhooks', 'webhooks.id', 'webhook_deliveries.webhook_id')
    .selectAll('webhook_deliveries')
    .where('webhooks.index_id', '=', indexId)
    .orderBy('webhook_deliveries.id', 'desc')
    .limit(options.limit);
  return (options.state === undefined ? query : query.where('state', '=', options.state)).execute();
}

/** Dead deliveries of a webhook wait again from now on; returns how many. */
export async function reviveDeliveries(tx: Executor, webhookId: number, now: Date): Promise<number> {
  const result = await tx
    .updateTable('webhook_deliveries')
    .set({ state: 'waiting', attempts: 0, due_at: now.toISOString(), finished_at: null })
    .where('webhook_id', '=', webhookId)
    .where('state', '=', 'dead')
    .executeTakeFirst();
  return Number(result.numUpdatedRows);
}

/** Forgets what was delivered before that time; the dead stay until somebody looked. */
export async function forgetDelivered(tx: Executor, before: Date): Promise<void> {
  await tx
    .deleteFrom('webhook_deliveries')
    .where('state', '=', 'delivered')
    .where('finished_at', '<', before.toISOString())
    .execute();
}
