import { createHmac, randomBytes } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Executor, UserRow } from '../db/schema.ts';
import { findUser } from '../db/users.ts';
import { authenticateToken, userPrincipal } from './authenticate.ts';
import { BoundedPool } from './bounded-pool.ts';
import { readCredentials, type Credentials } from './credentials.ts';
import { RegistryError } from './errors.ts';
import { isPassword } from './password.ts';
import { ANONYMOUS, type Principal } from './principal.ts';
import { hashToken } from './token.ts';
import { DEFAULT_RATE_LIMITS, LoginThrottle, RateLimiter, type RateLimitSettings } from './rate-limit.ts';

export interface AuthenticatorOptions {
  readonly db: Executor;
  readonly clock: () => Date;
  readonly limits?: RateLimitSettings;
}

/** Milliseconds for which a password that was right need not be hashed again: an installer sends it with each request. */
const REMEMBERED = 60_000;
/** Passwords hashed at a time; each takes 32 MiB. */
const HASHING = { concurrency: 2, queueLength: 64 };

/** Tells who sent a request. One per server: it remembers who failed lately. */
export class Authenticator {
  readonly #db: Executor;
  readonly #clock: () => Date;
  readonly #throttle: LoginThrottle;
  readonly #known: RateLimiter;
  readonly #unknown: RateLimiter;
  readonly #hashing = new BoundedPool(HASHING);
  /** Keyed hashes of (user, stored hash, password) that were right: changing the password forgets them by itself. */
  readonly #right = new LRUCache<string, true>({ max: 4096, ttl: REMEMBERED });
  readonly #rightKey = randomBytes(32);
  /** Hashes of tokens that were known when they were last seen. */
  readonly #goodTokens = new LRUCache<string, true>({ max: 4096 });

  constructor({ db, clock, limits = DEFAULT_RATE_LIMITS }: AuthenticatorOptions) {
    this.#db = db;
    this.#clock = clock;
    this.#throttle = new LoginThrottle(limits);
    this.#known = new RateLimiter(limits.known, limits.entries);
    this.#unknown = new RateLimiter(limits.unknown, limits.entries);
  }

  /**
   * Who sent the request; anonymous when it does not say.
   *
   * @param address where it comes from, to make guessing slow
   * @throws RegistryError NOT_AUTHENTICATED, RATE_LIMITED, BUSY
   */
  async principal(authorization: string | undefined, address: string): Promise<Principal> {
    const credentials = readCredentials(authorization);
    switch (credentials.kind) {
      case 'none':
        return ANONYMOUS;
      case 'token':
        return this.#withToken(credentials.token, address);
      case 'password':
        return this.#login(credentials, address);
    }
  }

  /** Counts a request of somebody unknown that costs more than a page. @throws RegistryError RATE_LIMITED */
  limitUnknown(address: string): void {
    this.#unknown.take(address);
  }

  async #withToken(token: string, address: string): Promise<Principal> {
    const hash = hashToken(token);
    // A token that was good lately is looked up whatever strangers at the same address try.
    if (!this.#goodTokens.has(hash)) this.#unknown.check(address);
    try {
      const principal = await authenticateToken(this.#db, token, this.#clock());
      this.#goodTokens.set(hash, true);
      this.#known.take(principal.kind === 'anonymous' ? address : rateKey(principal));
      return principal;
    } catch (error) {
      if (error instanceof RegistryError && error.code === 'NOT_AUTHENTICATED') {
        this.#goodTokens.delete(hash);
        this.#unknown.take(address);
      }
      throw error;
    }
  }

  async #login(
    { name, password }: Extract<Credentials, { kind: 'password' }>,
    address: string,
  ): Promise<Principal> {
    const user = name.length <= 64 ? await findUser(this.#db, name) : undefined;
    if (!(await this.#isRight(user, name, password, address))) {
      throw new RegistryError('NOT_AUTHENTICATED', 'The user name or the password is wrong.');
    }
    // Said only to whoever knows the password.
    if (user === undefined || user.disabled_at !== null || user.removed_at !== null) {
      throw new RegistryError('NOT_AUTHENTICATED', 'This user may not use this server any more.');
    }
    const principal = userPrincipal(user);
    this.#known.take(rateKey(principal));
    return principal;
  }

  async #isRight(
    user: UserRow | undefined,
    name: string,
    password: string,
    address: string,
  ): Promise<boolean> {
    const stored = user?.password ?? null;
    const key = createHmac('sha256', this.#rightKey)
      .update(JSON.stringify([user?.id, stored, password]))
      .digest('base64');
    if (stored !== null && this.#right.get(key) === true) return true;
    this.#throttle.check(name, address);
    const isRight = await this.#hashing.run(() => isPassword(password, stored));
    if (!isRight) {
      this.#throttle.failed(name, address);
      return false;
    }
    this.#throttle.succeeded(name, address);
    this.#right.set(key, true);
    return true;
  }
}

function rateKey(principal: Exclude<Principal, { kind: 'anonymous' }>): string {
  switch (principal.kind) {
    case 'user':
      return `user ${principal.userId}`;
    case 'cli':
      return 'cli';
    default:
      return `token ${principal.tokenId}`;
  }
}
