import type { IncomingMessage } from 'node:http';
import type { Executor } from '../db/schema.ts';
import type { Authenticator } from '../registry/authenticator.ts';
import { authorize } from '../registry/authorize.ts';
import type { Principal } from '../registry/principal.ts';
import { problem, ProblemError } from './problem.ts';
import type { Site } from './site.ts';

export interface GuardOptions {
  readonly db: Executor;
  readonly authenticator: Authenticator;
  /** Where a request comes from: the socket's address unless a trusted reverse proxy says otherwise. */
  readonly addressOf?: (request: IncomingMessage) => string;
}

/** The peer's address; of IPv6 its /64, which is what one customer gets. */
export function socketAddress({ socket }: IncomingMessage): string {
  const address = socket.remoteAddress ?? 'unknown';
  if (!address.includes(':') || address.startsWith('::ffff:')) return address;
  return address.split(':').slice(0, 4).join(':');
}

/** Finds out who asks, and whether they may. */
export class Guard {
  readonly #db: Executor;
  readonly #authenticator: Authenticator;
  readonly #addressOf: (request: IncomingMessage) => string;

  constructor(options: GuardOptions) {
    this.#db = options.db;
    this.#authenticator = options.authenticator;
    this.#addressOf = options.addressOf ?? socketAddress;
  }

  /** Who asks; anonymous when the request does not say. @throws RegistryError NOT_AUTHENTICATED, RATE_LIMITED */
  principal(request: IncomingMessage): Promise<Principal> {
    return this.#authenticator.principal(request.headers.authorization, this.#addressOf(request));
  }

  /** Counts a request of somebody unknown that costs more than a page. @throws RegistryError RATE_LIMITED */
  limitUnknown(request: IncomingMessage): void {
    this.#authenticator.limitUnknown(this.#addressOf(request));
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
