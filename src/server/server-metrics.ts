import { monitorEventLoopDelay, type IntervalHistogram } from 'node:perf_hooks';
import { Counter, Histogram, MetricsRegistry } from '../telemetry/metrics.ts';
import type { PublicationQueue } from './options.ts';

const CLASSES = ['1xx', '2xx', '3xx', '4xx', '5xx'] as const;

/** What the server counts of itself. Other parts add theirs to the registry. */
export class ServerMetrics {
  readonly registry = new MetricsRegistry();
  readonly uploads: Counter;
  readonly publishLatency: Histogram;
  /** Answers by the first digit of their status: an addition per request, nothing more. */
  readonly #responses = new Float64Array(6);
  #delay: IntervalHistogram | undefined;

  constructor(version = '0') {
    const { registry } = this;
    registry.gauge('rind_build_info', 'Version of the program.', () => [
      { labels: { version, node: process.version }, value: 1 },
    ]);
    registry.gauge(
      'rind_responses_total',
      'Answers by class of their status.',
      () =>
        CLASSES.map((name, index) => ({ labels: { class: name }, value: this.#responses[index + 1] ?? 0 })),
      'counter',
    );
    this.uploads = registry.add(
      new Counter('rind_uploads_total', 'Uploads by outcome.', 'outcome', [
        'stored',
        'already-stored',
        'staged',
        'refused',
        'not-yet-signed',
      ]),
    );
    this.publishLatency = registry.add(
      new Histogram(
        'rind_publish_latency_seconds',
        'From a change that is stored to its public, signed snapshot.',
      ),
    );
    registry.gauge(
      'rind_event_loop_delay_seconds',
      'How late the process comes to its work, since the last look.',
      () => this.#eventLoopDelay(),
    );
    registry.gauge('process_resident_memory_bytes', 'Resident memory.', () => [
      { value: process.memoryUsage.rss() },
    ]);
    registry.gauge(
      'process_cpu_seconds_total',
      'Processor time.',
      () => {
        const { user, system } = process.cpuUsage();
        return [{ value: (user + system) / 1e6 }];
      },
      'counter',
    );
    const startTime = Date.now() / 1000 - process.uptime();
    registry.gauge('process_start_time_seconds', 'When the process started.', () => [{ value: startTime }]);
  }

  /** One more answer. The hot path. */
  answered(status: number): void {
    const index = (status / 100) | 0;
    this.#responses[index] = (this.#responses[index] ?? 0) + 1;
  }

  /** The same queue, with the time measured that waiters wait. */
  measured(queue: PublicationQueue): PublicationQueue {
    return {
      wake: (indexId) => queue.wake(indexId),
      published: async (journalId, timeout) => {
        const started = performance.now();
        const isPublic = await queue.published(journalId, timeout);
        this.publishLatency.observe((performance.now() - started) / 1000);
        return isPublic;
      },
    };
  }

  /** Begins to measure the delay of the event loop; `stop` ends it. */
  start(): void {
    this.#delay = monitorEventLoopDelay({ resolution: 20 });
    this.#delay.enable();
  }

  stop(): void {
    this.#delay?.disable();
  }

  #eventLoopDelay(): readonly { labels: Record<string, string>; value: number }[] {
    const delay = this.#delay;
    if (delay === undefined) return [];
    const values = [0.5, 0.99, 1].map((quantile) => ({
      labels: { quantile: String(quantile) },
      value: (quantile === 1 ? delay.max : delay.percentile(quantile * 100)) / 1e9,
    }));
    delay.reset();
    return values;
  }
}
