import { z } from 'zod';
import { findIndex } from '../../db/indexes.ts';
import { isAuthorized } from '../../registry/authorize.ts';
import { deleteFiles, deleteProject } from '../../registry/delete.ts';
import { RegistryError } from '../../registry/errors.ts';
import type { ChangeOutcome } from '../../registry/project-change.ts';
import { describeProject, listProjectSummaries } from '../../registry/project-summary.ts';
import { setStatus } from '../../registry/project-status.ts';
import { promoteRelease } from '../../registry/promote.ts';
import type { FileChoice } from '../../registry/release-files.ts';
import { restoreProject } from '../../registry/restore-project.ts';
import { limitProject, previewRetention, retainProject } from '../../registry/retention.ts';
import { transferProject } from '../../registry/transfer.ts';
import { unyank, yank } from '../../registry/yank.ts';
import { endpoint, type Endpoint, type EndpointCall } from './endpoint.ts';

const text = z.string().max(500);
const because = z.strictObject({ reason: text.optional() });
const changed = z.object({
  project: z.string(),
  files: z.array(z.string()),
  /** Serial of the change. */
  serial: z.number().int(),
});
const status = z.enum(['active', 'archived', 'quarantined', 'deprecated']);
const file = z.object({
  filename: z.string(),
  version: z.string(),
  size: z.number().int(),
  sha256: z.string(),
  uploaded: z.string(),
  yanked: z.boolean(),
  yankedReason: z.string().nullable(),
});
const summary = z.object({
  name: z.string(),
  displayName: z.string(),
  status,
  statusReason: z.string().nullable(),
  removed: z.string().nullable(),
  files: z.number().int(),
  bytes: z.number().int(),
});
const described = z.object({
  ...summary.shape,
  files: z.array(file),
  limits: z.record(z.string(), z.unknown()),
});

const PROJECT = '/api/v1/projects/{project}';
const MAINTAIN = { on: 'project', verb: 'maintain' } as const;
const OWN = { on: 'project', verb: 'own' } as const;
const ADMIN = { on: 'project', verb: 'admin' } as const;

/** What can be done to a release and to a file alike. */
const PLACES = [
  { what: 'Release', path: `${PROJECT}/releases/{version}`, key: 'version' },
  { what: 'File', path: `${PROJECT}/files/{filename}`, key: 'filename' },
] as const;

/** Waits until the change is public, and tells of it. */
async function answer(
  call: EndpointCall<unknown, unknown>,
  change: Promise<ChangeOutcome>,
): Promise<z.input<typeof changed>> {
  const { project, files, journalId } = await change;
  await call.published(journalId, project);
  return { project, files: [...files], serial: journalId };
}

const FILE_ENDPOINTS = PLACES.flatMap(({ what, path, key }) => {
  const choice = (call: EndpointCall<unknown, unknown>): FileChoice =>
    key === 'version' ? { version: call.parameter(key) } : { filename: call.parameter(key) };
  const subject = what === 'Release' ? 'every file of a release' : 'one file';
  return [
    endpoint({
      method: 'POST',
      path: `${path}/yank`,
      name: `yank${what}`,
      summary: `Yank ${subject}: installers skip it unless it is pinned.`,
      policy: MAINTAIN,
      request: because,
      response: changed,
      handle: (call) =>
        answer(call, yank(call.context, call.principal, call.project().name, choice(call), call.body.reason)),
    }),
    endpoint({
      method: 'DELETE',
      path: `${path}/yank`,
      name: `unyank${what}`,
      summary: `Take the yank of ${subject} back.`,
      policy: MAINTAIN,
      response: changed,
      handle: (call) => answer(call, unyank(call.context, call.principal, call.project().name, choice(call))),
    }),
    endpoint({
      method: 'DELETE',
      path,
      name: `delete${what}`,
      summary: `Delete ${subject} for ever: the next snapshot has it no more, its filenames are never used again.`,
      policy: OWN,
      query: because,
      response: changed,
      handle: (call) =>
        answer(
          call,
          deleteFiles(call.context, call.principal, call.project().name, choice(call), call.query.reason),
        ),
    }),
  ];
});

