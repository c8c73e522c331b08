import type { Readable } from 'node:stream';
import { createGunzip, gunzipSync } from 'node:zlib';
import type { Dispatcher } from 'undici';
import { DEFAULT_DOWNLOAD_LIMITS } from './config.ts';
import type { DownloadLimits } from './config.ts';
import { DirectConnections } from './connections.ts';
import type { Answer, Connections } from './connections.ts';
import { DispatchedConnections } from './dispatched-connections.ts';
import { DownloadError } from '../tuf/download-error.ts';
import { downloadFailed, tooLong, unexpectedStatus } from './errors.ts';
import type { Fetcher, FetchOptions } from './fetcher.ts';
import { LIMITED, limitedDownload } from './limited-download.ts';
import type { LimitedFetcher } from './limited-download.ts';

/** How an {@link HttpFetcher} connects. */
export interface HttpFetcherOptions {
  readonly limits?: Partial<DownloadLimits>;
  /** Sent with every request, for example `{ authorization: 'Basic …' }`. Never shown in messages. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly userAgent?: string;
  /** Honour HTTP_PROXY, HTTPS_PROXY and NO_PROXY. Not the default: the environment is not always the user's. */
  readonly useEnvironmentProxy?: boolean;
  /** PEM certificates trusted instead of the system's. */
  readonly certificateAuthorities?: string;
  /** Takes the place of the connection pool, and of the two options above. */
  readonly dispatcher?: Dispatcher;
}

const MAX_REDIRECTS = 5;
/** Bytes of an answer that is read to its end although nobody wants it, so that its connection can be used again. */
const SHORT = 16_384;
/** Bytes of a compressed answer, and of what it may become, for which a stream costs more than to wait for its end. */
const SMALL = 32_768;
const SMALL_DECODED = 4 * 2 ** 20;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/**
 * Fetches over HTTP/1.1 and keeps connections open between requests. Follows redirects within one origin only, takes
 * gzip only for what compresses well, and enforces length and time limits by itself, so that it can stand alone.
 */
export class HttpFetcher implements Fetcher, LimitedFetcher {
  readonly #connections: Connections;
  readonly #limits: DownloadLimits;
  readonly #headers: Readonly<Record<string, string>>;

  constructor(options: HttpFetcherOptions = {}) {
    this.#limits = { ...DEFAULT_DOWNLOAD_LIMITS, ...options.limits };
    this.#headers = { 'user-agent': options.userAgent ?? 'rind', ...options.headers };
    this.#connections = openConnections(options, this.#limits);
  }

  fetch(url: string, options: FetchOptions): AsyncIterable<Uint8Array> {
    return limitedDownload(this, url, options, this.#limits);
  }

  get [LIMITED]() {
    const fetcher: Fetcher = { fetch: (url, options) => this.#bytes(url, options) };
    return { fetcher, limits: this.#limits };
  }

  /** Ends all connections. The fetcher cannot be used afterwards. */
  async close(): Promise<void> {
    await this.#connections.close();
  }

  async *#bytes(url: string, options: FetchOptions): AsyncGenerator<Uint8Array, void, undefined> {
    const response = await this.#request(url, options);
    try {
      yield* decoded(url, response, options);
    } catch (error) {
      throw asDownloadError(url, error);
    } finally {
      // A body that was read to its end stays as it is; any other ends its connection.
      response.body.destroy();
    }
  }

  /** The answer with status 200, after redirects within the origin. */
  async #request(url: string, options: FetchOptions): Promise<Answer> {
    let address = parseUrl(url);
    for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects += 1) {
      const response = await this.#requestOnce(address, options);
      if (response.statusCode === 200) {
        return response;
      }
      discard(response);
      if (!REDIRECTS.has(response.statusCode)) {
        throw unexpectedStatus(url, response.statusCode);
      }
      address = redirectTarget(address, response.headers['location']);
    }
    throw downloadFailed('REDIRECT_REFUSED', url, `redirected more than ${MAX_REDIRECTS} times`);
  }

  async #requestOnce(address: URL, options: FetchOptions): Promise<Answer> {
    const headers: Record<string, string> = {
      ...this.#headers,
      'accept-encoding': options.compressible === true ? 'gzip' : 'identity',
    };
    if (address.username !== '' || address.password !== '') {
      headers['authorization'] = basicAuthorization(address);
    }
    try {
      return await this.#connections.request(address, headers, options.signal);
    } catch (error) {
      throw asDownloadError(address.href, error);
    }
  }
}

