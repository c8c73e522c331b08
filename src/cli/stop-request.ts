/** Resolves when the process is asked to stop, rejects when it cannot go on. */
export class StopRequest {
  readonly #stopped: Promise<void>;
  #fail: (reason: unknown) => void = () => undefined;

  constructor() {
    this.#stopped = new Promise((resolve, reject) => {
      this.#fail = reject;
      // A closed terminal says SIGHUP too; without one it means: read the settings again (reload.ts).
      const signals = ['SIGINT', 'SIGTERM', ...(process.stderr.isTTY ? ['SIGHUP'] : [])];
      for (const signal of signals) process.once(signal, () => resolve());
    });
    // Nobody may be waiting yet when it fails.
    this.#stopped.catch(() => undefined);
  }

  /** Ends the wait with an error. */
  fail(reason: unknown): void {
    this.#fail(reason);
  }

  wait(): Promise<void> {
    return this.#stopped;
  }
}
