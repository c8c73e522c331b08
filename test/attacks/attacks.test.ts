import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { scratchFolder } from '../tools/rind-program.ts';
import { allCases } from './cases/index.ts';
import { deviation, honest, runNear, twinProject } from './near-matrix.ts';
import { World } from './world.ts';

let scratch: Awaited<ReturnType<typeof scratchFolder>>;
let world: World;

beforeAll(async () => {
  scratch = await scratchFolder('attacks');
  world = await World.create(scratch.path);
});

afterAll(async () => {
  await world?.close();
  await scratch?.remove();
});

it('is a matrix of at least eighty attacks, each with a verdict of its own and a name of its own', () => {
  expect(allCases.length).toBeGreaterThanOrEqual(80);
  expect(new Set(allCases.map(({ id }) => id)).size).toBe(allCases.length);
});

// The client in this process, asked as pip asks; `npm run attacks` does the same with programs and real installers.
const near = allCases.filter(({ call, isLong }) => call === undefined && isLong !== true);

describe.concurrent.each(['rind run', 'rind proxy'] as const)('a malicious mirror, through %s', (road) => {
  it.each(near.map((each) => [each.id, each] as const))('%s', async (_, attackCase) => {
    const { attack, twin, isStruck } = await runNear(world, attackCase, road, join(scratch.path, 'near'));
    expect(isStruck || attackCase.isUnseen === true, 'the attack never took place').toBe(true);
    expect(deviation(attackCase.expected, attackCase.wanted ?? 'wheely', attack)).toBeUndefined();
    // The benign twin is not refused, with whatever the attack left behind on this machine.
    expect(twin.installed, twin.detail).toEqual([honest(twinProject(attackCase))]);
  });
});
