// `npm run faults`: every operation, every kind of fault, every call; ends with 1 when anything was lost.
//
//   --minutes=60             no new states after that
//   --seeds=4                of each power cut
//   --step=1                 only every n-th point
//   --from=1                 only points from this one on
//   --operation=upload       only that one
//   --kind='power cut'       only that one
//   --state=upload:kill:17   only that state, again
//   --workers=2
//   --write                  writes the table into docs/reliability.md
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { OPERATIONS } from './operations.ts';
import { Harness, type TriedState } from './harness.ts';
import { type Kind, KINDS, parseState, type Points, printState, type StateName } from './states.ts';

const argument = (name: string): string | undefined =>
  process.argv.find((text) => text.startsWith(`--${name}=`))?.slice(name.length + 3);
const number = (name: string, otherwise: number): number => Number(argument(name) ?? otherwise);

const step = number('step', 1);
const seeds = number('seeds', 4);
const from = number('from', 1);
const only = argument('state') === undefined ? undefined : parseState(argument('state') ?? '');
const wanted = OPERATIONS.filter(({ name }) => name === (only?.operation ?? argument('operation') ?? name));
const kinds = KINDS.filter((kind) => kind === (argument('kind') ?? kind));

/** All states, one point after another of every operation, so that a run that is cut short has seen something of all. */
function* statesOf(points: ReadonlyMap<string, Points>): Generator<StateName> {
  if (only !== undefined) return yield only;
  const most = Math.max(...[...points.values()].flatMap((one) => Object.values(one)));
  for (let offset = 0; offset < step; offset++)
    for (let k = from + offset; k <= most; k += step)
      for (const [operation, one] of points)
        for (const kind of kinds) {
          if (k > one[kind]) continue;
          if (kind !== 'power cut') yield { operation, kind, k };
          else for (let seed = 0; seed < seeds; seed++) yield { operation, kind, k, seed: k * seeds + seed };
        }
}

const harness = await Harness.start(number('workers', 2));
if (harness === undefined) {
  console.error('This machine has no C compiler (cc, gcc or clang) for test/faults/layer.c, or is no Linux.');
  process.exit(2);
}
const end = Date.now() + number('minutes', 600) * 60_000;
const tried = new Map<string, { tried: number; survived: number }>();
const count = (operation: string, kind: Kind): { tried: number; survived: number } => {
  const key = `${operation}\0${kind}`;
  const found = tried.get(key) ?? { tried: 0, survived: 0 };
  tried.set(key, found);
  return found;
};
let total = 0;
let lost = 0;
const started = Date.now();

function each({ state, problems }: TriedState): void {
  total += 1;
  const cell = count(state.operation, state.kind);
  cell.tried += 1;
  if (problems.length === 0) cell.survived += 1;
  else {
    lost += 1;
    console.log(`LOST ${printState(state)}: npm run faults -- '--state=${printState(state)}'`);
    for (const problem of problems) console.log(`  ${problem}`);
  }
  if (total % 250 === 0)
    console.log(`${total} states, ${lost} lost, ${((Date.now() - started) / total).toFixed(0)} ms a state`);
}

function report(): string {
  const rows = wanted.map(({ name }) => {
    const cells = kinds.map((kind) => {
      const { tried: all, survived } = count(name, kind);
      return survived === all ? String(all) : `${survived} of ${all}`;
    });
    return `| ${name} | ${cells.join(' | ')} |`;
  });
  const minutes = ((Date.now() - started) / 60_000).toFixed(0);
  return [
    `| operation | ${kinds.join(' | ')} |`,
    `| --- |${kinds.map(() => ' ---: |').join('')}`,
    ...rows,
    '',
    `${total} states tried, ${total - lost} survived (${new Date().toISOString().slice(0, 10)}, Node.js ${process.versions.node}, ${minutes} minutes).`,
  ].join('\n');
}

/** Between the two comments of the page. */
async function writeReport(table: string): Promise<void> {
  const page = fileURLToPath(new URL('../../docs/reliability.md', import.meta.url));
  const text = await readFile(page, 'utf8');
  const [before = ''] = text.split('<!-- npm run faults -->');
  const [, after = ''] = text.split('<!-- end -->');
  await writeFile(page, `${before}<!-- npm run faults -->\n\n${table}\n\n<!-- end -->${after}`);
}

try {
  const points = new Map<string, Points>();
  for (const { name } of wanted) points.set(name, await harness.points(name));
  for (const [name, one] of points)
    console.log(`${name}: ${KINDS.map((kind) => `${kind} ${one[kind]}`).join(', ')}`);
  await harness.tryAll(statesOf(points), each, () => Date.now() > end);
  const table = report();
  console.log(`\n${table}`);
  if (process.argv.includes('--write')) await writeReport(table);
  if (lost > 0) process.exitCode = 1;
} finally {
  await harness.close();
}
