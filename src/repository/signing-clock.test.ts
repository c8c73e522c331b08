import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { IndexFixture } from '../../test/support/index-fixture.ts';
import { StoreClient } from '../../test/support/store-client.ts';
import { fsck } from './fsck.ts';
import type { Metadata } from '../tuf/metadata.ts';
import { Metadata as SignedMetadata } from '../tuf/metadata.ts';
import type { Timestamp } from '../tuf/timestamp.ts';
import { Publisher } from './publisher.ts';
import { SigningClock } from './signing-clock.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const YEAR = 365 * DAY;
const WEEK = 7 * DAY;

let fixture: IndexFixture;
let elapsed: number;
let warnings: string[];
beforeEach(async () => {
  fixture = await IndexFixture.create();
  elapsed = 0;
  warnings = [];
});
afterEach(() => fixture.close());

const newPublisher = async (options: { isClockTrusted?: boolean; profileDay?: boolean } = {}) => {
  const { db, store, index, online, clock } = fixture;
  const publisher = new Publisher({
    db,
    store,
    index,
    signers: [online],
    clock,
    elapsed: () => elapsed,
    isClockTrusted: options.isClockTrusted,
    log: {
      info: () => undefined,
      warn: (fields, message) => void warnings.push(`${message} ${JSON.stringify(fields)}`),
    },
  });
  await publisher.start();
  return publisher;
};
/** Time goes by as it should. */
const pass = (milliseconds: number) => {
  elapsed += milliseconds;
  fixture.now = new Date(fixture.now.getTime() + milliseconds);
};
/** Somebody sets the clock. */
const step = (milliseconds: number) => {
  fixture.now = new Date(fixture.now.getTime() + milliseconds);
};
const publishAll = async (publisher: Publisher) => {
  while ((await publisher.publishOnce()) !== undefined);
};
const timestamp = async () => {
  const bytes = await fixture.store.read('metadata/timestamp.json');
  const { signed }: Metadata<Timestamp> = SignedMetadata.fromBytes(bytes ?? new Uint8Array(), 'timestamp');
  return { version: signed.version, expires: signed.expires.getTime() };
};

describe('a clock that is set while the publisher runs', () => {
  it('by a day, forward: is followed, with a warning; back again: time stands still, and no expiry moves back', async () => {
    const publisher = await newPublisher();
    const real = fixture.now.getTime();
    await publishAll(publisher);
    pass(1000);
    step(DAY);
    await fixture.upload('flask', '1.0');
    await publishAll(publisher);
    expect(warnings).toEqual([expect.stringContaining('"seconds":86400')]);
    const ahead = await timestamp();
    expect(ahead.expires).toBeLessThanOrEqual(real + WEEK + DAY + HOUR);
    step(-DAY);
    for (let release = 2; release < 6; release++) {
      pass(HOUR);
      const before = await timestamp();
      await fixture.upload('flask', `${release}.0`);
      await publishAll(publisher);
      const after = await timestamp();
      expect(after.version).toBeGreaterThan(before.version);
      expect(after.expires).toBeGreaterThanOrEqual(before.expires);
      expect(after.expires).toBeLessThanOrEqual(fixture.now.getTime() + WEEK + DAY + HOUR);
    }
    expect(warnings).toHaveLength(2);
    expect((await fsck(fixture)).findings).toEqual([]);
  });

  it('back by a day: versions rise, nothing is signed that expires earlier than what is public', async () => {
    const publisher = await newPublisher();
    await publishAll(publisher);
    const client = await StoreClient.pin(fixture);
    step(-DAY);
    const before = await timestamp();
    await fixture.upload('flask', '1.0');
    await publishAll(publisher);
    const after = await timestamp();
    expect(after.version).toBe(before.version + 1);
    expect(after.expires).toBeGreaterThanOrEqual(before.expires);
    expect(await client.read('packages/flask/flask-1.0.tar.gz')).toBe('flask 1.0');
    expect(warnings).toHaveLength(1);
  });

  it.each([10 * YEAR, -10 * YEAR])('by %i ms: nothing is signed until it is right again', async (years) => {
    const publisher = await newPublisher();
    await publishAll(publisher);
    const before = await timestamp();
    pass(1000);
    step(years);
    const id = await fixture.upload('flask', '1.0');
    for (let attempt = 0; attempt < 3; attempt++) {
      await expect(publisher.publishOnce()).rejects.toMatchObject({ code: 'CLOCK_STEPPED' });
      pass(1000);
    }
    expect(await timestamp()).toEqual(before);
    expect(warnings).toHaveLength(1);
    step(-years);
    expect((await publisher.publishOnce())?.journalIds).toEqual([id]);
    const after = await timestamp();
    expect(after.version).toBe(before.version + 1);
    expect(after.expires).toBeLessThanOrEqual(fixture.now.getTime() + WEEK);
    expect((await fsck(fixture)).findings).toEqual([]);
  });

  it('goes on by itself after the machine slept for days: that is no step', async () => {
    const publisher = await newPublisher();
    pass(3 * DAY);
    await publishAll(publisher);
    expect(warnings).toEqual([]);
    expect((await fsck(fixture)).findings).toEqual([]);
  });
});

