import { LRUCache } from 'lru-cache';
import { RegistryError } from './errors.ts';

/** How fast somebody may ask. */
export interface RateLimit {
  /** Requests per second in the long run. */
  readonly perSecond: number;
  /** Requests at once after a pause. */
  readonly burst: number;
}

/** Everything that bounds how often somebody may ask; one entry per token, user or address, the least recently seen forgotten first. */
export interface RateLimitSettings {
  /** Requests that carry credentials, per token or user. */
  readonly known: RateLimit;
  /** Requests that need a database without credentials: the API and identity tokens, per address. */
  readonly unknown: RateLimit;
  /** Failed logins before the next one has to wait: of one user from one address; of one address; of one user. */
  readonly failures: { readonly pair: number; readonly address: number; readonly user: number };
  /** Longest wait in seconds after failed logins. */
  readonly longestWait: number;
  /** Entries remembered. */
  readonly entries: number;
}

export const DEFAULT_RATE_LIMITS: RateLimitSettings = {
  known: { perSecond: 200, burst: 2_000 },
  unknown: { perSecond: 10, burst: 100 },
  failures: { pair: 5, address: 30, user: 200 },
  longestWait: 300,
  entries: 20_000,
};

interface Bucket {
  tokens: number;
  at: number;
}

/** A token bucket per key. */
export class RateLimiter {
  readonly #limit: RateLimit;
  readonly #buckets: LRUCache<string, Bucket>;
  readonly #now: () => number;

  /** `now` in milliseconds, monotonic. */
  constructor(limit: RateLimit, entries: number, now: () => number = () => performance.now()) {
    this.#limit = limit;
    this.#buckets = new LRUCache({ max: entries });
    this.#now = now;
  }

  /** Counts one request. @throws RegistryError RATE_LIMITED */
  take(key: string): void {
    const now = this.#now();
    const { perSecond, burst } = this.#limit;
    const known = this.#buckets.get(key);
    const tokens =
      known === undefined ? burst : Math.min(burst, known.tokens + ((now - known.at) / 1000) * perSecond);
    if (tokens < 1) throw tooFast(Math.ceil((1 - tokens) / perSecond));
    this.#buckets.set(key, { tokens: tokens - 1, at: now });
  }
}

interface Failures {
  count: number;
  until: number;
}

/** Makes guessing passwords slow: after some failures each next attempt waits twice as long. A success forgets those of the pair. */
export class LoginThrottle {
  readonly #settings: RateLimitSettings;
  readonly #failures: LRUCache<string, Failures>;
  readonly #now: () => number;

  constructor(settings: RateLimitSettings, now: () => number = () => performance.now()) {
    this.#settings = settings;
    this.#failures = new LRUCache({ max: settings.entries });
    this.#now = now;
  }

  /** @throws RegistryError RATE_LIMITED when the user or the address has to wait */
  check(user: string, address: string): void {
    const now = this.#now();
    for (const { key } of this.#keys(user, address)) {
      const until = this.#failures.get(key)?.until ?? 0;
      if (until > now) throw tooFast(Math.ceil((until - now) / 1000));
    }
  }

  failed(user: string, address: string): void {
    const now = this.#now();
    for (const { key, free } of this.#keys(user, address)) {
      const count = (this.#failures.get(key)?.count ?? 0) + 1;
      const wait = count < free ? 0 : Math.min(2 ** Math.min(count - free, 20), this.#settings.longestWait);
      this.#failures.set(key, { count, until: now + wait * 1000 });
    }
  }

  succeeded(user: string, address: string): void {
    const [pair] = this.#keys(user, address);
    if (pair !== undefined) this.#failures.delete(pair.key);
  }

  #keys(user: string, address: string): readonly { readonly key: string; readonly free: number }[] {
    const { pair, address: byAddress, user: byUser } = this.#settings.failures;
    const name = user.slice(0, 64);
    return [
      { key: `pair ${address} ${name}`, free: pair },
      { key: `address ${address}`, free: byAddress },
      { key: `user ${name}`, free: byUser },
    ];
  }
}

function tooFast(seconds: number): RegistryError {
  const retryAfter = Math.max(1, seconds);
  return new RegistryError('RATE_LIMITED', `Too many requests: try again in ${retryAfter} s.`, {
    retryAfter,
  });
}
