import { createServer as createPlainServer, type RequestListener } from 'node:http';
import { createServer as createTlsServer, Server as TlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { TlsIdentity } from './options.ts';

export interface ListenerOptions {
  readonly tls: TlsIdentity | undefined;
  readonly maxConnections: number;
}

/** Milliseconds for a request's head; for a whole request; without a byte in either direction; between two requests. */
const TIMEOUTS = { headers: 20_000, request: 3_600_000, idle: 120_000, keepAlive: 75_000 };
const CONNECTIONS_CHECK = 5_000;

/** The socket, with or without TLS, and how it closes. */
export class Listener {
  readonly #server: ReturnType<typeof createPlainServer> | TlsServer;
  #closing: Promise<void> | undefined;

  /** Throws when certificate and key do not fit. */
  constructor(handle: RequestListener, { tls, maxConnections }: ListenerOptions) {
    const common = { connectionsCheckingInterval: CONNECTIONS_CHECK, keepAlive: true };
    const server =
      tls === undefined
        ? createPlainServer(common, handle)
        : createTlsServer({ ...common, ...tlsOptions(tls) }, handle);
    server.headersTimeout = TIMEOUTS.headers;
    server.requestTimeout = TIMEOUTS.request;
    server.keepAliveTimeout = TIMEOUTS.keepAlive;
    server.timeout = TIMEOUTS.idle;
    server.maxConnections = maxConnections;
    server.on('clientError', answerClientError);
    this.#server = server;
  }

  /** Resolves with the port; rejects when the address cannot be had. */
  listen(host: string, port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, host, () => {
        this.#server.off('error', reject);
        resolve(this.#port);
      });
    });
  }

  /** The address it listens on, with `/` at its end. */
  url(host: string): string {
    const scheme = this.#server instanceof TlsServer ? 'https' : 'http';
    return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${this.#port}/`;
  }

  changeTls(tls: TlsIdentity): void {
    if (this.#server instanceof TlsServer) this.#server.setSecureContext(tlsOptions(tls));
  }

  /** Takes no new connections and lets requests under way end, for `timeout` milliseconds at most. */
  close(timeout: number): Promise<void> {
    this.#closing ??= new Promise((resolve) => {
      const idle = setInterval(() => this.#server.closeIdleConnections(), 50);
      const deadline = setTimeout(() => this.#server.closeAllConnections(), timeout);
      this.#server.close(() => {
        clearInterval(idle);
        clearTimeout(deadline);
        resolve();
      });
      this.#server.closeIdleConnections();
    });
    return this.#closing;
  }

  get #port(): number {
    return (this.#server.address() as AddressInfo).port;
  }
}

function tlsOptions({ certificate, key }: TlsIdentity): {
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
  readonly minVersion: 'TLSv1.2';
} {
  return { cert: certificate, key, minVersion: 'TLSv1.2' };
}
const CLIENT_ERRORS = new Map([
  ['HPE_HEADER_OVERFLOW', '431 Request Header Fields Too Large'],
  ['ERR_HTTP_REQUEST_TIMEOUT', '408 Request Timeout'],
]);

/** What is no HTTP request gets a short answer and no second chance on this connection. */
function answerClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const status = CLIENT_ERRORS.get(error.code ?? '') ?? '400 Bad Request';
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}
