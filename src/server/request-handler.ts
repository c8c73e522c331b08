import type { IncomingMessage, ServerResponse } from 'node:http';
import type { PageFormat } from '../pypi/simple.ts';
import { StorageError } from '../storage/errors.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { IMMUTABLE, sendDocument, type Document } from './document.ts';
import type { DocumentCache, DocumentSource } from './document-cache.ts';
import type { AccessLog } from './access-log.ts';
import type { Admission, Slot } from './admission.ts';
import { sendFile } from './file-response.ts';
import type { Guard } from './guard.ts';
import { HotDocuments } from './hot-documents.ts';
import type { HomePage } from './home-page.ts';
import type { Operations } from './operations.ts';
import type { Log } from './options.ts';
import { formatOfQuery, formatQuery, PageFormats } from './page-format.ts';
import { problem, ProblemError, problemOf, sendProblem } from './problem.ts';
import { discardBody } from './request-body.ts';
import { MAX_TARGET_LENGTH, parseRequestTarget, type RequestTarget } from './request-target.ts';
import { findRoute, type Route } from './route.ts';
import { ROUTE_POLICIES } from './route-policy.ts';
import type { ServerMetrics } from './server-metrics.ts';
import type { Site } from './site.ts';
import { STYLE_SHEET } from './style-sheet.ts';
import { RequestIds } from './request-ids.ts';
import type { TrustedProxies } from './trusted-proxies.ts';
import type { TrustedPublishing } from './trusted-publishing.ts';

/** One index with what only it has. */
export interface MountedSite {
  readonly site: Site;
  readonly home: HomePage;
  readonly upload: (request: IncomingMessage, response: ServerResponse) => Promise<void>;
  readonly api: (
    path: string,
    query: string,
    request: IncomingMessage,
    response: ServerResponse,
    slot?: Slot,
  ) => Promise<void>;
}

export interface RequestHandlerOptions {
  /** By name of the index. */
  readonly sites: ReadonlyMap<string, MountedSite>;
  readonly store: ObjectStore;
  readonly cache: DocumentCache;
  readonly guard: Guard;
  readonly trustedPublishing: TrustedPublishing;
  readonly operations: Operations;
  readonly admission: Admission;
  readonly metrics: ServerMetrics;
  readonly proxies: TrustedProxies;
  readonly accessLog: AccessLog | undefined;
  readonly log: Log;
  /** The path of the public URL without its last `/`; '' when it has none. */
  readonly pathPrefix: string;
  /** Bytes of a refused body that are still read. */
  readonly maxDiscarded: number;
  readonly onFatal: (error: Error) => void;
}

const XML_RPC_IS_GONE =
  'This index has no XML-RPC: read the simple API as JSON (bandersnatch: api-method = simple), or /pypi/<project>/json.';
/** What is answered however busy the server is: it is cheap, or bounded elsewhere. */
const UNBOUNDED: ReadonlySet<Route['kind']> = new Set([
  'health',
  'readiness',
  'metrics',
  'upload',
  'xml-rpc',
]);

type ReadingRoute = Exclude<
  Route,
  {
    kind:
      | 'health'
      | 'readiness'
      | 'metrics'
      | 'upload'
      | 'api'
      | 'xml-rpc'
      | 'oidc-audience'
      | 'oidc-mint-token'
      | 'oidc-burn-token';
  }
>;
const NOT_FOUND = 'There is nothing at this address.';
const NO_SUCH_INDEX = 'This server has no index of the name in this address.';

/** Answers every request. Documents that are in memory and fresh go out without a promise; everything else takes the long way. */
export class RequestHandler {
  readonly #options: RequestHandlerOptions;
  readonly #formats = new PageFormats();
  readonly #ids: RequestIds;
  readonly #hot: HotDocuments;

  constructor(options: RequestHandlerOptions) {
    this.#options = options;
    this.#ids = new RequestIds(options.proxies);
    this.#hot = new HotDocuments(options.cache);
  }

