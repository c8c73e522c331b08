import { z } from 'zod';
import { RegistryError } from '../../registry/errors.ts';
import { sendWebhook } from '../../registry/webhook-sender.ts';
import {
  addWebhook,
  deliveriesOf,
  removeWebhook,
  retryDeliveries,
  webhooksOf,
  webhookToTest,
} from '../../registry/webhooks.ts';
import { endpoint, type Endpoint } from './endpoint.ts';

const PATH = '/api/v1/webhooks';
const POLICY = { on: 'index', verb: 'admin' } as const;
const WEBHOOK = { number: z.int(), url: z.string(), created: z.string() };
const STATE = z.enum(['waiting', 'delivered', 'dead']);

/** Who is told of the publications of an index. */
export const WEBHOOK_ENDPOINTS: readonly Endpoint[] = [
  endpoint({
    method: 'GET',
    path: PATH,
    name: 'listWebhooks',
    summary: 'The webhooks of this index.',
    policy: POLICY,
    response: z.array(z.object(WEBHOOK)),
    handle: async ({ context, principal }) => [...(await webhooksOf(context, principal))],
  }),
  endpoint({
    method: 'POST',
    path: PATH,
    name: 'addWebhook',
    summary:
      'Tell an address of every publication from now on; the answer has the secret of the signatures, once.',
    policy: POLICY,
    request: z.strictObject({ url: z.string().max(2000) }),
    response: z.object({ ...WEBHOOK, secret: z.string() }),
    status: 201,
    handle: async ({ context, principal, body }) => addWebhook(context, principal, body.url),
  }),
  endpoint({
    method: 'DELETE',
    path: `${PATH}/{number}`,
    name: 'removeWebhook',
    summary: 'Tell this address no more, not even what waits.',
    policy: POLICY,
    handle: ({ context, principal, parameter }) =>
      removeWebhook(context, principal, numberOf(parameter('number'))),
  }),
  endpoint({
    method: 'POST',
    path: `${PATH}/{number}/test`,
    name: 'testWebhook',
    summary: 'Send a signed message that says nothing, now, and say how it went.',
    policy: POLICY,
    response: z.object({ delivered: z.boolean(), error: z.string().nullable() }),
    handle: async ({ context, principal, parameter }) => {
      const webhook = await webhookToTest(context, principal, numberOf(parameter('number')));
      const at = context.clock();
      const body = JSON.stringify({ event: 'ping', index: context.index.name, at: at.toISOString() });
      const failure = await sendWebhook(webhook, { id: 'test', event: 'ping', body }, at);
      return { delivered: failure === undefined, error: failure ?? null };
    },
  }),
  endpoint({
    method: 'GET',
    path: '/api/v1/webhook-deliveries',
    name: 'listWebhookDeliveries',
    summary: 'The youngest 100 deliveries, newest first; with state=dead the letters that were given up.',
    policy: POLICY,
    query: z.strictObject({ state: STATE.optional() }),
    response: z.array(
      z.object({
        number: z.int(),
        webhook: z.int(),
        publication: z.int(),
        state: STATE,
        attempts: z.int(),
        lastError: z.string().nullable(),
        created: z.string(),
        finished: z.string().nullable(),
      }),
    ),
    handle: async ({ context, principal, query }) => [
      ...(await deliveriesOf(context, principal, query.state)),
    ],
  }),
  endpoint({
    method: 'POST',
    path: `${PATH}/{number}/retry`,
    name: 'retryWebhook',
    summary: 'Send the letters that were given up once more.',
    policy: POLICY,
    response: z.object({ deliveries: z.int() }),
    handle: async ({ context, principal, parameter }) => ({
      deliveries: await retryDeliveries(context, principal, numberOf(parameter('number'))),
    }),
  }),
];

function numberOf(text: string): number {
  if (/^[0-9]{1,9}$/.test(text)) return Number(text);
  throw new RegistryError('NOT_FOUND', 'There is no such webhook at this index.');
}
