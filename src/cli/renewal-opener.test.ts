import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { CeremonyFixture, planText } from '../../test/support/ceremony-fixture.ts';
import { IndexFixture } from '../../test/support/index-fixture.ts';
import { StoreClient } from '../../test/support/store-client.ts';
import { verifyBundle } from '../ceremony/bundle.ts';
import { EventFolder } from '../ceremony/event-folder.ts';
import { insertIndex } from '../db/indexes.ts';
import { findOfflineBundle, submitOfflineBundle } from '../db/offline-bundles.ts';
import { writeTransaction } from '../db/transactions.ts';
import { createRepository } from '../repository/create-repository.ts';
import type { Publisher } from '../repository/publisher.ts';
import { eventsFolder, indexOfRoot, offeredEvents } from './offered-events.ts';
import { keepBundle, RenewalOpener } from './renewal-opener.ts';

const DAY = 24;
let fixture: IndexFixture;
let people: CeremonyFixture | undefined;
afterEach(async () => {
  await fixture.close();
  await people?.close();
  people = undefined;
});

const opener = () => new RenewalOpener({ db: fixture.db, store: fixture.store, path: fixture.folder });
const told = async () =>
  (await opener().reminders(fixture.index, fixture.now)).map(({ key, message }) => ({
    key: key.split(' ')[0],
    message,
  }));

/** The publisher renews what is due at the end; clients are not asked in between. */
async function wait(publisher: Publisher, days: number): Promise<void> {
  fixture.advance(days * DAY);
  while ((await publisher.publishOnce()) !== undefined);
}

async function smallIndex(): Promise<void> {
  fixture = await IndexFixture.open();
  fixture.bins = 16;
  await fixture.createRepository();
}

it('opens one event when an offline role is due, which people sign and the publisher adopts; clients work all the time', async () => {
  await smallIndex();
  const publisher = await fixture.startedPublisher();
  await fixture.upload('flask', '1.0');
  await publisher.publishOnce();
  const client = await StoreClient.pin(fixture, 'client');
  await wait(publisher, 270);
  expect(await told()).toEqual([]);

  await wait(publisher, 6);
  expect(await told()).toMatchObject([
    {
      key: 'opened',
      message: expect.stringMatching(/new dates for root, targets, claimed, bins is open: rind sign/),
    },
  ]);
  // The old versions hold until they really expire, and nothing is opened twice.
  await wait(publisher, 25);
  expect(await told()).toMatchObject([{ key: 'opened' }]);
  const [id = '', ...others] = await readdir(eventsFolder(fixture.folder));
  expect(others).toEqual([]);
  expect(await client.read('packages/flask/flask-1.0.tar.gz')).toBe('flask 1.0');

  const path = join(eventsFolder(fixture.folder), id);
  for (const { signers } of Object.values(fixture.offline))
    for (const signer of signers)
      await (await EventFolder.open(path)).sign(signer, { now: fixture.now, program: 'test' });
  expect(await told()).toMatchObject([
    { key: 'complete', message: expect.stringContaining(`rind ceremony import ${path}`) },
  ]);
  const { metadata, event } = await verifyBundle(path);
  const roles = [...metadata].map(([role, one]) => ({
    role,
    version: one.signed.version,
    bytes: one.toBytes(),
  }));
  await writeTransaction(fixture.db, (tx) =>
    submitOfflineBundle(tx, { indexId: fixture.index.id, event: event.id, roles, now: fixture.now }),
  );
  expect(await told()).toEqual([]);
  await wait(publisher, 1);
  await wait(publisher, 10);
  expect(await findOfflineBundle(fixture.db, fixture.index.id, event.id)).toMatchObject({
    state: 'published',
  });
  await wait(publisher, 100);
  expect(await client.read('packages/flask/flask-1.0.tar.gz')).toBe('flask 1.0');
  await publisher.close();
});

it('opens another event when the signing window of the last one closed', async () => {
  await smallIndex();
  fixture.advance(280 * DAY);
  await told();
  fixture.advance(31 * DAY);
  expect(await told()).toMatchObject([{ key: 'opened' }]);
  expect(await readdir(eventsFolder(fixture.folder))).toHaveLength(2);
});

it('asks for a ceremony where the keys that signed were discarded', async () => {
  people = await CeremonyFixture.create();
  fixture = await IndexFixture.open({ online: people.signer('online') });
  const path = await people.event('event', planText({ present: ['Ada', 'Grace'], bins: 16 }), {
    now: fixture.now,
  });
  await (await EventFolder.open(path)).sealWhenComplete(fixture.now);
  const { roles, event } = await verifyBundle(path);
  const { db, store, index, clock, online } = fixture;
  await createRepository({ db, store, index, clock, offline: roles, online: [online] });
  await mkdir(join(fixture.folder, 'ceremony'), { recursive: true });
  await keepBundle(fixture.folder, path, event.id);
  fixture.advance(280 * DAY);
  expect(await told()).toMatchObject([
    {
      key: 'ceremony',
      message: expect.stringMatching(/targets, claimed, bins were signed with keys that exist no more/),
    },
  ]);
  expect(await readdir(eventsFolder(fixture.folder)).catch(() => [])).toEqual([]);
});

it('names the index of an event, so that whoever signs for several knows which one; the API does too', async () => {
  fixture = await IndexFixture.open({ indexName: 'stage' });
  fixture.bins = 16;
  await fixture.createRepository();
  fixture.advance(280 * DAY);
  expect(await told()).toMatchObject([
    { key: 'opened', message: expect.stringContaining('bins of the index stage is open: rind sign') },
  ]);
  const { db, store, folder, now } = fixture;
  await insertIndex(db, { name: '', profile: 'team', now });
  const [event] = await offeredEvents(folder, indexOfRoot(db, store)).list(now);
  expect(event).toMatchObject({ index: 'stage', kind: 'renewal' });
  const path = join(eventsFolder(folder), event?.id ?? '');
  for (const { signers } of Object.values(fixture.offline))
    for (const signer of signers) await (await EventFolder.open(path)).sign(signer, { now, program: 'test' });
  expect(await told()).toMatchObject([
    { key: 'complete', message: expect.stringMatching(/--data \S+ --index stage$/) },
  ]);
});
