import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { isLoopback, parseIndexUrl } from '../proxy/index-url.ts';
import { netrcAuthorization } from '../proxy/netrc.ts';
import { cacheFolder, stateFolder, TrustStore, type TrustedIndex } from '../proxy/trust-store.ts';
import { VerifiedFiles } from '../proxy/verified-files.ts';
import { VerifiedIndex } from '../proxy/verified-index.ts';
import type { Fetcher } from '../updater/fetcher.ts';
import { HttpFetcher } from '../updater/http-fetcher.ts';
import { MetadataMemory } from '../updater/metadata-memory.ts';
import { Updater } from '../updater/updater.ts';

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
 * A fetcher for an index: through the user's own HTTP proxy, except to this machine. With the credentials that her netrc has for the
 * host, sent to the index's own origin only, and never unencrypted to another machine.
 */
export function openFetcher(indexUrl: string): OpenFetcher {
  const { hostname, origin, protocol } = new URL(indexUrl);
  const isHere = isLoopback(hostname);
  const settings = { userAgent: 'rind', useEnvironmentProxy: !isHere };
  const plain = new HttpFetcher(settings);
  const authorization =
    protocol === 'https:' || isHere ? netrcAuthorization(indexUrl, process.env, homedir()) : undefined;
  if (authorization === undefined) return plain;
  const known = new HttpFetcher({ ...settings, headers: { authorization } });
  return {
    fetch: (url, options) => (isOf(origin, url) ? known : plain).fetch(url, options),
    close: async () => {
      await Promise.all([known.close(), plain.close()]);
    },
  };
}

function isOf(origin: string, url: string): boolean {
  return URL.canParse(url) && new URL(url).origin === origin;
}

/** A client of the index that begins with the root somebody decided to trust. */
export async function openUpdater(index: TrustedIndex, fetcher: Fetcher): Promise<() => Updater> {
  const bootstrapRoot = await readFile(index.rootPath);
  const memory = new MetadataMemory();
  return () =>
    new Updater({
      metadataDir: index.metadataFolder,
      metadataBaseUrl: `${index.url}metadata/`,
      targetBaseUrl: index.url,
      fetcher,
      bootstrapRoot,
      memory,
    });
}

/** A verified index and what has to be closed when it is no longer needed. */
export interface OpenedIndex {
  readonly index: VerifiedIndex;
  close(): Promise<void>;
}

/** @param sessionMaxAge milliseconds; see {@link VerifiedIndex} */
export async function openIndex(trusted: TrustedIndex, sessionMaxAge?: number): Promise<OpenedIndex> {
  const fetcher = openFetcher(trusted.url);
  const files = await VerifiedFiles.create(join(trusted.cacheFolder, 'files'));
  const index = new VerifiedIndex({
    url: trusted.url,
    openUpdater: await openUpdater(trusted, fetcher),
    fetcher,
    files,
    ...(sessionMaxAge === undefined ? {} : { sessionMaxAge }),
  });
  const close = async (): Promise<void> => {
    await fetcher.close();
    await files.close();
  };
  return { index, close };
}
