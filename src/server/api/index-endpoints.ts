import { z } from 'zod';
import { RegistryError } from '../../registry/errors.ts';
import { indexList } from '../../registry/index-list.ts';
import { completeSettings, storedSettings } from '../../registry/index-settings.ts';
import { summarizeIndex } from '../../registry/index-summary.ts';
import { addIndex, changeIndex, removeIndex, requireIndex } from '../../registry/indexes.ts';
import { endpoint, type Endpoint } from './endpoint.ts';

const SERVER = { on: 'server', verb: 'admin' } as const;
const SETTINGS = z.object({
  said: z.record(z.string(), z.unknown()),
  settings: z.record(z.string(), z.unknown()),
});

/** What an index says of itself, and what administrators say of indexes. Its keys are made by whoever runs the server. */
export const INDEX_ENDPOINTS: readonly Endpoint[] = [
  endpoint({
    method: 'GET',
    path: '/api/v1/index',
    name: 'getIndex',
    summary: 'How many projects and files there are, and until when the signatures hold.',
    policy: { on: 'index', verb: 'read' },
    response: z.object({
      name: z.string(),
      projects: z.int(),
      files: z.int(),
      snapshotVersion: z.int().nullable(),
      bins: z.int(),
      roles: z.array(z.object({ role: z.string(), version: z.int(), expires: z.string() })),
    }),
    handle: async ({ context }) => {
      const summary = await summarizeIndex(context.db, context.index.id);
      return {
        ...summary,
        name: context.index.name,
        snapshotVersion: summary.snapshotVersion ?? null,
        roles: summary.roles.map(({ role, version, expires }) => ({
          role,
          version,
          expires: expires.toISOString(),
        })),
      };
    },
  }),
  endpoint({
    method: 'GET',
    path: '/api/v1/indexes',
    name: 'listIndexes',
    summary: 'Every index of this server.',
    policy: SERVER,
    response: z.array(
      z.object({
        name: z.string(),
        profile: z.string(),
        kind: z.enum(['private', 'public']),
        projects: z.int(),
        files: z.int(),
        snapshotVersion: z.int().nullable(),
      }),
    ),
    handle: async ({ context, principal }) => [...(await indexList(context.db, principal))],
  }),
  endpoint({
    method: 'POST',
    path: '/api/v1/indexes',
    name: 'createIndex',
    summary:
      'Make an index in the trial form, with keys of its own that stay on the server; it is served within a few seconds.',
    policy: SERVER,
    request: z.strictObject({
      name: z.string().max(100),
      profile: z.enum(['team', 'pypi']).optional(),
      settings: z.record(z.string().max(100), z.unknown()).optional(),
    }),
    response: z.object({ name: z.string(), path: z.string(), fingerprint: z.string() }),
    status: 201,
    handle: async ({ context, principal, body: { name, profile = 'team', settings = {} } }) => {
      const { makeRepository } = context;
      if (makeRepository === undefined)
        throw new RegistryError('NOT_FOUND', 'This server makes no keys: use rind index create.');
      const index = await addIndex(context, principal, { name, profile, settings });
      return { name, path: `index/${name}/`, ...(await makeRepository(index)) };
    },
  }),
  endpoint({
    method: 'GET',
    path: '/api/v1/indexes/{index}/settings',
    name: 'getIndexSettings',
    summary:
      'What an index was told, and everything that follows from it; the default one is called default.',
    policy: SERVER,
    response: SETTINGS,
    handle: async ({ context, parameter }) => {
      const said = storedSettings(await requireIndex(context.db, named(parameter('index'))));
      return { said: asObject(said), settings: asObject(completeSettings(said)) };
    },
  }),
  endpoint({
    method: 'PATCH',
    path: '/api/v1/indexes/{index}/settings',
    name: 'changeIndexSettings',
    summary: 'Change settings of an index, from the next request on; null takes one back to its default.',
    policy: SERVER,
    request: z.record(z.string().max(100), z.unknown()),
    response: SETTINGS,
    handle: async ({ context, principal, parameter, body }) => {
      const said = await changeIndex(context, principal, named(parameter('index')), body);
      return { said: asObject(said), settings: asObject(completeSettings(said)) };
    },
  }),
  endpoint({
    method: 'DELETE',
    path: '/api/v1/indexes/{index}',
    name: 'removeIndex',
    summary: 'End serving an index; its files stay on the disk, its name is used for ever.',
    policy: SERVER,
    handle: ({ context, principal, parameter }) => removeIndex(context, principal, named(parameter('index'))),
  }),
];

function named(name: string): string {
  return name === 'default' ? '' : name;
}

/** Without the keys that have no value. */
function asObject(value: object): Record<string, unknown> {
  return JSON.parse(JSON.stringify(value)) as Record<string, unknown>;
}
