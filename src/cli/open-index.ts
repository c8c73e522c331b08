import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { isLoopback, parseIndexUrl } from '../proxy/index-url.ts';
import { userRootCertificates } from '../proxy/intercept/root-certificates.ts';
import { netrcAuthorization } from '../proxy/netrc.ts';
import { cacheFolder, stateFolder, TrustStore, type TrustedIndex } from '../proxy/trust-store.ts';
import { VerifiedFiles } from '../proxy/verified-files.ts';
import { VerifiedIndex, type SessionUpdater } from '../proxy/verified-index.ts';
import { downloadFailed } from '../updater/errors.ts';
import type { Fetcher } from '../updater/fetcher.ts';
import { HttpFetcher, type HttpFetcherOptions } from '../updater/http-fetcher.ts';
import { MetadataMemory } from '../updater/metadata-memory.ts';
import { Updater } from '../updater/updater.ts';
import { ProgressLine } from './progress-line.ts';
import { say } from './terminal.ts';
import { WatchedFetcher } from './watched-fetcher.ts';

/** The trust store of whoever runs this process. */
export function openTrustStore(): TrustStore {
  return new TrustStore(stateFolder(process.env, homedir()), cacheFolder(process.env, homedir()));
}

/** The index a command is to use: the one named, or the only one that is trusted. */
export async function chooseIndex(store: TrustStore, url: string | undefined): Promise<TrustedIndex> {
  // Whether http is good enough was decided when the index was trusted.
  return store.choose(url === undefined ? undefined : parseIndexUrl(url, { allowUnencrypted: true }));
}

/** A fetcher that holds connections. */
export interface OpenFetcher extends Fetcher {
  close(): Promise<void>;
}

/**
 * A fetcher for an index: through the user's own HTTP proxy, except to this machine, and with the certificate authorities she has other
 * tools trust. With the credentials that her netrc has for the host, sent to the index's own origin only, and never unencrypted
 * to another machine.
 */
export function openFetcher(indexUrl: string): OpenFetcher {
  const { hostname, origin, protocol } = new URL(indexUrl);
  const isHere = isLoopback(hostname);
  const settings = { userAgent: 'rind', useEnvironmentProxy: !isHere };
  const plain = protocol === 'https:' ? secureFetcher(settings) : new HttpFetcher(settings);
  const authorization =
    protocol === 'https:' || isHere ? netrcAuthorization(indexUrl, process.env, homedir()) : undefined;
  if (authorization === undefined) return plain;
  const known = { ...settings, headers: { authorization } };
  const trusted = protocol === 'https:' ? secureFetcher(known) : new HttpFetcher(known);
  return {
    fetch: (url, options) => (isOf(origin, url) ? trusted : plain).fetch(url, options),
    close: async () => {
      await Promise.all([trusted.close(), plain.close()]);
    },
  };
}

/** The user's authorities are read with the first request. */
function secureFetcher(settings: HttpFetcherOptions): OpenFetcher {
  let opened: Promise<HttpFetcher> | undefined;
  const open = async (): Promise<HttpFetcher> =>
    new HttpFetcher({ ...settings, certificateAuthorities: await userRootCertificates(process.env) });
  return {
    async *fetch(url, options) {
      opened ??= open();
      yield* (await opened).fetch(url, options);
    },
    close: async () => {
      await (await opened)?.close();
    },
  };
}

function isOf(origin: string, url: string): boolean {
  return URL.canParse(url) && new URL(url).origin === origin;
}

/** One fetcher for an index, its mirrors and those it has to agree with: each origin is asked with its own credentials. */
export function openFetchers(urls: readonly string[]): OpenFetcher {
  const byOrigin = new Map(urls.map((url) => [new URL(url).origin, openFetcher(url)]));
  const plain = new HttpFetcher({ userAgent: 'rind', useEnvironmentProxy: true });
  return {
    fetch: (url, options) =>
      ((URL.canParse(url) ? byOrigin.get(new URL(url).origin) : undefined) ?? plain).fetch(url, options),
    close: async () => {
      await Promise.all([...byOrigin.values(), plain].map((fetcher) => fetcher.close()));
    },
  };
}

