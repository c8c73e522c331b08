import { mkdtemp, rm } from 'node:fs/promises';
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { VerifyingProxy, type ProxyOptions } from '../../src/proxy/proxy.ts';
import type { Verdict } from '../../src/proxy/verdict.ts';
import { VerifiedFiles } from '../../src/proxy/verified-files.ts';
import { VerifiedIndex } from '../../src/proxy/verified-index.ts';
import { HttpFetcher } from '../../src/updater/http-fetcher.ts';
import { Updater } from '../../src/updater/updater.ts';
import { SimulatedIndex } from './simulated-index.ts';

export const JSON_TYPE = 'application/vnd.pypi.simple.v1+json';
export const WHEEL = 'foo-1.0-py3-none-any.whl';
export const LOCAL = 'foo-1.1+local-py3-none-any.whl';
export const BYTES = Buffer.from('the bytes of foo 1.0, a wheel of sorts');
export const METADATA = 'Metadata-Version: 2.1\nName: foo\nVersion: 1.0\n';

/** What came back, whole. */
export interface Received {
  readonly status: number;
  readonly reason: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** The proxy before a simulated index that has foo: {@link WHEEL} and {@link LOCAL}. */
export class ProxyWorld {
  readonly folder: string;
  readonly upstream: SimulatedIndex;
  readonly verdicts: Verdict[] = [];
  readonly absent: string[] = [];
  files: VerifiedFiles;
  proxy!: VerifyingProxy;
  now = new Date();
  readonly #fetcher = new HttpFetcher();

  private constructor(folder: string, upstream: SimulatedIndex, files: VerifiedFiles) {
    this.folder = folder;
    this.upstream = upstream;
    this.files = files;
  }

  static async open(): Promise<ProxyWorld> {
    const folder = await mkdtemp(join(tmpdir(), 'rind-proxy-'));
    const upstream = await SimulatedIndex.start();
    upstream.addProject('foo', [
      { filename: WHEEL, bytes: BYTES, metadata: METADATA },
      { filename: LOCAL, bytes: Buffer.from('local') },
    ]);
    const world = new ProxyWorld(folder, upstream, await VerifiedFiles.create(join(folder, 'files')));
    await world.#start();
    return world;
  }

  /** A new process with the same folder. @param sessionMaxAge milliseconds */
  async restart(options: Partial<ProxyOptions> = {}, sessionMaxAge?: number): Promise<void> {
    await this.proxy.close();
    await this.#start(options, sessionMaxAge);
  }

  /** @param path below the proxy's URL, or a whole URL */
  ask(path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Received> {
    return new Promise((resolve, reject) => {
      const url = path.startsWith('http') ? path : this.proxy.url + path;
      const request = httpRequest(url, { method, headers }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.once('error', reject);
        response.once('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            reason: response.statusMessage ?? '',
            headers: response.headers,
            body: Buffer.concat(chunks),
          }),
        );
      });
      request.once('error', reject).end();
    });
  }

  /** Asks for everything an installer could want, in the order of pip. */
  async askAll(): Promise<Received[]> {
    const headers = { 'user-agent': 'pip/26.2' };
    return [
      await this.ask('simple/foo/', { ...headers, accept: JSON_TYPE }),
      await this.ask('simple/foo/', { ...headers, accept: 'text/html' }),
      await this.ask(`packages/foo/${WHEEL}.metadata`, headers),
      await this.ask(`packages/foo/${WHEEL}`, headers),
    ];
  }

  async close(): Promise<void> {
    await this.proxy.close();
    await this.#fetcher.close();
    await this.upstream.close();
    await rm(this.folder, { recursive: true });
  }

  async #start(options: Partial<ProxyOptions> = {}, sessionMaxAge?: number): Promise<void> {
    const { upstream, folder } = this;
    const clock = () => this.now;
    const fetcher = this.#fetcher;
    const index = new VerifiedIndex({
      url: upstream.url,
      openUpdater: () =>
        new Updater({
          metadataDir: join(folder, 'metadata'),
          metadataBaseUrl: `${upstream.url}metadata/`,
          targetBaseUrl: upstream.url,
          fetcher,
          clock,
          bootstrapRoot: upstream.repository.initialRoot,
        }),
      fetcher,
      files: this.files,
      ...(sessionMaxAge === undefined ? {} : { sessionMaxAge }),
    });
    this.proxy = await VerifyingProxy.start({
      index,
      clock,
      onFailure: (verdict) => void this.verdicts.push(verdict),
      onAbsent: ({ code, what }) => void this.absent.push(`${code}: ${what}`),
      ...options,
    });
  }
}
