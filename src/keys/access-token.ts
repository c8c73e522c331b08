import type { ServiceClient } from './service-client.ts';
import { stringOf } from './service-client.ts';

/** Tokens are renewed this long before they expire. Milliseconds. */
const RENEW_BEFORE = 2 * 60_000;

export interface AccessToken {
  readonly value: string;
  /** Milliseconds since 1970. */
  readonly expires: number;
}

/** Keeps a bearer token until shortly before it expires; whoever asks meanwhile waits for the same request. */
export class AccessTokenCache {
  readonly #obtain: () => Promise<AccessToken>;
  #current: AccessToken | undefined;
  #pending: Promise<AccessToken> | undefined;

  constructor(obtain: () => Promise<AccessToken>) {
    this.#obtain = obtain;
  }

  /** The `authorization` header. Throws NO_CREDENTIALS, SERVICE_REFUSED, SERVICE_UNREACHABLE. */
  async header(now = Date.now()): Promise<string> {
    if (this.#current === undefined || now >= this.#current.expires - RENEW_BEFORE) {
      this.#pending ??= this.#obtain().finally(() => (this.#pending = undefined));
      this.#current = await this.#pending;
    }
    return `Bearer ${this.#current.value}`;
  }
}

/** An OAuth 2.0 token answer (RFC 6749, 5.1). Some services write the seconds as a string. */
export function readAccessToken(
  client: ServiceClient,
  json: Readonly<Record<string, unknown>> | undefined,
  now = Date.now(),
): AccessToken {
  const value = stringOf(json, 'access_token');
  const seconds = Number(json?.['expires_in']);
  if (value === undefined || /[^\u0021-\u007e]/.test(value) || !(seconds > 0)) {
    throw client.malformed('the request for an access token');
  }
  return { value, expires: now + seconds * 1000 };
}
