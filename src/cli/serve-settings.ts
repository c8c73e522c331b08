import { readFile } from 'node:fs/promises';
import { ConfigError } from '../config/error.ts';
import { loadSettings, type SettingsFromSources } from '../config/load.ts';
import type { Settings } from '../config/keys.ts';
import type { IndexSettingsForm } from '../registry/index-settings.ts';
import type { PublishingSettings } from '../registry/publishing-settings.ts';
import type { RateLimitSettings } from '../registry/rate-limit.ts';
import type { CollectionSettings } from '../repository/collection-settings.ts';
import type { ExpirySettings, SigningWindow } from '../repository/expiry-settings.ts';
import type { ServerLimits, ServerOptions, TlsIdentity } from '../server/options.ts';
import { TrustedProxies } from '../server/trusted-proxies.ts';
import { CliError } from './cli-error.ts';
import type { EvidenceOptions } from './evidence-loop.ts';

/** What `rind serve` can be told on the command line; what is not said there is looked up elsewhere. */
export interface ServeOptions {
  readonly config?: string;
  readonly data?: string;
  readonly host?: string;
  readonly port?: number;
  readonly publicUrl?: string;
  /** Where reminders of renewals and signing windows are posted to. */
  readonly reminders?: string;
  readonly headsFile?: string;
  readonly headsWebhook?: string;
  readonly archive?: string;
  /** The clock is right, though what was signed before says otherwise. */
  readonly trustClock?: boolean;
}

/** The settings of a command, from the command line, the environment and the file. Throws CliError with every problem. */
export async function settingsFor(options: ServeOptions): Promise<SettingsFromSources> {
  const { headsFile } = options;
  return orCliError(() =>
    loadSettings({
      file: options.config,
      environment: process.env,
      commandLine: {
        'server.data': options.data,
        'server.host': options.host,
        'server.port': options.port,
        'server.public-url': options.publicUrl,
        'reminders.webhook': options.reminders,
        'heads.files': headsFile === undefined ? undefined : [headsFile],
        'heads.webhook': options.headsWebhook,
        'archive.folder': options.archive,
      },
    }),
  );
}

/** What a command beside the server is told by the same file: that of `RIND_CONFIG`, or `rind.toml` in the data folder. Throws CliError. */
export async function settingsBeside(data: string): Promise<Settings> {
  return (await settingsFor({ data })).settings;
}

/** Says what is wrong with the settings as the command line says things. */
export async function orCliError<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const [first = '', ...others] = error.problems;
    throw new CliError('usage', first, [...others, 'rind config check says everything that is wrong'], {
      cause: error,
    });
  }
}

/** What the server itself is told. Throws CliError. */
export async function serverSettings(settings: Settings): Promise<Partial<ServerOptions>> {
  const { server } = settings;
  const tls = await tlsIdentity(settings);
  const publicUrl = server['public-url'];
  return {
    ...(publicUrl === undefined ? {} : { publicUrl }),
    ...(tls === undefined ? {} : { tls }),
    proxies: new TrustedProxies(server['trusted-proxies']),
    limits: serverLimits(settings),
    rateLimits: rateLimits(settings),
    publishing: publishingSettings(settings),
    trustedRoot: settings.publishing['trusted-root'],
    indexDefaults: indexDefaults(settings),
  };
}

function serverLimits({ limits, server }: Settings): Partial<ServerLimits> {
  return {
    maxFileSize: limits['max-file-size'],
    maxUploads: limits['max-uploads'],
    maxRequests: limits['max-requests'],
    maxDelay: limits['max-delay'],
    maxConnections: server['max-connections'],
    publicationTimeout: limits['publication-timeout'],
    idleTimeout: limits['idle-timeout'],
    shutdownTimeout: limits['shutdown-timeout'],
    cacheSize: limits['cache-size'],
  };
}

function rateLimits({ rates }: Settings): RateLimitSettings {
  return {
    known: { perSecond: rates['known-per-second'], burst: rates['known-burst'] },
    unknown: { perSecond: rates['unknown-per-second'], burst: rates['unknown-burst'] },
    failures: {
      pair: rates['failed-logins'],
      address: rates['failed-logins-address'],
      user: rates['failed-logins-user'],
    },
    longestWait: rates['longest-wait'] / 1000,
    forgivenIn: rates['forgiven-in'] / 1000,
    entries: rates.remembered,
  };
}

