import { createHash } from 'node:crypto';
import { request } from 'node:http';
import { join } from 'node:path';
import { Interception } from '../../src/proxy/intercept/interception.ts';
import { VerifyingProxy } from '../../src/proxy/proxy.ts';
import { isVerificationFailure, type Verdict } from '../../src/proxy/verdict.ts';
import { VerifiedFiles } from '../../src/proxy/verified-files.ts';
import { VerifiedIndex } from '../../src/proxy/verified-index.ts';
import { DEFAULT_DOWNLOAD_LIMITS } from '../../src/updater/config.ts';
import { HttpFetcher } from '../../src/updater/http-fetcher.ts';
import { MetadataMemory } from '../../src/updater/metadata-memory.ts';
import { Updater } from '../../src/updater/updater.ts';

export type Road = 'rind run' | 'rind proxy';

/** What came of one attempt to install. */
export interface Outcome {
  /** `wheely 2.0` for what the index signed, `… of the attacker` for anything else. */
  readonly installed: readonly string[];
  /** Of the verdict, or why there is none. */
  readonly code: string | undefined;
  /** For a person who looks why. */
  readonly detail: string;
}

export interface NearClientOptions {
  readonly url: string;
  readonly root: Uint8Array;
  /** Folder of what the client knows, kept from one call to the next. */
  readonly folder: string;
  readonly known: ReadonlyMap<string, string>;
  readonly readsHtml?: boolean;
  readonly clock?: number;
  readonly patience?: number;
  readonly certificateAuthorities?: string;
}

const JSON_PAGE = 'application/vnd.pypi.simple.v1+json';

/**
 * The client of `rind` in this process with a small installer that asks as pip does: page, core metadata, file. Every
 * call is a session of its own with what earlier ones have left on disk.
 */
export class NearClient {
  readonly #options: NearClientOptions;

  constructor(options: NearClientOptions) {
    this.#options = options;
  }

  async install(project: string, road: Road): Promise<Outcome> {
    return this.serving(road, async ({ ask, verdict }) => {
      try {
        const label = await this.#installed(project, ask);
        const code = verdict()?.code ?? (label === undefined ? 'absent' : undefined);
        return { installed: label === undefined ? [] : [label], code, detail: verdict()?.what ?? '' };
      } catch (error) {
        return {
          installed: [],
          code: verdict()?.code ?? 'installer',
          detail: `${verdict()?.what} ${String(error)}`,
        };
      }
    });
  }

  /** Runs something against the client on one of its roads. */
  async serving<T>(
    road: Road,
    use: (near: { ask: Ask; verdict: () => Verdict | undefined; simpleUrl: string }) => Promise<T>,
  ): Promise<T> {
    const { url, folder } = this.#options;
    const fetcher = this.#fetcher();
    const files = await VerifiedFiles.create(join(folder, 'files'));
    const index = new VerifiedIndex({ url, fetcher, files, openUpdater: this.#openUpdater(fetcher) });
    const closing: (() => Promise<void>)[] = [];
    let first: Verdict | undefined;
    const onFailure = (verdict: Verdict): void => {
      if (first === undefined || (isVerificationFailure(verdict) && !isVerificationFailure(first)))
        first = verdict;
    };
    const verdict = (): Verdict | undefined => first;
    try {
      if (road === 'rind proxy') {
        const proxy = await VerifyingProxy.start({ index, onFailure });
        const ask: Ask = (path, headers) => get(new URL(path, proxy.url), headers);
        closing.push(() => proxy.close());
        return await use({ ask, verdict, simpleUrl: proxy.simpleUrl });
      }
      // Inside the tunnel an https index is asked as any other: its name is all that matters here.
      const baseUrl = url.replace(/^https:/, 'http:');
      const indexes = [{ baseUrl, index }];
      const run = await Interception.start({ indexes, unknownHosts: 'refuse', environment: {}, onFailure });
      const ask: Ask = (path, headers) => get(new URL(path, baseUrl), headers, run.proxyUrl);
      closing.push(() => run.close());
      return await use({ ask, verdict, simpleUrl: `${baseUrl}simple/` });
    } finally {
      for (const close of closing) await close();
      await fetcher.close();
      await files.close();
    }
  }

  #fetcher(): HttpFetcher {
    const { patience, certificateAuthorities } = this.#options;
    return new HttpFetcher({
      ...(certificateAuthorities === undefined ? {} : { certificateAuthorities }),
      ...(patience === undefined ? {} : { limits: limitsOf(patience) }),
    });
  }

  #openUpdater(fetcher: HttpFetcher): () => Updater {
    const { url, folder, root, clock = 0, patience } = this.#options;
    const memory = new MetadataMemory();
    return () =>
      new Updater({
        metadataDir: join(folder, 'metadata'),
        metadataBaseUrl: `${url}metadata/`,
        targetBaseUrl: url,
        fetcher,
        bootstrapRoot: root,
        memory,
        clock: () => new Date(Date.now() + clock),
        ...(patience === undefined ? {} : { config: { limits: limitsOf(patience) } }),
      });
  }

