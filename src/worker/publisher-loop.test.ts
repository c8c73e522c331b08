import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Crash, FaultPlan, faultStore } from '../../test/support/fault-store.ts';
import { IndexFixture } from '../../test/support/index-fixture.ts';
import { waitingSummary } from '../db/journal.ts';
import { PublicationError } from '../repository/errors.ts';
import { MemoryStore } from '../storage/memory-store.ts';
import { StorageError } from '../storage/errors.ts';
import { PublisherLoop, type PublisherState } from './publisher-loop.ts';

let fixture: IndexFixture;
let loop: PublisherLoop;
let plan: FaultPlan;
let published: number[];
let states: PublisherState[];
let warnings: string[];
let fatal: unknown[];

async function newLoop(options: { firstPause?: number; failWith?: Error } = {}): Promise<PublisherLoop> {
  const publisher = await fixture.startedPublisher();
  const { failWith } = options;
  if (failWith !== undefined) publisher.publishOnce = () => Promise.reject(failWith);
  return new PublisherLoop({
    publisher,
    log: { info: () => undefined, warn: (fields) => void warnings.push(JSON.stringify(fields)) },
    countWaiting: async () => (await waitingSummary(fixture.db, fixture.index.id)).count,
    onPublished: ({ journalIds }) => void published.push(...journalIds),
    onState: (state) => void states.push(state),
    onFatal: (error) => void fatal.push(error),
    clock: fixture.clock,
    firstPause: options.firstPause ?? 1,
  });
}

beforeEach(async () => {
  published = [];
  states = [];
  warnings = [];
  fatal = [];
  plan = new FaultPlan();
  fixture = await IndexFixture.create({ store: faultStore(new MemoryStore(), plan) });
});
afterEach(async () => {
  await loop.close();
  await fixture.close();
});

describe('PublisherLoop', () => {
  it('publishes what waits at the start and whatever it is woken for', async () => {
    const first = await fixture.upload('a', '1.0');
    loop = await newLoop();
    loop.start();
    await expect.poll(() => published).toEqual([first]);
    const second = await fixture.upload('b', '1.0');
    loop.wake();
    await expect.poll(() => published).toEqual([first, second]);
    await expect
      .poll(() => states.at(-1))
      .toMatchObject({ waiting: 0, snapshotVersion: 3, lastError: undefined });
  });

  it('tries again by itself after failures, with the changes waiting meanwhile', async () => {
    const id = await fixture.upload('a', '1.0');
    loop = await newLoop();
    plan.arm(3);
    loop.start();
    await expect.poll(() => published).toEqual([id]);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain('died at operation 3');
    expect(
      states.some(({ lastError, waiting }) => lastError?.includes('died') === true && waiting === 1),
    ).toBe(true);
    expect(states.at(-1)?.lastError ?? undefined).toBeUndefined();
    expect(fatal).toEqual([]);
  });

  it('does not try faster because it is woken often', async () => {
    await fixture.upload('a', '1.0');
    loop = await newLoop({ firstPause: 3_600_000, failWith: new Crash('always') });
    loop.start();
    await expect.poll(() => states).toHaveLength(1);
    for (let index = 0; index < 100; index++) loop.wake();
    await new Promise((resolve) => setImmediate(resolve));
    expect(warnings).toHaveLength(1);
    expect(states.at(-1)).toMatchObject({ waiting: 1, lastError: 'always' });
  });

  it.each([new StorageError('SYNC_FAILED', 'fsync failed'), new PublicationError('CLOSED', 'closed')])(
    'stops for good after $code',
    async (error) => {
      loop = await newLoop({ failWith: error });
      loop.start();
      await expect.poll(() => fatal).toEqual([error]);
      loop.wake();
      await new Promise((resolve) => setImmediate(resolve));
      expect(states).toHaveLength(1);
      expect(warnings).toEqual([]);
    },
  );

  it('renews by its clock without being woken', async () => {
    fixture.advance(24);
    loop = await newLoop();
    loop.start();
    await expect.poll(() => states.at(-1)?.snapshotVersion).toBe(6);
  });

  it('ends with the publication that is being made', async () => {
    const id = await fixture.upload('a', '1.0');
    loop = await newLoop();
    loop.start();
    await loop.close();
    expect([[], [id]]).toContainEqual(published);
  });
});