/** Projects, their releases and files: everything that happens to them after the upload. */
export const PROJECT_ENDPOINTS: readonly Endpoint[] = [
  endpoint({
    method: 'GET',
    path: '/api/v1/projects',
    name: 'listProjects',
    summary:
      'Projects by name, a page at a time; for administrators also those that are deleted or not published yet.',
    policy: { on: 'index', verb: 'read' },
    query: z.strictObject({
      after: text.optional(),
      limit: z.coerce.number().int().min(1).max(1000).optional(),
    }),
    response: z.object({ projects: z.array(summary) }),
    handle: async ({ context: { db, index }, principal, query }) => {
      const all = await isAuthorized(db, principal, 'admin', { index });
      return { projects: await listProjectSummaries(db, index.id, { ...query, all }) };
    },
  }),
  endpoint({
    method: 'GET',
    path: PROJECT,
    name: 'getProject',
    summary: 'A project with its status, its limits and its files.',
    policy: { on: 'project', verb: 'read' },
    response: described,
    handle: async (call) => describeProject(call.context.db, call.project()),
  }),
  endpoint({
    method: 'DELETE',
    path: PROJECT,
    name: 'deleteProject',
    summary:
      'Delete a project with all its files for ever; its name is closed until an administrator restores it.',
    policy: OWN,
    query: because,
    response: changed,
    handle: (call) =>
      answer(call, deleteProject(call.context, call.principal, call.project().name, call.query.reason)),
  }),
  endpoint({
    method: 'POST',
    path: `${PROJECT}/restore`,
    name: 'restoreProject',
    summary: 'Open the name of a deleted project again, without its files.',
    policy: ADMIN,
    response: changed,
    handle: (call) => answer(call, restoreProject(call.context, call.principal, call.project().name)),
  }),
  endpoint({
    method: 'PUT',
    path: `${PROJECT}/status`,
    name: 'setProjectStatus',
    summary: 'Archive, quarantine (administrators only), deprecate, or make active again (PEP 792).',
    policy: OWN,
    request: z.strictObject({ status, reason: text.optional() }),
    response: changed,
    handle: (call) => {
      const { status: wanted, reason } = call.body;
      return answer(call, setStatus(call.context, call.principal, call.project().name, wanted, reason));
    },
  }),
  endpoint({
    method: 'POST',
    path: `${PROJECT}/transfer`,
    name: 'transferProject',
    summary: 'Make another user the only owner.',
    policy: OWN,
    request: z.strictObject({ to: text, leave: z.boolean().optional() }),
    response: changed,
    handle: (call) => {
      const { to, leave = false } = call.body;
      return answer(call, transferProject(call.context, call.principal, call.project().name, to, { leave }));
    },
  }),
  endpoint({
    method: 'PATCH',
    path: `${PROJECT}/limits`,
    name: 'limitProject',
    summary: 'Set quotas and retention rules of a project over those of its index; null takes one back.',
    policy: ADMIN,
    request: z.record(z.string(), z.unknown()),
    response: z.object({ ...changed.shape, limits: z.record(z.string(), z.unknown()) }),
    handle: async (call) => {
      const change = limitProject(call.context, call.principal, call.project().name, call.body);
      return { ...(await answer(call, change)), limits: (await change).limits };
    },
  }),
  endpoint({
    method: 'GET',
    path: `${PROJECT}/retention`,
    name: 'previewRetention',
    summary: 'The files that the retention rules would delete now.',
    policy: MAINTAIN,
    response: z.object({ files: z.array(z.string()) }),
    handle: async (call) => ({ files: [...(await previewRetention(call.context, call.project().name))] }),
  }),
  endpoint({
    method: 'POST',
    path: `${PROJECT}/retention`,
    name: 'applyRetention',
    summary: 'Delete what the retention rules say.',
    policy: OWN,
    response: changed,
    handle: (call) => answer(call, retainProject(call.context, call.principal, call.project().name)),
  }),
  endpoint({
    method: 'POST',
    path: `${PROJECT}/releases/{version}/promote`,
    name: 'promoteRelease',
    summary: 'Copy a release of another index of this server into this one: the same bytes, one publication.',
    policy: { on: 'index', verb: 'upload' },
    request: z.strictObject({ from: text }),
    response: z.object({ ...changed.shape, version: z.string() }),
    handle: async (call) => {
      const { context, principal, body, parameter } = call;
      const from = await findIndex(context.db, body.from);
      if (from === undefined || from.removed_at !== null)
        throw new RegistryError('NOT_FOUND', 'There is no index of that name on this server.');
      const promotion = { ...context, from, to: context.index };
      const outcome = await promoteRelease(promotion, principal, parameter('project'), parameter('version'));
      await call.published(outcome.journalId, outcome.project);
      const { project, version, files, journalId } = outcome;
      return { project, version, files: [...files], serial: journalId };
    },
  }),
  ...FILE_ENDPOINTS,
];
