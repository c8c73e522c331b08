import type { Fetcher, FetchOptions } from '../updater/fetcher.ts';
import type { ProgressLine } from './progress-line.ts';

/** Bytes; smaller files are there before anybody asks. */
const LARGE = 2 ** 20;
/** Milliseconds. */
const SOON = 1000;
/** More than any file: asked for without knowing how long it is. */
const NO_LENGTH = 2 ** 50;

/**
 * A fetcher that shows how far the download of large files is: an installer sees nothing of them until they are verified. Those that go on
 * at the same time are shown as one.
 */
export class WatchedFetcher implements Fetcher {
  readonly #fetcher: Fetcher;
  readonly #line: Pick<ProgressLine, 'show'>;
  #active = 0;
  #done = 0;
  #total = 0;
  #since = 0;
  #isShown = false;

  constructor(fetcher: Fetcher, line: Pick<ProgressLine, 'show'>) {
    this.#fetcher = fetcher;
    this.#line = line;
  }

  fetch(url: string, options: FetchOptions): AsyncIterable<Uint8Array> {
    const { maxLength, compressible } = options;
    const isLarge = compressible !== true && maxLength >= LARGE && maxLength < NO_LENGTH;
    return isLarge ? this.#watch(url, options) : this.#fetcher.fetch(url, options);
  }

  async *#watch(url: string, options: FetchOptions): AsyncGenerator<Uint8Array, void, undefined> {
    if (this.#active === 0) [this.#done, this.#total, this.#since] = [0, 0, performance.now()];
    this.#active += 1;
    this.#total += options.maxLength;
    let received = 0;
    try {
      for await (const chunk of this.#fetcher.fetch(url, options)) {
        received += chunk.length;
        this.#done += chunk.length;
        if (performance.now() - this.#since > SOON) this.#show();
        yield chunk;
      }
    } finally {
      this.#active -= 1;
      // What is not coming is not waited for.
      this.#done += Math.max(0, options.maxLength - received);
      if (this.#active === 0 && this.#isShown) {
        this.#show();
        this.#isShown = false;
      }
    }
  }

  #show(): void {
    this.#isShown = true;
    this.#line.show({ phase: 'verifying', done: this.#done, total: this.#total });
  }
}
