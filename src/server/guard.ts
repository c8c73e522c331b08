import type { IncomingMessage } from 'node:http';
import type { Executor } from '../db/schema.ts';
import type { Authenticator } from '../registry/authenticator.ts';
import { authorize } from '../registry/authorize.ts';
import type { Principal } from '../registry/principal.ts';
import { problem, ProblemError } from './problem.ts';
import type { Site } from './site.ts';
import { countedAddress, TrustedProxies } from './trusted-proxies.ts';

export interface GuardOptions {
  readonly db: Executor;
  readonly authenticator: Authenticator;
  /** Where requests come from: the other end of the connection unless a trusted reverse proxy says otherwise. */
  readonly proxies?: TrustedProxies;
}

/** Finds out who asks, and whether they may. */
export class Guard {
  readonly #db: Executor;
  readonly #authenticator: Authenticator;
  readonly #proxies: TrustedProxies;

  constructor(options: GuardOptions) {
    this.#db = options.db;
    this.#authenticator = options.authenticator;
    this.#proxies = options.proxies ?? new TrustedProxies();
  }

  /** Who asks; anonymous when the request does not say. @throws RegistryError NOT_AUTHENTICATED, RATE_LIMITED */
  principal(request: IncomingMessage): Promise<Principal> {
    return this.#authenticator.principal(request.headers.authorization, this.#address(request));
  }

  /** Counts a request of somebody unknown that costs more than a page. @throws RegistryError RATE_LIMITED */
  limitUnknown(request: IncomingMessage): void {
    this.#authenticator.limitUnknown(this.#address(request));
  }

  #address(request: IncomingMessage): string {
    return countedAddress(this.#proxies.address(request));
  }

  /** Lets whoever may read the index pass; an open one costs nothing. @throws RegistryError */
  async requireRead(request: IncomingMessage, site: Site): Promise<void> {
    if (site.readAccess === 'open') return;
    const index = { id: site.id, readAccess: site.readAccess };
    await authorize(this.#db, await this.principal(request), 'read', { index });
  }
}

/**
 * Refuses what another web site makes a browser send: a browser adds the credentials it remembers to that too.
 * Programs send no such header.
 *
 * @throws ProblemError 403
 */
export function refuseCrossSite(request: IncomingMessage): void {
  const site = request.headers['sec-fetch-site'];
  if (site === undefined || site === 'same-origin' || site === 'none') return;
  throw new ProblemError(problem(403, 'Requests from other web sites change nothing here.'));
}
