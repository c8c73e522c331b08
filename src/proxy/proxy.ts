import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { negotiate, PAGE_CONTENT_TYPES, type PageFormat } from '../pypi/simple.ts';
import { explain } from './explain.ts';
import { refusedFile, refusedPage, type Answer } from './failure-answer.ts';
import { keepWaiting } from './keep-waiting.ts';
import { createToken } from './proxy-address.ts';
import { guardRequest } from './request-guard.ts';
import { parseRoute, routeSubject, type Route } from './route.ts';
import { isNotModified, plainText, send, sendFile } from './send.ts';
import type { VerifiedIndex } from './verified-index.ts';
import { createVerdict, type Verdict } from './verdict.ts';

export interface ProxyOptions {
  readonly index: VerifiedIndex;
  /** 0, the default, is any free port. */
  readonly port?: number;
  /** First segment of every path; made at random when left out. */
  readonly token?: string;
  /** Called with every refusal. The refused request is answered only when the promise is settled. */
  readonly onFailure?: (verdict: Verdict) => void | Promise<void>;
  /** Called with every project the index, signed and freshly, does not have. */
  readonly onAbsent?: (project: string) => void;
  readonly clock?: () => Date;
}

type PackageRoute = Extract<Route, { kind: 'file' | 'metadata' }>;

/**
 * An index on the loopback that holds nothing but verified bytes: an installer given {@link VerifyingProxy.simpleUrl}
 * can install from it and from nowhere else. Not a byte leaves before it is verified.
 */
export class VerifyingProxy {
  readonly #options: ProxyOptions;
  readonly #server: Server;
  readonly #token: string;
  readonly #clock: () => Date;
  #port = 0;
  /** Why pages were refused last, for the links of their tombstone listings. */
  readonly #refusedPages = new Map<string, Verdict>();

  private constructor(options: ProxyOptions) {
    this.#options = options;
    this.#token = options.token ?? createToken();
    this.#clock = options.clock ?? (() => new Date());
    this.#server = createServer(SERVER_OPTIONS, (request, response) => {
      void this.#answer(request, response);
    });
  }

  /** Listens on 127.0.0.1. */
  static async start(options: ProxyOptions): Promise<VerifyingProxy> {
    const proxy = new VerifyingProxy(options);
    await new Promise<void>((resolve, reject) => {
      proxy.#server.once('error', reject).listen(options.port ?? 0, '127.0.0.1', resolve);
    });
    proxy.#port = (proxy.#server.address() as AddressInfo).port;
    return proxy;
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

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const refusal = guardRequest(request, this.#port);
      if (refusal !== undefined) return send(request, response, plainText(refusal.status, refusal.sentence));
      const route = parseRoute(request.url ?? '', this.#token);
      if (route === undefined) return send(request, response, plainText(404, 'There is nothing here.'));
      const stop = keepWaiting(request, response);
      try {
        await this.#serve(route, request, response);
      } catch (error) {
        await this.#refuse(error, route, request, response);
      } finally {
        stop();
      }
    } catch {
      // The client left, or the answer had begun: cut the connection, so that half is never taken for the whole.
      response.destroy();
    }
  }

  async #serve(route: Route, request: IncomingMessage, response: ServerResponse): Promise<void> {
    switch (route.kind) {
      case 'redirect':
        return send(
          request,
          response,
          plainText(301, 'See the normalized name.', { location: route.location }),
        );
      case 'list':
        return send(request, response, plainText(403, LIST_REFUSAL));
      case 'tombstone':
        return send(
          request,
          response,
          refusedFile(this.#refusedPages.get(route.project) ?? this.#forgotten(route)),
        );
      case 'page':
        return send(request, response, await this.#page(route.project, request));
      case 'metadata':
        return send(request, response, await this.#metadata(route));
      case 'file':
        return this.#file(route, request, response);
    }
  }

  async #page(project: string, request: IncomingMessage): Promise<Answer> {
    const format = pageFormat(request);
    if (format === undefined)
      return plainText(406, `Pages are ${Object.values(PAGE_CONTENT_TYPES).join(', ')}.`);
    const page = await this.#options.index.page(project, format === 'json' ? 'json' : 'html');
    if (page === undefined) {
      this.#options.onAbsent?.(project);
      return plainText(404, `${this.#options.index.url} has no project ${project}; this answer is verified.`);
    }
    this.#refusedPages.delete(project);
    const headers = {
      'content-type': PAGE_CONTENT_TYPES[format],
      // Without it uv, pdm and poetry would go on using a page after it was withdrawn.
      'cache-control': 'no-cache',
      etag: `"${page.sha256}"`,
      vary: 'Accept',
    };
    if (isNotModified(request, page.sha256)) return { status: 304, headers, body: '' };
    return { status: 200, headers, body: page.bytes };
  }

  async #metadata(route: PackageRoute): Promise<Answer> {
    const bytes = await this.#options.index.metadata(route.project, route.filename);
    if (bytes === undefined) return this.#noSuchFile(route);
    return {
      status: 200,
      headers: {
        'content-type': 'text/plain; charset=utf-8',
        'cache-control': 'public, max-age=31536000, immutable',
      },
      body: bytes,
    };
  }

  async #file(route: PackageRoute, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { index } = this.#options;
    const found = await index.fileTarget(route.project, route.filename);
    if (found === undefined) return send(request, response, this.#noSuchFile(route));
    const content = {
      sha256: found.sha256,
      length: found.target.length,
      contentType: 'application/octet-stream',
    };
    await sendFile(request, response, content, async () => (await index.download(found)).path);
  }

  #noSuchFile(route: PackageRoute): Answer {
    return plainText(404, `${this.#options.index.url} has no ${route.path}; this answer is verified.`);
  }

  /** A verification that failed: told to the owner first, then answered so that the installer stops. */
  async #refuse(
    error: unknown,
    route: Route,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    if (response.headersSent) throw error;
    const { index, onFailure } = this.#options;
    const verdict = explain(error, { subject: routeSubject(route), index: index.url, now: this.#clock() });
    await onFailure?.(verdict);
    if (route.kind !== 'page') return send(request, response, refusedFile(verdict));
    this.#refusedPages.set(route.project, verdict);
    const answer = refusedPage(verdict, {
      project: route.project,
      format: pageFormat(request) ?? 'text-html',
      userAgent: request.headers['user-agent'],
      knownFilenames: await index.knownFilenames(route.project),
    });
    send(request, response, answer);
  }

  #forgotten(route: Route): Verdict {
    const what = 'The page of this project could not be verified before';
    return createVerdict('not-signed', routeSubject(route), this.#options.index.url, what);
  }
}

/** Connections stay open while an installer builds something. */
const SERVER_OPTIONS = { requestTimeout: 30_000, maxHeaderSize: 16_384, keepAliveTimeout: 120_000 };

const LIST_REFUSAL =
  'The list of all projects is not signed, so it is not served. Ask for one project: simple/<project>/.';

function pageFormat(request: IncomingMessage): PageFormat | undefined {
  const query = new URLSearchParams((request.url ?? '').split('?')[1] ?? '');
  return negotiate(request.headers.accept, query.get('format') ?? undefined);
}