function openConnections(
  { dispatcher, useEnvironmentProxy, certificateAuthorities }: HttpFetcherOptions,
  limits: DownloadLimits,
): Connections {
  if (dispatcher !== undefined) return DispatchedConnections.through(dispatcher);
  return useEnvironmentProxy === true && namesProxy(process.env)
    ? DispatchedConnections.throughProxies(limits, certificateAuthorities)
    : new DirectConnections(certificateAuthorities);
}

/** Windows alone does not tell the cases of names apart. */
function namesProxy(environment: NodeJS.ProcessEnv): boolean {
  return ['http_proxy', 'HTTP_PROXY', 'https_proxy', 'HTTPS_PROXY'].some((name) => !!environment[name]);
}

function parseUrl(url: string): URL {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || (parsed.protocol !== 'https:' && parsed.protocol !== 'http:')) {
    throw downloadFailed('INVALID_URL', url, 'only http and https URLs can be fetched');
  }
  return parsed;
}

/** Another host would see our credentials and choose our errors; https to http would show them to everybody. */
function redirectTarget(from: URL, location: string | string[] | undefined): URL {
  const target =
    typeof location === 'string' && URL.canParse(location, from.href)
      ? new URL(location, from.href)
      : undefined;
  if (target === undefined) {
    throw downloadFailed('REDIRECT_REFUSED', from.href, 'redirected without a usable Location');
  }
  if (target.origin !== from.origin) {
    throw downloadFailed(
      'REDIRECT_REFUSED',
      from.href,
      `redirected to another host, ${target.host}, which is refused`,
    );
  }
  target.username = from.username;
  target.password = from.password;
  return target;
}

async function* decoded(
  url: string,
  response: Answer,
  options: FetchOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const declared = Number(response.headers['content-length'] ?? 0);
  if (declared > options.maxLength) {
    throw tooLong(url, options.maxLength);
  }
  const encoding = response.headers['content-encoding'] ?? 'identity';
  // Some servers label a stored .tar.gz with "Content-Encoding: gzip": what was not asked for is not undone.
  if (encoding === 'identity' || options.compressible !== true) {
    if (declared > 0 && declared <= SMALL) {
      yield await wholeOf(response.body);
      return;
    }
    yield* response.body as AsyncIterable<Uint8Array>;
    return;
  }
  if (encoding !== 'gzip' && encoding !== 'x-gzip') {
    throw downloadFailed('CONTENT_ENCODING', url, 'the answer has a content encoding that was not asked for');
  }
  if (declared > 0 && declared <= SMALL && options.maxLength <= SMALL_DECODED) {
    yield await decodedWhole(url, response, options);
    return;
  }
  const gunzip = createGunzip();
  response.body.on('error', (error) => gunzip.destroy(error));
  try {
    yield* response.body.pipe(gunzip) as AsyncIterable<Uint8Array>;
  } finally {
    gunzip.destroy();
  }
}

async function decodedWhole(url: string, { body }: Answer, { maxLength }: FetchOptions): Promise<Uint8Array> {
  const bytes = await wholeOf(body);
  try {
    return gunzipSync(bytes, { maxOutputLength: Math.max(1, maxLength) });
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE' ? tooLong(url, maxLength) : error;
  }
}

/** For a short body: an iteration costs more. */
function wholeOf(body: Readable): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = [];
    if (body.errored !== null) reject(body.errored);
    body
      .on('data', (chunk: Uint8Array) => chunks.push(chunk))
      .once('end', () => resolve(Buffer.concat(chunks)))
      .once('error', reject)
      .once('close', () => reject(new Error('The body ended before its end.')));
  });
}

/** An answer that nobody reads. */
function discard({ headers, body }: Answer): void {
  body.on('error', () => undefined);
  if (Number(headers['content-length'] ?? Number.POSITIVE_INFINITY) <= SHORT) body.resume();
  else body.destroy();
}

function asDownloadError(url: string, error: unknown): unknown {
  if (error instanceof DownloadError) {
    return error;
  }
  const code = (error as { readonly code?: unknown } | undefined)?.code;
  const detail = typeof code === 'string' ? ` (${code})` : '';
  const isGzipDamaged = typeof code === 'string' && code.startsWith('Z_');
  return isGzipDamaged
    ? downloadFailed('CONTENT_ENCODING', url, `the compressed answer is damaged${detail}`, error)
    : downloadFailed('CONNECTION_FAILED', url, `the connection failed${detail}`, error);
}

function basicAuthorization(address: URL): string {
  const pair = `${percentDecoded(address.username)}:${percentDecoded(address.password)}`;
  return `Basic ${Buffer.from(pair, 'utf8').toString('base64')}`;
}

function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
