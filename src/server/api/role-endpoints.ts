import { z } from 'zod';
import {
  changeIndexAccess,
  changeIndexRole,
  grantProjectRole,
  indexAccess,
  projectRoles,
  revokeProjectRole,
} from '../../registry/roles.ts';
import { endpoint, type Endpoint } from './endpoint.ts';

const ROLES_PATH = '/api/v1/projects/{project}/roles';
const ACCESS = { read: z.enum(['open', 'token']), creation: z.enum(['uploaders', 'admins']) };

/** Who may do what in a project and in an index. */
export const ROLE_ENDPOINTS: readonly Endpoint[] = [
  endpoint({
    method: 'GET',
    path: ROLES_PATH,
    name: 'listProjectRoles',
    summary: 'Who owns and maintains the project.',
    policy: { on: 'project', verb: 'maintain' },
    response: z.array(z.object({ user: z.string(), role: z.string(), granted: z.string() })),
    handle: async ({ context, principal, project }) => [
      ...(await projectRoles(context, principal, project().name)),
    ],
  }),
  endpoint({
    method: 'PUT',
    path: `${ROLES_PATH}/{user}`,
    name: 'grantProjectRole',
    summary: 'Make a user owner or maintainer of the project.',
    policy: { on: 'project', verb: 'own' },
    request: z.strictObject({ role: z.enum(['owner', 'maintainer']) }),
    handle: ({ context, principal, project, parameter, body: { role } }) =>
      grantProjectRole(context, principal, { project: project().name, user: parameter('user'), role }),
  }),
  endpoint({
    method: 'DELETE',
    path: `${ROLES_PATH}/{user}`,
    name: 'revokeProjectRole',
    summary: 'Take the role of a user in the project.',
    policy: { on: 'project', verb: 'own' },
    handle: ({ context, principal, project, parameter }) =>
      revokeProjectRole(context, principal, { project: project().name, user: parameter('user') }),
  }),
  endpoint({
    method: 'PUT',
    path: '/api/v1/members/{user}',
    name: 'setIndexRole',
    summary: 'Let a user read the index, or read it and make projects.',
    policy: { on: 'index', verb: 'admin' },
    request: z.strictObject({ role: z.enum(['reader', 'uploader']) }),
    handle: ({ context, principal, parameter, body: { role } }) =>
      changeIndexRole(context, principal, parameter('user'), role),
  }),
  endpoint({
    method: 'DELETE',
    path: '/api/v1/members/{user}',
    name: 'removeIndexRole',
    summary: 'Take the role of a user in the index; her projects stay hers.',
    policy: { on: 'index', verb: 'admin' },
    handle: ({ context, principal, parameter }) =>
      changeIndexRole(context, principal, parameter('user'), undefined),
  }),
  endpoint({
    method: 'GET',
    path: '/api/v1/access',
    name: 'getIndexAccess',
    summary: 'Who may read the index, and who may make projects in it.',
    policy: { on: 'index', verb: 'admin' },
    response: z.object(ACCESS),
    handle: ({ context, principal }) => indexAccess(context, principal),
  }),
  endpoint({
    method: 'PATCH',
    path: '/api/v1/access',
    name: 'changeIndexAccess',
    summary: 'Open or close the index; it takes effect within a second.',
    policy: { on: 'index', verb: 'admin' },
    request: z.strictObject({ read: ACCESS.read.optional(), creation: ACCESS.creation.optional() }),
    handle: ({ context, principal, body }) => changeIndexAccess(context, principal, body),
  }),
];
