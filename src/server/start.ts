import { AttestationVerifier } from '../registry/attestation-verifier.ts';
import { Authenticator } from '../registry/authenticator.ts';
import { BoundedPool } from '../registry/bounded-pool.ts';
import { RegistryError } from '../registry/errors.ts';
import { IdentityVerifier } from '../registry/identity-token.ts';
import { moveProvenances } from '../registry/provenance.ts';
import { DEFAULT_PUBLISHING_SETTINGS } from '../registry/publishing-settings.ts';
import { AccessLog } from './access-log.ts';
import { AccessWatch } from './access-watch.ts';
import { Admission } from './admission.ts';
import { Api } from './api/api.ts';
import { ENDPOINTS } from './api/endpoints.ts';
import { DocumentCache } from './document-cache.ts';
import { Guard, refuseCrossSite } from './guard.ts';
import { HomePage } from './home-page.ts';
import { Listener } from './listener.ts';
import { Operations } from './operations.ts';
import type { ServerLimits, ServerOptions, TlsIdentity } from './options.ts';
import { DEFAULT_FORM_LIMITS } from './received-form.ts';
import { RequestHandler } from './request-handler.ts';
import { ServerMetrics } from './server-metrics.ts';
import { Site } from './site.ts';
import { Sites } from './sites.ts';
import { TrustedProxies } from './trusted-proxies.ts';
import { TrustedPublishing } from './trusted-publishing.ts';
import { handleUpload, UploadGate } from './upload-route.ts';

/** Defaults of everything that bounds the server. */
export const DEFAULT_LIMITS: ServerLimits = {
  ...DEFAULT_FORM_LIMITS,
  publicationTimeout: 30_000,
  maxUploads: 64,
  maxRequests: 1_024,
  maxDelay: 2_000,
  maxConnections: 10_000,
  cacheSize: 128 * 1024 ** 2,
  shutdownTimeout: 35_000,
};

/** Archives opened at a time: as many as there are threads behind Node's file and zlib calls. */
const INSPECTIONS = { concurrency: 4, queueLength: 256 };
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
  /** Shows another certificate to new connections; does nothing on a server without TLS. Throws when the two do not fit; then the old one stays. */
  changeTls(tls: TlsIdentity): void;
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
  const proxies = options.proxies ?? new TrustedProxies();
  const guard = new Guard({ db: options.db, authenticator, proxies });
  const metrics = options.metrics ?? new ServerMetrics(options.version);
  const admission = new Admission(limits);
  const shared = { cache, guard, metrics, url: () => url };
  const sites = mountSites({ ...options, clock }, limits, shared);
  countAdmission(metrics, admission);
  const access = new AccessWatch({
    db: options.db,
    sites: () => sites.all(),
    cache,
    log: options.log,
  });
  await access.look();
  const pathPrefix = url === '' ? '' : new URL(url).pathname.replace(/\/$/, '');
  const maxDiscarded = limits.maxFileSize + FORM_OVERHEAD;
  const parts = { ...shared, sites, proxies, admission, clock, pathPrefix, maxDiscarded };
  const handler = newHandler(options, parts);
  const listener = new Listener((request, response) => handler.handle(request, response), {
    tls: options.tls,
    maxConnections: limits.maxConnections,
  });
  const port = await listener.listen(options.host, options.port);
  if (url === '') url = listener.url(options.host);
  if (options.publicUrl !== undefined) await moveAllProvenances(options, sites, clock);
  // Whoever gets no address closes the database: nothing looks into it by then.
  await access.start();
  admission.start();
  metrics.start();
  return {
    url,
    port,
    mount: async (index) => {
      sites.mount(index);
      await access.look();
    },
    unmount: (name) => sites.unmount(name),
    published: (event) => sites.published(event),
    changeTls: (tls) => listener.changeTls(tls),
    close: () => {
      for (const part of [access, admission, metrics]) part.stop();
      return listener.close(limits.shutdownTimeout);
    },
  };
}

interface HandlerParts extends SharedParts {
  readonly sites: Sites;
  readonly proxies: TrustedProxies;
  readonly admission: Admission;
  readonly clock: () => Date;
  readonly pathPrefix: string;
  readonly maxDiscarded: number;
}

