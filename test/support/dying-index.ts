import { MemoryStore } from '../../src/storage/memory-store.ts';
import { equivocations, FaultPlan, faultStore } from './fault-store.ts';
import type { FixtureOptions } from './index-fixture.ts';

/** An index that is made anew for each operation at which it dies. */
export interface DyingIndex {
  /** With this store and database: what is there before. */
  readonly begin: (options: Pick<FixtureOptions, 'store' | 'beforeCommit'>) => Promise<void>;
  /** What dies half-way. */
  readonly act: () => Promise<unknown>;
  /** What has to hold of what it left, and that it goes on. */
  readonly goOn: (k: number) => Promise<void>;
}

/** Dies before or after every second of the durable operations of `act` in turn, until it lives: how often it died. No version ever has two contents. */
export async function dieAtEachStep({ begin, act, goOn }: DyingIndex): Promise<number> {
  for (let k = 1, crashes = 0; ; k += 2, crashes += 1) {
    const plan = new FaultPlan();
    await begin({ store: faultStore(new MemoryStore(), plan), beforeCommit: plan.beforeCommit });
    plan.arm(k, k % 4 === 1 ? 'before' : 'after');
    await act().catch(() => undefined);
    const struck = plan.disarm();
    await goOn(k);
    const twice = equivocations(plan);
    if (twice.length > 0) throw new Error(`two contents of ${twice.join(', ')} after it died at ${k}`);
    if (!struck) return crashes;
  }
}
