import { createSecureContext } from 'node:tls';
import type { Agent, Dispatcher } from 'undici';
import type { DownloadLimits } from './config.ts';
import type { Answer, Connections } from './connections.ts';

/** Connections through a dispatcher of undici, which is loaded with the first request. */
export class DispatchedConnections implements Connections {
  readonly #dispatcher: Dispatcher | undefined;
  readonly #open: () => Promise<Dispatcher>;
  #opened: Promise<Dispatcher> | undefined;

  private constructor(dispatcher: Dispatcher | undefined, open: () => Promise<Dispatcher>) {
    this.#dispatcher = dispatcher;
    this.#open = open;
  }

  /** Through a dispatcher that somebody else closes. */
  static through(dispatcher: Dispatcher): DispatchedConnections {
    return new DispatchedConnections(dispatcher, () => Promise.resolve(dispatcher));
  }

  /**
   * Through the proxies of the environment. One that is no URL is the error of each request.
   * @param authorities PEM certificates trusted instead of those of Node.js
   */
  static throughProxies(limits: DownloadLimits, authorities: string | undefined): DispatchedConnections {
    return new DispatchedConnections(undefined, () => openProxies(limits, authorities));
  }

  async request(
    { origin, pathname, search }: URL,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal | undefined,
  ): Promise<Answer> {
    this.#opened ??= this.#open();
    const [{ request }, dispatcher] = await Promise.all([import('./whole-undici.ts'), this.#opened]);
    return request(origin + pathname + search, { dispatcher, headers, signal: signal ?? null });
  }

  async close(): Promise<void> {
    if (this.#dispatcher !== undefined) return;
    this.#opened ??= Promise.reject(new Error('All connections were closed.'));
    const opened = await this.#opened.catch(() => undefined);
    await opened?.destroy();
  }
}

async function openProxies(limits: DownloadLimits, ca: string | undefined): Promise<Dispatcher> {
  const { EnvHttpProxyAgent } = await import('./whole-undici.ts');
  // One context for all connections: to read all authorities takes as long as a handshake.
  const tls = ca === undefined ? {} : { secureContext: createSecureContext({ ca }) };
  const settings: Agent.Options = {
    connections: 16,
    headersTimeout: limits.idleTimeout,
    bodyTimeout: limits.idleTimeout,
    connect: { timeout: Math.min(limits.idleTimeout, 30_000), ...tls },
  };
  return new EnvHttpProxyAgent({ ...settings, requestTls: tls, proxyTls: tls });
}
