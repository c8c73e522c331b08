import { sql } from 'kysely';
import { listIndexes } from '../db/indexes.ts';
import type { Executor } from '../db/schema.ts';
import type { Check } from '../server/readiness.ts';
import type { ServerMetrics } from '../server/server-metrics.ts';
import { Histogram, type HistogramState, type Sample } from '../telemetry/metrics.ts';
import type { PublisherClient } from '../worker/publisher-client.ts';
import type { EvidenceLoop } from './evidence-loop.ts';

const DAY_SECONDS = 86_400;
const SERVED_BY_NAME: ReadonlySet<string> = new Set([
  'root',
  'targets',
  'bins',
  'claimed',
  'recently-claimed',
  'snapshot',
  'timestamp',
]);

export interface ServeMetricsOptions {
  readonly db: Executor;
  readonly metrics: ServerMetrics;
  readonly publisher: Pick<PublisherClient, 'isAlive' | 'state'>;
  readonly evidence: Pick<EvidenceLoop, 'delivery'>;
}

/** Takes over what the publisher's thread says of its keys. */
export function signerLatency({ registry }: ServerMetrics): (latency: HistogramState) => void {
  const histogram = registry.add(
    new Histogram('rind_signer_latency_seconds', 'How long the online keys take for a signature.'),
  );
  return (latency) => {
    histogram.state = latency;
  };
}

/** What the parts around the server can tell: the queue of the publisher, the days until roles expire, the sinks of heads. */
export function addServeMetrics({ db, metrics, publisher, evidence }: ServeMetricsOptions): void {
  const { registry } = metrics;
  registry.gauge('rind_publisher_up', 'Whether the publisher is at work.', () => [
    { value: publisher.isAlive ? 1 : 0 },
  ]);
  registry.gauge('rind_publication_queue_changes', 'Changes that wait for their signatures.', async () =>
    (await waiting(db)).map(({ labels, changes }) => ({ labels, value: changes })),
  );
  registry.gauge('rind_publication_queue_age_seconds', 'How long the oldest of them waits.', async () =>
    (await waiting(db)).map(({ labels, age }) => ({ labels, value: age })),
  );
  registry.gauge('rind_publication_failing', 'Whether the last attempt to publish failed.', async () =>
    (await listIndexes(db)).map(({ id, name }) => ({
      labels: { index: name },
      value: publisher.state(id)?.lastError === undefined ? 0 : 1,
    })),
  );
  registry.gauge('rind_role_days_to_expiry', 'Days until a role expires; of bins the first one.', () =>
    daysToExpiry(db),
  );
  registry.gauge('rind_head_sink_queue_age_seconds', 'How long the oldest head waits for a sink.', async () =>
    (await evidence.delivery.queueAges()).map(({ sink, index, seconds }) => ({
      labels: { sink, index },
      value: seconds,
    })),
  );
}

/** Whether changes can be published; for `/readyz`. */
export async function publisherCheck(publisher: Pick<PublisherClient, 'isAlive'>): Promise<readonly Check[]> {
  return [{ name: 'publisher', problem: publisher.isAlive ? undefined : 'The publisher has stopped.' }];
}

async function waiting(
  db: Executor,
): Promise<{ readonly labels: Record<string, string>; readonly changes: number; readonly age: number }[]> {
  const { rows } = await sql<{ name: string; changes: number; oldest: string | null }>`
    select indexes.name, count(journal.id) as changes, min(journal.created_at) as oldest
    from indexes left join journal on journal.index_id = indexes.id and journal.publication_id is null
    where indexes.removed_at is null group by indexes.id`.execute(db);
  return rows.map(({ name, changes, oldest }) => ({
    labels: { index: name },
    changes: Number(changes),
    age: oldest === null ? 0 : Math.max(0, (Date.now() - Date.parse(oldest)) / 1000),
  }));
}

async function daysToExpiry(db: Executor): Promise<readonly Sample[]> {
  const { rows } = await sql<{ name: string; role: string; expires: string }>`
    select indexes.name, case when roles.role like 'bin-%' then 'bin-n' else roles.role end as role,
      min(roles.expires_at) as expires
    from roles join indexes on indexes.id = roles.index_id
    where indexes.removed_at is null group by 1, 2`.execute(db);
  return rows
    .filter(({ role }) => role === 'bin-n' || SERVED_BY_NAME.has(role))
    .map(({ name, role, expires }) => ({
      labels: { index: name, role },
      value: Math.round(((Date.parse(expires) - Date.now()) / 1000 / DAY_SECONDS) * 1000) / 1000,
    }));
}
