import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { cp, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { CeremonyFixture, planText } from '../../test/support/ceremony-fixture.ts';
import { IndexFixture } from '../../test/support/index-fixture.ts';
import { openLog } from '../telemetry/log.ts';
import { ReminderLoop } from './reminder-loop.ts';

let fixture: IndexFixture;
afterEach(() => fixture.close());

it('reminds by webhook of a signing window and of expiries, once, and again when the webhook failed', async () => {
  fixture = await IndexFixture.create();
  const people = await CeremonyFixture.create();
  const events = join(fixture.folder, 'events');
  await mkdir(events);
  await cp(await people.event('event', planText(), { now: fixture.now }), join(events, 'one'), {
    recursive: true,
  });
  await people.close();
  const received: { text: string; urgency: string }[] = [];
  let works = false;
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      if (works) received.push(JSON.parse(body) as { text: string; urgency: string });
      response.writeHead(works ? 204 : 500).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const webhook = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const newLoop = () =>
    new ReminderLoop({
      db: fixture.db,
      eventsFolder: events,
      log: openLog({ level: 'silent' }),
      webhook,
      clock: fixture.clock,
    });
  const loop = newLoop();
  fixture.advance(24 * 12);
  await loop.remind();
  expect(loop.pause).toBe(60_000);
  await loop.remind();
  expect(loop.pause).toBe(120_000);
  works = true;
  await loop.remind();
  expect(loop.pause).toBe(3_600_000);
  await loop.remind();
  // After a restart, too.
  await newLoop().remind();
  expect(received).toMatchObject([
    { urgency: 'warning', text: expect.stringMatching(/in 2 days; these have not signed: Ada, Grace, Joan/) },
  ]);
  fixture.advance(24 * 300);
  await loop.remind();
  expect(
    received
      .slice(1)
      .map(({ text }) => text.split(' ')[0])
      .toSorted((a, b) => (a ?? '').localeCompare(b ?? '')),
  ).toEqual(['bins', 'claimed', 'root', 'targets']);
  await new Promise((resolve) => server.close(resolve));
});
