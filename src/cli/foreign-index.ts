import { homedir } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, EnvHttpProxyAgent, fetch, type Dispatcher, type Response } from 'undici';
import { isLoopback } from '../proxy/index-url.ts';
import { netrcAuthorization } from '../proxy/netrc.ts';
import {
  parseForeignList,
  parseForeignProject,
  type ForeignFile,
  type ForeignPage,
} from '../pypi/foreign-page.ts';
import { ForeignIndexError, type ForeignIndex } from '../registry/import-index.ts';

const ACCEPT =
  'application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html; q=0.2, text/html; q=0.1';
const LARGEST_PAGE = 512 * 1024 ** 2;
const IDLE = 60_000;
const ATTEMPTS = 4;
/** Milliseconds before the second attempt; each further one waits twice as long. */
const PAUSE = 500;

/** An index over HTTP, as pip reads it. Credentials are sent to its own origin only, and to another machine only over TLS. */
export class HttpForeignIndex implements ForeignIndex {
  readonly #simple: string;
  readonly #authorization: string | undefined;
  readonly #dispatcher: Dispatcher;

  /** @param simple URL of the list of projects, with its final slash */
  constructor(simple: string, environment: Readonly<Record<string, string | undefined>> = process.env) {
    this.#simple = simple;
    this.#authorization = credentials(simple, environment);
    const settings = { headersTimeout: IDLE, bodyTimeout: IDLE, connect: { timeout: 30_000 } };
    this.#dispatcher = isHere(simple) ? new Agent(settings) : new EnvHttpProxyAgent(settings);
  }

  /** Every project it lists. @throws ForeignIndexError, ForeignPageError */
  async projects(): Promise<readonly string[]> {
    return parseForeignList(await this.#page(this.#simple));
  }

  async files(project: string): Promise<readonly ForeignFile[]> {
    return parseForeignProject(await this.#page(`${this.#simple}${project}/`));
  }

  async *download({ url }: ForeignFile, maxLength: number): AsyncGenerator<Uint8Array, void> {
    const response = await this.#get(url, { 'accept-encoding': 'identity' });
    yield* limited(response, url, maxLength);
  }

  async close(): Promise<void> {
    await this.#dispatcher.destroy();
  }

  async #page(url: string): Promise<ForeignPage> {
    const response = await this.#get(url, { accept: ACCEPT });
    const chunks: Uint8Array[] = [];
    for await (const chunk of limited(response, url, LARGEST_PAGE)) chunks.push(chunk);
    return {
      bytes: Buffer.concat(chunks),
      contentType: response.headers.get('content-type') ?? '',
      url: response.url,
    };
  }

  /** The answer with status 200; what may pass is tried again. */
  async #get(url: string, headers: Readonly<Record<string, string>>): Promise<Response> {
    const own = new URL(url).origin === new URL(this.#simple).origin;
    // fetch itself takes the credentials away when it is sent to another origin.
    const authorization =
      own && this.#authorization !== undefined ? { authorization: this.#authorization } : {};
    for (let attempt = 1; ; attempt += 1) {
      const outcome = await this.#getOnce(url, { 'user-agent': 'rind', ...headers, ...authorization });
      if ('response' in outcome) return outcome.response;
      if (!outcome.mayPass || attempt === ATTEMPTS)
        throw new ForeignIndexError(`${shown(url)} ${outcome.reason}.`, { cause: outcome.cause });
      await sleep(PAUSE * 2 ** (attempt - 1));
    }
  }

  async #getOnce(url: string, headers: Readonly<Record<string, string>>): Promise<Outcome> {
    try {
      const response = await fetch(url, { headers, dispatcher: this.#dispatcher, redirect: 'follow' });
      if (response.status === 200) return { response };
      await response.body?.cancel();
      const { status } = response;
      const hint = status === 401 || status === 403 ? '; credentials come from ~/.netrc' : '';
      return { reason: `answered ${status}${hint}`, mayPass: status === 429 || status >= 500 };
    } catch (cause) {
      const inner = (cause as Error).cause as NodeJS.ErrnoException | undefined;
      return {
        reason: `cannot be reached (${inner?.code ?? (cause as Error).message})`,
        mayPass: true,
        cause,
      };
    }
  }
}

type Outcome =
  | { readonly response: Response }
  | { readonly reason: string; readonly mayPass: boolean; readonly cause?: unknown };

async function* limited(
  response: Response,
  url: string,
  maxLength: number,
): AsyncGenerator<Uint8Array, void> {
  let length = 0;
  try {
    for await (const chunk of response.body ?? []) {
      const bytes = chunk as Uint8Array;
      length += bytes.length;
      if (length > maxLength)
        throw new ForeignIndexError(`${shown(url)} is longer than the ${maxLength} bytes it should have.`);
      yield bytes;
    }
  } catch (cause) {
    if (cause instanceof ForeignIndexError) throw cause;
    throw new ForeignIndexError(`${shown(url)} ended before all of it had come.`, { cause });
  }
}

/** An address without what may be secret in it: signed URLs of object stores carry their right to read in the query. */
function shown(address: string): string {
  const url = new URL(address);
  return `${url.origin}${url.pathname}`;
}

function isHere(address: string): boolean {
  return isLoopback(new URL(address).hostname);
}

function credentials(
  simple: string,
  environment: Readonly<Record<string, string | undefined>>,
): string | undefined {
  if (!simple.startsWith('https:') && !isHere(simple)) return undefined;
  const { RIND_IMPORT_USERNAME: name, RIND_IMPORT_PASSWORD: password } = environment;
  if (name !== undefined && password !== undefined)
    return `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`;
  return netrcAuthorization(simple, environment, homedir());
}
