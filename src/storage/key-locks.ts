/** Runs work on the same key one after the other, on different keys at once. */
export class KeyLocks {
  readonly #last = new Map<string, Promise<unknown>>();

  async exclusively<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key) ?? Promise.resolve();
    const running = before.then(work, work);
    this.#last.set(key, running);
    try {
      return await running;
    } finally {
      if (this.#last.get(key) === running) this.#last.delete(key);
    }
  }
}