  /** The listener for node:http; never throws. */
  handle(request: IncomingMessage, response: ServerResponse): void {
    const { method, url = '/' } = request;
    const { metrics, accessLog } = this.#options;
    accessLog?.follow(request, response, this.#ids.of(request));
    if (method === 'GET' || method === 'HEAD') {
      const { accept } = request.headers;
      const document = this.#hot.get(url, accept) ?? this.#fresh(url, accept);
      if (document !== undefined && !(document.isFile && request.headers.range !== undefined)) {
        sendDocument(request, response, document);
        metrics.answered(response.statusCode);
        return;
      }
    }
    this.#answer(request, response)
      .catch((error: unknown) => this.#fail(request, response, error))
      .finally(() => metrics.answered(response.statusCode));
  }

  /** A document that is in memory; looked at here the next time. */
  #fresh(url: string, accept: string | undefined): Document | undefined {
    const { cache, pathPrefix } = this.#options;
    const path = pathPrefix !== '' && url.startsWith(`${pathPrefix}/`) ? url.slice(pathPrefix.length) : url;
    const format = path.endsWith('/') ? this.#formats.of(accept) : '';
    const entry = format === undefined ? undefined : cache.freshEntry(format + path);
    if (entry === undefined) return undefined;
    this.#hot.remember(url, accept, entry);
    return entry.document;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = request.url ?? '/';
    if (url.length > MAX_TARGET_LENGTH) {
      throw new ProblemError(problem(414, `The address is longer than ${MAX_TARGET_LENGTH} characters.`));
    }
    const target = parseRequestTarget(url, this.#options.pathPrefix);
    const found = target === undefined ? undefined : this.#mounted(target.path);
    if (target === undefined || found === undefined) {
      throw new ProblemError(problem(404, this.#isOfNoIndex(target) ? NO_SUCH_INDEX : NOT_FOUND));
    }
    const { mounted, route } = found;
    const { methods, access } = ROUTE_POLICIES[route.kind];
    requireMethod(request.method, methods, mounted.site);
    if (UNBOUNDED.has(route.kind)) return this.#dispatch(mounted, route, target, request, response);
    const { admission, guard } = this.#options;
    const slot = admission.enter();
    try {
      if (access === 'read') await guard.requireRead(request, mounted.site);
      await this.#dispatch(mounted, route, target, request, response, slot);
    } finally {
      slot.leave();
    }
  }

  async #dispatch(
    mounted: MountedSite,
    route: Route,
    target: RequestTarget,
    request: IncomingMessage,
    response: ServerResponse,
    slot?: Slot,
  ): Promise<void> {
    const { operations } = this.#options;
    switch (route.kind) {
      case 'health':
        return operations.health(request, response);
      case 'readiness':
        return operations.readiness(request, response);
      case 'metrics':
        return operations.metrics(request, response);
      case 'api':
        return mounted.api(route.path, target.query, request, response, slot);
      case 'xml-rpc':
        throw new ProblemError(problem(410, XML_RPC_IS_GONE));
      case 'oidc-audience':
        return this.#options.trustedPublishing.audience(request, response);
      case 'oidc-mint-token':
        return this.#options.trustedPublishing.mint(request, response, slot);
      case 'oidc-burn-token':
        return this.#options.trustedPublishing.burn(request, response, slot);
      case 'upload':
        return mounted.upload(request, response);
      default:
        await this.#read(mounted, route, target, request, response, slot);
    }
  }

  #isOfNoIndex(target: RequestTarget | undefined): boolean {
    const [, area, name] = target?.path.split('/') ?? [];
    return area === 'index' && name !== undefined && name !== '' && !this.#options.sites.has(name);
  }

  #mounted(path: string): { mounted: MountedSite; route: Route } | undefined {
    const { sites } = this.#options;
    const named = /^\/index\/([^/]+)(\/.*)?$/.exec(path);
    const mounted = sites.get(named?.[1] ?? '');
    if (mounted === undefined) return undefined;
    if (named !== null && named[2] === undefined) {
      return { mounted, route: { kind: 'redirect', location: `${encodeURIComponent(mounted.site.name)}/` } };
    }
    const route = findRoute(named?.[2] ?? path);
    return route === undefined ? undefined : { mounted, route };
  }

  async #read(
    { site, home }: MountedSite,
    route: ReadingRoute,
    target: RequestTarget,
    request: IncomingMessage,
    response: ServerResponse,
    slot: Slot | undefined,
  ): Promise<void> {
    const send = (address: string, source: DocumentSource): Promise<void> =>
      this.#sendFrom(site.cacheKey(address), source, request, response);
    switch (route.kind) {
      case 'home':
        return send(`home ${site.name}`, home.source());
      case 'style-sheet':
        return send(target.path, STYLE_SHEET);
      case 'redirect':
        return sendRedirect(
          response,
          route.location + formatQuery(target.query),
          site.cacheControl('public, max-age=3600'),
        );
      case 'project-list': {
        const format = this.#negotiate(request, target);
        return send(format + target.path, site.projectList(format));
      }
      case 'project-page': {
        const format = this.#negotiate(request, target);
        return send(format + target.path, site.projectPage(route.project, format));
      }
      case 'project-json':
        return send(target.path, site.projectJson(route.project, route.version));
      case 'feed':
        return send(target.path, site.feed(route.name));
      case 'provenance':
        return send(target.path, site.provenance(route));
      case 'page-object':
        return send(target.path, site.pageObject(route.path, route.format, route.isImmutable));
      case 'role-metadata':
        return send(target.path, site.roleMetadata(route.path, route.isImmutable));
      case 'log-object':
        return send(target.path, site.logObject(route.path, route.part));
      case 'core-metadata':
        await refuseTakenDown(site, route.path);
        return send(target.path, site.coreMetadata(route.path));
      case 'file':
        return this.#sendObject(site, route, target, request, response, slot);
    }
  }

