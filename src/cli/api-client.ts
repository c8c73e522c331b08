import { STATUS_CODES } from 'node:http';
import { homedir } from 'node:os';
import type { Readable } from 'node:stream';
import { request, type Dispatcher } from 'undici';
import { z } from 'zod';
import { parseSecretSource } from '../keys/secret-source.ts';
import { isLoopback, parseIndexUrl } from '../proxy/index-url.ts';
import { netrcAuthorization } from '../proxy/netrc.ts';
import { CliError } from './cli-error.ts';

/** What commands that talk to a running index are told. */
export interface RemoteOptions {
  readonly index: string;
  /** Where the API token comes from: a source of secrets, or `auto`: netrc, otherwise the terminal. */
  readonly token: string;
}

/** An answer of the index that is no success. `code` is the index's own, where it names one. */
export class ApiRefusal extends CliError {
  readonly status: number;
  readonly reason: string | undefined;

  constructor(message: string, details: { readonly status: number; readonly reason: string | undefined }) {
    super('failure', message, hintsFor(details));
    this.status = details.status;
    this.reason = details.reason;
  }
}

function hintsFor({ status, reason }: Pick<ApiRefusal, 'status' | 'reason'>): readonly string[] {
  if (status === 401) return ['name where the API token is with --token file:PATH'];
  return reason === 'BASE_CHANGED' ? ['give the same command once more: it fetches what is there now'] : [];
}

const TIMEOUT = 120_000;
/** Far above an event with 16,384 bins; a server that sends more is not one of ours. */
const MAX_ANSWER_SIZE = 64 * 1024 ** 2;

/** What one request consists of beside method and path. */
export interface SentRequest {
  readonly body?: string;
  /** In place of `body`, with its length among the headers. */
  readonly stream?: () => Readable;
  readonly headers?: Readonly<Record<string, string>>;
  /** Bytes of the answer. */
  readonly limit?: number;
  /** Milliseconds. */
  readonly timeout?: number;
}

export interface ApiAnswer {
  readonly status: number;
  readonly bytes: Uint8Array;
}

/** The API of a running index (`/api/v1/`). Everything it answers is a stranger's word. Throws CliError. */
export class ApiClient {
  /** Base URL of the index, with its final slash. */
  readonly url: string;
  readonly #token: string;
  #authorization: Promise<string> | undefined;

  constructor({ index, token }: RemoteOptions) {
    this.url = parseIndexUrl(index);
    this.#token = token;
  }

  /** One request with a JSON body and answer. */
  async call<T extends z.ZodType>(
    schema: T,
    method: string,
    path: string,
    body?: object,
  ): Promise<z.output<T>> {
    const { bytes } = await this.send(method, `api/v1/${path}`, {
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      headers: { 'content-type': 'application/json' },
    });
    const answer = schema.safeParse(parse(Buffer.from(bytes).toString('utf8')));
    if (answer.success) return answer.data;
    throw new CliError('failure', `${this.url} answers in a way that this version of rind does not know.`);
  }

  /** One request; what comes back, when it is a success. `path` is below the index. */
  async send(method: string, path: string, sent: SentRequest = {}): Promise<ApiAnswer> {
    const authorization = await (this.#authorization ??= this.#authorize());
    try {
      const response = await request(this.url + path, {
        method: method as Dispatcher.HttpMethod,
        headers: { ...sent.headers, authorization, 'user-agent': 'rind' },
        body: sent.stream?.() ?? sent.body ?? null,
        signal: AbortSignal.timeout(sent.timeout ?? TIMEOUT),
      });
      const bytes = await readBytes(this.url, response.body, sent.limit ?? MAX_ANSWER_SIZE);
      const status = response.statusCode;
      if (status < 200 || status > 299) throw refusal(status, Buffer.from(bytes).toString('utf8'));
      return { status, bytes };
    } catch (cause) {
      if (cause instanceof CliError) throw cause;
      const reason = cause instanceof Error ? (cause.cause ?? cause) : cause;
      throw new CliError(
        'failure',
        `${this.url} cannot be reached: ${reason instanceof Error ? reason.message : String(reason)}.`,
        [],
        { cause },
      );
    }
  }

  async #authorize(): Promise<string> {
    const { hostname, protocol } = new URL(this.url);
    const isSafe = protocol === 'https:' || isLoopback(hostname);
    const known = isSafe ? netrcAuthorization(this.url, process.env, homedir()) : undefined;
    if (this.#token === 'auto' && known !== undefined) return known;
    const source = this.#token === 'auto' ? 'terminal' : this.#token;
    const token = await parseSecretSource(source)({
      kind: 'token',
      uri: this.url,
      subject: `the index ${this.url}`,
    });
    return `Basic ${Buffer.from(`__token__:${token}`).toString('base64')}`;
  }
}

async function readBytes(url: string, body: AsyncIterable<Uint8Array>, limit: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > limit) throw new CliError('failure', `${url} answers with more than ${limit} bytes.`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

const PROBLEM = z.looseObject({
  message: z.string().optional(),
  detail: z.string().optional(),
  code: z.string().optional(),
});

function refusal(status: number, text: string): ApiRefusal {
  const answer = PROBLEM.safeParse(parse(text));
  const said = answer.success ? (answer.data.message ?? answer.data.detail) : undefined;
  const why = (said ?? STATUS_CODES[status] ?? 'without a reason').slice(0, 500);
  return new ApiRefusal(`The index refused (${status}): ${why}`, {
    status,
    reason: answer.success ? answer.data.code : undefined,
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
