import { generateKeyPairSync, sign, verify, type KeyObject } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { defaultCrypto } from '../tuf/default-crypto.ts';
import { openSigner } from './key-uri.ts';

/** Google and Azure: the requests and answers that their API references publish; nothing here has met the services. */

interface Sent {
  readonly method: string;
  readonly url: string;
  readonly headers: Headers;
  readonly body: string;
}
type Answer = (sent: Sent) => { status?: number; json: object } | undefined;

const BYTES = new TextEncoder().encode('{"_type":"timestamp"}'.repeat(300));
const secret = () => Promise.reject(new Error('no passphrase is asked for'));
let folder: string;
let sent: Sent[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rind-cloud-'));
  sent = [];
  for (const name of Object.keys(process.env))
    if (/^(AWS_|AZURE_|GOOGLE_|IDENTITY_|GCE_)/.test(name)) vi.stubEnv(name, undefined);
  vi.stubEnv('HOME', folder);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

/** A service that answers the requests it knows; any other is a failed connection. */
function service(...answers: Answer[]): typeof fetch {
  return (url, init) => {
    const request = {
      method: init?.method ?? 'GET',
      url: String(url instanceof Request ? url.url : url),
      headers: new Headers(init?.headers),
      body: typeof init?.body === 'string' ? init.body : '',
    };
    sent.push(request);
    for (const answer of answers) {
      const found = answer(request);
      if (found !== undefined)
        return Promise.resolve(new Response(JSON.stringify(found.json), { status: found.status ?? 200 }));
    }
    return Promise.reject(new TypeError('fetch failed', { cause: new Error('connect ECONNREFUSED') }));
  };
}

/** What the service would answer: it signs the digest that it is sent. */
function signMessage(key: KeyObject, dsaEncoding: 'der' | 'ieee-p1363'): Buffer {
  return sign('sha256', BYTES, { key, dsaEncoding });
}

describe('gcpkms:', () => {
  const resource = 'projects/p-1/locations/europe-west3/keyRings/r/cryptoKeys/online/cryptoKeyVersions/1';
  const uri = `gcpkms:${resource}`;
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const pem = pair.publicKey.export({ format: 'pem', type: 'spki' }).toString();
  const kms =
    (algorithm = 'EC_SIGN_P256_SHA256', key = pair.privateKey): Answer =>
    ({ url, method }) => {
      if (url === `https://cloudkms.googleapis.com/v1/${resource}/publicKey` && method === 'GET')
        return { json: { pem, algorithm, pemCrc32c: '123', name: resource, protectionLevel: 'HSM' } };
      if (url === `https://cloudkms.googleapis.com/v1/${resource}:asymmetricSign` && method === 'POST') {
        const signature = signMessage(key, 'der').toString('base64');
        return { json: { signature, signatureCrc32c: '1', name: resource, protectionLevel: 'HSM' } };
      }
      return undefined;
    };
  const metadataServer: Answer = ({ url, headers }) =>
    url === 'http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token' &&
    headers.get('metadata-flavor') === 'Google'
      ? { json: { access_token: 'ya29.machine', expires_in: 3599, token_type: 'Bearer' } }
      : undefined;

  it('signs the sha256 of the bytes with the token of the machine, asked for once', async () => {
    const signer = await openSigner(uri, { secret, fetch: service(kms(), metadataServer) });
    for (let count = 0; count < 3; count += 1) {
      const { bytes } = await signer.sign(BYTES);
      expect(await defaultCrypto.verify(signer.key, bytes!, BYTES)).toBe(true);
    }
    expect(sent.filter(({ url }) => url.startsWith('http://metadata')).length).toBe(1);
    const { body, headers } = sent.at(-1)!;
    expect(headers.get('authorization')).toBe('Bearer ya29.machine');
    const sha256 = Buffer.from(await crypto.subtle.digest('SHA-256', BYTES)).toString('base64');
    expect(JSON.parse(body)).toEqual({ digest: { sha256 } });
  });

  it('exchanges a JWT signed by the service account for a token', async () => {
    const account = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const path = join(folder, 'account.json');
    const credentials = {
      type: 'service_account',
      client_email: 'rind@p-1.iam.gserviceaccount.com',
      private_key_id: 'k1',
      private_key: account.privateKey.export({ format: 'pem', type: 'pkcs8' }),
      token_uri: 'https://oauth2.googleapis.com/token',
    };
    writeFileSync(path, JSON.stringify(credentials));
    vi.stubEnv('GOOGLE_APPLICATION_CREDENTIALS', path);
    const tokens: Answer = ({ url }) =>
      url === 'https://oauth2.googleapis.com/token'
        ? { json: { access_token: 'ya29.account', expires_in: 3599, token_type: 'Bearer' } }
        : undefined;
    await openSigner(uri, { secret, fetch: service(kms(), tokens) });
    const form = new URLSearchParams(sent.find(({ url }) => url.includes('oauth2'))!.body);
    expect(form.get('grant_type')).toBe('urn:ietf:params:oauth:grant-type:jwt-bearer');
    const [header, claims, signature] = form.get('assertion')!.split('.') as [string, string, string];
    const decode = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString()) as object;
    expect(decode(header)).toEqual({ alg: 'RS256', typ: 'JWT', kid: 'k1' });
    expect(decode(claims)).toMatchObject({
      iss: 'rind@p-1.iam.gserviceaccount.com',
      aud: 'https://oauth2.googleapis.com/token',
      scope: 'https://www.googleapis.com/auth/cloudkms',
    });
    const signed = Buffer.from(`${header}.${claims}`);
    expect(verify('sha256', signed, account.publicKey, Buffer.from(signature, 'base64url'))).toBe(true);
    expect(sent.at(-1)!.headers.get('authorization')).toBe('Bearer ya29.account');
  });

  it('refuses an algorithm that TUF has no scheme for, and one that takes short messages only', async () => {
    for (const algorithm of ['EC_SIGN_ED25519', 'EC_SIGN_SECP256K1_SHA256', 'RSA_SIGN_PKCS1_2048_SHA256']) {
      const open = openSigner(uri, { secret, fetch: service(kms(algorithm), metadataServer) });
      await expect(open).rejects.toMatchObject({ code: 'UNSUPPORTED_KEY' });
    }
  });

  it('says that there are no credentials, and what Google refused', async () => {
    await expect(openSigner(uri, { secret, fetch: service(kms()) })).rejects.toMatchObject({
      code: 'NO_CREDENTIALS',
    });
    const denied: Answer = () => ({
      status: 403,
      json: { error: { code: 403, message: 'Permission denied on resource', status: 'PERMISSION_DENIED' } },
    });
    const open = openSigner(uri, { secret, fetch: service(metadataServer, denied) });
    await expect(open).rejects.toMatchObject({
      code: 'SERVICE_REFUSED',
      message: expect.stringContaining('PERMISSION_DENIED: Permission denied on resource') as string,
    });
  });

  it('never lets another key’s signature out', async () => {
    const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
    const signer = await openSigner(uri, { secret, fetch: service(kms(undefined, other), metadataServer) });
    await expect(signer.sign(BYTES)).rejects.toMatchObject({ code: 'WRONG_SIGNATURE' });
  });

  it.each(['gcpkms:', 'gcpkms:projects/p/locations/l/keyRings/r/cryptoKeys/k', `gcpkms:${resource}/../x`])(
    'wants a key version: %s',
    (malformed) => expect(openSigner(malformed, { secret })).rejects.toMatchObject({ code: 'MALFORMED_URI' }),
  );
});

