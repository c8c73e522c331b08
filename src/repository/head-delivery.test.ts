import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { IndexFixture } from '../../test/support/index-fixture.ts';
import { parseLogHead } from '../transparency/log-entry.ts';
import { HeadDelivery } from './head-delivery.ts';
import { FileSink, WebhookSink, type HeadNotice, type HeadSink } from './head-sinks.ts';
import type { Publisher } from './publisher.ts';

let fixture: IndexFixture;
let publisher: Publisher;
beforeEach(async () => {
  fixture = await IndexFixture.create();
  publisher = await fixture.startedPublisher();
});
afterEach(async () => {
  await publisher.close();
  await fixture.close();
});

const delivery = (...sinks: HeadSink[]) =>
  new HeadDelivery({ db: fixture.db, sinks, publicUrl: 'https://index.test/', clock: fixture.clock });
const publish = async (project: string) => {
  await fixture.upload(project, '1.0');
  await publisher.publishOnce();
};
const head = async () => parseLogHead((await fixture.store.read('log/head.json')) ?? new Uint8Array());

describe('the heads of the log', () => {
  it('are appended to a file, each once', async () => {
    const path = join(fixture.folder, 'heads.jsonl');
    const queue = delivery(new FileSink(path));
    await queue.deliver();
    await queue.deliver();
    await publish('a');
    await queue.deliver();
    const lines = (await readFile(path, 'utf8')).trimEnd().split('\n');
    expect(lines).toHaveLength(2);
    const notice = JSON.parse(lines[1] ?? '') as HeadNotice;
    expect(notice).toMatchObject({ origin: 'https://index.test/', ...(await head()) });
    expect(notice.auditSeq).toBeGreaterThan(2);
  });

  it('are posted to a webhook with a signature over the very body', async () => {
    const received: { body: string; signature?: unknown; authorization?: unknown }[] = [];
    const server = createServer((request, response) => {
      void text(request).then((body) => {
        const { 'x-rind-signature-256': signature, authorization } = request.headers;
        received.push({ body, signature, authorization });
        response.end();
      });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    try {
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/heads`;
      await delivery(new WebhookSink({ url, secret: 'hush', token: 't' })).deliver();
      const [first] = received;
      const { body, signature, authorization } = first ?? { body: '', signature: '', authorization: '' };
      expect(signature).toBe(`sha256=${createHmac('sha256', 'hush').update(body).digest('hex')}`);
      expect(authorization).toBe('Bearer t');
      expect(JSON.parse(body)).toMatchObject(await head());
    } finally {
      server.close();
    }
  });

  it('wait while a sink is away, with longer and longer pauses, and arrive when it is back', async () => {
    let isAway = true;
    const received: HeadNotice[] = [];
    let attempts = 0;
    const sink: HeadSink = {
      name: 'test',
      deliver: async (notice) => {
        attempts += 1;
        if (isAway) throw new Error('nobody is there');
        received.push(notice);
      },
    };
    const queue = delivery(sink);
    await queue.deliver();
    await queue.deliver();
    expect(attempts).toBe(1);
    fixture.advance(1);
    expect(await queue.queueAges()).toEqual([{ sink: 'test', index: '', seconds: 3600, failures: 1 }]);
    await queue.deliver();
    expect(attempts).toBe(2);
    await publish('a');
    isAway = false;
    fixture.advance(2);
    await delivery(sink).deliver();
    expect(received).toMatchObject([await head()]);
    expect(await queue.queueAges()).toMatchObject([{ seconds: 0, failures: 0 }]);
  });

  it('hold no publication up', async () => {
    const never: HeadSink = { name: 'never', deliver: () => new Promise(() => undefined) };
    void delivery(never).deliver();
    await publish('a');
    expect((await head()).size).toBe(2);
  });
});
