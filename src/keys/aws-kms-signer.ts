import { createHash, createPublicKey } from 'node:crypto';
import { AwsV4Signer } from 'aws4fetch';
import type { Key } from '../tuf/key.ts';
import { AwsCredentialChain } from './aws-credentials.ts';
import type { OpenSignerOptions, SignerBackend } from './opened-signer.ts';
import { keyOf } from './public-keys.ts';
import { ServiceClient, stringOf, type ServiceRequest } from './service-client.ts';
import { SignerError } from './signer-error.ts';

/** The signing algorithm for each scheme; all of them take a digest. */
const ALGORITHMS: ReadonlyMap<string, { readonly name: string; readonly digest: string }> = new Map([
  ['ecdsa-sha2-nistp256', { name: 'ECDSA_SHA_256', digest: 'sha256' }],
  ['ecdsa-sha2-nistp384', { name: 'ECDSA_SHA_384', digest: 'sha384' }],
  ['rsassa-pss-sha256', { name: 'RSASSA_PSS_SHA_256', digest: 'sha256' }],
]);

/** `awskms:KEY`: a key of AWS KMS by id, ARN or `alias/NAME`. The region is that of the ARN, or AWS_REGION. */
export async function openAwsKmsSigner(
  uri: string,
  { fetch: fetcher }: OpenSignerOptions,
): Promise<SignerBackend> {
  const keyId = uri.slice(uri.indexOf(':') + 1);
  if (!/^[\w:/.-]{1,2048}$/.test(keyId)) {
    throw new SignerError('MALFORMED_URI', `"${uri}" names no key: write awskms:KEY-ID, ARN or alias/NAME.`, {
      uri,
    });
  }
  const region = regionOf(uri, keyId);
  const client = new ServiceClient('AWS KMS', uri, fetcher);
  const credentials = new AwsCredentialChain(uri, region, fetcher);
  const endpoint =
    process.env['AWS_ENDPOINT_URL_KMS'] ??
    process.env['AWS_ENDPOINT_URL'] ??
    `https://kms.${region}.amazonaws.com/`;
  const call = (action: string, body: object, doing: string) =>
    client.json(async () => signedRequest(endpoint, region, action, body, await credentials.get()), doing);

  const answer = await call('GetPublicKey', { KeyId: keyId }, `to show the public key of ${keyId}`);
  const key = readPublicKey(uri, client, stringOf(answer, 'PublicKey'));
  const algorithm = ALGORITHMS.get(key.scheme);
  if (algorithm === undefined) throw unsupported(uri);
  return {
    key,
    sign: async (bytes) => {
      const digest = createHash(algorithm.digest).update(bytes).digest('base64');
      const wanted = { KeyId: keyId, Message: digest, MessageType: 'DIGEST', SigningAlgorithm: algorithm.name }; // prettier-ignore
      const signed = await call('Sign', wanted, `to sign with ${keyId}`);
      const signature = stringOf(signed, 'Signature');
      if (signature === undefined) throw client.malformed('the request to sign');
      return Buffer.from(signature, 'base64');
    },
  };
}

function regionOf(uri: string, keyId: string): string {
  const fromArn = /^arn:[\w-]+:kms:([\w-]+):/.exec(keyId)?.[1];
  const region = fromArn ?? process.env['AWS_REGION'] ?? process.env['AWS_DEFAULT_REGION'];
  if (region !== undefined && /^[\w-]{1,64}$/.test(region)) return region;
  throw new SignerError(
    'MALFORMED_URI',
    `The region of ${uri} is not known: set AWS_REGION, or name the key by its ARN.`,
    { uri },
  );
}

async function signedRequest(
  url: string,
  region: string,
  action: string,
  body: object,
  { accessKeyId, secretAccessKey, sessionToken }: Awaited<ReturnType<AwsCredentialChain['get']>>,
): Promise<ServiceRequest> {
  const text = JSON.stringify(body);
  const headers = { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': `TrentService.${action}` };
  const signed = await new AwsV4Signer({
    url,
    method: 'POST',
    headers,
    body: text,
    accessKeyId,
    secretAccessKey,
    ...(sessionToken === undefined ? {} : { sessionToken }),
    service: 'kms',
    region,
  }).sign();
  return { method: 'POST', url: signed.url.href, headers: Object.fromEntries(signed.headers), body: text };
}

function readPublicKey(uri: string, client: ServiceClient, spki: string | undefined): Key {
  if (spki === undefined) throw client.malformed('the request for the public key');
  let key: Key;
  try {
    key = keyOf(createPublicKey({ key: Buffer.from(spki, 'base64'), format: 'der', type: 'spki' }));
  } catch (cause) {
    throw unsupported(uri, cause);
  }
  return key;
}

/** KMS signs Ed25519 over whole messages only, of at most 4096 bytes: too short for a snapshot. */
function unsupported(uri: string, cause?: unknown): SignerError {
  return new SignerError(
    'UNSUPPORTED_KEY',
    `${uri} is of a kind that cannot sign metadata; make a key with the spec ECC_NIST_P256 (or ECC_NIST_P384, RSA_3072) for SIGN_VERIFY.`,
    { uri, cause },
  );
}
