import { createHmac } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ServerFixture } from '../../test/support/server-fixture.ts';
import { makeWheel } from '../../test/tools/distribution.ts';
import { sendWebhook, WebhookSender } from './webhook-sender.ts';
import { authenticateToken } from './authenticate.ts';
import {
  addWebhook,
  checkedWebhookUrl,
  deliveriesOf,
  removeWebhook,
  retryDeliveries,
  webhookToTest,
} from './webhooks.ts';

const CLI = { kind: 'cli', name: 'test' } as const;

interface Received {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A program that is told. */
class Listener {
  readonly received: Received[] = [];
  status = 200;
  headers: Record<string, string> = {};
  readonly #server: Server;

  constructor() {
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request
        .on('data', (chunk: Buffer) => chunks.push(chunk))
        .on('end', () => {
          this.received.push({ headers: request.headers, body: Buffer.concat(chunks).toString() });
          response.writeHead(this.status, this.headers).end('x'.repeat(100_000));
        });
    });
  }

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/hook/path-secret`;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

let fixture: ServerFixture;
let listener: Listener;
let url: string;
let now: Date;
let warned: string[];
let sender: WebhookSender;
let context: Parameters<typeof addWebhook>[0];

beforeEach(async () => {
  fixture = await ServerFixture.start();
  listener = new Listener();
  url = await listener.start();
  now = new Date('2026-03-01T12:00:00Z');
  warned = [];
  const { db, index } = fixture.index;
  context = { db, index, clock: () => now };
  sender = new WebhookSender({
    db,
    clock: () => now,
    timeout: 60_000,
    log: { warn: (fields, message) => void warned.push(`${message} ${JSON.stringify(fields)}`) },
  });
});
afterEach(async () => {
  listener.close();
  await fixture.close();
});

const own = () => ({ url, secret: 's', may_be_internal: 1 });
const later = (seconds: number): void => void (now = new Date(now.getTime() + seconds * 1000));

describe('a webhook', () => {
  it('is told of a publication once, with everything in it, signed with its secret', async () => {
    const { secret } = await addWebhook(context, CLI, url);
    await fixture.upload(makeWheel({ name: 'Demo', version: '1.0' }));
    await sender.deliver();
    await sender.deliver();
    expect(listener.received).toHaveLength(1);
    const [{ headers, body }] = listener.received as [Received];
    const [, time, signature] =
      /^t=([0-9]+),v1=([0-9a-f]{64})$/.exec(`${headers['x-rind-signature'] as string}`) ?? [];
    expect(Number(time)).toBe(now.getTime() / 1000);
    expect(signature).toBe(createHmac('sha256', secret).update(`${time}.${body}`).digest('hex'));
    expect(headers['x-rind-event']).toBe('publication');
    expect(JSON.parse(body)).toMatchObject({
      event: 'publication',
      index: '',
      isTruncated: false,
      snapshotVersion: expect.any(Number) as number,
      changes: [{ kind: 'upload', project: 'demo', filename: 'demo-1.0-py3-none-any.whl' }],
    });
    expect(await deliveriesOf(context, CLI)).toMatchObject([{ state: 'delivered', attempts: 1 }]);
  });

  it('is told of nothing that happened before it was there, and of nothing after it was removed', async () => {
    await fixture.upload(makeWheel({ name: 'before', version: '1' }));
    const { number } = await addWebhook(context, CLI, url);
    await fixture.upload(makeWheel({ name: 'waits', version: '1' }));
    await removeWebhook(context, CLI, number);
    await fixture.upload(makeWheel({ name: 'after', version: '1' }));
    await sender.deliver();
    expect(listener.received).toEqual([]);
  });

  it('that fails is tried again with growing pauses, told late rather than never', async () => {
    await addWebhook(context, CLI, url);
    listener.status = 503;
    await fixture.upload(makeWheel({ name: 'demo', version: '1' }));
    await sender.deliver();
    later(4);
    await sender.deliver();
    expect(listener.received).toHaveLength(1);
    later(2);
    await sender.deliver();
    later(6);
    await sender.deliver();
    expect(listener.received).toHaveLength(2);
    listener.status = 204;
    later(30);
    await sender.deliver();
    expect(listener.received).toHaveLength(3);
    expect(new Set(listener.received.map(({ body }) => body)).size).toBe(1);
    expect(await deliveriesOf(context, CLI)).toMatchObject([{ state: 'delivered', attempts: 3 }]);
  });

  it('that never answers well becomes a dead letter, which can be revived', async () => {
    const { number } = await addWebhook(context, CLI, url);
    listener.status = 500;
    await fixture.upload(makeWheel({ name: 'demo', version: '1' }));
    for (let hour = 0; hour < 20; hour += 1) {
      await sender.deliver();
      later(7 * 3600);
    }
    expect(listener.received).toHaveLength(8);
    expect(await deliveriesOf(context, CLI, 'dead')).toMatchObject([
      { state: 'dead', attempts: 8, lastError: 'it answered 500' },
    ]);
    expect(warned.at(-1)).toContain('given up');
    expect(warned.join()).not.toContain('path-secret');
    listener.status = 200;
    expect(await retryDeliveries(context, CLI, number)).toBe(1);
    await sender.deliver();
    expect(await deliveriesOf(context, CLI, 'dead')).toEqual([]);
  });

  it('cannot send this server anywhere else: a redirect is a failure', async () => {
    const other = new Listener();
    const target = await other.start();
    listener.status = 307;
    listener.headers = { Location: target };
    const failure = await sendWebhook(own(), { id: '1', event: 'ping', body: '{}' }, now);
    expect(failure).toBe('it answered 307');
    expect(other.received).toEqual([]);
    other.close();
  });

  it('of an administrator of one index does not tell whether a port of this network is open', async () => {
    const { db, index } = fixture.index;
    const scope = { verbs: ['admin'], indexId: index.id } as const;
    const principal = await authenticateToken(db, await fixture.issue(scope), now);
    const port = new URL(url).port;
    for (const host of ['127.0.0.1', '0x7f.1', '[::1]', '[::ffff:127.0.0.1]', '10.0.0.1', '169.254.169.254'])
      await expect(addWebhook(context, principal, `http://${host}:${port}/`)).rejects.toMatchObject({
        code: 'NOT_PERMITTED',
      });
    const { number } = await addWebhook(context, principal, `http://localhost:${port}/`);
    const webhook = await webhookToTest(context, principal, number);
    const message = { id: '1', event: 'ping', body: '{}' };
    const open = await sendWebhook(webhook, message, now);
    listener.close();
    const closed = await sendWebhook(webhook, message, now);
    expect([open, closed, listener.received]).toEqual([closed, open, []]);
    expect(open).toContain('no public address');
    // Whoever runs the whole server may, by the same name.
    const mine = await addWebhook(context, CLI, `http://localhost:${port}/mine`);
    expect(await sendWebhook(await webhookToTest(context, CLI, mine.number), message, now)).toContain(
      'ECONNREFUSED',
    );
  });

  it('that is not there says so without its address', async () => {
    listener.close();
    const failure = await sendWebhook(own(), { id: '1', event: 'ping', body: '{}' }, now);
    expect(failure).toBe('it cannot be reached (ECONNREFUSED)');
  });

  it('is refused where no message can go, or where an address holds a secret', () => {
    const addresses = ['file:///etc/passwd', 'ftp://x/', 'https://user:pw@x/', 'https://x/#y', 'no'];
    for (const text of [...addresses, `https://x/${'y'.repeat(2000)}`])
      expect(() => checkedWebhookUrl(text)).toThrow(
        expect.objectContaining({ code: 'INVALID_REQUEST' }) as Error,
      );
  });
});

