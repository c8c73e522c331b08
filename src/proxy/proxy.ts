import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { IndexAnswers, type AnsweringIndex } from './index-answers.ts';
import type { Answer } from './failure-answer.ts';
import { createToken } from './proxy-address.ts';
import { guardRequest } from './request-guard.ts';
import { isHome, parseRoute } from './route.ts';
import { plainText, send } from './send.ts';
import type { Verdict } from './verdict.ts';

export interface ProxyOptions {
  readonly index: AnsweringIndex;
  /** 0, the default, is any free port. */
  readonly port?: number;
  /** First segment of every path; made at random when left out. */
  readonly token?: string;
  /** A listening socket that was handed to this process (systemd socket activation), instead of `port`. */
  readonly socket?: number | undefined;
  /** Makes the page that tells a person what this is, at the address itself. */
  readonly statusPage?: (() => Promise<Answer>) | undefined;
  /** Called with every refusal. The refused request is answered only when the promise is settled. */
  readonly onFailure?: (verdict: Verdict) => void | Promise<void>;
  /** Called with every other host that somebody wanted to reach through this address, as through an HTTP proxy; refused. */
  readonly onOutside?: (host: string) => void;
  /** Called with everything that was asked for and that the index, signed and freshly, does not have. */
  readonly onAbsent?: (absence: Verdict) => void;
  readonly clock?: () => Date;
}

/**
 * An index on the loopback that holds nothing but verified bytes: an installer given {@link VerifyingProxy.simpleUrl}
 * can install from it and from nowhere else. Not a byte leaves before it is verified.
 */
export class VerifyingProxy {
  readonly #answers: IndexAnswers;
  readonly #server: Server;
  readonly #token: string;
  readonly #statusPage: ProxyOptions['statusPage'];
  readonly #onOutside: ProxyOptions['onOutside'];
  #port = 0;

  private constructor(options: ProxyOptions) {
    this.#answers = new IndexAnswers({ ...options, baseUrl: () => this.url });
    this.#token = options.token ?? createToken();
    this.#statusPage = options.statusPage;
    this.#onOutside = options.onOutside;
    this.#server = createServer(SERVER_OPTIONS, (request, response) => {
      void this.#answer(request, response);
    });
    this.#server.on('connect', ({ url = '' }: IncomingMessage, socket: Duplex) => {
      socket.on('error', () => socket.destroy());
      this.#onOutside?.(hostIn(url));
      socket.end(`HTTP/1.1 403 ${FENCE}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
    });
  }

  /** Listens on 127.0.0.1. */
  static async start(options: ProxyOptions): Promise<VerifyingProxy> {
    const proxy = new VerifyingProxy(options);
    await new Promise<void>((resolve, reject) => {
      const server = proxy.#server.once('error', reject);
      if (options.socket === undefined) server.listen(options.port ?? 0, '127.0.0.1', resolve);
      else server.listen({ fd: options.socket }, resolve);
    });
    const { address, port } = proxy.#server.address() as AddressInfo;
    proxy.#port = port;
    if (address === '127.0.0.1') return proxy;
    await proxy.close();
    throw new TypeError(`The socket listens on ${address}, where others can reach it; it must be 127.0.0.1.`);
  }

  get port(): number {
    return this.#port;
  }

  /** `http://127.0.0.1:<port>/<token>/` */
  get url(): string {
    return `http://127.0.0.1:${this.#port}/${this.#token}/`;
  }

  /** The index URL for installers. */
  get simpleUrl(): string {
    return `${this.url}simple/`;
  }

  /** Ends all connections. */
  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /**
   * Whoever has this address for an HTTP proxy as well (`rind client setup` says so to pip) reaches it and nobody else.
   *
   * @returns the host that was meant instead
   */
  #takeAsProxy(request: IncomingMessage): string | undefined {
    const { url = '' } = request;
    if (url.startsWith('/')) return undefined;
    for (const host of ['127.0.0.1', 'localhost']) {
      const own = `http://${host}:${this.#port}/`;
      if (!url.startsWith(own)) continue;
      request.url = url.slice(own.length - 1);
      return undefined;
    }
    return hostIn(url);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const outside = this.#takeAsProxy(request);
      if (outside !== undefined) {
        this.#onOutside?.(outside);
        return send(request, response, { ...plainText(403, FENCE), reason: FENCE });
      }
      const refusal = guardRequest(request, this.#port);
      if (refusal !== undefined) return send(request, response, plainText(refusal.status, refusal.sentence));
      if (this.#statusPage !== undefined && isHome(request.url ?? '', this.#token))
        return send(request, response, await this.#statusPage());
      const route = parseRoute(request.url ?? '', this.#token);
      if (route === undefined) return send(request, response, plainText(404, 'There is nothing here.'));
      await this.#answers.answer(route, request, response);
    } catch {
      // The client left, or the answer had begun: cut the connection, so that half is never taken for the whole.
      response.destroy();
    }
  }
}

const FENCE = 'rind proxy reaches no other host: nobody could verify what comes from there';

/** Of a URL or `host:port`, for a message. */
function hostIn(target: string): string {
  const text = /^[a-z]+:\/\/([^/?#]*)/i.exec(target)?.[1] ?? target;
  return text
    .replace(/^.*@/, '')
    .replace(/[^!-~]/g, '?')
    .slice(0, 255);
}

/** Connections stay open while an installer builds something. */
const SERVER_OPTIONS = { requestTimeout: 30_000, maxHeaderSize: 16_384, keepAliveTimeout: 120_000 };
