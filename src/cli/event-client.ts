import { z } from 'zod';
import { ApiClient, type RemoteOptions } from './api-client.ts';
import { CliError } from './cli-error.ts';

const EVENT = z.object({
  id: z.string().regex(/^[0-9a-f]{64}$/),
  index: z.string().nullish(),
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

/** Where an index other than the default one lies on its server. */
const BELOW_SERVER = /\/index\/[a-z0-9._-]+\/?$/i;

export type RemoteEvent = z.output<typeof EVENT>;
export type RemoteInvitation = z.output<typeof INVITATION>;

/** What tells one event from the others, in the words of the index, so only as a help to choose. */
function whatFor({ index, quorums }: RemoteEvent): string {
  const roles = [...new Set(quorums.map(({ role }) => role))].join(', ');
  const name = index === '' ? 'the default index' : `the index ${index}`;
  return index === undefined || index === null ? ` (${roles})` : ` (${roles} of ${name})`;
}

/** Signing events on a running index. Everything it answers is a stranger's word. Throws CliError. */
export class EventClient {
  readonly #api: ApiClient;

  constructor({ index, token }: RemoteOptions) {
    // A server has one post box for all its indexes, at its own address.
    this.#api = new ApiClient({ index: index.replace(BELOW_SERVER, '/'), token });
  }

  async list(): Promise<readonly RemoteEvent[]> {
    return (await this.#api.call(z.object({ events: z.array(EVENT) }), 'GET', 'signing-events')).events;
  }

  /** One event; without an id the only one that is still open. */
  async event(id: string | undefined): Promise<RemoteEvent> {
    if (id !== undefined) return this.#api.call(EVENT, 'GET', `signing-events/${encodeURIComponent(id)}`);
    const open = (await this.list()).filter(({ complete, expired }) => !complete && !expired);
    const [only] = open;
    if (only !== undefined && open.length === 1) return only;
    throw new CliError(
      'usage',
      open.length === 0 ? 'No signing event is open there.' : `${open.length} signing events are open there.`,
      open.map((one) => `name one of them: ${one.id.slice(0, 12)}${whatFor(one)}`),
    );
  }

  async files(id: string): Promise<ReadonlyMap<string, Uint8Array>> {
    const { files } = await this.#api.call(FILES, 'GET', `signing-events/${encodeURIComponent(id)}/files`);
    return new Map(files.map(({ name, bytes }) => [name, fromBase64(bytes)]));
  }

  offer(files: ReadonlyMap<string, Uint8Array>): Promise<RemoteEvent> {
    const list = [...files].map(([name, bytes]) => ({ name, bytes: toBase64(bytes) }));
    return this.#api.call(EVENT, 'POST', 'signing-events', { files: list });
  }

  sign(id: string, signatures: readonly Uint8Array[], minutes: Uint8Array): Promise<RemoteEvent> {
    const body = { signatures: signatures.map(toBase64), minutes: [toBase64(minutes)] };
    return this.#api.call(EVENT, 'POST', `signing-events/${id}/signatures`, body);
  }

  async invitations(): Promise<readonly RemoteInvitation[]> {
    const schema = z.object({ invitations: z.array(INVITATION) });
    return (await this.#api.call(schema, 'GET', 'key-invitations')).invitations;
  }

  /** The invitation with this number; its number is known to the invited alone. */
  invitation(nonce: string): Promise<RemoteInvitation> {
    return this.#api.call(INVITATION, 'GET', `key-invitations/${encodeURIComponent(nonce)}`);
  }

  invite(holder: string, role: string): Promise<RemoteInvitation> {
    return this.#api.call(INVITATION, 'POST', 'key-invitations', { holder, role });
  }

  accept(nonce: string, acceptance: Uint8Array): Promise<RemoteInvitation> {
    const body = { acceptance: toBase64(acceptance) };
    return this.#api.call(INVITATION, 'POST', `key-invitations/${nonce}/acceptance`, body);
  }
}

function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

function fromBase64(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'base64'));
}
