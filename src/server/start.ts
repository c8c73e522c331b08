import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { Authenticator } from '../registry/authenticator.ts';
import { BoundedPool } from '../registry/bounded-pool.ts';
import { IdentityVerifier } from '../registry/identity-token.ts';
import { DEFAULT_PUBLISHING_SETTINGS } from '../registry/publishing-settings.ts';
import { AccessWatch } from './access-watch.ts';
import { Api } from './api/api.ts';
import { ENDPOINTS } from './api/endpoints.ts';
import { DocumentCache } from './document-cache.ts';
import { Guard, refuseCrossSite } from './guard.ts';
import { HomePage } from './home-page.ts';
import type { ServerLimits, ServerOptions } from './options.ts';
import { DEFAULT_FORM_LIMITS } from './received-form.ts';
import { RequestHandler } from './request-handler.ts';
import { Site } from './site.ts';
import { Sites } from './sites.ts';
import { TrustedPublishing } from './trusted-publishing.ts';
import { handleUpload, UploadGate } from './upload-route.ts';

/** Defaults of everything that bounds the server. */
export const DEFAULT_LIMITS: ServerLimits = {
  ...DEFAULT_FORM_LIMITS,
  publicationTimeout: 30_000,
  maxUploads: 64,
  cacheSize: 128 * 1024 ** 2,
  shutdownTimeout: 35_000,
};

/** Archives opened at a time: as many as there are threads behind Node's file and zlib calls. */
const INSPECTIONS = { concurrency: 4, queueLength: 256 };
/** Milliseconds for a request's head; for a whole request; without a byte in either direction; between two requests. */
const TIMEOUTS = { headers: 20_000, request: 3_600_000, idle: 120_000, keepAlive: 75_000 };
const CONNECTIONS_CHECK = 5_000;
const FORM_OVERHEAD = 16 * 1024 ** 2;

/** A server that listens. */
export interface RunningServer {
  /** The public URL if one was given, else the address it listens on; ends with `/`. */
  readonly url: string;
  readonly port: number;
  /** Serves one more index from now on; nothing happens when it is served already. */
  mount(index: { readonly id: number; readonly name: string }): Promise<void>;
  /** Serves an index no longer. */
  unmount(name: string): void;
  /** Pages in memory are old: something was published. */
  published(event: { readonly indexId: number; readonly changedPaths: readonly string[] }): void;
  /** Takes no new connections, lets requests under way end, then resolves. Safe to call twice. */
  close(): Promise<void>;
}

/** Starts the index's HTTP server. Rejects when the address cannot be had. The caller owns the database, the store and the queue, and closes them afterwards. */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const limits: ServerLimits = { ...DEFAULT_LIMITS, ...options.limits };
  let url = options.publicUrl === undefined ? '' : withSlash(options.publicUrl);
  const cache = new DocumentCache({ maxBytes: limits.cacheSize });
  const clock = options.clock ?? (() => new Date());
  const authenticator = new Authenticator({
    db: options.db,
    clock,
    ...optional('limits', options.rateLimits),
  });
  const guard = new Guard({ db: options.db, authenticator, ...optional('addressOf', options.addressOf) });
  const sites = mountSites({ ...options, clock }, limits, { cache, guard, url: () => url });
  const access = new AccessWatch({
    db: options.db,
    sites: () => [...sites.byName.values()].map(({ site }) => site),
    cache,
    log: options.log,
  });
  await access.start();
  const handler = new RequestHandler({
    cache,
    guard,
    trustedPublishing: mountTrustedPublishing({ ...options, clock }, guard, () => url),
    sites: sites.byName,
    store: options.store,
    log: options.log,
    pathPrefix: url === '' ? '' : new URL(url).pathname.replace(/\/$/, ''),
    maxDiscarded: limits.maxFileSize + FORM_OVERHEAD,
    onFatal: options.onFatal ?? (() => undefined),
  });
  const server = createServer(
    { connectionsCheckingInterval: CONNECTIONS_CHECK, keepAlive: true },
    (req, res) => handler.handle(req, res),
  );
  server.headersTimeout = TIMEOUTS.headers;
  server.requestTimeout = TIMEOUTS.request;
  server.keepAliveTimeout = TIMEOUTS.keepAlive;
  server.timeout = TIMEOUTS.idle;
  server.on('clientError', answerClientError);
  const port = await listen(server, options.host, options.port);
  if (url === '') url = `http://${options.host.includes(':') ? `[${options.host}]` : options.host}:${port}/`;
  return {
    url,
    port,
    mount: async (index) => {
      sites.mount(index);
      await access.look();
    },
    unmount: (name) => sites.unmount(name),
    published: (event) => sites.published(event),
    close: closer(server, limits.shutdownTimeout, () => access.stop()),
  };
}

function optional<Name extends string, Value>(
  name: Name,
  value: Value | undefined,
): { [name in Name]?: Value } {
  return value === undefined ? {} : ({ [name]: value } as { [name in Name]?: Value });
}

function mountTrustedPublishing(
  { db, clock, publishing: settings = DEFAULT_PUBLISHING_SETTINGS }: ServerOptions & { clock: () => Date },
  guard: Guard,
  url: () => string,
): TrustedPublishing {
  const audience = (): string => settings.audience ?? url();
  const verifier = new IdentityVerifier(settings);
  return new TrustedPublishing({ db, clock, settings, verifier, audience }, guard);
}

/** The indexes that are served; changes while the server runs. */
function mountSites(
  options: ServerOptions & { readonly clock: () => Date },
  limits: ServerLimits,
  shared: { readonly cache: DocumentCache; readonly guard: Guard; readonly url: () => string },
): Sites {
  const { db, store, queue, log, clock } = options;
  const { cache, guard, url } = shared;
  const inspections = new BoundedPool(INSPECTIONS);
  const gate = new UploadGate(limits.maxUploads);
  return new Sites(
    cache,
    (index) => {
      const site = new Site(index, { db, store, url });
      const context = {
        db,
        store,
        index,
        clock,
        inspections,
        signingEvents: options.signingEvents,
        ...optional('publishing', options.publishing),
      };
      const published = (project: string): void =>
        site.addressesOf(project).forEach((address) => cache.forget(address));
      const environment = { context, queue, limits, log, published };
      const api = new Api({
        endpoints: ENDPOINTS,
        context,
        guard,
        queue,
        version: options.version ?? '0',
        publicationTimeout: limits.publicationTimeout,
        published,
      });
      return {
        site,
        home: new HomePage(site, { db, store, url, clock }),
        upload: async (request, response) => {
          refuseCrossSite(request);
          await handleUpload(environment, gate, await guard.principal(request), request, response);
        },
        api: (path, query, request, response) => api.answer(path, query, request, response),
      };
    },
    options.indexes,
  );
}

function listen(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve((server.address() as AddressInfo).port);
    });
  });
}

function closer(server: Server, timeout: number, stop: () => void): () => Promise<void> {
  let closing: Promise<void> | undefined;
  return () => {
    closing ??= new Promise((resolve) => {
      stop();
      const idle = setInterval(() => server.closeIdleConnections(), 50);
      const deadline = setTimeout(() => server.closeAllConnections(), timeout);
      server.close(() => {
        clearInterval(idle);
        clearTimeout(deadline);
        resolve();
      });
      server.closeIdleConnections();
    });
    return closing;
  };
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

function withSlash(url: string): string {
  return url.endsWith('/') ? url : `${url}/`;
}
