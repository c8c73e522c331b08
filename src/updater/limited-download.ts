import type { DownloadLimits } from './config.ts';
import { tooLong, tooSlow } from './errors.ts';
import type { Fetcher, FetchOptions } from './fetcher.ts';

/** Where {@link HttpFetcher} says what it limits by {@link limitedDownload}, so that the same limits are not kept twice. */
export const LIMITED = Symbol('limited');

/** A fetcher under limits. */
export interface LimitedFetcher {
  readonly [LIMITED]: { readonly fetcher: Fetcher; readonly limits: DownloadLimits };
}

/**
 * The bytes of `url` with the length and time limits enforced here, so that no fetcher has to be trusted with them.
 * Leaving the iteration early, or a limit, ends the download through its signal.
 */
export async function* limitedDownload(
  limitedFetcher: Fetcher | (Fetcher & LimitedFetcher),
  url: string,
  options: FetchOptions,
  limits: DownloadLimits,
): AsyncGenerator<Uint8Array, void, undefined> {
  const fetcher = withoutLimits(limitedFetcher, limits);
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
    pace.end();
    if (!isFinished) {
      ended.abort();
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

function withoutLimits(fetcher: Fetcher | (Fetcher & LimitedFetcher), limits: DownloadLimits): Fetcher {
  const known = LIMITED in fetcher ? fetcher[LIMITED] : undefined;
  const isSame = known !== undefined && isDeepEqual(known.limits, limits);
  return isSame ? known.fetcher : fetcher;
}

function isDeepEqual(a: DownloadLimits, b: DownloadLimits): boolean {
  return (
    a.idleTimeout === b.idleTimeout &&
    a.totalTimeout === b.totalTimeout &&
    a.minimumRate === b.minimumRate &&
    a.minimumRateAfter === b.minimumRateAfter
  );
}

/** Measures how long one download has kept us waiting. One timer for all of its pieces: they are many. */
class Pace {
  readonly #url: string;
  readonly #limits: DownloadLimits;
  #waited = 0;
  #timer: NodeJS.Timeout | undefined;
  #timerDue = Number.POSITIVE_INFINITY;
  #due = 0;
  /** Set while something is waited for. */
  #expire: (() => void) | undefined;

  constructor(url: string, limits: DownloadLimits) {
    this.#url = url;
    this.#limits = limits;
  }

  /** The value of `pending`, or a `SlowRetrievalError` once `received` bytes are too few for the time waited. */
  wait<T>(pending: Promise<T>, received: number, signal: AbortSignal | undefined): Promise<T> {
    const started = performance.now();
    const { after, reason } = this.#deadline(received);
    return new Promise((resolve, reject) => {
      const finish = (): void => {
        this.#expire = undefined;
        this.#timer?.unref();
        signal?.removeEventListener('abort', onAbort);
        this.#waited += performance.now() - started;
      };
      const onAbort = (): void => {
        finish();
        reject(signal?.reason as Error);
      };
      this.#expire = () => {
        finish();
        reject(tooSlow(this.#url, reason));
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      pending.then(
        (value) => {
          finish();
          resolve(value);
        },
        (error: unknown) => {
          finish();
          reject(error as Error);
        },
      );
      if (signal?.aborted === true) {
        onAbort();
        return;
      }
      this.#due = started + after;
      this.#arm();
    });
  }

  end(): void {
    clearTimeout(this.#timer);
  }

  /** The timer may fire too early: most pieces come long before they are due. */
  #arm(): void {
    if (this.#timer !== undefined && this.#timerDue <= this.#due) {
      this.#timer.ref();
      return;
    }
    clearTimeout(this.#timer);
    this.#timerDue = this.#due;
    this.#timer = setTimeout(() => this.#tick(), Math.max(0, this.#due - performance.now()));
  }

  #tick(): void {
    this.#timer = undefined;
    if (this.#expire === undefined) {
      return;
    }
    if (performance.now() < this.#due) {
      this.#arm();
    } else {
      this.#expire();
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
