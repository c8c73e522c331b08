import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { createToken } from '../proxy-address.ts';
import { guardReading } from '../request-guard.ts';
import { plainText, send } from '../send.ts';
import { Forwarder } from './forward.ts';
import { InterceptedIndexes, type InterceptedIndexesOptions } from './intercepted-indexes.ts';
import { isHostOf, originOf, parseAuthority, parseHttpTarget, type Authority } from './intercepted-place.ts';
import { RunAuthority } from './run-authority.ts';
import { join } from './tunnel.ts';
import { UnverifiedTally, type UnverifiedHost } from './unverified.ts';
import { connectTo, upstreamProxyFor } from './upstream-proxy.ts';

export interface InterceptionOptions extends Omit<InterceptedIndexesOptions, 'forwarder' | 'tally'> {
  /** What becomes of connections to hosts that are no trusted index. */
  readonly unknownHosts: 'refuse' | 'tunnel';
  /** `host` or `host:port` that may be reached although nothing from there is verified. */
  readonly allowedHosts?: ReadonlySet<string>;
  /** The user's environment, for the proxy she has anyway. */
  readonly environment: NodeJS.ProcessEnv;
}

/** What an encrypted or plain connection inside the proxy leads to. */
interface Destination {
  readonly protocol: 'http:' | 'https:';
  readonly authority: Authority;
}

const SERVER_OPTIONS = { requestTimeout: 300_000, maxHeaderSize: 16_384, keepAliveTimeout: 120_000 };
const MAX_CONNECTIONS = 512;
const TUNNEL_IDLE = 600_000;
const USER = 'rind';

/**
 * A proxy on the loopback for one run (RFC 9110, 9.3.6). What an installer asks of a trusted index is answered from what is
 * verified, under the index's own URL; everything else is refused or let through, and counted.
 */
export class Interception {
  /** PEM; undefined when no trusted index is reached over https. */
  readonly certificate: string | undefined;
  readonly #options: InterceptionOptions;
  readonly #token = createToken();
  readonly #outer: Server;
  readonly #inner: Server;
  readonly #authority: RunAuthority | undefined;
  readonly #indexes: InterceptedIndexes;
  readonly #forwarder: Forwarder;
  readonly #tally = new UnverifiedTally();
  readonly #sockets = new Set<Socket>();
  readonly #destinations = new WeakMap<Socket, Destination>();

