import { setTimeout as sleep } from 'node:timers/promises';
import { SignerError } from './signer-error.ts';

/** Milliseconds for one request, and what may be read of an answer. */
const REQUEST_TIMEOUT = 10_000;
const MAX_ANSWER_BYTES = 256 * 1024;
/** A service that is busy or unreachable for a moment is asked again; publishing starts over later anyway. */
const RETRY_DELAYS = [200, 1000] as const;
/** More requests at once only meet the limits of the service. */
const MAX_CONCURRENT = 16;

export interface ServiceRequest {
  readonly method: 'GET' | 'POST' | 'PUT';
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** An answer of a service: its status and its JSON, or undefined where it is no JSON object. */
export interface ServiceAnswer {
  readonly status: number;
  readonly json: Readonly<Record<string, unknown>> | undefined;
  /** The body, where it is no JSON object. */
  readonly text: string;
}

/** Speaks JSON over HTTPS to one service: bounded, with time limits, no redirects, and errors that repeat neither tokens nor bodies. */
export class ServiceClient {
  readonly #name: string;
  readonly #uri: string;
  readonly #fetch: typeof fetch;
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  /** `name` is how people know the service: `AWS KMS`. */
  constructor(name: string, uri: string, fetcher: typeof fetch = fetch) {
    this.#name = name;
    this.#uri = uri;
    this.#fetch = fetcher;
  }

  /** The JSON of an answer with status 200. `prepare` makes the request anew for every try, with fresh credentials. Throws SERVICE_UNREACHABLE, SERVICE_REFUSED, MALFORMED_ANSWER. */
  async json(
    prepare: () => ServiceRequest | Promise<ServiceRequest>,
    doing: string,
  ): Promise<Readonly<Record<string, unknown>>> {
    const { status, json, text } = await this.#limited(() => this.#retried(prepare));
    if (status !== 200) throw this.refused(status, explanation(json, text), doing);
    if (json === undefined) throw this.malformed(doing);
    return json;
  }

  /** One request without retries, whatever its status. Throws SERVICE_UNREACHABLE. */
  async once(request: ServiceRequest, timeout = REQUEST_TIMEOUT): Promise<ServiceAnswer> {
    const { url, method, headers = {}, body } = request;
    try {
      const response = await this.#fetch(url, {
        method,
        headers,
        redirect: 'error',
        signal: AbortSignal.timeout(timeout),
        ...(body === undefined ? {} : { body }),
      });
      const text = await readText(response);
      return { status: response.status, json: parseObject(text), text };
    } catch (cause) {
      throw new SignerError(
        'SERVICE_UNREACHABLE',
        `${this.#name} at ${hostOf(url)} cannot be reached (${reasonOf(cause)}).`,
        { uri: this.#uri, cause },
      );
    }
  }

  refused(status: number, reason: string, doing: string): SignerError {
    return new SignerError(
      'SERVICE_REFUSED',
      `${this.#name} refused ${doing} (status ${status}${reason === '' ? '' : `: ${reason}`}).`,
      { uri: this.#uri },
    );
  }

  malformed(doing: string): SignerError {
    return new SignerError('MALFORMED_ANSWER', `${this.#name} answered ${doing} with something else.`, {
      uri: this.#uri,
    });
  }

  noCredentials(message: string, cause?: unknown): SignerError {
    return new SignerError('NO_CREDENTIALS', message, { uri: this.#uri, cause });
  }

  async #retried(prepare: () => ServiceRequest | Promise<ServiceRequest>): Promise<ServiceAnswer> {
    for (const delay of RETRY_DELAYS) {
      const request = await prepare();
      try {
        const answer = await this.once(request);
        if (answer.status !== 429 && answer.status < 500 && !isThrottled(answer)) return answer;
      } catch (error) {
        if (!(error instanceof SignerError)) throw error;
      }
      await sleep(delay * (0.5 + Math.random()));
    }
    return this.once(await prepare());
  }

  async #limited<T>(call: () => Promise<T>): Promise<T> {
    if (this.#running >= MAX_CONCURRENT) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#running += 1;
    try {
      return await call();
    } finally {
      this.#running -= 1;
      this.#waiting.shift()?.();
    }
  }
}

/** A member of an answer that must be a string. */
export function stringOf(
  json: Readonly<Record<string, unknown>> | undefined,
  name: string,
): string | undefined {
  const value = json?.[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** A member of an answer that must be an object. */
export function objectOf(
  json: Readonly<Record<string, unknown>> | undefined,
  name: string,
): Readonly<Record<string, unknown>> | undefined {
  const value = json?.[name];
  return isObject(value) ? value : undefined;
}

/** AWS says so with status 400. */
function isThrottled({ status, json }: ServiceAnswer): boolean {
  return status === 400 && /Throttl/.test(stringOf(json, '__type') ?? '');
}

/** What services say went wrong: AWS, Google, Azure and Vault each in their own form. */
function explanation(json: Readonly<Record<string, unknown>> | undefined, text: string): string {
  const error = objectOf(json, 'error');
  const errors = json?.['errors'];
  const parts = [
    stringOf(json, '__type')?.split('#').at(-1),
    stringOf(json, 'message') ?? stringOf(json, 'Message'),
    stringOf(error, 'code') ?? stringOf(error, 'status'),
    stringOf(error, 'message'),
    stringOf(json, 'error'),
    stringOf(json, 'error_description'),
    ...(Array.isArray(errors) ? errors.map(String) : []),
  ];
  const said = parts.filter((part) => part !== undefined).join(': ');
  return printableLine(said === '' && json === undefined ? text : said);
}

/** What a stranger wrote, as part of one line; without the request that AWS repeats, which holds the session's token. */
function printableLine(text: string): string {
  return text
    .replace(/The Canonical String for this request[^]*/, '')
    .replace(/[^\u0020-\u007e\u00a1-\uffff]+/g, ' ')
    .trim()
    .slice(0, 300);
}

async function readText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    const bytes = chunk as Uint8Array;
    length += bytes.length;
    if (length > MAX_ANSWER_BYTES) throw new Error(`more than ${MAX_ANSWER_BYTES} bytes of answer`);
    chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : 'its address';
}

/** `fetch failed` says nothing; its cause does. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown reason';
  if (error.name === 'TimeoutError') return 'no answer in time';
  const { cause } = error;
  return printableLine(cause instanceof Error && cause.message !== '' ? cause.message : error.message);
}
