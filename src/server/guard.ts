import type { IncomingMessage } from 'node:http';
import type { Executor } from '../db/schema.ts';
import { authenticate } from '../registry/authenticate.ts';
import { authorize } from '../registry/authorize.ts';
import type { Principal } from '../registry/principal.ts';
import { problem, ProblemError } from './problem.ts';
import type { Site } from './site.ts';

/** Finds out who asks, and whether they may. */
export class Guard {
  readonly #db: Executor;
  readonly #clock: () => Date;

  constructor(options: { readonly db: Executor; readonly clock: () => Date }) {
    this.#db = options.db;
    this.#clock = options.clock;
  }

  /** Who asks; anonymous when the request does not say. @throws RegistryError NOT_AUTHENTICATED */
  principal(request: IncomingMessage): Promise<Principal> {
    return authenticate(this.#db, request.headers.authorization, this.#clock());
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
