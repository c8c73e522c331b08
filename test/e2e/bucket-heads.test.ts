import { AwsV4Signer } from 'aws4fetch';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { BucketSink } from '../../src/repository/bucket-sink.ts';
import type { HeadNotice } from '../../src/repository/head-sinks.ts';
import { Moto } from '../tools/moto.ts';
import { whenAvailable } from '../tools/unavailable.ts';

const NOTICE: HeadNotice = {
  origin: 'https://index.test/',
  index: '',
  size: 7,
  root: 'aa'.repeat(32),
  at: '2026-11-22T12:00:00.000Z',
  auditSeq: 9,
  auditSha256: 'bb'.repeat(32),
};
const KEY = 'rind/default/000000000007.json';

describe('heads in a bucket with object lock', () => {
  const moto = whenAvailable(() => Moto.start());
  beforeAll(async () => {
    vi.stubEnv('AWS_ENDPOINT_URL_S3', moto.value.url);
    vi.stubEnv('AWS_REGION', 'us-east-1');
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'owner');
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'of the account');
    expect((await ask('PUT', 'heads', { 'x-amz-bucket-object-lock-enabled': 'true' })).status).toBe(200);
  });
  afterAll(() => {
    vi.unstubAllEnvs();
    moto.value.stop();
  });

  /** What the owner of the account can ask for. */
  async function ask(method: string, path: string, headers: Record<string, string> = {}): Promise<Response> {
    const signed = await new AwsV4Signer({
      url: moto.value.url + path,
      method,
      headers,
      accessKeyId: 'owner',
      secretAccessKey: 'of the account',
      service: 's3',
      region: 'us-east-1',
    }).sign();
    return fetch(signed.url, { method, headers: Object.fromEntries(signed.headers) });
  }

  it('is kept so that not even the owner of the account takes it away, and a fork of the log is refused', async () => {
    const sink = new BucketSink({ url: 's3://heads/rind', retention: 86_400_000 });
    await sink.deliver(NOTICE);
    const kept = await ask('GET', `heads/${KEY}`);
    expect(await kept.json()).toEqual(NOTICE);
    expect(kept.headers.get('x-amz-object-lock-mode')).toBe('COMPLIANCE');
    const version = kept.headers.get('x-amz-version-id') ?? '';
    expect((await ask('DELETE', `heads/${KEY}?versionId=${version}`)).status).toBe(403);
    // The answer was lost: delivered again, a moment later.
    await sink.deliver({ ...NOTICE, at: '2026-11-22T12:00:05.000Z' });
    const fork = sink.deliver({ ...NOTICE, root: 'cc'.repeat(32) });
    await expect(fork).rejects.toThrow('another history than the one it witnessed');
    expect(await (await ask('GET', `heads/${KEY}`)).json()).toEqual(NOTICE);
  });

  it('says so when the bucket is not there, and refuses what is no bucket', async () => {
    const sink = new BucketSink({ url: 's3://nowhere', retention: 1000 });
    await expect(sink.deliver(NOTICE)).rejects.toThrow('answered with status 404');
    expect(() => new BucketSink({ url: 'https://heads', retention: 1 })).toThrow('names no bucket');
  });
});
