import { createHash } from 'node:crypto';
import { AwsV4Signer } from 'aws4fetch';
import { AwsCredentialChain } from '../keys/aws-credentials.ts';
import type { HeadNotice, HeadSink } from './head-sinks.ts';

export interface BucketSinkOptions {
  /** `s3://BUCKET/PREFIX`; the bucket was made with object lock. */
  readonly url: string;
  /** How long no one can remove or replace a head, the owner of the account included. Milliseconds. */
  readonly retention: number;
}

const TIMEOUT = 10_000;
const MAX_LENGTH = 64 * 1024;

/**
 * Writes each head as an object of its own into a bucket with object lock, in compliance mode: whoever takes over the server, its credentials or
 * even the account can neither replace nor remove it before its time. Region, endpoint and credentials are those of the surroundings, as the
 * AWS tools read them (AWS_REGION, AWS_ENDPOINT_URL_S3).
 */
export class BucketSink implements HeadSink {
  readonly name: string;
  readonly #base: string;
  readonly #region: string;
  readonly #retention: number;
  readonly #credentials: AwsCredentialChain;

  /** Throws TypeError when `url` names no bucket. */
  constructor({ url, retention }: BucketSinkOptions) {
    const [, bucket, prefix = ''] =
      /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/([\w./-]*))?$/.exec(url) ?? [];
    if (bucket === undefined)
      throw new TypeError(`"${url}" names no bucket for heads: write s3://BUCKET or s3://BUCKET/PREFIX.`);
    this.name = `bucket:${url}`;
    this.#region = process.env['AWS_REGION'] ?? process.env['AWS_DEFAULT_REGION'] ?? 'us-east-1';
    const endpoint =
      process.env['AWS_ENDPOINT_URL_S3'] ??
      process.env['AWS_ENDPOINT_URL'] ??
      `https://s3.${this.#region}.amazonaws.com`;
    const folder = prefix === '' || prefix.endsWith('/') ? prefix : `${prefix}/`;
    this.#base = `${endpoint.replace(/\/$/, '')}/${bucket}/${folder}`;
    this.#retention = retention;
    this.#credentials = new AwsCredentialChain(url, this.#region);
  }

  async deliver(notice: HeadNotice): Promise<void> {
    const body = JSON.stringify(notice);
    const digest = createHash('sha256').update(body).digest();
    const until = new Date(Date.now() + this.#retention);
    const name = `${notice.index === '' ? 'default' : `index/${notice.index}`}/${String(notice.size).padStart(12, '0')}.json`;
    const answer = await this.#request('PUT', name, body, {
      'content-type': 'application/json',
      'if-none-match': '*',
      'x-amz-checksum-sha256': digest.toString('base64'),
      'x-amz-sdk-checksum-algorithm': 'SHA256',
      'x-amz-object-lock-mode': 'COMPLIANCE',
      'x-amz-object-lock-retain-until-date': until.toISOString(),
    });
    if (answer.status === 412) return this.#requireSame(name, notice);
    await answer.body?.cancel();
    if (!answer.ok) throw new Error(`the bucket answered with status ${answer.status} to ${name}`);
  }

  /** An answer was lost, or the server is another one than it was: the head that is there must be this one. */
  async #requireSame(name: string, { size, root }: HeadNotice): Promise<void> {
    const answer = await this.#request('GET', name, '', {});
    const text = await answer.text();
    if (!answer.ok) throw new Error(`the bucket answered with status ${answer.status} to ${name}`);
    const kept = text.length > MAX_LENGTH ? undefined : (JSON.parse(text) as Partial<HeadNotice>);
    if (kept?.size === size && kept.root === root) return;
    throw new Error(
      `the bucket keeps another head of ${size} publications in ${name}: this log is another history than the one it witnessed`,
    );
  }

  async #request(
    method: 'GET' | 'PUT',
    name: string,
    body: string,
    headers: Readonly<Record<string, string>>,
  ): Promise<Response> {
    const { accessKeyId, secretAccessKey, sessionToken } = await this.#credentials.get();
    const content = createHash('sha256').update(body).digest('hex');
    const signed = await new AwsV4Signer({
      url: this.#base + name,
      method,
      headers: { ...headers, 'x-amz-content-sha256': content },
      ...(method === 'PUT' ? { body } : {}),
      accessKeyId,
      secretAccessKey,
      ...(sessionToken === undefined ? {} : { sessionToken }),
      service: 's3',
      region: this.#region,
    }).sign();
    return fetch(signed.url, {
      method,
      headers: Object.fromEntries(signed.headers),
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT),
      ...(method === 'PUT' ? { body } : {}),
    });
  }
}
