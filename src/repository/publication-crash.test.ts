import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import {
  Crash,
  equivocations,
  FaultPlan,
  faultStore,
  type CrashMoment,
} from '../../test/support/fault-store.ts';
import { IndexFixture } from '../../test/support/index-fixture.ts';
import { StoreClient } from '../../test/support/store-client.ts';
import { findFile, markFileRemoved } from '../db/files.ts';
import { appendJournal, journalState } from '../db/journal.ts';
import { findProject } from '../db/projects.ts';
import { FaultInjector, type FaultKind } from '../storage/fault-injector.ts';
import { MemoryStore } from '../storage/memory-store.ts';
import { PosixStore } from '../storage/posix-store.ts';
import { fsck } from './fsck.ts';
import { Publisher } from './publisher.ts';

let fixture: IndexFixture;
afterEach(() => fixture.close());

/** Two uploads to a project, one of them a new file of an old release, and the removal of the file before: every kind of operation. */
async function makeChanges(round: number): Promise<readonly number[]> {
  const { db, index, now } = fixture;
  const ids = [
    await fixture.upload('flask', `${round}.0`),
    await fixture.upload(`other-${round % 5}`, `${round}.1`),
  ];
  const previous = await findFile(db, index.id, `flask-${round - 1}.0.tar.gz`);
  const project = await findProject(db, index.id, 'flask');
  if (previous === undefined || project === undefined) return ids;
  await markFileRemoved(db, previous.id, now);
  const projectId = project.id;
  return [...ids, await appendJournal(db, { indexId: index.id, projectId, kind: 'remove', detail: {}, now })];
}

async function publishAll(publisher: Publisher): Promise<readonly number[]> {
  const published: number[] = [];
  for (;;) {
    const publication = await publisher.publishOnce();
    if (publication === undefined) return published;
    published.push(...publication.journalIds);
  }
}

/** Dies at every durable operation of a publication in turn; `next` gives the publisher that goes on. Returns how many deaths there were. */
async function dieEverywhere(
  plan: FaultPlan,
  moment: CrashMoment,
  next: (old: Publisher) => Promise<Publisher>,
  options: { readonly mayDieAfterRecovery?: boolean } = {},
): Promise<number> {
  let publisher = await fixture.startedPublisher();
  const client = await StoreClient.pin(fixture);
  for (let k = 1; ; k++) {
    const ids = await makeChanges(k);
    plan.arm(k, moment);
    const attempt = await publisher.publishOnce().catch((error: unknown) => error);
    const died = plan.disarm();
    if (!died) {
      expect(attempt).toMatchObject({ journalIds: ids });
      return k - 1;
    }
    expect(attempt).toBeInstanceOf(Crash);
    // Whatever is public in the middle verifies.
    await client.read('simple/flask/index.json');
    publisher = await next(publisher);
    const published = await publishAll(publisher);
    // A publisher that finished the publication and died then told nobody; whoever asks the journal hears it, see below.
    const isToldBefore = options.mayDieAfterRecovery === true && published.length === 0;
    expect(isToldBefore ? ids : published.toSorted((a, b) => a - b), `died ${moment} operation ${k}`).toEqual(
      ids,
    );
    for (const id of ids) expect(await journalState(fixture.db, id)).toBe('published');
    expect((await fsck(fixture)).findings, `died ${moment} operation ${k}`).toEqual([]);
    expect(equivocations(plan)).toEqual([]);
    expect(await client.read(`packages/flask/flask-${k}.0.tar.gz`)).toBe(`flask ${k}.0`);
    expect(await client.read(`packages/flask/flask-${k - 1}.0.tar.gz`)).toBeUndefined();
  }
}

async function fixtureWithPlan(): Promise<FaultPlan> {
  const plan = new FaultPlan();
  const store = faultStore(new MemoryStore(), plan);
  fixture = await IndexFixture.create({ store, beforeCommit: plan.beforeCommit });
  return plan;
}

describe('a store on disk whose operations fail', () => {
  it.each<FaultKind>(['EIO', 'ENOSPC'])(
    '%s at writes, syncs, links, renames, removals and commits in turn: the next process publishes every change',
    async (kind) => {
      let faults: FaultInjector | undefined;
      fixture = await IndexFixture.create({ onDisk: true, beforeCommit: () => faults?.before('commit') });
      const { db, index, online, clock } = fixture;
      const folders = {
        root: join(fixture.folder, 'tree'),
        temporaryFolder: join(fixture.folder, 'temporary'),
      };
      const client = await StoreClient.pin(fixture);
      // Every ninth operation, other ones for each kind of error: the whole loop belongs to the fault harness.
      for (let round = 1, k = kind === 'EIO' ? 1 : 5; ; round++, k += 9) {
        const ids = await makeChanges(round);
        faults = new FaultInjector(k, kind);
        const store = await PosixStore.open({ ...folders, faults });
        const publisher = new Publisher({ db, store, index, signers: [online], clock });
        const attempt = (async () => {
          await publisher.start();
          return publisher.publishOnce();
        })();
        await attempt.catch(() => undefined);
        const struck = faults.count >= k;
        faults = undefined;
        await publishAll(await fixture.startedPublisher());
        for (const id of ids) expect(await journalState(fixture.db, id)).toBe('published');
        expect((await fsck(fixture)).findings, `${kind} at operation ${k}`).toEqual([]);
        expect(await client.read(`packages/flask/flask-${round}.0.tar.gz`)).toBe(`flask ${round}.0`);
        if (!struck) {
          expect(k).toBeGreaterThan(40);
          return;
        }
      }
    },
    240_000,
  );
});

describe('a publisher that dies', () => {
  it.each<CrashMoment>(['before', 'after'])(
    'dying %s each operation: a new publisher publishes every change, fsck is clean and no version ever has two contents',
    async (moment) => {
      const plan = await fixtureWithPlan();
      const deaths = await dieEverywhere(plan, moment, () => fixture.startedPublisher());
      expect(deaths).toBeGreaterThan(20);
    },
    120_000,
  );

  it.each<CrashMoment>(['before', 'after'])(
    'failing %s each operation without dying: the same publisher goes on as well',
    async (moment) => {
      const plan = await fixtureWithPlan();
      const deaths = await dieEverywhere(plan, moment, async (publisher) => publisher);
      expect(deaths).toBeGreaterThan(20);
    },
    120_000,
  );

  it('dies again while it recovers, at every operation of the recovery', async () => {
    const plan = await fixtureWithPlan();
    const deaths = await dieEverywhere(
      plan,
      'after',
      async () => {
        for (let k = 1; ; k++) {
          plan.arm(k);
          const publisher = fixture.newPublisher();
          const started = await publisher.start().catch((error: unknown) => error);
          if (!plan.disarm()) return publisher;
          expect(started).toBeInstanceOf(Crash);
        }
      },
      { mayDieAfterRecovery: true },
    );
    expect(deaths).toBeGreaterThan(20);
  }, 120_000);

  it('renewing everything: dying at operations spread over it', async () => {
    const plan = await fixtureWithPlan();
    await fixture.startedPublisher();
    for (let k = 1; k < 280; k += 31) {
      fixture.advance(8 * 24);
      plan.arm(k);
      const publisher = await fixture.startedPublisher().catch(() => undefined);
      await publisher?.publishOnce().catch(() => undefined);
      plan.disarm();
      await publishAll(await fixture.startedPublisher());
      expect((await fsck(fixture)).findings, `died before operation ${k}`).toEqual([]);
      expect(equivocations(plan)).toEqual([]);
    }
  }, 120_000);
});
