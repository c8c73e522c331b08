import { createHash, createPublicKey } from 'node:crypto';
import { googleCredentials } from './google-credentials.ts';
import type { OpenSignerOptions, SignerBackend } from './opened-signer.ts';
import { keyOf } from './public-keys.ts';
import { ServiceClient, stringOf, type ServiceRequest } from './service-client.ts';
import { SignerError } from './signer-error.ts';

const ENDPOINT = 'https://cloudkms.googleapis.com/v1/';
const RESOURCE =
  /^projects\/[\w.:-]+\/locations\/[\w-]+\/keyRings\/[\w-]+\/cryptoKeys\/[\w-]+\/cryptoKeyVersions\/\d+$/;

/** Algorithms of Cloud KMS that sign a digest as a TUF scheme wants it. */
const DIGESTS: ReadonlyMap<string, 'sha256' | 'sha384'> = new Map([
  ['EC_SIGN_P256_SHA256', 'sha256'],
  ['EC_SIGN_P384_SHA384', 'sha384'],
  ['RSA_SIGN_PSS_2048_SHA256', 'sha256'],
  ['RSA_SIGN_PSS_3072_SHA256', 'sha256'],
  ['RSA_SIGN_PSS_4096_SHA256', 'sha256'],
]);

/** `gcpkms:RESOURCE`: a key version of Google Cloud KMS by its full resource name. */
export async function openGcpKmsSigner(
  uri: string,
  { fetch: fetcher }: OpenSignerOptions,
): Promise<SignerBackend> {
  const resource = uri.slice(uri.indexOf(':') + 1);
  if (!RESOURCE.test(resource)) {
    throw new SignerError(
      'MALFORMED_URI',
      `"${uri}" names no key version: write gcpkms:projects/P/locations/L/keyRings/R/cryptoKeys/K/cryptoKeyVersions/V.`,
      { uri },
    );
  }
  const client = new ServiceClient('Google Cloud KMS', uri, fetcher);
  const credentials = googleCredentials(uri, fetcher);
  const request = async (path: string, body?: object): Promise<ServiceRequest> => ({
    method: body === undefined ? 'GET' : 'POST',
    url: `${ENDPOINT}${resource}${path}`,
    headers: { authorization: await credentials.header(), 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });

  const answer = await client.json(() => request('/publicKey'), `to show the public key of ${resource}`);
  const [pem, algorithm] = [stringOf(answer, 'pem'), stringOf(answer, 'algorithm')];
  if (pem === undefined || algorithm === undefined) throw client.malformed('the request for the public key');
  const digest = DIGESTS.get(algorithm);
  // Ed25519 is signed over whole messages of at most 64 KiB there: too short for a large snapshot.
  if (digest === undefined) {
    throw new SignerError(
      'UNSUPPORTED_KEY',
      `${uri} is of the algorithm ${algorithm}, which cannot sign metadata; make a key with EC_SIGN_P256_SHA256.`,
      { uri },
    );
  }
  return {
    key: keyOf(createPublicKey(pem)),
    sign: async (bytes) => {
      const body = { digest: { [digest]: createHash(digest).update(bytes).digest('base64') } };
      const signed = await client.json(() => request(':asymmetricSign', body), `to sign with ${resource}`);
      const signature = stringOf(signed, 'signature');
      if (signature === undefined) throw client.malformed('the request to sign');
      return Buffer.from(signature, 'base64');
    },
  };
}
