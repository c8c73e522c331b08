import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { AwsV4Signer } from 'aws4fetch';
import { openSigner } from '../../src/keys/key-uri.ts';
import { defaultCrypto, Metadata, signMetadata } from '../../src/tuf/index.ts';
import { Moto } from '../tools/moto.ts';
import { rootOf } from '../tools/tuf-signers.ts';
import { whenAvailable } from '../tools/unavailable.ts';

const BYTES = new TextEncoder().encode('{"_type":"snapshot"}'.repeat(1000));
const secret = () => Promise.reject(new Error('AWS KMS asks for no passphrase'));
const REGION = 'eu-central-1';

describe('AWS KMS (moto)', () => {
  let started: Moto | undefined;
  const moto = whenAvailable(async () => (started = await Moto.start()));
  beforeAll(() => {
    if (!moto.present) return;
    vi.stubEnv('AWS_ENDPOINT_URL_KMS', moto.value.url);
    vi.stubEnv('AWS_REGION', REGION);
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIAEXAMPLE');
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'example-secret');
  });
  afterAll(() => {
    vi.unstubAllEnvs();
    started?.stop();
  });
  afterEach(() => vi.restoreAllMocks());

  async function call(action: string, body: object): Promise<Record<string, unknown>> {
    const request = await new AwsV4Signer({
      url: moto.value.url,
      method: 'POST',
      headers: { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': `TrentService.${action}` },
      body: JSON.stringify(body),
      accessKeyId: 'AKIAEXAMPLE',
      secretAccessKey: 'example-secret',
      service: 'kms',
      region: REGION,
    }).sign();
    const response = await fetch(request.url, { ...request, body: JSON.stringify(body) });
    return (await response.json().catch(() => ({}))) as Record<string, unknown>;
  }

  async function createKey(spec: string): Promise<{ id: string; arn: string }> {
    const { KeyMetadata } = await call('CreateKey', { KeySpec: spec, KeyUsage: 'SIGN_VERIFY' });
    const { KeyId: id, Arn: arn } = KeyMetadata as { KeyId: string; Arn: string };
    return { id, arn };
  }

  it.each([
    ['ECC_NIST_P256', 'ecdsa-sha2-nistp256'],
    ['ECC_NIST_P384', 'ecdsa-sha2-nistp384'],
    ['RSA_3072', 'rsassa-pss-sha256'],
  ])(
    'signs with a key of the spec %s by id, ARN and alias, more bytes than KMS takes itself',
    async (spec, scheme) => {
      const { id, arn } = await createKey(spec);
      const alias = `alias/${spec}`;
      await call('CreateAlias', { AliasName: alias, TargetKeyId: id });
      const keyIds = new Set<string>();
      for (const name of [id, arn, alias]) {
        const signer = await openSigner(`awskms:${name}`, { secret });
        expect(signer.key.scheme).toBe(scheme);
        keyIds.add(signer.key.keyId);
        const { bytes } = await signer.sign(BYTES);
        expect(await defaultCrypto.verify(signer.key, bytes!, BYTES)).toBe(true);
        expect(await defaultCrypto.verify(signer.key, bytes!, BYTES.subarray(1))).toBe(false);
      }
      expect(keyIds.size).toBe(1);
    },
  );

  it('signs a root that verifies', async () => {
    const { id } = await createKey('ECC_NIST_P256');
    const signer = await openSigner(`awskms:${id}`, { secret });
    const read = Metadata.fromBytes((await signMetadata(rootOf([signer]), [signer])).toBytes(), 'root');
    expect((await read.signed.verifyDelegate('root', read)).verified).toBe(true);
  });

  it('refuses a key that TUF has no scheme for', async () => {
    const { id } = await createKey('ECC_SECG_P256K1');
    await expect(openSigner(`awskms:${id}`, { secret })).rejects.toMatchObject({ code: 'UNSUPPORTED_KEY' });
  });

  it('says what KMS said when it has no such key, without the secret', async () => {
    const error: unknown = await openSigner('awskms:alias/none', { secret }).catch((e: unknown) => e);
    expect(error).toMatchObject({
      code: 'SERVICE_REFUSED',
      message: expect.stringMatching(/AWS KMS refused.*NotFoundException/) as string,
    });
    expect(String((error as Error).stack)).not.toContain('example-secret');
  });

  it('asks again when it is throttled, and no more than three times', async () => {
    const { id } = await createKey('ECC_NIST_P256');
    let refusals = 2;
    const throttled = () =>
      new Response('{"__type":"ThrottlingException","message":"Rate exceeded"}', { status: 400 });
    const signer = await openSigner(`awskms:${id}`, {
      secret,
      fetch: (...request) => (refusals-- > 0 ? Promise.resolve(throttled()) : fetch(...request)),
    });
    expect(signer.key.scheme).toBe('ecdsa-sha2-nistp256');
    refusals = 3;
    await expect(signer.sign(BYTES)).rejects.toMatchObject({ code: 'SERVICE_REFUSED' });
  });

  it('never lets another key’s signature out', async () => {
    const [first, second] = [await createKey('ECC_NIST_P256'), await createKey('ECC_NIST_P256')];
    const signer = await openSigner(`awskms:${first.id}`, {
      secret,
      fetch: async (url, init) => {
        const isSign = new Headers(init?.headers).get('x-amz-target') === 'TrentService.Sign';
        if (!isSign) return fetch(url, init);
        const body = { ...(JSON.parse(init!.body as string) as object), KeyId: second.id };
        return new Response(JSON.stringify(await call('Sign', body)));
      },
    });
    await expect(signer.sign(BYTES)).rejects.toMatchObject({ code: 'WRONG_SIGNATURE' });
  });
});
