import { afterAll, describe, expect, it } from 'vitest';
import { whenAvailable } from '../tools/unavailable.ts';
import { UnavailableError } from '../tools/unavailable-error.ts';
import { Harness, type TriedState } from './harness.ts';
import { KINDS, type Points, printState, type StateName } from './states.ts';

// A fixed part of `npm run faults`, which tries every point of every operation.
describe('an index survives a fault', () => {
  const harness = whenAvailable(async () => {
    const started = await Harness.start(2);
    if (started === undefined) throw new UnavailableError('no C compiler, or no Linux');
    return started;
  });
  afterAll(async () => {
    if (harness.present) await harness.value.close();
  });

  /** A few points of each kind, the first and the last among them. */
  function* some(operation: string, points: Points): Generator<StateName> {
    for (const kind of KINDS)
      for (const part of [0, 0.45, 0.8, 1]) {
        const k = Math.max(1, Math.round(points[kind] * part));
        if (k <= points[kind])
          yield { operation, kind, k, seed: kind === 'power cut' ? Math.round(part * 10) : undefined };
      }
  }

  async function tryEach(states: Iterable<StateName>): Promise<readonly TriedState[]> {
    const tried: TriedState[] = [];
    await harness.value.tryAll(states, (one) => tried.push(one));
    return tried;
  }

  const lost = (tried: readonly TriedState[]) =>
    tried
      .filter(({ problems }) => problems.length > 0)
      .map(({ state, problems }) => [printState(state), ...problems]);

  it.each(['upload', 'garbage collection', 'import'])(
    'of the disk, the machine or the signer during: %s',
    async (operation) => {
      const points = await harness.value.points(operation);
      expect(points['power cut']).toBeGreaterThan(50);
      const tried = await tryEach(some(operation, points));
      expect(tried.length).toBeGreaterThanOrEqual(16);
      expect(lost(tried)).toEqual([]);
    },
  );

  it.each(['first backup', 'backup', 'restore', 'creation'])(
    'of the power right after it was done: %s',
    async (operation) => {
      const points = await harness.value.points(operation);
      const k = points['power cut'];
      const states = [0, 2, 3, 4].map((seed) => ({ operation, kind: 'power cut' as const, k, seed }));
      expect(lost(await tryEach(states))).toEqual([]);
    },
  );

  it('of the power while a timestamp that clients read already is not durable yet', async () => {
    const points = await harness.value.points('re-sign');
    const k = points['power cut'];
    const states = Array.from({ length: 12 }, (_, back) => ({
      operation: 're-sign',
      kind: 'power cut' as const,
      k: k - back * 3,
      seed: 0,
    }));
    expect(lost(await tryEach(states))).toEqual([]);
  });
});
