import { isWellFormedToken } from './token.ts';
import { RegistryError } from './errors.ts';

/** What a request shows of who it comes from. */
export type Credentials =
  | { readonly kind: 'none' }
  | { readonly kind: 'token'; readonly token: string }
  | { readonly kind: 'password'; readonly name: string; readonly password: string };

/** What a refused client should do. */
export const CREDENTIALS_HINT =
  "use the user name '__token__' and an API token of this index as the password";

/**
 * Reads an Authorization header. Basic: `__token__` and a token, any name and a token (keyrings want a name), a token as the name
 * alone, or a user name and its password. Bearer, and GitHub's and Warehouse's `token`: a token.
 *
 * @throws RegistryError NOT_AUTHENTICATED when it is none of these; the message repeats nothing of it
 */
export function readCredentials(authorization: string | undefined): Credentials {
  if (authorization === undefined || authorization === '') return { kind: 'none' };
  const space = authorization.indexOf(' ');
  const scheme = authorization.slice(0, Math.max(space, 0)).toLowerCase();
  const credentials = authorization.slice(space + 1).trim();
  if (scheme === 'bearer' || scheme === 'token') return tokenOnly(credentials);
  if (scheme !== 'basic') throw notUnderstood();
  const pair = Buffer.from(credentials, 'base64').toString('utf8');
  const colon = pair.indexOf(':');
  if (colon === -1) throw notUnderstood();
  const name = pair.slice(0, colon);
  const password = pair.slice(colon + 1);
  if (name === '__token__') return tokenOnly(password.trim());
  if (isWellFormedToken(password)) return { kind: 'token', token: password };
  if (password === '' && isWellFormedToken(name)) return { kind: 'token', token: name };
  return { kind: 'password', name, password };
}

function tokenOnly(token: string): Credentials {
  if (isWellFormedToken(token)) return { kind: 'token', token };
  throw new RegistryError(
    'NOT_AUTHENTICATED',
    `This is no API token of this index (a part may be missing): ${CREDENTIALS_HINT}.`,
  );
}

function notUnderstood(): RegistryError {
  return new RegistryError(
    'NOT_AUTHENTICATED',
    `The Authorization header is not understood: ${CREDENTIALS_HINT}.`,
  );
}
