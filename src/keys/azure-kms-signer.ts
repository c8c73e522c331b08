import { createHash, createPublicKey, type JsonWebKey } from 'node:crypto';
import type { Key } from '../tuf/key.ts';
import { azureCredentials } from './azure-credentials.ts';
import { ecdsaDerFromRaw } from './ecdsa-der.ts';
import type { OpenSignerOptions, SignerBackend } from './opened-signer.ts';
import { keyOf } from './public-keys.ts';
import { ServiceClient, objectOf, stringOf, type ServiceRequest } from './service-client.ts';
import { SignerError } from './signer-error.ts';

const API_VERSION = '7.4';

/** The algorithm of Key Vault for each scheme, and whether its signatures are r ‖ s. */
const ALGORITHMS: ReadonlyMap<string, { name: string; digest: string; isRaw: boolean }> = new Map([
  ['ecdsa-sha2-nistp256', { name: 'ES256', digest: 'sha256', isRaw: true }],
  ['ecdsa-sha2-nistp384', { name: 'ES384', digest: 'sha384', isRaw: true }],
  ['rsassa-pss-sha256', { name: 'PS256', digest: 'sha256', isRaw: false }],
]);

/** `azurekms://VAULT/keys/NAME/VERSION`: a key of Azure Key Vault or Managed HSM; VAULT is its whole host name. */
export async function openAzureKmsSigner(
  uri: string,
  { fetch: fetcher }: OpenSignerOptions,
): Promise<SignerBackend> {
  const [, host, path] = /^azurekms:\/\/([a-z0-9.-]+\.[a-z0-9.-]+)(\/keys\/[\w-]+\/[0-9a-f]{32})$/i.exec(uri) ?? []; // prettier-ignore
  if (host === undefined || path === undefined) {
    throw new SignerError(
      'MALFORMED_URI',
      `"${uri}" names no key version: write azurekms://NAME.vault.azure.net/keys/KEY/VERSION.`,
      { uri },
    );
  }
  const client = new ServiceClient('Azure Key Vault', uri, fetcher);
  // The audience of the token is the service: the host without the vault's own name.
  const credentials = azureCredentials(uri, `https://${host.slice(host.indexOf('.') + 1)}`, fetcher);
  const request = async (action: string, body?: object): Promise<ServiceRequest> => ({
    method: body === undefined ? 'GET' : 'POST',
    url: `https://${host}${path}${action}?api-version=${API_VERSION}`,
    headers: { authorization: await credentials.header(), 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });

  const answer = await client.json(() => request(''), 'to show the public key');
  const key = readPublicKey(uri, client, objectOf(answer, 'key'));
  const algorithm = ALGORITHMS.get(key.scheme);
  if (algorithm === undefined) throw unsupported(uri);
  return {
    key,
    sign: async (bytes) => {
      const value = createHash(algorithm.digest).update(bytes).digest('base64url');
      const signed = await client.json(() => request('/sign', { alg: algorithm.name, value }), 'to sign');
      const signature = stringOf(signed, 'value');
      if (signature === undefined) throw client.malformed('the request to sign');
      const decoded = Buffer.from(signature, 'base64url');
      return algorithm.isRaw ? ecdsaDerFromRaw(decoded) : decoded;
    },
  };
}

/** Keys in an HSM have a type of their own: `EC-HSM`. */
function readPublicKey(
  uri: string,
  client: ServiceClient,
  jwk: Readonly<Record<string, unknown>> | undefined,
): Key {
  const type = stringOf(jwk, 'kty')?.replace(/-HSM$/, '');
  if (jwk === undefined || type === undefined) throw client.malformed('the request for the public key');
  const { crv, x, y, n, e } = jwk;
  try {
    const key = { kty: type, crv, x, y, n, e } as JsonWebKey;
    return keyOf(createPublicKey({ key, format: 'jwk' }));
  } catch (cause) {
    throw unsupported(uri, cause);
  }
}

function unsupported(uri: string, cause?: unknown): SignerError {
  return new SignerError(
    'UNSUPPORTED_KEY',
    `${uri} is of a kind that cannot sign metadata; make an EC key with the curve P-256.`,
    { uri, cause },
  );
}
