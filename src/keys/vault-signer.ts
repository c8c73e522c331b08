import { createHash, createPublicKey } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Key } from '../tuf/key.ts';
import type { OpenSignerOptions, SignerBackend } from './opened-signer.ts';
import { keyOf, keyOfRaw } from './public-keys.ts';
import { ServiceClient, objectOf, stringOf, type ServiceRequest } from './service-client.ts';
import { SignerError } from './signer-error.ts';

/** `hv:KEY/VERSION`, with `?mount=PATH` where the transit engine is not mounted at `transit`. */
interface VaultUri {
  readonly name: string;
  readonly version: number;
  readonly mount: string;
}

/**
 * `hv:KEY/VERSION`: a key of the transit engine of HashiCorp Vault or OpenBao. The server is VAULT_ADDR, the token that of VAULT_TOKEN or
 * ~/.vault-token (where `vault login` and the agents put it; read anew for every request), or it is asked for.
 */
export async function openVaultSigner(uri: string, options: OpenSignerOptions): Promise<SignerBackend> {
  const { name, version, mount } = parseVaultUri(uri);
  const address = readAddress(uri);
  const client = new ServiceClient('Vault', uri, options.fetch);
  let asked: string | undefined;
  const token = async (): Promise<string> =>
    (await ambientToken()) ??
    (asked ??= await options.secret({ kind: 'token', uri, subject: `Vault at ${address.host}` }));
  const request = async (path: string, body?: object): Promise<ServiceRequest> => ({
    method: body === undefined ? 'GET' : 'POST',
    url: new URL(`v1/${mount}/${path}`, address).href,
    headers: { ...namespaceHeader(), 'x-vault-request': 'true', 'x-vault-token': await token() },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });

  const answer = await client.json(() => request(`keys/${name}`), `to show the public key of ${name}`);
  const key = readPublicKey(uri, client, objectOf(answer, 'data'), version);
  return {
    key,
    sign: async (bytes) => {
      const body = { key_version: version, ...inputOf(key, bytes) };
      const signed = await client.json(() => request(`sign/${name}`, body), `to sign with ${name}`);
      const signature = stringOf(objectOf(signed, 'data'), 'signature');
      const encoded = /^vault:v\d+:([A-Za-z0-9+/=]+)$/.exec(signature ?? '')?.[1];
      if (encoded === undefined) throw client.malformed('the request to sign');
      return Buffer.from(encoded, 'base64');
    },
  };
}

function parseVaultUri(uri: string): VaultUri {
  const [, name, version, mount = 'transit'] =
    /^hv:([\w.-]+)\/(\d{1,9})(?:\?mount=([\w./-]+))?$/.exec(uri) ?? [];
  if (name !== undefined && version !== undefined && Number(version) >= 1 && !mount.includes('..')) {
    return { name, version: Number(version), mount };
  }
  throw new SignerError('MALFORMED_URI', `"${uri}" names no key version: write hv:KEY/VERSION.`, { uri });
}

function readAddress(uri: string): URL {
  const text = process.env['VAULT_ADDR'];
  if (text === undefined || !URL.canParse(text) || !/^https?:/.test(text)) {
    throw new SignerError('NO_CREDENTIALS', 'VAULT_ADDR must hold the https: URL of the Vault server.', {
      uri,
    });
  }
  return new URL(text.endsWith('/') ? text : `${text}/`);
}

async function ambientToken(): Promise<string | undefined> {
  const named = process.env['VAULT_TOKEN'];
  if (named !== undefined && named !== '') return named;
  const text = await readFile(join(homedir(), '.vault-token'), 'utf8').catch(() => '');
  return text.trim() === '' ? undefined : text.trim();
}

function namespaceHeader(): Readonly<Record<string, string>> {
  const namespace = process.env['VAULT_NAMESPACE'];
  return namespace === undefined ? {} : { 'x-vault-namespace': namespace };
}

function readPublicKey(
  uri: string,
  client: ServiceClient,
  data: Readonly<Record<string, unknown>> | undefined,
  version: number,
): Key {
  const type = stringOf(data, 'type');
  const text = stringOf(objectOf(objectOf(data, 'keys'), String(version)), 'public_key');
  if (type === undefined) throw client.malformed('the request for the public key');
  if (text === undefined) {
    throw new SignerError('KEY_MISSING', `${uri}: the key has no version ${version} with a public half.`, {
      uri,
    });
  }
  try {
    if (type === 'ed25519') return keyOfRaw('Ed25519', Buffer.from(text, 'base64'));
    if (/^(ecdsa-p256|ecdsa-p384|rsa-\d+)$/.test(type)) return keyOf(createPublicKey(text));
  } catch (cause) {
    throw new SignerError('MALFORMED_ANSWER', `${uri} has an unreadable public key.`, { uri, cause });
  }
  throw new SignerError(
    'UNSUPPORTED_KEY',
    `${uri} is of the type ${type}, which cannot sign metadata; make a key of the type ed25519 or ecdsa-p256.`,
    { uri },
  );
}

/** Ed25519 signs the message itself, the others its digest. */
function inputOf({ publicKey: { algorithm } }: Key, bytes: Uint8Array): Readonly<Record<string, unknown>> {
  if (!('digest' in algorithm)) return { input: Buffer.from(bytes).toString('base64') };
  const input = createHash(algorithm.digest).update(bytes).digest('base64');
  const common = { input, prehashed: true, hash_algorithm: algorithm.digest.replace('sha', 'sha2-') };
  return algorithm.name === 'ecdsa'
    ? { ...common, marshaling_algorithm: 'asn1' }
    : { ...common, signature_algorithm: 'pss', salt_length: 'hash' };
}
