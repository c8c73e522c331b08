import { readFile } from 'node:fs/promises';
import { AccessTokenCache, readAccessToken, type AccessToken } from './access-token.ts';
import { ServiceClient } from './service-client.ts';

const AUTHORITY = 'https://login.microsoftonline.com/';
const INSTANCE_URL = 'http://169.254.169.254/metadata/identity/oauth2/token';
const METADATA_TIMEOUT = 2000;

/**
 * Microsoft Entra tokens for a resource such as `https://vault.azure.net`: workload identity (AZURE_FEDERATED_TOKEN_FILE), a client secret
 * (AZURE_CLIENT_SECRET), or the managed identity of an app service or virtual machine.
 */
export function azureCredentials(uri: string, resource: string, fetcher?: typeof fetch): AccessTokenCache {
  const client = new ServiceClient('Microsoft Entra', uri, fetcher);
  return new AccessTokenCache(async () => {
    const { AZURE_TENANT_ID: tenant, AZURE_CLIENT_ID: clientId } = process.env;
    const credential = await clientCredential();
    if (tenant !== undefined && clientId !== undefined && credential !== undefined) {
      return fromAuthority(client, tenant, {
        client_id: clientId,
        scope: `${resource}/.default`,
        grant_type: 'client_credentials',
        ...credential,
      });
    }
    return fromManagedIdentity(client, resource, clientId);
  });
}

async function clientCredential(): Promise<Readonly<Record<string, string>> | undefined> {
  const { AZURE_FEDERATED_TOKEN_FILE: path, AZURE_CLIENT_SECRET: secret } = process.env;
  if (path !== undefined) {
    return {
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: (await readFile(path, 'utf8')).trim(),
    };
  }
  return secret === undefined ? undefined : { client_secret: secret };
}

async function fromAuthority(
  client: ServiceClient,
  tenant: string,
  form: Readonly<Record<string, string>>,
): Promise<AccessToken> {
  const authority = process.env['AZURE_AUTHORITY_HOST'] ?? AUTHORITY;
  const request = {
    method: 'POST',
    url: new URL(`${encodeURIComponent(tenant)}/oauth2/v2.0/token`, authority).href,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams(form).toString(),
  } as const;
  return readAccessToken(client, await client.json(() => request, 'to give an access token'));
}

async function fromManagedIdentity(
  client: ServiceClient,
  resource: string,
  clientId: string | undefined,
): Promise<AccessToken> {
  const { IDENTITY_ENDPOINT: endpoint, IDENTITY_HEADER: header } = process.env;
  const isAppService = endpoint !== undefined && header !== undefined;
  const url = new URL(isAppService ? endpoint : INSTANCE_URL);
  url.searchParams.set('api-version', isAppService ? '2019-08-01' : '2018-02-01');
  url.searchParams.set('resource', resource);
  if (clientId !== undefined) url.searchParams.set('client_id', clientId);
  const headers: Readonly<Record<string, string>> = isAppService ? { 'x-identity-header': header } : { metadata: 'true' }; // prettier-ignore
  try {
    const { status, json } = await client.once({ method: 'GET', url: url.href, headers }, METADATA_TIMEOUT);
    // App Service gives the time instead of the seconds.
    const seconds = Number(json?.['expires_on']) - Date.now() / 1000;
    if (status === 200) return readAccessToken(client, { expires_in: seconds, ...json });
  } catch (cause) {
    throw client.noCredentials(
      'There are no Azure credentials here: AZURE_TENANT_ID and AZURE_CLIENT_ID with AZURE_FEDERATED_TOKEN_FILE or AZURE_CLIENT_SECRET are not set, and no managed identity answers.',
      cause,
    );
  }
  throw client.noCredentials('The managed identity of this machine gives no token for the key vault.');
}