  async #sendFrom(
    address: string,
    source: DocumentSource,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const document = await this.#options.cache.get(address, source);
    if (document === undefined) throw new ProblemError(problem(404, NOT_FOUND));
    sendDocument(request, response, document);
  }

  async #sendObject(
    site: Site,
    route: Extract<Route, { kind: 'file' }>,
    target: RequestTarget,
    request: IncomingMessage,
    response: ServerResponse,
    slot: Slot | undefined,
  ): Promise<void> {
    await refuseTakenDown(site, route.path);
    // A part of a file is read from the disk; a small one that was asked for before goes out of memory.
    if (request.headers.range === undefined && site.isSmallFile(route.path)) {
      return this.#sendFrom(site.cacheKey(target.path), site.smallFile(route.path), request, response);
    }
    const object = await this.#options.store.open(site.tree.plain(route.path));
    if (object === undefined) throw new ProblemError(problem(404, NOT_FOUND));
    let etag: string;
    try {
      etag = await site.fileEtag(route, object);
    } catch (error) {
      await object.close();
      throw error;
    }
    const how = { etag, cacheControl: site.cacheControl(IMMUTABLE) };
    const sending = (): Promise<void> => sendFile(request, response, object, how);
    try {
      await (slot === undefined ? sending() : slot.send(sending));
    } finally {
      await object.close();
    }
  }

  #negotiate(request: IncomingMessage, { query }: RequestTarget): PageFormat {
    const asked = formatOfQuery(query);
    const format = asked === 'none' ? this.#formats.of(request.headers.accept) : asked;
    if (format !== undefined) return format;
    throw new ProblemError(
      problem(
        406,
        'This page is served as application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html and text/html only.',
        ['Vary', 'Accept, Accept-Encoding'],
      ),
    );
  }

  #fail(request: IncomingMessage, response: ServerResponse, error: unknown): void {
    if (isClientGone(error)) return;
    const answer = problemOf(error);
    if (answer.status === 500) {
      const id = this.#ids.of(request);
      this.#options.log.error({ err: error, id, method: request.method, url: request.url }, 'request failed');
    }
    if (error instanceof StorageError && error.code === 'SYNC_FAILED') this.#options.onFatal(error);
    // Half an answer cannot become another one: cut the connection, so that the client does not take it for whole.
    if (response.headersSent) {
      response.destroy();
      return;
    }
    const { 'user-agent': userAgent } = request.headers;
    const accept = isApiRequest(request) ? 'application/problem+json' : request.headers.accept;
    const headers = [...(answer.headers ?? []), 'X-Request-Id', this.#ids.of(request)];
    sendProblem(response, { ...answer, headers }, { accept, userAgent, isHead: request.method === 'HEAD' });
    discardBody(request, this.#options.maxDiscarded);
  }
}

/** @throws ProblemError 451 */
async function refuseTakenDown(site: Site, path: string): Promise<void> {
  const takedown = await site.takedownOf(path);
  if (takedown === undefined) return;
  const what = takedown.filename ?? `The project '${takedown.project}'`;
  throw new ProblemError(
    problem(
      451,
      `${what} was taken down by the administrators of this index on ${takedown.since.slice(0, 10)}: ${takedown.reason}.`,
    ),
  );
}

/** Whoever speaks JSON to us is answered in JSON, whatever went wrong. */
function isApiRequest({ url = '' }: IncomingMessage): boolean {
  return (url.split('?', 1)[0] ?? '').includes('/api/v1/');
}

/** Nobody is there to be answered any more, and nothing is wrong with us. */
function isClientGone(error: unknown): boolean {
  return (
    error instanceof Error &&
    'code' in error &&
    (error.code === 'ERR_STREAM_PREMATURE_CLOSE' || error.code === 'EPIPE')
  );
}

function requireMethod(method: string | undefined, allowed: string, site: Site): void {
  if (allowed === '*' || (method !== undefined && allowed.split(', ').includes(method))) return;
  const elsewhere = method === 'POST' && allowed === 'GET, HEAD' ? `; uploads go to ${site.url}legacy/` : '';
  const sentence = `This address answers ${allowed.replace(', ', ' and ')} only${elsewhere}.`;
  throw new ProblemError(problem(405, sentence, ['Allow', allowed]));
}

/** The location is relative to the address asked for, so it holds under any host and any prefix. */
async function sendRedirect(response: ServerResponse, location: string, cacheControl: string): Promise<void> {
  response.writeHead(301, ['Location', location, 'Content-Length', '0', 'Cache-Control', cacheControl]);
  response.end();
}
