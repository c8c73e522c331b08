import { createHmac } from 'node:crypto';
import { open } from 'node:fs/promises';
import { BucketSink, type BucketSinkOptions } from './bucket-sink.ts';

/** The head of an index's public log, and of the audit log that stands behind it. */
export interface HeadNotice {
  /** The public URL of the index. */
  readonly origin: string;
  /** Name of the index. */
  readonly index: string;
  readonly size: number;
  readonly root: string;
  /** ISO 8601, UTC. */
  readonly at: string;
  readonly auditSeq: number;
  readonly auditSha256: string;
}

/** Somewhere a head is kept that the server cannot take back. */
export interface HeadSink {
  /** Unique among the sinks of a server; it is what the queue remembers. */
  readonly name: string;
  /** Resolves when the sink has it for good; any rejection is tried again. */
  deliver(notice: HeadNotice): Promise<void>;
}

/** Appends JSON lines to a file: on an append-only medium, a mount of another machine, or `chattr +a`. */
export class FileSink implements HeadSink {
  readonly name: string;
  readonly #path: string;

  constructor(path: string) {
    this.name = `file:${path}`;
    this.#path = path;
  }

  async deliver(notice: HeadNotice): Promise<void> {
    const file = await open(this.#path, 'a', 0o600);
    try {
      await file.appendFile(`${JSON.stringify(notice)}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
  }
}

export interface WebhookSinkOptions {
  readonly url: string;
  /** Signs the body: `X-Rind-Signature-256: sha256=<hex of HMAC-SHA256>`. */
  readonly secret?: string;
  /** Sent as a Bearer token: what `/api/v1/witness` of another rind asks for. */
  readonly token?: string;
  /** Milliseconds. */
  readonly timeout?: number;
}

/** POSTs the head as JSON; anything but a 2xx is a failure. Another rind is such a sink too, and it keeps heads for ever. */
export class WebhookSink implements HeadSink {
  readonly name: string;
  readonly #options: WebhookSinkOptions;

  constructor(options: WebhookSinkOptions) {
    const { origin, pathname } = new URL(options.url);
    this.name = `webhook:${origin}${pathname}`;
    this.#options = options;
  }

  async deliver(notice: HeadNotice): Promise<void> {
    const { url, secret, token, timeout = 10_000 } = this.#options;
    const body = JSON.stringify(notice);
    const headers = new Headers({ 'Content-Type': 'application/json' });
    if (secret !== undefined)
      headers.set(
        'X-Rind-Signature-256',
        `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`,
      );
    if (token !== undefined) headers.set('Authorization', `Bearer ${token}`);
    const answer = await fetch(url, {
      method: 'POST',
      body,
      headers,
      redirect: 'error',
      signal: AbortSignal.timeout(timeout),
    });
    await answer.body?.cancel();
    if (!answer.ok) throw new Error(`the sink answered with status ${answer.status}`);
  }
}

/** Which sinks a server has; `rind witness` and the settings file speak of them in these words. */
export interface WitnessSettings {
  /** Files that heads are appended to. */
  readonly files: readonly string[];
  readonly webhooks: readonly WebhookSinkOptions[];
  /** Buckets with object lock. */
  readonly buckets: readonly BucketSinkOptions[];
}

export function headSinks({ files, webhooks, buckets }: WitnessSettings): readonly HeadSink[] {
  return [
    ...files.map((path) => new FileSink(path)),
    ...webhooks.map((options) => new WebhookSink(options)),
    ...buckets.map((options) => new BucketSink(options)),
  ];
}