function newHandler(options: ServerOptions, parts: HandlerParts): RequestHandler {
  const { db, store, log } = options;
  const { cache, guard, metrics, url, sites, proxies, admission, clock, pathPrefix, maxDiscarded } = parts;
  return new RequestHandler({
    cache,
    guard,
    trustedPublishing: mountTrustedPublishing({ ...options, clock }, guard, url),
    operations: new Operations({
      readiness: { db, store, clock, sites: () => sites.all(), more: options.readiness },
      metrics,
      metricsToken: options.metricsToken,
      metricsLocal: options.metricsLocal ?? false,
      log,
    }),
    admission,
    metrics,
    proxies,
    accessLog: accessLogOf(options, proxies, clock),
    sites: sites.byName,
    store,
    log,
    pathPrefix,
    maxDiscarded,
    onFatal: options.onFatal ?? (() => undefined),
  });
}

/** What all indexes of a server have in common. */
interface SharedParts {
  readonly cache: DocumentCache;
  readonly guard: Guard;
  readonly metrics: ServerMetrics;
  readonly url: () => string;
}

function optional<Name extends string, Value>(
  name: Name,
  value: Value | undefined,
): { [name in Name]?: Value } {
  return value === undefined ? {} : ({ [name]: value } as { [name in Name]?: Value });
}

function mountTrustedPublishing(
  options: ServerOptions & { readonly clock: () => Date },
  guard: Guard,
  url: () => string,
): TrustedPublishing {
  const { db, clock, publishing: settings = DEFAULT_PUBLISHING_SETTINGS } = options;
  const audience = (): string => settings.audience ?? url();
  const verifier = new IdentityVerifier(settings);
  const indexDefaults = optional('indexDefaults', options.indexDefaults);
  return new TrustedPublishing({ db, clock, settings, verifier, audience, ...indexDefaults }, guard);
}

/** The indexes that are served; changes while the server runs. */
function mountSites(
  options: ServerOptions & { readonly clock: () => Date },
  limits: ServerLimits,
  shared: SharedParts,
): Sites {
  const { db, store, log, clock } = options;
  const { cache, guard, metrics, url } = shared;
  const queue = metrics.measured(options.queue);
  const inspections = new BoundedPool(INSPECTIONS);
  const gate = new UploadGate(limits.maxUploads);
  const { trustedRoot } = options;
  const attestations = trustedRoot === undefined ? undefined : new AttestationVerifier(trustedRoot);
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
        attestations,
        url: () => site.url,
        signingEvents: options.signingEvents,
        makeRepository: options.makeRepository,
        ...optional('publishing', options.publishing),
        ...optional('indexDefaults', options.indexDefaults),
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
          const upload = async (): Promise<string> => {
            gate.requireRoom();
            return handleUpload(environment, gate, await guard.principal(request), request, response);
          };
          await countUpload(metrics, upload);
        },
        api: (path, query, request, response, slot) => api.answer(path, query, request, response, slot),
      };
    },
    options.indexes,
  );
}

/** Pages say absolute addresses of provenance objects: a server that moved says them anew. */
async function moveAllProvenances(
  { db, queue, log }: ServerOptions,
  sites: Sites,
  clock: () => Date,
): Promise<void> {
  for (const { site } of sites.byName.values()) {
    const index = { id: site.id, name: site.name };
    const files = await moveProvenances({ db, index, clock }, site.url);
    if (files === 0) continue;
    log.warn(
      { index: site.name, files },
      'the public URL changed: the addresses of provenance are signed anew',
    );
    queue.wake(site.id);
  }
}

function accessLogOf(
  { accessLine }: ServerOptions,
  proxies: TrustedProxies,
  clock: () => Date,
): AccessLog | undefined {
  if (accessLine === undefined) return undefined;
  return new AccessLog({ write: accessLine, originOf: (request) => proxies.origin(request), clock });
}

function countAdmission({ registry }: ServerMetrics, admission: Admission): void {
  registry.gauge('rind_requests_under_way', 'Requests that are not answered from memory.', () => [
    { value: admission.underWay },
  ]);
  registry.gauge(
    'rind_requests_refused_total',
    'Requests refused because the server was busy.',
    () => [{ value: admission.refused }],
    'counter',
  );
}

async function countUpload({ uploads }: ServerMetrics, upload: () => Promise<string>): Promise<void> {
  try {
    uploads.add(await upload());
  } catch (error) {
    const isWaiting = error instanceof RegistryError && error.code === 'NOT_YET_SIGNED';
    uploads.add(isWaiting ? 'not-yet-signed' : 'refused');
    throw error;
  }
}

function withSlash(url: string): string {
  return url.endsWith('/') ? url : `${url}/`;
}
