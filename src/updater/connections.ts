import { Agent, request as requestHttp } from 'node:http';
import type {
  AgentOptions,
  ClientRequest,
  IncomingHttpHeaders,
  IncomingMessage,
  RequestOptions,
} from 'node:http';
import { Agent as SecureAgent, request as requestHttps } from 'node:https';
import type { Readable } from 'node:stream';
import { createSecureContext } from 'node:tls';
import { downloadFailed } from './errors.ts';

/** An answer whose body has not been read yet. */
export interface Answer {
  readonly statusCode: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Readable;
}

/** The way to the hosts that are asked. */
export interface Connections {
  /** GET. @param headers names in lower case */
  request(
    address: URL,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal | undefined,
  ): Promise<Answer>;
  /** Ends all of them; nothing can be asked afterwards. */
  close(): Promise<void>;
}

const MOST = 16;
/** Milliseconds for which a connection waits for its next request. */
const IDLE = 30_000;
/** A host may have closed more than one connection that waited. */
const ATTEMPTS = 3;

/**
 * Connections of Node.js's own client, up to 16 to each origin, kept open between requests. Limits of time are left to who
 * waits. (undici takes 25 ms to load, and two to three times the processor time for the few hundred requests of an install.)
 */
export class DirectConnections implements Connections {
  readonly #authorities: string | undefined;
  #agent: Agent | undefined;
  #secureAgent: SecureAgent | undefined;
  /** Sent, or waiting for a connection, and not over. */
  readonly #requests = new Set<ClientRequest>();
  #isClosed = false;

  /** @param authorities PEM certificates trusted instead of those of Node.js */
  constructor(authorities: string | undefined) {
    this.#authorities = authorities;
  }

  async request(
    address: URL,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal | undefined,
  ): Promise<Answer> {
    for (let attempt = 1; ; attempt += 1) {
      signal?.throwIfAborted();
      if (this.#isClosed)
        throw downloadFailed('CONNECTION_FAILED', address.href, 'all connections were closed');
      const request = this.#send(address, headers, signal);
      try {
        return answerOf(await answered(request));
      } catch (error) {
        // A host that closes a connection just as it is used again has not seen the request.
        if (!request.reusedSocket || attempt === ATTEMPTS || signal?.aborted === true) throw error;
      }
    }
  }

  close(): Promise<void> {
    this.#isClosed = true;
    // Those that wait would get connections of their own when others end.
    for (const request of this.#requests) request.destroy();
    this.#agent?.destroy();
    this.#secureAgent?.destroy();
    return Promise.resolve();
  }

  #send(
    { protocol, hostname, port, pathname, search }: URL,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal | undefined,
  ): ClientRequest {
    const options: RequestOptions = {
      hostname: hostname.replace(/^\[|\]$/g, ''),
      port,
      path: pathname + search,
      headers,
    };
    const request =
      protocol === 'http:'
        ? requestHttp({ ...options, agent: (this.#agent ??= new Agent(SETTINGS)) })
        : requestHttps({ ...options, agent: (this.#secureAgent ??= this.#openSecureAgent()) });
    this.#requests.add(request);
    request.once('close', () => this.#requests.delete(request));
    // What Node.js does for a signal that it is given costs as much as half the request.
    signal?.addEventListener('abort', () => request.destroy(signal.reason as Error), { once: true });
    return request.end();
  }

  #openSecureAgent(): SecureAgent {
    const ca = this.#authorities;
    if (ca === undefined) return new SecureAgent(SETTINGS);
    // One context for all connections: to read all authorities takes as long as a handshake.
    return new SecureAgent({ ...SETTINGS, secureContext: createSecureContext({ ca }) });
  }
}

const SETTINGS: AgentOptions = { keepAlive: true, maxSockets: MOST, timeout: IDLE };

function answered(request: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    // The second stays: what goes wrong later is seen by the reader of the body.
    request.once('response', resolve).on('error', reject);
  });
}

function answerOf(body: IncomingMessage): Answer {
  // Nobody may be reading yet; who reads is told.
  body.on('error', () => undefined);
  return { statusCode: body.statusCode ?? 0, headers: body.headers, body };
}
