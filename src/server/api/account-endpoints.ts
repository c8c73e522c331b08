import { z } from 'zod';
import { accessTokens, createAccessToken, revokeAccessToken } from '../../registry/access-tokens.ts';
import { RegistryError } from '../../registry/errors.ts';
import { actorOf, VERBS } from '../../registry/principal.ts';
import { addUser, allUsers, removeUser, setAdmin, setDisabled, setPassword } from '../../registry/users.ts';
import { endpoint, type Endpoint } from './endpoint.ts';

const USER = z.object({
  name: z.string(),
  isAdmin: z.boolean(),
  hasPassword: z.boolean(),
  created: z.string(),
  disabled: z.string().nullable(),
});
const PASSWORD = z.string().max(1024);
const TOKEN = z.object({
  number: z.int(),
  name: z.string(),
  verbs: z.array(z.string()),
  user: z.string().nullable(),
  index: z.string().nullable(),
  projects: z.array(z.string()).nullable(),
  created: z.string(),
  lastUsed: z.string().nullable(),
  expires: z.string().nullable(),
  revoked: z.string().nullable(),
});
const ADMIN = { on: 'server', verb: 'admin' } as const;
const KNOWN = { on: 'server', verb: 'known' } as const;

/** Users: for administrators, and everybody's own password. */
const USER_ENDPOINTS: readonly Endpoint[] = [
  endpoint({
    method: 'GET',
    path: '/api/v1/me',
    name: 'getMe',
    summary: 'Who the credentials of this request belong to.',
    policy: KNOWN,
    response: z.object({ kind: z.string(), actor: z.string() }),
    handle: async ({ principal }) => ({ kind: principal.kind, actor: actorOf(principal) }),
  }),
  endpoint({
    method: 'GET',
    path: '/api/v1/users',
    name: 'listUsers',
    summary: 'All users.',
    policy: ADMIN,
    response: z.array(USER),
    handle: async ({ context, principal }) => [...(await allUsers(context, principal))],
  }),
  endpoint({
    method: 'POST',
    path: '/api/v1/users',
    name: 'addUser',
    summary: 'Add a user; without a password she uses tokens only.',
    policy: ADMIN,
    request: z.strictObject({
      name: z.string().max(64),
      password: PASSWORD.optional(),
      isAdmin: z.boolean().optional(),
    }),
    response: USER,
    status: 201,
    handle: ({ context, principal, body: { name, password, isAdmin = false } }) =>
      addUser(context, principal, { name, password, isAdmin }),
  }),
  endpoint({
    method: 'PATCH',
    path: '/api/v1/users/{user}',
    name: 'changeUser',
    summary: 'Shut a user out or let her in again, make her an administrator or no longer one.',
    policy: ADMIN,
    request: z.strictObject({ isAdmin: z.boolean().optional(), isDisabled: z.boolean().optional() }),
    handle: async ({ context, principal, parameter, body: { isAdmin, isDisabled } }) => {
      if (isAdmin !== undefined) await setAdmin(context, principal, parameter('user'), isAdmin);
      if (isDisabled !== undefined) await setDisabled(context, principal, parameter('user'), isDisabled);
    },
  }),
  endpoint({
    method: 'DELETE',
    path: '/api/v1/users/{user}',
    name: 'removeUser',
    summary: 'Take a user away for ever, with her roles and tokens.',
    policy: ADMIN,
    handle: ({ context, principal, parameter }) => removeUser(context, principal, parameter('user')),
  }),
  endpoint({
    method: 'PUT',
    path: '/api/v1/users/{user}/password',
    name: 'setPassword',
    summary: 'Set a password: your own when you logged in by password, anybody’s as an administrator.',
    policy: KNOWN,
    request: z.strictObject({ password: PASSWORD }),
    handle: ({ context, principal, parameter, body }) =>
      setPassword(context, principal, parameter('user'), body.password),
  }),
];

/** API tokens. */
const TOKEN_ENDPOINTS: readonly Endpoint[] = [
  endpoint({
    method: 'GET',
    path: '/api/v1/tokens',
    name: 'listTokens',
    summary: 'Your tokens; all as an administrator.',
    policy: KNOWN,
    response: z.array(TOKEN),
    handle: async ({ context, principal }) =>
      (await accessTokens(context, principal)).map((token) => ({
        ...token,
        verbs: [...token.verbs],
        projects: token.projects === null ? null : [...token.projects],
      })),
  }),
  endpoint({
    method: 'POST',
    path: '/api/v1/tokens',
    name: 'createToken',
    summary: 'Make a token; its text is in this answer and nowhere else.',
    policy: KNOWN,
    request: z.strictObject({
      name: z.string().max(100),
      verbs: z.array(z.enum(VERBS)).max(10),
      index: z.string().max(100).optional(),
      projects: z.array(z.string().max(200)).max(100).optional(),
      user: z.string().max(64).optional(),
      expires: z.iso.datetime().optional(),
    }),
    response: z.object({ token: z.string(), number: z.int() }),
    status: 201,
    handle: ({ context, principal, body: { expires, ...wish } }) =>
      createAccessToken(context, principal, {
        ...wish,
        ...(expires === undefined ? {} : { expires: new Date(expires) }),
      }),
  }),
  endpoint({
    method: 'DELETE',
    path: '/api/v1/tokens/{number}',
    name: 'revokeToken',
    summary: 'Make a token useless at once.',
    policy: KNOWN,
    handle: ({ context, principal, parameter }) =>
      revokeAccessToken(context, principal, tokenNumber(parameter('number'))),
  }),
];

export const ACCOUNT_ENDPOINTS: readonly Endpoint[] = [...USER_ENDPOINTS, ...TOKEN_ENDPOINTS];

function tokenNumber(text: string): number {
  if (/^[0-9]{1,9}$/.test(text)) return Number(text);
  throw new RegistryError('NOT_FOUND', 'There is no such token.');
}