describe('azurekms:', () => {
  const version = '0123456789abcdef0123456789abcdef';
  const uri = `azurekms://team.vault.azure.net/keys/online/${version}`;
  const url = `https://team.vault.azure.net/keys/online/${version}`;
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { x, y } = pair.publicKey.export({ format: 'jwk' });
  const vault =
    (key: object = { kty: 'EC-HSM', crv: 'P-256', x, y }): Answer =>
    (request) => {
      if (request.url === `${url}?api-version=7.4`)
        return { json: { key: { kid: url, key_ops: ['sign', 'verify'], ...key }, attributes: {} } };
      if (request.url === `${url}/sign?api-version=7.4`)
        return {
          json: { kid: url, value: signMessage(pair.privateKey, 'ieee-p1363').toString('base64url') },
        };
      return undefined;
    };
  const instance: Answer = (request) =>
    request.url.startsWith('http://169.254.169.254/metadata/identity/oauth2/token?') &&
    request.headers.get('metadata') === 'true'
      ? { json: { access_token: 'eyJ.machine', expires_in: '86400', expires_on: '1', token_type: 'Bearer' } }
      : undefined;

  it('signs with the managed identity, and turns r ‖ s into DER', async () => {
    const signer = await openSigner(uri, { secret, fetch: service(vault(), instance) });
    for (let count = 0; count < 20; count += 1) {
      const { bytes } = await signer.sign(BYTES);
      expect(await defaultCrypto.verify(signer.key, bytes!, BYTES)).toBe(true);
    }
    const value = Buffer.from(await crypto.subtle.digest('SHA-256', BYTES)).toString('base64url');
    expect(JSON.parse(sent.at(-1)!.body)).toEqual({ alg: 'ES256', value });
    expect(sent.at(-1)!.headers.get('authorization')).toBe('Bearer eyJ.machine');
    const asked = new URL(sent.find((request) => request.url.includes('169.254'))!.url).searchParams;
    expect(asked.get('resource')).toBe('https://vault.azure.net');
  });

  it('takes the token of a workload identity, or of a client secret', async () => {
    const path = join(folder, 'token');
    writeFileSync(path, 'eyJ.federated\n');
    vi.stubEnv('AZURE_TENANT_ID', 'tenant-1');
    vi.stubEnv('AZURE_CLIENT_ID', 'client-1');
    vi.stubEnv('AZURE_CLIENT_SECRET', 'swordfish');
    const tokens: Answer = (request) =>
      request.url === 'https://login.microsoftonline.com/tenant-1/oauth2/v2.0/token'
        ? { json: { access_token: 'eyJ.client', expires_in: 3599, token_type: 'Bearer' } }
        : undefined;
    await openSigner(uri, { secret, fetch: service(vault(), tokens) });
    vi.stubEnv('AZURE_FEDERATED_TOKEN_FILE', path);
    await openSigner(uri, { secret, fetch: service(vault(), tokens) });
    const forms = sent
      .filter((request) => request.url.includes('login'))
      .map(({ body }) => Object.fromEntries(new URLSearchParams(body)));
    const common = {
      client_id: 'client-1',
      scope: 'https://vault.azure.net/.default',
      grant_type: 'client_credentials',
    };
    expect(forms).toEqual([
      { ...common, client_secret: 'swordfish' },
      {
        ...common,
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        client_assertion: 'eyJ.federated',
      },
    ]);
  });

  it('says what was refused without the secret', async () => {
    vi.stubEnv('AZURE_TENANT_ID', 'tenant-1');
    vi.stubEnv('AZURE_CLIENT_ID', 'client-1');
    vi.stubEnv('AZURE_CLIENT_SECRET', 'swordfish');
    const refused: Answer = () => ({
      status: 401,
      json: { error: 'invalid_client', error_description: 'AADSTS7000215: Invalid client secret provided.' },
    });
    const error: unknown = await openSigner(uri, { secret, fetch: service(refused) }).catch(
      (e: unknown) => e,
    );
    expect(error).toMatchObject({
      code: 'SERVICE_REFUSED',
      message: expect.stringContaining('invalid_client: AADSTS7000215') as string,
    });
    expect(String((error as Error).stack)).not.toContain('swordfish');
  });

  it('refuses a key that is no signing key of TUF', async () => {
    for (const key of [{ kty: 'EC', crv: 'P-256K', x, y }, { kty: 'oct-HSM' }]) {
      const open = openSigner(uri, {
        secret,
        fetch: service(vault({ crv: null, x: null, y: null, ...key }), instance),
      });
      await expect(open).rejects.toMatchObject({ code: 'UNSUPPORTED_KEY' });
    }
  });

  it.each(['azurekms:', 'azurekms://team.vault.azure.net/keys/online', 'azurekms://localhost/keys/a/b'])(
    'wants a key version: %s',
    (malformed) => expect(openSigner(malformed, { secret })).rejects.toMatchObject({ code: 'MALFORMED_URI' }),
  );
});

