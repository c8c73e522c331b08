import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { scratchFolder } from '../tools/rind-program.ts';
import { whenAvailable } from '../tools/unavailable.ts';
import { allCases } from './cases/index.ts';
import { runFar } from './far-matrix.ts';
import type { Road } from './near-client.ts';
import { deviation, honest, runNear, twinProject } from './near-matrix.ts';
import { Tools, type ToolName } from './tools.ts';
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
const near = allCases.filter(
  ({ call, earlier, isLong }) => call === undefined && earlier === undefined && isLong !== true,
);

describe.concurrent.each(['rind run', 'rind proxy'] as const)('a malicious mirror, through %s', (road) => {
  it.each(near.map((each) => [each.id, each] as const))('%s', async (_, attackCase) => {
    const { attack, twin, isStruck } = await runNear(world, attackCase, road, join(scratch.path, 'near'));
    expect(isStruck || attackCase.isUnseen === true, 'the attack never took place').toBe(true);
    expect(deviation(attackCase.expected, attackCase.wanted ?? 'wheely', attack)).toBeUndefined();
    // The benign twin is not refused, with whatever the attack left behind on this machine.
    expect(twin.installed, twin.detail).toEqual([honest(twinProject(attackCase))]);
  });
});

/** A few of each kind; `npm run attacks` runs all of them, with `--all-tools` through all installers. */
const far: readonly (readonly [ToolName, Road, string])[] = [
  ['pip', 'rind run', 'wheel-and-page-replaced'],
  ['pip', 'rind proxy', 'page-omits-newest'],
  ['pip', 'rind proxy', 'rollback-all'],
  ['pip', 'rind run', 'extra-index'],
  ['pip', 'rind run', 'requirements-extra-index'],
  ['pip', 'rind run', 'direct-url'],
  ['pip', 'rind run', 'no-proxy'],
  ['pip', 'rind run', 'find-links'],
  ['uv', 'rind run', 'page-bit'],
  ['uv', 'rind proxy', 'wheel-bit'],
  ['poetry', 'rind proxy', 'page-bit'],
  ['pdm', 'rind proxy', 'page-bit'],
  ['pip', 'rind run', 'https-mirror-certificate'],
  ['pip', 'rind run', 'poisoned-installer-cache'],
  ['uv', 'rind run', 'poisoned-installer-cache'],
];
/** With their benign twins here too, since no other test has them. */
const TWINS: ReadonlySet<string> = new Set([
  'pip extra-index',
  'pip https-mirror-certificate',
  'uv poisoned-installer-cache',
]);

describe.concurrent('a malicious mirror in front of real installers', () => {
  const tools = whenAvailable(() => Tools.find());

  it.each(far)('%s through %s: %s', async (tool, road, id) => {
    const attackCase = allCases.find((each) => each.id === id);
    expect(attackCase).toBeDefined();
    const { expected, wanted = 'wheely' } = attackCase!;
    // The twins run with the client in this process, above; these with what the installer was asked for otherwise.
    const withTwin = TWINS.has(`${tool} ${id}`);
    const { attack, twin } = await runFar(world, tools.value, attackCase!, { tool, road, withTwin });
    expect(deviation(expected, wanted, attack), attack.finished.output).toBeUndefined();
    if (expected.verdict === 'rejected') expect(attack.finished.code).not.toBe(0);
    if (expected.verdict === 'rejected' && expected.code === 'tampered' && road === 'rind run')
      expect(attack.finished.code).toBe(3);
    if (twin !== undefined) expect(twin.installed).toEqual([honest(twinProject(attackCase!))]);
  });

  it('pip alone is fooled by the same mirror', async () => {
    const attackCase = allCases.find(({ id }) => id === 'wheel-and-page-replaced')!;
    const { attack } = await runFar(world, tools.value, attackCase, {
      tool: 'pip',
      road: 'plain',
      withTwin: false,
    });
    expect(attack.installed).toEqual(['wheely of the attacker']);
  });
});
