import { createPrivateKey, sign } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { AccessTokenCache, readAccessToken, type AccessToken } from './access-token.ts';
import { ServiceClient, stringOf } from './service-client.ts';

const SCOPE = 'https://www.googleapis.com/auth/cloudkms';
const TOKEN_URL = 'https://oauth2.googleapis.com/token';
const METADATA_TIMEOUT = 2000;

type Fields = Readonly<Record<string, unknown>>;

/**
 * Application default credentials: the file that GOOGLE_APPLICATION_CREDENTIALS names, or that `gcloud auth application-default login`
 * wrote (a service account's key, or a user's), else the metadata server of Google's machines.
 */
export function googleCredentials(uri: string, fetcher?: typeof fetch): AccessTokenCache {
  const client = new ServiceClient('Google', uri, fetcher);
  return new AccessTokenCache(async () => {
    const named = process.env['GOOGLE_APPLICATION_CREDENTIALS'];
    const path = named ?? join(homedir(), '.config', 'gcloud', 'application_default_credentials.json');
    const text = await readFile(path, 'utf8').catch((cause: unknown) => {
      if (named === undefined) return undefined;
      throw client.noCredentials(
        `GOOGLE_APPLICATION_CREDENTIALS names ${path}, which cannot be read.`,
        cause,
      );
    });
    return text === undefined ? fromMetadataServer(client) : fromFile(client, path, text);
  });
}

async function fromFile(client: ServiceClient, path: string, text: string): Promise<AccessToken> {
  let fields: Fields;
  try {
    fields = JSON.parse(text) as Fields;
  } catch {
    throw client.noCredentials(`${path} is no JSON file of Google credentials.`);
  }
  const type = stringOf(fields, 'type');
  if (type === 'service_account') return exchange(client, stringOf(fields, 'token_uri'), assertion(client, path, fields)); // prettier-ignore
  if (type === 'authorized_user') return exchange(client, undefined, refreshGrant(client, path, fields));
  throw client.noCredentials(
    `${path} holds credentials of the type "${type ?? 'none'}"; service_account and authorized_user are known here.`,
  );
}

/** RFC 7523: a JWT signed with the service account's key. */
function assertion(client: ServiceClient, path: string, fields: Fields): URLSearchParams {
  const [email, privateKey] = [stringOf(fields, 'client_email'), stringOf(fields, 'private_key')];
  if (email === undefined || privateKey === undefined) {
    throw client.noCredentials(`${path} is no complete key file of a service account.`);
  }
  const now = Math.floor(Date.now() / 1000);
  const header = { alg: 'RS256', typ: 'JWT', kid: stringOf(fields, 'private_key_id') };
  const audience = stringOf(fields, 'token_uri') ?? TOKEN_URL;
  const claims = { iss: email, scope: SCOPE, aud: audience, iat: now, exp: now + 3600 };
  const signed = [header, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
  let signature: Buffer;
  try {
    signature = sign('sha256', Buffer.from(signed), createPrivateKey(privateKey));
  } catch {
    // The cause could quote the key.
    throw client.noCredentials(`The private key in ${path} cannot be used.`);
  }
  return new URLSearchParams({
    grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
    assertion: `${signed}.${signature.toString('base64url')}`,
  });
}

function refreshGrant(client: ServiceClient, path: string, fields: Fields): URLSearchParams {
  const grant = new URLSearchParams({ grant_type: 'refresh_token' });
  for (const name of ['client_id', 'client_secret', 'refresh_token']) {
    const value = stringOf(fields, name);
    if (value === undefined) throw client.noCredentials(`${path} has no ${name}; log in again with gcloud.`);
    grant.set(name, value);
  }
  return grant;
}

async function exchange(
  client: ServiceClient,
  url: string | undefined,
  body: URLSearchParams,
): Promise<AccessToken> {
  const request = {
    method: 'POST',
    url: url ?? TOKEN_URL,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: body.toString(),
  } as const;
  return readAccessToken(client, await client.json(() => request, 'to give an access token'));
}

async function fromMetadataServer(client: ServiceClient): Promise<AccessToken> {
  const host = process.env['GCE_METADATA_HOST'] ?? 'metadata.google.internal';
  const url = `http://${host}/computeMetadata/v1/instance/service-accounts/default/token`;
  try {
    const headers = { 'metadata-flavor': 'Google' };
    const { status, json } = await client.once({ method: 'GET', url, headers }, METADATA_TIMEOUT);
    if (status === 200) return readAccessToken(client, json);
  } catch (cause) {
    throw client.noCredentials(
      'There are no Google credentials here: GOOGLE_APPLICATION_CREDENTIALS names no file, gcloud has made none, and this is no machine of Google.',
      cause,
    );
  }
  throw client.noCredentials('This machine of Google has no service account that may use Cloud KMS.');
}