  /** The label of the newest file that is not yanked; `undefined` when there is no such project. */
  async #installed(project: string, ask: Ask): Promise<string | undefined> {
    const { readsHtml, known } = this.#options;
    const accept = readsHtml === true ? 'text/html' : JSON_PAGE;
    const page = await ask(`simple/${project}/`, { accept, 'user-agent': 'pip/26.3' });
    if (page.status === 404) return undefined;
    if (page.status !== 200) throw new Error(`page: ${page.status}`);
    const links = readsHtml === true ? linksOfHtml(page.body) : linksOfJson(page.body);
    const chosen = links.at(-1);
    if (chosen === undefined) throw new Error('nothing to install');
    const path = new URL(chosen.url, `http://x/simple/${project}/`).pathname.slice(1);
    if (chosen.metadata !== undefined) {
      const metadata = await ask(`${path}.metadata`);
      if (metadata.status !== 200) throw new Error(`metadata: ${metadata.status}`);
      if (sha256(metadata.body) !== chosen.metadata) throw new Error('metadata: other hash');
    }
    const file = await ask(path);
    if (file.status !== 200) throw new Error(`file: ${file.status}`);
    const hash = sha256(file.body);
    if (chosen.sha256 !== undefined && chosen.sha256 !== hash) throw new Error('file: other hash');
    return known.get(hash) ?? `${project} of the attacker`;
  }
}

interface Link {
  readonly url: string;
  readonly sha256: string | undefined;
  readonly metadata: string | undefined;
}

function linksOfJson(body: Buffer): Link[] {
  const { files } = JSON.parse(body.toString()) as {
    files: {
      url: string;
      yanked?: unknown;
      hashes: { sha256?: string };
      'core-metadata'?: boolean | { sha256: string };
    }[];
  };
  return files
    .filter(({ yanked }) => yanked === undefined || yanked === false)
    .map(({ url, hashes, 'core-metadata': metadata }) => ({
      url,
      sha256: hashes.sha256,
      metadata: typeof metadata === 'object' ? metadata.sha256 : undefined,
    }));
}

function linksOfHtml(body: Buffer): Link[] {
  return [...body.toString().matchAll(/href="([^"#]+)(?:#sha256=([0-9a-f]+))?"/g)].map(
    ([, url = '', hash]) => ({
      url,
      sha256: hash,
      metadata: undefined,
    }),
  );
}

function limitsOf(patience: number): typeof DEFAULT_DOWNLOAD_LIMITS {
  return {
    idleTimeout: patience,
    totalTimeout: patience * 20,
    minimumRate: 2_048,
    minimumRateAfter: patience * 2,
  };
}

type Ask = (
  path: string,
  headers?: Readonly<Record<string, string>>,
) => Promise<{ status: number; body: Buffer }>;

function get(
  url: URL,
  headers: Readonly<Record<string, string>> = {},
  proxyUrl?: string,
): Promise<{ status: number; body: Buffer }> {
  const proxy = proxyUrl === undefined ? undefined : new URL(proxyUrl);
  const credentials = proxy === undefined ? '' : `${proxy.username}:${proxy.password}`;
  const options =
    proxy === undefined
      ? { host: url.hostname, port: url.port, path: url.pathname, headers }
      : {
          host: proxy.hostname,
          port: proxy.port,
          path: url.href,
          headers: {
            ...headers,
            host: url.host,
            'proxy-authorization': `Basic ${Buffer.from(credentials).toString('base64')}`,
          },
        };
  return new Promise((resolve, reject) => {
    request(options, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('error', reject);
      response.once('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks) }));
    })
      .once('error', reject)
      .end();
  });
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