/**
 * A client of the index that begins with the root somebody decided to trust.
 * @param clock by which it says what has expired; that of this machine
 */
export async function openUpdater(
  index: TrustedIndex,
  fetcher: Fetcher,
  clock?: () => Date,
): Promise<(offline?: boolean) => Updater> {
  const bootstrapRoot = await readFile(index.rootPath);
  const memory = new MetadataMemory();
  return (offline = false) =>
    new Updater({
      metadataDir: index.metadataFolder,
      metadataBaseUrl: `${index.url}metadata/`,
      targetBaseUrl: index.url,
      mirrors: index.mirrors.map((url) => ({
        metadataBaseUrl: `${url}metadata/`,
        targetBaseUrl: url,
      })),
      fetcher,
      bootstrapRoot,
      memory,
      ...(clock === undefined ? {} : { clock }),
      // What is downloaded here goes into folders whose files are hashed again before use.
      config: { offline, durableTargets: false },
    });
}

/** A verified index and what has to be closed when it is no longer needed. */
export interface OpenedIndex {
  readonly index: VerifiedIndex;
  close(): Promise<void>;
}

export interface OpenIndexOptions {
  /** Milliseconds; see {@link VerifiedIndex}. */
  readonly sessionMaxAge?: number | undefined;
  /** Asks nobody; see {@link VerifiedIndex}. */
  readonly isOffline?: boolean | undefined;
  /** Says which indexes are not reached. */
  readonly offlineNotes?: OfflineNotes | undefined;
  /** See {@link VerifiedIndex}. */
  readonly mayReadAhead?: ((project: string) => boolean) | undefined;
}

export async function openIndex(
  trusted: TrustedIndex,
  { sessionMaxAge, isOffline, mayReadAhead, offlineNotes = new OfflineNotes() }: OpenIndexOptions = {},
): Promise<OpenedIndex> {
  const { url, mirrors } = trusted;
  const connections = openFetchers([url, ...mirrors]);
  const fetcher = process.stderr.isTTY ? new WatchedFetcher(connections, new ProgressLine()) : connections;
  const files = await VerifiedFiles.create(join(trusted.cacheFolder, 'files'));
  let isClosed = false;
  const index = new VerifiedIndex({
    url,
    mirrors,
    openUpdater: await openUpdater(trusted, fetcher),
    fetcher: isOffline === true ? OFFLINE : fetcher,
    files,
    isOffline,
    mayReadAhead,
    // A fetcher that was closed reaches nobody either.
    onOffline: (session, reason) => (isClosed ? undefined : offlineNotes.say(url, session, reason)),
    ...(sessionMaxAge === undefined ? {} : { sessionMaxAge }),
  });
  const close = async (): Promise<void> => {
    isClosed = true;
    await connections.close();
    await index.close();
    await files.close();
  };
  return { index, close };
}

/** Never asks anybody. */
export const OFFLINE: Fetcher = {
  fetch: (url) => {
    throw downloadFailed('OFFLINE', url, 'nothing of it is kept here, and nobody is asked (--offline)');
  },
};

/** Milliseconds within which a note is not repeated: an index may be opened alone and as one of those that agree. */
const REPEAT = 10_000;

/** Says, once and not for each session at the same time, that an index is not reached and that what is kept of it is used. */
export class OfflineNotes {
  readonly #said = new Map<string, number>();

  say(url: string, session: SessionUpdater | Updater, reason: unknown): void {
    const now = performance.now();
    if (now < (this.#said.get(url) ?? Number.NEGATIVE_INFINITY) + REPEAT) return;
    this.#said.set(url, now);
    const expires = session instanceof Updater ? session.trusted.timestamp?.expires : undefined;
    const until =
      expires === undefined ? '' : `; what it signed expires at ${expires.toISOString().slice(0, 16)} UTC`;
    const why = reason === undefined ? 'is not asked' : 'cannot be reached';
    say(`note: ${url} ${why}: only what was verified here before is used${until}`);
  }
}