describe('a service', () => {
  const uri = 'azurekms://team.vault.azure.net/keys/online/0123456789abcdef0123456789abcdef';
  const identity = { access_token: 't', expires_in: 3599 };

  it.each([
    ['no JSON', '<html>gateway</html>', 'MALFORMED_ANSWER'],
    ['other JSON', '{"key":[]}', 'MALFORMED_ANSWER'],
    ['endless bytes', 'x'.repeat(300_000), 'SERVICE_UNREACHABLE'],
  ])('that answers with %s ends in a sentence', async (_name, body, code) => {
    const open = openSigner(uri, {
      secret,
      fetch: (url) =>
        Promise.resolve(
          String(url as string).includes('169.254') ? Response.json(identity) : new Response(body),
        ),
    });
    await expect(open).rejects.toMatchObject({ code });
  });

  it('that repeats the request in its refusal gives no token away', async () => {
    const text = `The request signature we calculated does not match. The Canonical String for this request should have been 'x-amz-security-token:SECRET'`;
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'a');
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'b');
    vi.stubEnv('AWS_REGION', 'eu-central-1');
    const refusing = () =>
      Promise.resolve(Response.json({ __type: 'InvalidSignatureException', message: text }, { status: 400 }));
    const error: unknown = await openSigner('awskms:k', { secret, fetch: refusing }).catch((e: unknown) => e);
    expect(error).toMatchObject({ code: 'SERVICE_REFUSED' });
    expect((error as Error).message).not.toContain('SECRET');
  });
});

