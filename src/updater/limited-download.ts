import type { DownloadLimits } from './config.ts';
import { tooLong, tooSlow } from './errors.ts';
import type { Fetcher, FetchOptions } from './fetcher.ts';

/**
 * The bytes of `url` with the length and time limits enforced here, so that no fetcher has to be trusted with them.
 * Leaving the iteration early, or a limit, ends the download through its signal.
 */
export async function* limitedDownload(
  fetcher: Fetcher,
  url: string,
  options: FetchOptions,
  limits: DownloadLimits,
): AsyncGenerator<Uint8Array, void, undefined> {
  const ended = new AbortController();
  const signal =
    options.signal === undefined ? ended.signal : AbortSignal.any([ended.signal, options.signal]);
  const source = fetcher.fetch(url, { ...options, signal })[Symbol.asyncIterator]();
  const pace = new Pace(url, limits);
  let length = 0;
  let isFinished = false;
  try {
    for (;;) {
      const next = await pace.wait(source.next(), length, options.signal);
      if (next.done === true) {
        isFinished = true;
        return;
      }
      length += next.value.length;
      if (length > options.maxLength) {
        throw tooLong(url, options.maxLength);
      }
      yield next.value;
    }
  } finally {
    ended.abort();
    if (!isFinished) {
      // Not awaited: a source that hangs in `next` would make the caller hang in `return`.
      void Promise.resolve(source.return?.()).catch(() => undefined);
    }
  }
}

/** All bytes of `url`, within the limits. */
export async function downloadBytes(
  fetcher: Fetcher,
  url: string,
  options: FetchOptions,
  limits: DownloadLimits,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of limitedDownload(fetcher, url, options, limits)) {
    chunks.push(chunk);
  }
  return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks);
}

/** Measures how long one download has kept us waiting. */
class Pace {
  readonly #url: string;
  readonly #limits: DownloadLimits;
  #waited = 0;

  constructor(url: string, limits: DownloadLimits) {
    this.#url = url;
    this.#limits = limits;
  }

  /** The value of `pending`, or a `SlowRetrievalError` once `received` bytes are too few for the time waited. */
  async wait<T>(pending: Promise<T>, received: number, signal: AbortSignal | undefined): Promise<T> {
    const started = performance.now();
    let timer: NodeJS.Timeout | undefined;
    let onAbort: (() => void) | undefined;
    const interrupted = new Promise<never>((_resolve, reject) => {
      const { after, reason } = this.#deadline(received);
      timer = setTimeout(() => reject(tooSlow(this.#url, reason)), Math.max(0, after));
      onAbort = () => reject(signal?.reason as Error);
      signal?.addEventListener('abort', onAbort, { once: true });
    });
    pending.catch(() => undefined);
    try {
      signal?.throwIfAborted();
      return await Promise.race([pending, interrupted]);
    } finally {
      clearTimeout(timer);
      if (onAbort !== undefined) {
        signal?.removeEventListener('abort', onAbort);
      }
      interrupted.catch(() => undefined);
      this.#waited += performance.now() - started;
    }
  }

  #deadline(received: number): { readonly after: number; readonly reason: string } {
    const { idleTimeout, totalTimeout, minimumRate, minimumRateAfter } = this.#limits;
    const total = totalTimeout - this.#waited;
    const rate = Math.max(minimumRateAfter, (received / minimumRate) * 1000) - this.#waited;
    if (idleTimeout <= total && idleTimeout <= rate) {
      return { after: idleTimeout, reason: `no data for ${seconds(idleTimeout)}` };
    }
    if (total <= rate) {
      return { after: total, reason: `not finished after ${seconds(totalTimeout)}` };
    }
    return { after: rate, reason: `slower than ${minimumRate} bytes a second` };
  }
}

function seconds(milliseconds: number): string {
  return `${milliseconds / 1000} s`;
}
