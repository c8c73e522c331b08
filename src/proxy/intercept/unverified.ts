/** One place that was asked for during a run and is no trusted index. */
export interface UnverifiedHost {
  /** `https://host:port` or `http://host:port`; for what is part of a trusted host without being its index, with the path. */
  readonly place: string;
  /** Connections and requests that were let through: nothing in them was verified. */
  readonly passed: number;
  /** Connections and requests that were turned away. */
  readonly refused: number;
}

const MOST_PLACES = 1000;

/** Counts what was not verified, for the report at the end. */
export class UnverifiedTally {
  readonly #places = new Map<string, { passed: number; refused: number }>();

  count(place: string, outcome: 'passed' | 'refused'): void {
    const counts = this.#places.get(place) ?? { passed: 0, refused: 0 };
    counts[outcome] += 1;
    if (this.#places.size < MOST_PLACES || this.#places.has(place)) this.#places.set(place, counts);
  }

  /** In the order in which they were first asked for. */
  get places(): readonly UnverifiedHost[] {
    return [...this.#places].map(([place, counts]) => ({ place, ...counts }));
  }
}