describe('AWS credentials', () => {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const PublicKey = pair.publicKey.export({ format: 'der', type: 'spki' }).toString('base64');
  const kms: Answer = ({ url }) =>
    url === 'https://kms.eu-central-1.amazonaws.com/' ? { json: { PublicKey } } : undefined;
  const arn = 'awskms:arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab';
  const signedBy = () => /Credential=([^/]+)\//.exec(sent.at(-1)!.headers.get('authorization')!)?.[1];

  it('come from a web identity, with the region of the ARN', async () => {
    const path = join(folder, 'token');
    writeFileSync(path, 'eyJ.web\n');
    vi.stubEnv('AWS_WEB_IDENTITY_TOKEN_FILE', path);
    vi.stubEnv('AWS_ROLE_ARN', 'arn:aws:iam::111122223333:role/rind');
    const Credentials = {
      AccessKeyId: 'ASIAWEB',
      SecretAccessKey: 's',
      SessionToken: 'st',
      Expiration: Date.now() / 1000 + 3600,
    };
    const AssumeRoleWithWebIdentityResult = { Credentials };
    const sts: Answer = ({ url }) =>
      url === 'https://sts.eu-central-1.amazonaws.com/'
        ? { json: { AssumeRoleWithWebIdentityResponse: { AssumeRoleWithWebIdentityResult } } }
        : undefined;
    await openSigner(arn, { secret, fetch: service(kms, sts) });
    expect(new URLSearchParams(sent[0]!.body).get('WebIdentityToken')).toBe('eyJ.web');
    expect(signedBy()).toBe('ASIAWEB');
    expect(sent.at(-1)!.headers.get('x-amz-security-token')).toBe('st');
  });

  it('come from the profile in the shared file', async () => {
    const path = join(folder, 'credentials');
    writeFileSync(
      path,
      '[default]\naws_access_key_id = AKIADEFAULT\naws_secret_access_key=x\n\n[ team ]\naws_access_key_id=AKIATEAM\naws_secret_access_key = y=z\n',
    );
    vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', path);
    await openSigner(arn, { secret, fetch: service(kms) });
    expect(signedBy()).toBe('AKIADEFAULT');
    vi.stubEnv('AWS_PROFILE', 'team');
    await openSigner(arn, { secret, fetch: service(kms) });
    expect(signedBy()).toBe('AKIATEAM');
  });

  it('come from the container, or from the instance with a session (IMDSv2)', async () => {
    const Expiration = new Date(Date.now() + 3_600_000).toISOString();
    const made = (AccessKeyId: string) => ({ AccessKeyId, SecretAccessKey: 's', Token: 't', Expiration });
    const folderUrl = 'http://169.254.169.254/latest/meta-data/iam/security-credentials/';
    const text =
      (body: string): typeof fetch =>
      () =>
        Promise.resolve(new Response(body));
    const instance: typeof fetch = (url, init) => {
      const asked = String(url as string);
      if (asked.endsWith('/latest/api/token') && init?.method === 'PUT') return text('session')(url);
      const hasSession = new Headers(init?.headers).get('x-aws-ec2-metadata-token') === 'session';
      if (asked === folderUrl && hasSession) return text('rind-role')(url);
      if (asked === `${folderUrl}rind-role` && hasSession)
        return text(JSON.stringify(made('ASIAINSTANCE')))(url);
      return service(kms)(url, init);
    };
    await openSigner(arn, { secret, fetch: instance });
    expect(signedBy()).toBe('ASIAINSTANCE');
    vi.stubEnv('AWS_CONTAINER_CREDENTIALS_RELATIVE_URI', '/v2/credentials/1');
    const container: Answer = ({ url }) =>
      url === 'http://169.254.170.2/v2/credentials/1' ? { json: made('ASIACONTAINER') } : undefined;
    await openSigner(arn, { secret, fetch: service(kms, container) });
    expect(signedBy()).toBe('ASIACONTAINER');
  });

  it('are missing in a sentence', async () => {
    await expect(openSigner(arn, { secret, fetch: service(kms) })).rejects.toMatchObject({
      code: 'NO_CREDENTIALS',
    });
    await expect(openSigner('awskms:alias/x', { secret })).rejects.toMatchObject({ code: 'MALFORMED_URI' });
  });
});
