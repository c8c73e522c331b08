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
  /** Requests that need a database without credentials that are right: the API, tokens that do not exist and identity tokens, per address. */
  readonly unknown: RateLimit;
  /** Failed logins before the next one has to wait: of one user from one address; of one address; of one user. */
  readonly failures: { readonly pair: number; readonly address: number; readonly user: number };
  /** Longest wait in seconds after failed logins. */
  readonly longestWait: number;
  /** Seconds in which as many failures are forgiven as are free. */
  readonly forgivenIn: number;
  /** Entries remembered. */
  readonly entries: number;
}

export const DEFAULT_RATE_LIMITS: RateLimitSettings = {
  known: { perSecond: 200, burst: 2_000 },
  unknown: { perSecond: 10, burst: 100 },
  failures: { pair: 5, address: 30, user: 200 },
  longestWait: 300,
  forgivenIn: 6 * 3600,
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
    this.#buckets.set(key, { tokens: this.#checked(key) - 1, at: this.#now() });
  }

  /** Whether the next request may be asked, without counting it. @throws RegistryError RATE_LIMITED */
  check(key: string): void {
    this.#checked(key);
  }

  #checked(key: string): number {
    const { perSecond, burst } = this.#limit;
    const known = this.#buckets.get(key);
    const tokens =
      known === undefined
        ? burst
        : Math.min(burst, known.tokens + ((this.#now() - known.at) / 1000) * perSecond);
    if (tokens < 1) throw tooFast(Math.ceil((1 - tokens) / perSecond));
    return tokens;
  }
}

interface Failures {
  readonly count: number;
  readonly at: number;
  readonly until: number;
}

/** One thing that failures are counted of, and how many of them are free. */
interface Counted {
  readonly key: string;
  readonly free: number;
}

/**
 * Makes guessing passwords slow: after some failures each next attempt waits twice as long. Time forgives them little by little; a success forgets
 * those of the pair, and from then on whatever strangers try with the same name elsewhere does not slow the user at this address.
 */
export class LoginThrottle {
  readonly #settings: RateLimitSettings;
  readonly #failures: LRUCache<string, Failures>;
  /** Pairs of address and user that were right. */
  readonly #right: LRUCache<string, true>;
  readonly #now: () => number;

  constructor(settings: RateLimitSettings, now: () => number = () => performance.now()) {
    this.#settings = settings;
    this.#failures = new LRUCache({ max: settings.entries });
    this.#right = new LRUCache({ max: settings.entries });
    this.#now = now;
  }

  /** @throws RegistryError RATE_LIMITED when the user or the address has to wait */
  check(user: string, address: string): void {
    const now = this.#now();
    for (const { key } of this.#counted(user, address)) {
      const until = this.#failures.get(key)?.until ?? 0;
      if (until > now) throw tooFast(Math.ceil((until - now) / 1000));
    }
  }

  failed(user: string, address: string): void {
    const now = this.#now();
    const { longestWait, forgivenIn } = this.#settings;
    for (const { key, free } of this.#counted(user, address)) {
      const known = this.#failures.get(key);
      const forgiven = known === undefined ? 0 : ((now - known.at) / 1000 / forgivenIn) * free;
      // More than leads to the longest wait is not remembered: it would only have to be forgiven.
      const most = free + Math.ceil(Math.log2(Math.max(2, longestWait)));
      const count = Math.min(most, Math.max(0, (known?.count ?? 0) - forgiven) + 1);
      const over = Math.round(count) - free;
      const wait = over < 0 ? 0 : Math.min(2 ** over, longestWait);
      this.#failures.set(key, { count, at: now, until: now + wait * 1000 });
    }
  }

  succeeded(user: string, address: string): void {
    const pair = pairKey(user, address);
    this.#failures.delete(pair);
    this.#right.set(pair, true);
  }

  #counted(user: string, address: string): readonly Counted[] {
    const { pair, address: byAddress, user: byUser } = this.#settings.failures;
    const key = pairKey(user, address);
    const own = [
      { key, free: pair },
      { key: `address ${address}`, free: byAddress },
    ];
    // Where she logged in before, guesses from elsewhere do not count: a stranger could shut her out with them.
    return this.#right.has(key) ? own : [...own, { key: `user ${user.slice(0, 64)}`, free: byUser }];
  }
}

function pairKey(user: string, address: string): string {
  return `pair ${address} ${user.slice(0, 64)}`;
}

function tooFast(seconds: number): RegistryError {
  const retryAfter = Math.max(1, seconds);
  return new RegistryError('RATE_LIMITED', `Too many requests: try again in ${retryAfter} s.`, {
    retryAfter,
  });
}