describe('the endpoints of webhooks', () => {
  it('add, test, list and remove one, and never tell its secret again', async () => {
    const token = await fixture.issue({ verbs: ['admin'] });
    const authorization = `Bearer ${token}`;
    const call = async (method: string, path: string, body?: object) => {
      const answer = await fixture.send(
        method,
        `/api/v1/${path}`,
        { authorization, 'content-type': 'application/json' },
        body === undefined ? undefined : Buffer.from(JSON.stringify(body)),
      );
      return {
        status: answer.status,
        json: answer.text === '' ? undefined : (JSON.parse(answer.text) as unknown),
      };
    };
    const made = await call('POST', 'webhooks', { url });
    expect(made).toMatchObject({
      status: 201,
      json: { number: 1, secret: expect.stringMatching(/^whsec_/) as string },
    });
    expect((await call('POST', 'webhooks', { url })).status).toBe(409);
    expect(await call('POST', 'webhooks/1/test')).toEqual({
      status: 200,
      json: { delivered: true, error: null },
    });
    const listed = await call('GET', 'webhooks');
    expect(JSON.stringify(listed.json)).not.toContain('whsec_');
    expect((await call('GET', 'webhook-deliveries?state=dead')).json).toEqual([]);
    expect((await call('DELETE', 'webhooks/1')).status).toBe(204);
    expect((await call('DELETE', 'webhooks/1')).status).toBe(404);
    const { db } = fixture.index;
    const audit = await db
      .selectFrom('audit_log')
      .select('detail')
      .where('action', 'like', 'webhook.%')
      .execute();
    expect(audit).toHaveLength(2);
    expect(JSON.stringify(audit)).not.toMatch(/whsec_|path-secret/);
  });
});
