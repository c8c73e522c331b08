// `npm run fuzz -- --seconds N [--seed S] [--oracle python|tufjs|none] [--cases N] [--replay INDEX]`
//
// Random metadata, keys, signatures, patterns, repositories and downloads: compared with python-tuf and tuf-js (every
// difference outside test/differential/known-differences.ts is a disagreement), and held against properties that need no
// other implementation. Both are counted, apart. Ends with 1 if anything disagreed.
//
// --oracle may be given twice; without it python-tuf (where there is Python) and tuf-js are asked. --cases ends the run
// after so many cases of each oracle, if that comes first. --replay shows what all say about one case of a seed.
import { parseArgs } from 'node:util';
import {
  BATCH,
  describeDifference,
  makeBatch,
  newTally,
  runBatch,
} from '../differential/differential-run.ts';
import type { Tally } from '../differential/differential-run.ts';
import { PythonTufJudge } from '../differential/python-tuf-judge.ts';
import { caseSeed, Random } from '../differential/random.ts';
import { rindJudge } from '../differential/rind-judge.ts';
import { tufJsJudge } from '../differential/tuf-js-judge.ts';
import type { Judge } from '../differential/verdict.ts';
import { UnavailableError } from '../tools/unavailable-error.ts';
import { PROPERTIES } from './properties.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    cases: { type: 'string' },
    seed: { type: 'string' },
    oracle: { type: 'string', multiple: true, default: ['python', 'tufjs'] },
    replay: { type: 'string' },
  },
});
const seconds = Number(values.seconds);
const limit = Number(values.cases ?? Number.POSITIVE_INFINITY);
const seed = Number(values.seed ?? Date.now() % 2 ** 31);
const oracles = values.oracle.flatMap((name) => name.split(','));
const unknown = oracles.find((name) => !['python', 'tufjs', 'none'].includes(name));
if (!(seconds > 0) || !Number.isSafeInteger(seed) || Number.isNaN(limit) || unknown !== undefined) {
  console.error(
    'usage: npm run fuzz -- --seconds N [--cases N] [--seed S] [--oracle python|tufjs|none] [--replay INDEX]',
  );
  process.exit(2);
}

const python = oracles.includes('python') ? await startPython() : undefined;
const judges: readonly Judge[] = [
  ...(python === undefined ? [] : [python]),
  ...(oracles.includes('tufjs') ? [tufJsJudge] : []),
];
try {
  process.exitCode = values.replay === undefined ? await fuzz() : await replay(Number(values.replay));
} finally {
  python?.close();
}

async function startPython(): Promise<PythonTufJudge | undefined> {
  try {
    return await PythonTufJudge.start();
  } catch (error) {
    // Asked for by name, it must be there.
    if (!(error instanceof UnavailableError) || values.oracle.length === 1) throw error;
    console.log(`python-tuf is not asked: ${error.message}`);
    return undefined;
  }
}

async function fuzz(): Promise<number> {
  const started = performance.now();
  const tally = newTally();
  const runs = new Map<string, number>();
  const violations: string[] = [];
  // Beside an oracle the comparison is what the time is for.
  const perBatch = judges.length > 0 ? BATCH / 5 : BATCH;
  const inFlight: Promise<void>[] = [];
  let reported = 0;
  console.log(
    `seed ${seed}, ${seconds} s, beside ${judges.map(({ name }) => name).join(' and ') || 'nobody'}`,
  );
  for (let start = 0; start < limit && performance.now() - started < seconds * 1000; start += BATCH) {
    // Two batches on the way: while python-tuf judges one, this process judges the other.
    if (judges.length > 0) inFlight.push(runBatch(judges, seed, start, tally));
    if (inFlight.length > 1) await inFlight.shift();
    for (let index = start; index < start + perBatch; index++) await runProperty(index, runs, violations);
    reported = reportFrom(reported, tally);
    if (violations.length + reported > 100) break;
    if ((start / BATCH) % 40 === 39)
      console.log(
        `${Math.round((performance.now() - started) / 1000)} s: ${start + BATCH} cases, ${reported} disagreements, ${violations.length} violations`,
      );
  }
  await Promise.all(inFlight);
  reportFrom(reported, tally);
  const elapsed = (performance.now() - started) / 1000;
  console.log(`\n${elapsed.toFixed(0)} s, seed ${seed}`);
  for (const [name, count] of tally.executions) {
    const disagreements = tally.unknown.filter(({ difference }) => difference.judge === name).length;
    console.log(`${name}: ${count} cases compared, ${disagreements} disagreements outside the list`);
  }
  if (judges.length > 0) {
    console.log(
      `cases by kind: ${[...tally.kinds].map(([kind, count]) => `${kind} ${count}`).join(', ')}; accepted whole by Rind: ${tally.accepted}`,
    );
    console.log('known differences met:');
    for (const [name, count] of [...tally.known].toSorted(([, a], [, b]) => b - a))
      console.log(`  ${String(count).padStart(8)}  ${name}`);
  }
  const total = [...runs.values()].reduce((sum, count) => sum + count, 0);
  console.log(
    `properties (compared with no other implementation): ${total} executions, ${violations.length} violations`,
  );
  for (const [name, count] of runs) console.log(`  ${String(count).padStart(8)}  ${name}`);
  return tally.unknown.length + violations.length === 0 ? 0 : 1;
}

/** Prints the disagreements from the given one on; returns how many there are. */
function reportFrom(first: number, tally: Tally): number {
  for (const { seed: found, index, difference } of tally.unknown.slice(first)) {
    console.log(describeDifference(found, index, difference));
  }
  return tally.unknown.length;
}

async function runProperty(index: number, runs: Map<string, number>, violations: string[]): Promise<void> {
  const random = new Random(caseSeed(seed ^ 0x5bd1e995, index));
  const property = random.weighted(PROPERTIES.map((each) => [each.weight, each] as const));
  runs.set(property.name, (runs.get(property.name) ?? 0) + 1);
  try {
    await property.run(random);
  } catch (error) {
    violations.push(property.name);
    console.log(
      `seed ${seed}, property case ${index}: ${property.name}\n  ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
    );
  }
}

async function replay(index: number): Promise<number> {
  const each = makeBatch(seed, index - (index % BATCH))[index % BATCH];
  if (each === undefined) throw new RangeError(`there is no case ${index}`);
  for (const judge of [rindJudge, ...judges])
    console.log(judge.name, JSON.stringify((await judge.judge([each]))[0], undefined, 2));
  if (each.kind === 'operations') {
    for (const [method, document] of each.operations) {
      console.log(
        method,
        typeof document === 'string' ? `the ${document} of the repository` : Buffer.from(document).toString(),
      );
    }
  } else
    console.log(
      JSON.stringify(each, (_name, value: unknown) =>
        value instanceof Map ? Object.fromEntries(value) : value,
      ),
    );
  return 0;
}
