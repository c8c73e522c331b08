import { z } from 'zod';
import { RegistryError } from '../../registry/errors.ts';
import type { PublisherRule } from '../../registry/publisher-rule.ts';
import { DEFAULT_PUBLISHING_SETTINGS } from '../../registry/publishing-settings.ts';
import {
  addPublisher,
  projectPublishers,
  removePublisher,
  type PublisherSummary,
} from '../../registry/trusted-publishers.ts';
import { endpoint, type Endpoint } from './endpoint.ts';

const PATH = '/api/v1/publishers/{name}';
const TEXT = z.string().max(256);
const RULE = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('github'),
    owner: TEXT,
    repository: TEXT,
    workflow: TEXT,
    environment: TEXT.optional(),
    ownerId: TEXT.optional(),
  }),
  z.strictObject({
    kind: z.literal('gitlab'),
    namespace: TEXT,
    project: TEXT,
    workflow: TEXT,
    environment: TEXT.optional(),
  }),
  z.strictObject({
    kind: z.literal('claims'),
    claims: z.record(z.string().max(100), z.string().max(500)),
  }),
]);
const PUBLISHER = z.object({
  number: z.int(),
  project: z.string(),
  isPending: z.boolean(),
  issuer: z.string(),
  rule: RULE,
  created: z.string(),
  lastUsed: z.string().nullable(),
});

/** Trusted publishers. The project need not exist, so the registry decides who may (the owner, or whoever could make it). */
export const PUBLISHER_ENDPOINTS: readonly Endpoint[] = [
  endpoint({
    method: 'GET',
    path: PATH,
    name: 'listPublishers',
    summary: 'The trusted publishers of a project.',
    policy: { on: 'index', verb: 'known' },
    response: z.array(PUBLISHER),
    handle: async ({ context, principal, parameter }) =>
      (await projectPublishers(context, principal, parameter('name'))).map(answerOf),
  }),
  endpoint({
    method: 'POST',
    path: PATH,
    name: 'addPublisher',
    summary: 'Let a workflow upload to a project; one that does not exist yet is made by its first use.',
    policy: { on: 'index', verb: 'known' },
    request: z.strictObject({ issuer: TEXT, rule: RULE }),
    response: PUBLISHER,
    status: 201,
    handle: async ({ context, principal, parameter, body: { issuer, rule } }) => {
      const settings = context.publishing ?? DEFAULT_PUBLISHING_SETTINGS;
      const wish = { project: parameter('name'), issuer, rule: rule as PublisherRule };
      return answerOf(await addPublisher({ ...context, settings }, principal, wish));
    },
  }),
  endpoint({
    method: 'DELETE',
    path: `${PATH}/{number}`,
    name: 'removePublisher',
    summary: 'Trust a workflow no longer; the tokens it was given end at once.',
    policy: { on: 'index', verb: 'known' },
    handle: async ({ context, principal, parameter }) => {
      const number = parameter('number');
      if (!/^[0-9]{1,9}$/.test(number)) throw new RegistryError('NOT_FOUND', 'There is no such publisher.');
      await removePublisher(context, principal, { project: parameter('name'), number: Number(number) });
    },
  }),
];

type PublisherAnswer = z.input<typeof PUBLISHER>;

function answerOf(summary: PublisherSummary): PublisherAnswer {
  return { ...summary, rule: summary.rule as PublisherAnswer['rule'] };
}
