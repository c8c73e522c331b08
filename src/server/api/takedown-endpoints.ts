import { z } from 'zod';
import {
  addTakedown,
  listTakedowns,
  removeTakedown,
  type TakedownOutcome,
} from '../../registry/takedowns.ts';
import { endpoint, type Endpoint, type EndpointCall } from './endpoint.ts';

const PATH = '/api/v1/takedowns';
const ADMIN = { on: 'index', verb: 'admin' } as const;
const text = z.string().max(500);
const TAKEDOWN = {
  project: z.string(),
  /** null: every file of the project. */
  filename: z.string().nullable(),
  reason: z.string(),
  since: z.string(),
};
const changed = z.object({ ...TAKEDOWN, serial: z.number().int() });

async function answer(
  call: EndpointCall<unknown, unknown>,
  change: Promise<TakedownOutcome>,
): Promise<z.input<typeof changed>> {
  const { takedown, journalId } = await change;
  await call.published(journalId, takedown.project);
  return { ...takedown, serial: journalId };
}

/** What administrators withhold from installers. */
export const TAKEDOWN_ENDPOINTS: readonly Endpoint[] = [
  endpoint({
    method: 'GET',
    path: PATH,
    name: 'listTakedowns',
    summary: 'The files and projects that are withheld now, and why.',
    policy: { on: 'index', verb: 'read' },
    response: z.object({ takedowns: z.array(z.object(TAKEDOWN)) }),
    handle: async ({ context }) => ({ takedowns: [...(await listTakedowns(context))] }),
  }),
  endpoint({
    method: 'POST',
    path: PATH,
    name: 'addTakedown',
    summary: 'Withhold a file, or with filename null a whole project, from everybody; nothing is deleted.',
    policy: ADMIN,
    request: z.strictObject({ project: text, filename: text.nullable(), reason: text }),
    response: changed,
    handle: (call) => answer(call, addTakedown(call.context, call.principal, call.body, call.body.reason)),
  }),
  endpoint({
    method: 'DELETE',
    path: PATH,
    name: 'removeTakedown',
    summary: 'Take a takedown back: of the file, or of the whole project when none is named.',
    policy: ADMIN,
    query: z.strictObject({ project: text, filename: text.optional() }),
    response: changed,
    handle: (call) => {
      const { project, filename = null } = call.query;
      return answer(call, removeTakedown(call.context, call.principal, { project, filename }));
    },
  }),
];
