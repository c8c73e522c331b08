/** One value of a metric, with its labels. */
export interface Sample {
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}

interface Metric {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  lines(): string[] | Promise<string[]>;
}

/** Counts by the value of one label. Label values come from a closed set: each is a time series for ever. */
export class Counter implements Metric {
  readonly type = 'counter';
  readonly name: string;
  readonly help: string;
  readonly #label: string;
  readonly #values = new Map<string, number>();

  constructor(name: string, help: string, label: string, known: readonly string[] = []) {
    this.name = name;
    this.help = help;
    this.#label = label;
    for (const value of known) this.#values.set(value, 0);
  }

  add(value: string, by = 1): void {
    this.#values.set(value, (this.#values.get(value) ?? 0) + by);
  }

  lines(): string[] {
    return [...this.#values].map(([value, count]) => line(this.name, { [this.#label]: value }, count));
  }
}

/** What was observed, as it can cross between threads. */
export interface HistogramState {
  /** Observations up to each bound, the last beyond all of them; not cumulative. */
  readonly counts: readonly number[];
  readonly sum: number;
}

/** From a millisecond to a minute. */
export const SECONDS: readonly number[] = [0.001, 0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** How durations are distributed, in seconds. */
export class Histogram implements Metric {
  readonly type = 'histogram';
  readonly name: string;
  readonly help: string;
  readonly #bounds: readonly number[];
  #counts: number[];
  #sum = 0;

  constructor(name: string, help: string, bounds: readonly number[] = SECONDS) {
    this.name = name;
    this.help = help;
    this.#bounds = bounds;
    this.#counts = [...bounds, 0].map(() => 0);
  }

  observe(seconds: number): void {
    const found = this.#bounds.findIndex((bound) => seconds <= bound);
    const bucket = found === -1 ? this.#bounds.length : found;
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#sum += seconds;
  }

  /** What was observed so far. */
  get state(): HistogramState {
    return { counts: [...this.#counts], sum: this.#sum };
  }

  /** Takes over what another one observed, in place of what was here. */
  set state({ counts, sum }: HistogramState) {
    if (counts.length !== this.#counts.length) return;
    this.#counts = [...counts];
    this.#sum = sum;
  }

  lines(): string[] {
    let total = 0;
    const buckets = this.#counts.map((count, index) => {
      total += count;
      const bound = this.#bounds[index];
      return line(`${this.name}_bucket`, { le: bound === undefined ? '+Inf' : String(bound) }, total);
    });
    return [...buckets, line(`${this.name}_sum`, {}, this.#sum), line(`${this.name}_count`, {}, total)];
  }
}

/** The metrics of a process, in the order they were made. */
export class MetricsRegistry {
  readonly #metrics: Metric[] = [];

  add<SomeMetric extends Counter | Histogram>(metric: SomeMetric): SomeMetric {
    this.#metrics.push(metric);
    return metric;
  }

  /** A value that is looked up when it is asked for. What cannot be looked up is left out, so that the rest is told. */
  gauge(
    name: string,
    help: string,
    read: () => readonly Sample[] | Promise<readonly Sample[]>,
    type: 'gauge' | 'counter' = 'gauge',
  ): void {
    const lines = async (): Promise<string[]> => {
      const samples = await Promise.resolve()
        .then(read)
        .catch((): readonly Sample[] => []);
      return samples.map(({ labels = {}, value }) => line(name, labels, value));
    };
    this.#metrics.push({ name, help, type, lines });
  }

  /** The text format of Prometheus, version 0.0.4. */
  async text(): Promise<string> {
    const parts: string[] = [];
    for (const metric of this.#metrics) {
      const lines = await metric.lines();
      if (lines.length > 0)
        parts.push(`# HELP ${metric.name} ${metric.help}`, `# TYPE ${metric.name} ${metric.type}`, ...lines);
    }
    return `${parts.join('\n')}\n`;
  }
}

function line(name: string, labels: Readonly<Record<string, string>>, value: number): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escaped(text)}"`);
  return `${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${value}`;
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
