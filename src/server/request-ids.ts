import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { TrustedProxies } from './trusted-proxies.ts';

/** A name for each request, for the logs and for whoever complains; made only when somebody asks. */
export class RequestIds {
  readonly #proxies: TrustedProxies;
  readonly #prefix = randomBytes(4).toString('hex');
  readonly #known = new WeakMap<IncomingMessage, string>();
  #count = 0;

  constructor(proxies: TrustedProxies) {
    this.#proxies = proxies;
  }

  /** That of a trusted proxy, or one of our own. */
  of(request: IncomingMessage): string {
    const known = this.#known.get(request);
    if (known !== undefined) return known;
    const id = this.#proxies.requestId(request) ?? `${this.#prefix}-${(this.#count += 1).toString(36)}`;
    this.#known.set(request, id);
    return id;
  }
}
