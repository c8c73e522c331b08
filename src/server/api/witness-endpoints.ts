import { z } from 'zod';
import { recordHead } from '../../registry/witness.ts';
import { endpoint, type Endpoint } from './endpoint.ts';

/** Where other indexes leave the heads of their public logs. */
export const WITNESS_ENDPOINTS: readonly Endpoint[] = [
  endpoint({
    method: 'POST',
    path: '/api/v1/witness',
    name: 'witnessHead',
    summary: "Keeps the head of another index's public log; 409 when it contradicts one that is kept.",
    policy: { on: 'server', verb: 'witness' },
    request: z.object({
      origin: z.url().max(500),
      index: z.string().max(200).optional(),
      size: z
        .int()
        .min(0)
        .max(2 ** 40),
      root: z.string().regex(/^[0-9a-f]{64}$/),
      at: z.string().max(40).optional(),
      auditSeq: z.int().min(0).optional(),
      auditSha256: z.string().max(64).optional(),
    }),
    response: z.object({ isNew: z.boolean() }),
    handle: ({ context, principal, body: { origin, size, root } }) =>
      recordHead(context, principal, { origin, size, root }),
  }),
];