describe('a start with a wrong clock', () => {
  it.each([10 * YEAR, -10 * YEAR, -2 * DAY])(
    'wrong by %i ms signs nothing and says what to do',
    async (wrong) => {
      const before = await timestamp();
      step(wrong);
      const publisher = await newPublisher();
      await expect(publisher.publishOnce()).rejects.toThrow('--trust-clock');
      expect(await timestamp()).toEqual(before);
    },
  );

  it('signs after an outage of weeks', async () => {
    step(40 * DAY);
    await publishAll(await newPublisher());
    expect((await fsck(fixture)).findings).toEqual([]);
  });

  it('that was ahead by months and is right now: the word of an operator replaces what would last too long', async () => {
    step(100 * DAY);
    await publishAll(await newPublisher());
    step(-100 * DAY);
    await expect((await newPublisher()).publishOnce()).rejects.toMatchObject({ code: 'CLOCK_STEPPED' });
    const before = await timestamp();
    const trusted = await newPublisher({ isClockTrusted: true });
    await publishAll(trusted);
    const after = await timestamp();
    expect(after.version).toBeGreaterThan(before.version);
    const rows = await fixture.db.selectFrom('roles').selectAll().execute();
    const latest = fixture.now.getTime() + WEEK;
    const online = rows.filter(
      ({ role }) => role.startsWith('bin-') || ['timestamp', 'snapshot', 'recently-claimed'].includes(role),
    );
    expect(online.length).toBeGreaterThan(258);
    for (const { expires_at } of online) expect(new Date(expires_at).getTime()).toBeLessThanOrEqual(latest);
    // From now on the clock needs nobody's word.
    pass(HOUR);
    await fixture.upload('flask', '1.0');
    await publishAll(await newPublisher());
    expect((await fsck(fixture)).findings).toEqual([]);
  });
});

describe('a machine that starts before its clock is set', () => {
  it('signs nothing until then, and goes on by itself afterwards', () => {
    let now = new Date('1970-01-01T00:05:00Z');
    let machine = 30_000;
    const clock = new SigningClock({ clock: () => now, elapsed: () => machine });
    const evidence = { lastSigned: new Date('2026-11-20T00:00:00Z') };
    expect(() => clock.time(evidence)).toThrow(expect.objectContaining({ code: 'CLOCK_STEPPED' }) as Error);
    now = new Date('2026-11-22T00:00:00Z');
    machine += 5000;
    expect(clock.time(evidence)).toEqual(now);
    now = new Date('2036-11-22T00:00:00Z');
    machine += 5000;
    expect(() => clock.time(evidence)).toThrow(expect.objectContaining({ code: 'CLOCK_STEPPED' }) as Error);
  });
});