export function collectionSettings({ gc }: Settings): CollectionSettings {
  return {
    gracePeriod: gc['grace-period'],
    snapshots: gc.snapshots,
    removedFiles: gc['removed-files'],
    interval: gc.interval,
  };
}

/** The windows that were set; the others are those of an index's profile. */
export function expirySettings({ expiry }: Settings): Partial<ExpirySettings> {
  const windows = (['timestamp', 'snapshot', 'bins'] as const).flatMap((role): [string, SigningWindow][] => {
    const [lifetime, renewal] = [expiry[`${role}-lifetime`], expiry[`${role}-renewal`]];
    return lifetime === undefined || renewal === undefined ? [] : [[role, { lifetime, renewal }]];
  });
  return Object.fromEntries(windows);
}

function publishingSettings({ publishing }: Settings): PublishingSettings {
  const { issuers, audience } = publishing;
  return {
    issuers,
    ...(audience === undefined ? {} : { audience }),
    tokenLifetime: Math.ceil(publishing['token-lifetime'] / 1000),
    clockSkew: Math.ceil(publishing['clock-skew'] / 1000),
    longestIdentity: Math.ceil(publishing['longest-identity'] / 1000),
  };
}

/** What indexes are told that were told nothing else. */
export function indexDefaults({ uploads, retention }: Settings): IndexSettingsForm {
  const set = (pairs: Readonly<Record<string, unknown>>): object =>
    Object.fromEntries(Object.entries(pairs).filter(([, value]) => value !== undefined));
  return {
    kind: uploads.kind,
    upload: set({
      localVersions: uploads['local-versions'],
      directReferences: uploads['direct-references'],
      withdrawnMetadata: uploads['withdrawn-metadata'],
      linuxWheels: uploads['linux-wheels'],
      legacyFilenames: uploads['legacy-filenames'],
      deprecatedClassifiers: uploads['deprecated-classifiers'],
      unknownClassifiers: uploads['unknown-classifiers'],
      standardLibraryNames: uploads['standard-library-names'],
      lookAlikeNames: uploads['look-alike-names'],
      prohibitedNames: uploads['prohibited-names'],
      prohibitedScripts: uploads['prohibited-scripts'],
      releaseDays: uploads['release-days'],
    }),
    limits: set({
      maxFileBytes: uploads['max-file-size'],
      maxProjectBytes: uploads['max-project-size'],
      maxProjectFiles: uploads['max-project-files'],
      maxReleaseFiles: uploads['max-release-files'],
      maxIndexBytes: uploads['max-index-size'],
    }),
    retention: set({
      keepReleases: retention['keep-releases'],
      preReleaseDays: retention['pre-release-days'],
      devReleaseDays: retention['dev-release-days'],
      keepDevReleases: retention['keep-dev-releases'],
    }),
  };
}

export function evidenceOptions({ heads, archive }: Settings): EvidenceOptions {
  return {
    headsFiles: heads.files,
    ...(heads.webhook === undefined ? {} : { headsWebhook: heads.webhook }),
    ...(heads.bucket === undefined
      ? {}
      : { headsBucket: { url: heads.bucket, retention: heads['bucket-retention'] } }),
    ...(archive.folder === undefined ? {} : { archive: archive.folder }),
  };
}

/** Certificate and key, read now. Throws CliError. */
export async function tlsIdentity({ tls }: Settings): Promise<TlsIdentity | undefined> {
  if (tls.certificate === undefined || tls.key === undefined) return undefined;
  return {
    certificate: await readSettingFile('tls.certificate', tls.certificate),
    key: await readSettingFile('tls.key', tls.key),
  };
}

/** The token of the metrics, read now. Throws CliError. */
export async function metricsToken({ metrics }: Settings): Promise<string | undefined> {
  const path = metrics['token-file'];
  if (path === undefined) return undefined;
  const token = (await readSettingFile('metrics.token-file', path)).toString().trim();
  if (/^\S{16,512}$/.test(token)) return token;
  throw new CliError('usage', `metrics.token-file: ${path} holds no token of 16 to 512 characters.`, [
    'openssl rand -hex 32 makes one',
  ]);
}

async function readSettingFile(key: string, path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new CliError('usage', `${key}: ${path} cannot be read (${code}).`, [], { cause });
  }
}
