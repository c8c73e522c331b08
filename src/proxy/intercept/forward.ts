import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { createSecureContext } from 'node:tls';
import type { Dispatcher } from 'undici';
import { authorityOf } from './intercepted-place.ts';
import { userRootCertificates } from './root-certificates.ts';
import { upstreamProxyFor, type UpstreamProxy } from './upstream-proxy.ts';

/** Of a connection, or said to a proxy: never handed on (RFC 9110, 7.6.1). */
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'host',
  'expect',
]);

const IDLE = 60_000;

/** Hands requests on as they are, and answers as they come: nothing here is verified. */
export class Forwarder {
  readonly #environment: NodeJS.ProcessEnv;
  readonly #dispatchers = new Map<string, Promise<Dispatcher>>();

  constructor(environment: NodeJS.ProcessEnv) {
    this.#environment = environment;
  }

  /** Redirects are the client's business: it comes back with the new URL, and is judged again. */
  async forward(url: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const hasBody = request.method !== 'GET' && request.method !== 'HEAD';
    // Loaded for those who need it: most runs forward nothing.
    const undici = await import('../../updater/whole-undici.ts');
    const answer = await undici.request(url, {
      method: (request.method ?? 'GET') as Dispatcher.HttpMethod,
      headers: endToEnd(request.headers),
      body: hasBody ? request : null,
      dispatcher: await this.#dispatcherFor(new URL(url), undici),
      headersTimeout: IDLE,
      bodyTimeout: IDLE,
    });
    response.writeHead(answer.statusCode, endToEnd(answer.headers));
    await pipeline(answer.body, response);
  }

  async close(): Promise<void> {
    await Promise.all(
      [...this.#dispatchers.values()].map(async (dispatcher) => (await dispatcher).destroy()),
    );
  }

  #dispatcherFor(url: URL, undici: typeof import('../../updater/whole-undici.ts')): Promise<Dispatcher> {
    const { hostname, port } = authorityOf(url);
    const protocol = url.protocol === 'https:' ? 'https:' : 'http:';
    const proxy = upstreamProxyFor(protocol, hostname, port, this.#environment);
    const key = `${protocol} ${proxy?.url.href ?? ''}`;
    const known = this.#dispatchers.get(key);
    if (known !== undefined) return known;
    const dispatcher = this.#open(protocol, proxy, undici);
    this.#dispatchers.set(key, dispatcher);
    return dispatcher;
  }

  async #open(
    protocol: 'http:' | 'https:',
    proxy: UpstreamProxy | undefined,
    { Agent, ProxyAgent }: typeof import('../../updater/whole-undici.ts'),
  ): Promise<Dispatcher> {
    const tls =
      protocol === 'https:'
        ? { secureContext: createSecureContext({ ca: await userRootCertificates(this.#environment) }) }
        : {};
    if (proxy === undefined) return new Agent({ connect: tls });
    const token = proxy.authorization === undefined ? {} : { token: proxy.authorization };
    return new ProxyAgent({ uri: withoutCredentials(proxy.url), ...token, requestTls: tls, proxyTls: tls });
  }
}

function withoutCredentials(url: URL): string {
  const plain = new URL(url);
  plain.username = '';
  plain.password = '';
  return plain.href;
}

function endToEnd(
  headers: Readonly<Record<string, string | string[] | undefined>>,
): Record<string, string | string[]> {
  const kept = new Map<string, string | string[]>();
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined && !HOP_BY_HOP.has(name)) kept.set(name, value);
  }
  return Object.fromEntries(kept);
}