  private constructor(options: InterceptionOptions) {
    this.#options = options;
    this.#forwarder = new Forwarder(options.environment);
    this.#indexes = new InterceptedIndexes({ ...options, forwarder: this.#forwarder, tally: this.#tally });
    const hosts = this.#indexes.secureHosts;
    this.#authority = hosts.length > 0 ? new RunAuthority(hosts) : undefined;
    this.certificate = this.#authority?.certificate;
    this.#inner = createServer(SERVER_OPTIONS, (request, response) => {
      void this.#answerInner(request, response).catch(() => response.destroy());
    });
    this.#outer = createServer(SERVER_OPTIONS, (request, response) => {
      void this.#answerPlain(request, response).catch(() => response.destroy());
    });
    this.#outer.maxConnections = MAX_CONNECTIONS;
    this.#outer.on('connection', (socket: Socket) => this.#hold(socket));
    this.#outer.on('connect', (request, socket: Socket, head) => {
      void this.#connect(request, socket, head).catch(() => socket.destroy());
    });
  }

  /** Listens on any free port of 127.0.0.1. */
  static async start(options: InterceptionOptions): Promise<Interception> {
    const interception = new Interception(options);
    await new Promise<void>((resolve, reject) => {
      interception.#outer.once('error', reject).listen(0, '127.0.0.1', resolve);
    });
    return interception;
  }

  /** For HTTP_PROXY and its kind, with the credentials that keep everybody else on this machine out. */
  get proxyUrl(): string {
    const { port } = this.#outer.address() as AddressInfo;
    return `http://${USER}:${this.#token}@127.0.0.1:${port}`;
  }

  /** What was asked for and is not verified, up to now. */
  get unverified(): readonly UnverifiedHost[] {
    return this.#tally.places;
  }

  /** Ends all connections. */
  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#outer.close(resolve));
    await this.#forwarder.close();
  }

  /** A request in absolute form: `GET http://host/path`. */
  async #answerPlain(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (!this.#isInvited(request)) return send(request, response, UNINVITED);
    const target = parseHttpTarget(request.url ?? '');
    if (target === undefined)
      return send(request, response, plainText(421, 'This is a proxy for one run of rind.'));
    if (!isHostOf(request.headers.host, 'http:', target)) return send(request, response, WRONG_HOST);
    const origin = originOf('http:', target);
    if (this.#indexes.has(origin)) return this.#answerIndex(origin, target.path, request, response);
    if (!this.#mayPass(target, 80)) return send(request, response, this.#refuse(origin));
    this.#tally.count(origin, 'passed');
    await this.#forwarder.forward(origin + target.path, request, response);
  }

  /** A request inside a connection that was made with CONNECT and ends here. */
  async #answerInner(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const destination = this.#destinations.get(request.socket);
    if (destination === undefined) throw new TypeError('A connection without destination.');
    const { protocol, authority } = destination;
    if (!isHostOf(request.headers.host, protocol, authority)) return send(request, response, WRONG_HOST);
    await this.#answerIndex(originOf(protocol, authority), request.url ?? '', request, response);
  }

  async #answerIndex(
    origin: string,
    target: string,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const refusal = guardReading(request);
    if (refusal !== undefined) return send(request, response, plainText(refusal.status, refusal.sentence));
    await this.#indexes.answer(origin, target, request, response);
  }

  async #connect(request: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
    socket.on('error', () => socket.destroy());
    const authority = parseAuthority(request.url ?? '');
    if (!this.#isInvited(request)) return refuseConnect(socket, 407, 'This proxy is for one run of rind');
    if (authority === undefined) return refuseConnect(socket, 400, 'CONNECT wants host:port');
    for (const protocol of ['https:', 'http:'] as const) {
      if (this.#indexes.has(originOf(protocol, authority))) {
        return this.#takeOver(socket, head, { protocol, authority });
      }
    }
    const origin = originOf('https:', authority);
    if (!this.#mayPass(authority, 443)) {
      return refuseConnect(socket, 403, `rind refuses ${origin}: ${this.#refuse(origin).body}`);
    }
    await this.#tunnel(socket, head, authority);
  }

  /** Ends the connection here, as the index would. */
  #takeOver(socket: Socket, head: Buffer, destination: Destination): void {
    socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
    if (head.length > 0) socket.unshift(head);
    const inner = destination.protocol === 'https:' ? this.#secure(socket, destination.authority) : socket;
    inner.on('error', () => socket.destroy());
    this.#destinations.set(inner, destination);
    this.#inner.emit('connection', inner);
  }

  #secure(socket: Socket, { hostname }: Authority): TLSSocket {
    const secureContext = this.#authority?.contextFor(hostname);
    if (secureContext === undefined) throw new TypeError('There is no authority for this run.');
    return new TLSSocket(socket, { isServer: true, secureContext, ALPNProtocols: ['http/1.1'] });
  }

  async #tunnel(socket: Socket, head: Buffer, { hostname, port }: Authority): Promise<void> {
    const place = originOf('https:', { hostname, port });
    try {
      const proxy = upstreamProxyFor('https:', hostname, port, this.#options.environment);
      const upstream = await connectTo(hostname, port, proxy);
      this.#hold(upstream);
      this.#tally.count(place, 'passed');
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      join(socket, upstream, head, TUNNEL_IDLE);
    } catch (error) {
      refuseConnect(
        socket,
        502,
        `${place} cannot be reached (${error instanceof Error ? error.message : 'unknown'})`,
      );
    }
  }

  #refuse(origin: string): ReturnType<typeof plainText> & { readonly body: string } {
    this.#tally.count(origin, 'refused');
    const sentence = `${new URL(origin).host} is no trusted index, so nothing from it can be verified`;
    return { ...plainText(403, sentence), reason: printable(sentence), body: sentence };
  }

  #mayPass({ hostname, port }: Authority, usual: number): boolean {
    const { allowedHosts, unknownHosts } = this.#options;
    if (allowedHosts?.has(`${hostname}:${port}`) === true) return true;
    if (port !== usual) return false;
    return unknownHosts === 'tunnel' || allowedHosts?.has(hostname) === true;
  }

  #isInvited(request: IncomingMessage): boolean {
    const wanted = Buffer.from(`${USER}:${this.#token}`, 'utf8').toString('base64');
    const given = /^Basic +(\S+)$/i.exec(request.headers['proxy-authorization'] ?? '')?.[1] ?? '';
    return timingSafeEqual(sha256(given), sha256(wanted));
  }

  #hold(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => this.#sockets.delete(socket));
  }
}

const UNINVITED = plainText(407, 'This proxy is for one run of rind.', {
  'proxy-authenticate': 'Basic realm="rind"',
});

const WRONG_HOST = plainText(421, 'The Host header names another host than the request.');

function refuseConnect(socket: Socket, status: number, reason: string): void {
  const challenge = status === 407 ? 'Proxy-Authenticate: Basic realm="rind"\r\n' : '';
  socket.end(
    `HTTP/1.1 ${status} ${printable(reason)}\r\n${challenge}Content-Length: 0\r\nConnection: close\r\n\r\n`,
  );
}

function printable(text: string): string {
  return text.replace(/[^ -~]/g, '?').slice(0, 400);
}

function sha256(text: string): Uint8Array {
  return createHash('sha256').update(text).digest();
}
