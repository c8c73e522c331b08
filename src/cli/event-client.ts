import { z } from 'zod';
import type { SecretSource } from '../keys/opened-signer.ts';
import { parseSecretSource } from '../keys/secret-source.ts';
import { parseIndexUrl } from '../proxy/index-url.ts';
import { CliError } from './cli-error.ts';

/** What commands that talk to a running index are told. */
export interface RemoteOptions {
  readonly index: string;
  /** Where the API token comes from. */
  readonly token: string;
}

const TIMEOUT = 120_000;
/** Far above an event with 16,384 bins; a server that sends more is not one of ours. */
const MAX_ANSWER_SIZE = 64 * 1024 ** 2;

const EVENT = z.object({
  id: z.string().regex(/^[0-9a-f]{64}$/),
  complete: z.boolean(),
  expired: z.boolean(),
  deadline: z.string(),
  kind: z.string(),
  quorums: z.array(
    z.object({
      role: z.string(),
      by: z.enum(['old', 'new']),
      threshold: z.int(),
      signed: z.array(z.string()),
      missing: z.array(z.string()),
      met: z.boolean(),
    }),
  ),
});
const FILES = z.object({ id: z.string(), files: z.array(z.object({ name: z.string(), bytes: z.base64() })) });
const INVITATION = z.object({
  nonce: z.string().regex(/^[0-9a-f]{32}$/),
  holder: z.string(),
  role: z.string(),
  invitation: z.base64(),
  acceptance: z.base64().nullable(),
});

export type RemoteEvent = z.output<typeof EVENT>;
export type RemoteInvitation = z.output<typeof INVITATION>;

/** Signing events on a running index. Everything it answers is a stranger's word. Throws CliError. */
export class EventClient {
  readonly #base: string;
  readonly #secret: SecretSource;
  #token: string | undefined;

  constructor({ index, token }: RemoteOptions) {
    this.#base = `${parseIndexUrl(index)}api/v1/`;
    this.#secret = parseSecretSource(token);
  }

  async list(): Promise<readonly RemoteEvent[]> {
    return (await this.#call(z.object({ events: z.array(EVENT) }), 'GET', 'signing-events')).events;
  }

  /** One event; without an id the only one that is still open. */
  async event(id: string | undefined): Promise<RemoteEvent> {
    if (id !== undefined) return this.#call(EVENT, 'GET', `signing-events/${encodeURIComponent(id)}`);
    const open = (await this.list()).filter(({ complete, expired }) => !complete && !expired);
    const [only] = open;
    if (only !== undefined && open.length === 1) return only;
    throw new CliError(
      'usage',
      open.length === 0 ? 'No signing event is open there.' : `${open.length} signing events are open there.`,
      open.map(({ id: one }) => `name one of them: ${one.slice(0, 12)}`),
    );
  }

  async files(id: string): Promise<ReadonlyMap<string, Uint8Array>> {
    const { files } = await this.#call(FILES, 'GET', `signing-events/${encodeURIComponent(id)}/files`);
    return new Map(files.map(({ name, bytes }) => [name, fromBase64(bytes)]));
  }

  offer(files: ReadonlyMap<string, Uint8Array>): Promise<RemoteEvent> {
    const list = [...files].map(([name, bytes]) => ({ name, bytes: toBase64(bytes) }));
    return this.#call(EVENT, 'POST', 'signing-events', { files: list });
  }

  sign(id: string, signatures: readonly Uint8Array[], minutes: Uint8Array): Promise<RemoteEvent> {
    const body = { signatures: signatures.map(toBase64), minutes: [toBase64(minutes)] };
    return this.#call(EVENT, 'POST', `signing-events/${id}/signatures`, body);
  }

  async invitations(): Promise<readonly RemoteInvitation[]> {
    const schema = z.object({ invitations: z.array(INVITATION) });
    return (await this.#call(schema, 'GET', 'key-invitations')).invitations;
  }

  /** The invitation with this number; its number is known to the invited alone. */
  invitation(nonce: string): Promise<RemoteInvitation> {
    return this.#call(INVITATION, 'GET', `key-invitations/${encodeURIComponent(nonce)}`);
  }

  invite(holder: string, role: string): Promise<RemoteInvitation> {
    return this.#call(INVITATION, 'POST', 'key-invitations', { holder, role });
  }

  accept(nonce: string, acceptance: Uint8Array): Promise<RemoteInvitation> {
    const body = { acceptance: toBase64(acceptance) };
    return this.#call(INVITATION, 'POST', `key-invitations/${nonce}/acceptance`, body);
  }

  async #call<T extends z.ZodType>(
    schema: T,
    method: string,
    path: string,
    body?: object,
  ): Promise<z.output<T>> {
    const uri = this.#base;
    this.#token ??= await this.#secret({ kind: 'token', uri, subject: `the index ${uri}` });
    const credentials = Buffer.from(`__token__:${this.#token}`).toString('base64');
    const headers = { authorization: `Basic ${credentials}`, 'content-type': 'application/json' };
    let response: Response;
    let text: string;
    try {
      response = await fetch(`${uri}${path}`, {
        method,
        headers,
        redirect: 'error',
        signal: AbortSignal.timeout(TIMEOUT),
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      text = await readText(response);
    } catch (cause) {
      if (cause instanceof CliError) throw cause;
      const reason = cause instanceof Error ? (cause.cause ?? cause) : cause;
      throw new CliError(
        'failure',
        `${uri} cannot be reached: ${reason instanceof Error ? reason.message : String(reason)}.`,
        [],
        { cause },
      );
    }
    if (!response.ok) throw refusal(response, text);
    const answer = schema.safeParse(parse(text));
    if (answer.success) return answer.data;
    throw new CliError('failure', `${uri} answers in a way that this version of rind does not know.`);
  }
}

async function readText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    size += chunk.length;
    if (size > MAX_ANSWER_SIZE)
      throw new CliError('failure', `${response.url} answers with more than ${MAX_ANSWER_SIZE} bytes.`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function refusal(response: Response, text: string): CliError {
  const answer = z
    .object({ message: z.string() })
    .or(z.object({ detail: z.string() }))
    .safeParse(parse(text));
  const reason = !answer.success
    ? response.statusText
    : 'message' in answer.data
      ? answer.data.message
      : answer.data.detail;
  return new CliError(
    'failure',
    `The index refused (${response.status}): ${reason.slice(0, 500)}`,
    response.status === 401 ? ['name where the API token is with --token file:PATH'] : [],
  );
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

function fromBase64(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'base64'));
}
