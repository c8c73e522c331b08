import { createLocalJWKSet, type JSONWebKeySet } from 'jose';
import { z } from 'zod';

type KeySet = ReturnType<typeof createLocalJWKSet>;

/** An issuer's keys could not be had. */
export class IssuerError extends Error {
  override readonly name = 'IssuerError';
  readonly code = 'ISSUER_UNREACHABLE';
}

const TIMEOUT = 5_000;
const MAX_SIZE = 256 * 1024;
const MOST_KEYS = 50;
/** Milliseconds for which keys are used without asking; and between two looks for a key that was not there. */
const LIFETIME = 600_000;
const COOLDOWN = 30_000;

const DISCOVERY = z.object({ issuer: z.string(), jwks_uri: z.string() });
const KEYS = z.object({ keys: z.array(z.looseObject({ kty: z.string() })).max(MOST_KEYS) });

/** The public keys of one issuer, fetched when first needed (OpenID Connect Discovery 1.0), again when they are old or lack one. */
export class IssuerKeys {
  readonly #issuer: string;
  readonly #now: () => number;
  #keys: { readonly set: KeySet; readonly ids: ReadonlySet<string>; readonly fetchedAt: number } | undefined;
  #fetching: Promise<void> | undefined;
  #lastTry = -Infinity;

  /** `now` in milliseconds, monotonic. */
  constructor(issuer: string, now: () => number = () => performance.now()) {
    this.#issuer = issuer;
    this.#now = now;
  }

  /** The keys, with the one of that id if the issuer has it. @throws IssuerError */
  async forKey(keyId: string | undefined): Promise<KeySet> {
    const known = this.#keys;
    const isFresh = known !== undefined && this.#now() - known.fetchedAt < LIFETIME;
    const lacksKey = keyId !== undefined && known !== undefined && !known.ids.has(keyId);
    // Whoever invents key ids makes us ask the issuer no more than twice a minute.
    const mayAsk = known === undefined || this.#now() - this.#lastTry >= COOLDOWN;
    if (!isFresh || (lacksKey && mayAsk)) await this.#refresh();
    if (this.#keys === undefined) throw new IssuerError('The issuer has no keys.');
    return this.#keys.set;
  }

  #refresh(): Promise<void> {
    this.#fetching ??= this.#fetch().finally(() => (this.#fetching = undefined));
    return this.#fetching;
  }

  async #fetch(): Promise<void> {
    this.#lastTry = this.#now();
    const base = this.#issuer.replace(/\/$/, '');
    const discovery = DISCOVERY.safeParse(await fetchJson(`${base}/.well-known/openid-configuration`));
    if (!discovery.success || discovery.data.issuer !== this.#issuer) {
      throw new IssuerError('The issuer does not describe itself under its own address.');
    }
    const keys = KEYS.safeParse(await fetchJson(discovery.data.jwks_uri));
    if (!keys.success) throw new IssuerError('The issuer has no set of keys.');
    const ids = keys.data.keys.flatMap(({ kid }) => (typeof kid === 'string' ? [kid] : []));
    this.#keys = {
      set: createLocalJWKSet(keys.data as JSONWebKeySet),
      ids: new Set(ids),
      fetchedAt: this.#now(),
    };
  }
}

/** Whether an issuer may be asked there: https, or this machine. */
export function isIssuerAddress(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.username !== '' || url.password !== '' || url.hash !== '') return false;
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url.hostname));
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(hostname);
}

async function fetchJson(address: string): Promise<unknown> {
  if (!isIssuerAddress(address)) throw new IssuerError('The issuer names an address that is not https.');
  try {
    const response = await fetch(address, {
      redirect: 'error',
      headers: { accept: 'application/json' },
      signal: AbortSignal.timeout(TIMEOUT),
    });
    if (response.status !== 200 || response.body === null) {
      throw new IssuerError(`The issuer answered ${response.status}.`);
    }
    const chunks: Uint8Array[] = [];
    let size = 0;
    for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
      size += chunk.length;
      if (size > MAX_SIZE) throw new IssuerError('The issuer answered too much.');
      chunks.push(chunk);
    }
    return JSON.parse(Buffer.concat(chunks).toString('utf8')) as unknown;
  } catch (cause) {
    if (cause instanceof IssuerError) throw cause;
    throw new IssuerError('The issuer could not be asked for its keys.', { cause });
  }
}
