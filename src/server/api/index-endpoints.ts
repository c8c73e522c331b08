import { z } from 'zod';
import { summarizeIndex } from '../../registry/index-summary.ts';
import { endpoint, type Endpoint } from './endpoint.ts';

/** What an index says of itself. */
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
];
