// Failures of the nearest peer that must not be ours (eight tests). Here are the second and the third; the others are
// 1 test/e2e/crash.test.ts and src/repository/publication-crash.test.ts; 4 and 5 src/ceremony and test/e2e/ceremony.test.ts;
// 6 src/tuf/layout.test.ts and src/updater; 7 src/repository/adoption.test.ts "fails no client that polls all the time"; 8 test/conformance,
// test/differential and test/e2e/python-tuf.test.ts.
import { afterEach, describe, expect, it } from 'vitest';
import type { ExpirySettings } from '../../src/repository/expiry-settings.ts';
import { fsck } from '../../src/repository/fsck.ts';
import { Publisher } from '../../src/repository/publisher.ts';
import { IndexFixture } from '../support/index-fixture.ts';
import { StoreClient } from '../support/store-client.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

let fixture: IndexFixture;
afterEach(() => fixture.close());

const publishAll = async (publisher: Publisher) => {
  while ((await publisher.publishOnce()) !== undefined);
};
const versions = async () =>
  new Map(
    (await fixture.db.selectFrom('roles').select(['role', 'version']).execute()).map(({ role, version }) => [
      role,
      version,
    ]),
  );

describe('2. bins of seven days, a timestamp of one day, and no upload for 48 hours', () => {
  it('never expire for a client, and no bin is signed before it is due', async () => {
    fixture = await IndexFixture.create();
    const { db, store, index, online, clock } = fixture;
    const expiry: ExpirySettings = {
      timestamp: { lifetime: DAY, renewal: DAY / 2 },
      snapshot: { lifetime: 2 * DAY, renewal: DAY },
      bins: { lifetime: 7 * DAY, renewal: 3.5 * DAY },
    };
    const publisher = new Publisher({ db, store, index, signers: [online], clock, expiry });
    await publisher.start();
    await fixture.upload('flask', '1.0');
    // By now every bin is due.
    fixture.advance(90);
    await publishAll(publisher);
    const first = await versions();
    const client = await StoreClient.pin(fixture);
    for (let hour = 0; hour < 48; hour++) {
      fixture.advance(1);
      await publishAll(publisher);
      await client.session();
      if (hour >= 40) continue;
      // Bins come due at the earliest after half of 84 hours.
      for (const [role, version] of await versions())
        if (role.startsWith('bin-')) expect(version, `${role} after ${hour} hours`).toBe(first.get(role));
    }
    const last = await versions();
    expect(last.get('timestamp')).toBeGreaterThanOrEqual((first.get('timestamp') ?? 0) + 4);
    expect((await fsck(fixture)).findings).toEqual([]);
  });
});

describe('3. an offline role that enters its window and is not signed', () => {
  it('stops no client before it truly expires', async () => {
    fixture = await IndexFixture.create();
    const publisher = await fixture.startedPublisher();
    await fixture.upload('flask', '1.0');
    await publishAll(publisher);
    const client = await StoreClient.pin(fixture);
    const offline = ['root', 'targets', 'claimed', 'bins'];
    for (const days of [180, 150, 34]) {
      fixture.advance(days * 24);
      await publishAll(publisher);
      await client.session();
      expect(await client.read('packages/flask/flask-1.0.tar.gz')).toBe('flask 1.0');
    }
    for (const role of offline) expect((await versions()).get(role)).toBe(1);
    expect((await fsck(fixture)).findings).toEqual([]);
    fixture.advance(2 * 24);
    await expect(client.session()).rejects.toThrow(/expired/);
    expect((await fsck(fixture)).findings.map(({ code }) => code)).toContain('METADATA_EXPIRED');
  });
});
