import type { Executor } from '../db/schema.ts';
import type { RegistryContext } from '../registry/context.ts';
import type { IndexSettingsForm } from '../registry/index-settings.ts';
import type { PublishingSettings } from '../registry/publishing-settings.ts';
import type { RateLimitSettings } from '../registry/rate-limit.ts';
import type { SigningEvents } from '../registry/signing-events.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import type { Check } from './readiness.ts';
import type { FormLimits } from './received-form.ts';
import type { ServerMetrics } from './server-metrics.ts';
import type { TrustedProxies } from './trusted-proxies.ts';

/** Where uploads wait for their signatures; the publisher's thread is behind it. */
export interface PublicationQueue {
  /** Something waits in the journal of this index. */
  wake(indexId: number): void;
  /** Resolves with true as soon as the journal entry is published, with false after `timeout` milliseconds. */
  published(journalId: number, timeout: number): Promise<boolean>;
}

/** Structured log lines; pino has this form. Never hand it a header or a form field. */
export interface Log {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface ServerOptions {
  /** Address to listen on; `port` 0 takes a free one. */
  readonly host: string;
  readonly port: number;
  /** The indexes served: the one named '' at `/`, the others at `/index/<name>/`. */
  readonly indexes: readonly { readonly id: number; readonly name: string }[];
  readonly db: Executor;
  readonly store: ObjectStore;
  readonly queue: PublicationQueue;
  readonly log: Log;
  /** The address people use, when a reverse proxy is in front; may have a path. Only shown, never compared with a Host header. */
  readonly publicUrl?: string;
  readonly clock?: () => Date;
  /** Whom trusted publishing believes. */
  readonly publishing?: PublishingSettings;
  /** The file with Sigstore's trusted root; absent: uploads with attestations are refused. */
  readonly trustedRoot?: string | undefined;
  /** How often somebody may ask. */
  readonly rateLimits?: RateLimitSettings;
  /** Reverse proxies that are trusted to say where a request comes from; nobody when absent. */
  readonly proxies?: TrustedProxies;
  /** Certificate chain and private key in PEM; plain HTTP when absent. */
  readonly tls?: TlsIdentity;
  /** Gets a line for each request. */
  readonly accessLine?: (line: string) => void;
  /** Everything that is counted; a registry of its own when absent. */
  readonly metrics?: ServerMetrics;
  /** Whether the server can do its work, beyond what it finds out by itself. */
  readonly readiness?: () => Promise<readonly Check[]>;
  /** Asked for by `/metrics`; looked at for each request, so that it can change. */
  readonly metricsToken?: () => string | undefined;
  /** Whether `/metrics` answers this machine when there is no token; nobody when absent. */
  readonly metricsLocal?: boolean;
  /** What an index is told that was told nothing else. */
  readonly indexDefaults?: IndexSettingsForm;
  /** The version of this program, for the OpenAPI document. */
  readonly version?: string;
  /** The store no longer knows what is on its medium (StorageError SYNC_FAILED): the process must end and start again. */
  readonly onFatal?: (error: Error) => void;
  readonly limits?: Partial<ServerLimits>;
  /** Makes the repository of an index that was written down over the API; nobody makes one over the API when absent. */
  readonly makeRepository?: RegistryContext['makeRepository'];
  /** Signing events that people sign over the API. */
  readonly signingEvents?: SigningEvents | undefined;
}

/** What a server proves who it is with. PEM. */
export interface TlsIdentity {
  readonly certificate: string | Buffer;
  readonly key: string | Buffer;
}

export interface ServerLimits extends FormLimits {
  /** Milliseconds an upload waits for its signatures before it is told to come again. */
  readonly publicationTimeout: number;
  /** Uploads received at a time; the next one is told to come again. */
  readonly maxUploads: number;
  /** Requests under way at a time that are not answered from memory; uploads are counted apart. */
  readonly maxRequests: number;
  /** Milliseconds the process may fall behind before it refuses them. */
  readonly maxDelay: number;
  /** Open connections. */
  readonly maxConnections: number;
  /** Bytes of pages and metadata held in memory. */
  readonly cacheSize: number;
  /** Milliseconds that requests under way get to end when the server stops. */
  readonly shutdownTimeout: number;
}
