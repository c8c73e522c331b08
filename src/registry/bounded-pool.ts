import { RegistryError } from './errors.ts';

/** Runs at most `concurrency` tasks at a time and lets at most `queueLength` wait; whoever comes then is told to come again. */
export class BoundedPool {
  readonly #concurrency: number;
  readonly #queueLength: number;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(options: { readonly concurrency: number; readonly queueLength: number }) {
    this.#concurrency = options.concurrency;
    this.#queueLength = options.queueLength;
  }

  /** Throws RegistryError BUSY at once when the queue is full; otherwise resolves or rejects as `task` does. */
  async run<Result>(task: () => Promise<Result>): Promise<Result> {
    await this.#enter();
    try {
      return await task();
    } finally {
      this.#leave();
    }
  }

  async #enter(): Promise<void> {
    if (this.#running < this.#concurrency) {
      this.#running += 1;
      return;
    }
    if (this.#waiting.length >= this.#queueLength) {
      throw new RegistryError(
        'BUSY',
        'The index is busy with other uploads; nothing was stored, try again.',
        {
          retryAfter: 5,
        },
      );
    }
    // The place is handed over by #leave, so #running stays as it is.
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  #leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#running -= 1;
    else next();
  }
}
