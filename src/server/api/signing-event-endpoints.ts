import { z } from 'zod';
import { appendAudit, type AuditAction } from '../../db/audit.ts';
import { writeTransaction } from '../../db/transactions.ts';
import type { RegistryContext } from '../../registry/context.ts';
import { RegistryError } from '../../registry/errors.ts';
import { actorOf, type Principal } from '../../registry/principal.ts';
import type { EventSummary, KeyInvitation, SigningEvents } from '../../registry/signing-events.ts';
import { endpoint, type Endpoint } from './endpoint.ts';

/** Bytes of an event as base64 in JSON: lists of 16,384 bins, the old and the new. */
const MAX_EVENT_SIZE = 32 * 1024 ** 2;
const MAX_SIGNATURES_SIZE = 2 * 1024 ** 2;
const MAX_FILES = 256;
const base64 = z.base64();

/** To read events and to sign, one has to be known and no more: a signature says by itself whether it counts, and nothing else is stored. */
const SIGNER = { on: 'server', verb: 'known' } as const;
const ADMIN = { on: 'server', verb: 'admin' } as const;

const EVENT = z.object({
  id: z.string(),
  index: z.string().nullable(),
  kind: z.string(),
  rehearsal: z.boolean(),
  deadline: z.string(),
  complete: z.boolean(),
  expired: z.boolean(),
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
const FILES = z.array(z.strictObject({ name: z.string().max(220), bytes: base64 })).max(MAX_FILES);
const INVITATION = z.object({
  nonce: z.string(),
  holder: z.string(),
  role: z.string(),
  invitation: z.string(),
  acceptance: z.string().nullable(),
});

/** Signing events and invitations: a post box between signers, who trust none of it. */
export const SIGNING_EVENT_ENDPOINTS: readonly Endpoint[] = [
  endpoint({
    method: 'GET',
    path: '/api/v1/signing-events',
    name: 'listSigningEvents',
    summary: 'The signing events that are offered here: who signed, who is missing, until when.',
    policy: SIGNER,
    response: z.object({ events: z.array(EVENT) }),
    handle: async ({ context }) => ({
      events: (await eventsOf(context).list(context.clock())).map(eventJson),
    }),
  }),
  endpoint({
    method: 'GET',
    path: '/api/v1/signing-events/{event}',
    name: 'getSigningEvent',
    summary: 'The state of one signing event.',
    policy: SIGNER,
    response: EVENT,
    handle: async ({ context, parameter }) =>
      eventJson(await eventsOf(context).status(parameter('event'), context.clock())),
  }),
  endpoint({
    method: 'GET',
    path: '/api/v1/signing-events/{event}/files',
    name: 'getSigningEventFiles',
    summary: 'Every file of a signing event; check them against your own root, not against this server.',
    policy: SIGNER,
    response: z.object({ id: z.string(), files: FILES }),
    handle: async ({ context, parameter }) => {
      const { id, files } = await eventsOf(context).files(parameter('event'));
      return { id, files: files.map(({ name, bytes }) => ({ name, bytes: toBase64(bytes) })) };
    },
  }),
  endpoint({
    method: 'POST',
    path: '/api/v1/signing-events',
    name: 'offerSigningEvent',
    summary: 'Offer a signing event to those who are to sign it.',
    policy: ADMIN,
    maxBodySize: MAX_EVENT_SIZE,
    request: z.strictObject({ files: FILES }),
    response: EVENT,
    status: 201,
    handle: async ({ context, principal, body }) => {
      const files = body.files.map(({ name, bytes }) => ({ name, bytes: fromBase64(bytes) }));
      const event = await eventsOf(context).offer(files, context.clock());
      await note(context, principal, 'event.create', event.id);
      return eventJson(event);
    },
  }),
  endpoint({
    method: 'POST',
    path: '/api/v1/signing-events/{event}/signatures',
    name: 'signSigningEvent',
    summary: 'Hand signatures in; they are verified before they are stored.',
    policy: SIGNER,
    maxBodySize: MAX_SIGNATURES_SIZE,
    request: z.strictObject({
      signatures: z.array(base64).min(1).max(16),
      minutes: z.array(base64).max(4),
    }),
    response: EVENT,
    handle: async ({ context, principal, parameter, body }) => {
      const handedIn = {
        signatures: body.signatures.map(fromBase64),
        minutes: body.minutes.map(fromBase64),
      };
      const event = await eventsOf(context).sign(parameter('event'), handedIn, context.clock());
      await note(context, principal, 'event.sign', event.id);
      return eventJson(event);
    },
  }),
  endpoint({
    method: 'GET',
    path: '/api/v1/key-invitations',
    name: 'listKeyInvitations',
    summary: 'Who was asked to hold a key, and who has proved to have it.',
    policy: ADMIN,
    response: z.object({ invitations: z.array(INVITATION) }),
    handle: async ({ context }) => ({
      invitations: (await eventsOf(context).invitations()).map(invitationJson),
    }),
  }),
  endpoint({
    method: 'GET',
    path: '/api/v1/key-invitations/{nonce}',
    name: 'getKeyInvitation',
    summary: 'One invitation, for whoever was told its number.',
    policy: SIGNER,
    response: INVITATION,
    handle: async ({ context, parameter }) => {
      const nonce = parameter('nonce');
      const found = (await eventsOf(context).invitations()).find((one) => one.nonce === nonce);
      if (found === undefined) throw new RegistryError('NOT_FOUND', 'There is no such invitation.');
      return invitationJson(found);
    },
  }),
  endpoint({
    method: 'POST',
    path: '/api/v1/key-invitations',
    name: 'inviteKeyHolder',
    summary: 'Ask somebody to hold a key.',
    policy: ADMIN,
    request: z.strictObject({ holder: z.string().min(1).max(200), role: z.string().max(20) }),
    response: INVITATION,
    status: 201,
    handle: async ({ context, principal, body }) => {
      const made = await eventsOf(context).invite(body);
      await note(context, principal, 'key.change', `invitation to ${body.holder}`);
      return invitationJson(made);
    },
  }),
  endpoint({
    method: 'POST',
    path: '/api/v1/key-invitations/{nonce}/acceptance',
    name: 'acceptKeyInvitation',
    summary:
      'Accept with a public key and the proof that one has its private half; the nonce is the secret that only the invited know.',
    policy: SIGNER,
    request: z.strictObject({ acceptance: base64 }),
    response: INVITATION,
    handle: async ({ context, principal, parameter, body }) => {
      const nonce = parameter('nonce');
      const made = await eventsOf(context).accept(nonce, fromBase64(body.acceptance));
      await note(context, principal, 'key.change', `acceptance by ${made.holder}`);
      return invitationJson(made);
    },
  }),
];

function eventsOf({ signingEvents }: RegistryContext): SigningEvents {
  if (signingEvents !== undefined) return signingEvents;
  throw new RegistryError('NOT_FOUND', 'This server offers no signing events.');
}

async function note(
  { db, index, clock }: RegistryContext,
  principal: Principal,
  action: AuditAction,
  subject: string,
): Promise<void> {
  const entry = { indexId: index.id, at: clock(), actor: actorOf(principal), action, subject };
  await writeTransaction(db, (tx) => appendAudit(tx, entry));
}

function eventJson({ deadline, quorums, index, ...event }: EventSummary): z.input<typeof EVENT> {
  const plain = quorums.map((quorum) => ({ ...quorum, signed: [...quorum.signed], missing: [...quorum.missing] })); // prettier-ignore
  return { ...event, index: index ?? null, deadline: deadline.toISOString(), quorums: plain };
}

function invitationJson({ invitation, acceptance, ...rest }: KeyInvitation): z.input<typeof INVITATION> {
  return {
    ...rest,
    invitation: toBase64(invitation),
    acceptance: acceptance === undefined ? null : toBase64(acceptance),
  };
}

function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

function fromBase64(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'base64'));
}
