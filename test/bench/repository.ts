// `npm run bench:repository`: the figures of an index of PyPI's size, on the built program.
//
//   --targets=N      how many made-up targets are imported first; 3,280,000 are 200 in each of 16,384 bins, 20,000,000 are 1,221
//   --data=FOLDER    goes on with the folder of an earlier run instead of making one, and keeps it
//   --only=a,b       of import, uploads, resign, gigabyte, restart, bins
//   --quick          little of everything: it runs, but its figures mean nothing
//   --write          also writes docs/benchmarks.md
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { openDatabase } from '../../src/db/open.ts';
import { dataFolderAt } from '../../src/cli/data-folder.ts';
import { checkout, RindServer, scratchFolder } from '../tools/rind-program.ts';
import { benchBinCost } from './bin-cost.ts';
import { benchImport } from './import-targets.ts';
import { Load } from './load.ts';
import {
  isQuick,
  machine,
  milliseconds,
  percentile,
  processorSeconds,
  renderTable,
  replaceSection,
  type Table,
} from './report.ts';
import { makeDataFolder } from './repository-folder.ts';

const option = (name: string): string | undefined =>
  process.argv.find((argument) => argument.startsWith(`--${name}=`))?.slice(name.length + 3);
const parts = option('only')?.split(',');
const isChosen = (part: string): boolean => parts?.includes(part) ?? true;
const bins = isQuick ? 256 : 16_384;
const targets = Number(option('targets') ?? (isQuick ? 20_000 : 3_280_000));
const seconds = isQuick ? 2 : 20;
const scratch = await scratchFolder('bench-repository');
const data = option('data') ?? join(scratch.path, 'data');
const rows: string[][] = [];
const row = (what: string, figure: string, target: string): void => {
  rows.push([what, figure, target]);
  console.log(`${what}: ${figure} (to reach: ${target})`);
};
const delayFile = join(scratch.path, 'loop-delay.json');

function start(): Promise<RindServer> {
  const preload = join(checkout, 'test', 'bench', 'loop-delay.mjs');
  return RindServer.start({
    folder: data,
    env: { NODE_OPTIONS: `--import=${preload}`, RIND_BENCH_LOOP_DELAY: delayFile },
  });
}

async function loopDelay(server: RindServer): Promise<{ p99: number; max: number }> {
  await writeFile(delayFile, '');
  process.kill(server.pid, 'SIGUSR2');
  for (;;) {
    const text = await readFile(delayFile, 'utf8');
    if (text !== '') return JSON.parse(text) as { p99: number; max: number };
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const both = (taken: readonly number[]): string =>
  `p50 ${milliseconds(percentile(taken, 0.5))}, p99 ${milliseconds(percentile(taken, 0.99))}`;

async function benchUploads(): Promise<void> {
  const server = await start();
  const load = new Load(server.uploadUrl, server.token);
  try {
    await load.atRate(20, 1);
    row(
      'upload to signed snapshot, 20 a second',
      both(await load.atRate(20, seconds)),
      'p50 50 ms, p99 250 ms',
    );
    const before = processorSeconds(server.pid);
    const count = isQuick ? 40 : 1000;
    const rate = await load.together(count, 64);
    const spent = ((processorSeconds(server.pid) - before) * 1000) / count;
    row('processor time of an upload in a batch', milliseconds(spent), '');
    row('uploads in batches, 64 connections', `${rate.toFixed(0)} /s`, '100 /s');
  } finally {
    load.close();
    await server.stop();
  }
}

/** Makes every bin old enough to be due, as half a day without a server would. */
async function age(): Promise<number> {
  const database = await openDatabase({ path: dataFolderAt(data).database });
  const hours = isQuick ? 25 : 13;
  const signed = new Date(Date.now() - hours * 3_600_000).toISOString();
  const { db } = database;
  await db.updateTable('roles').set({ signed_at: signed }).where('role', 'like', 'bin-%').execute();
  await database.close();
  return Date.now();
}

async function countAged(since: number): Promise<number> {
  const database = await openDatabase({ path: dataFolderAt(data).database });
  const { count } = await database.db
    .selectFrom('roles')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('role', 'like', 'bin-%')
    .where('signed_at', '<', new Date(since).toISOString())
    .executeTakeFirstOrThrow();
  await database.close();
  return Number(count);
}

/** Milliseconds. */
const RESIGN_PATIENCE = 30 * 60_000;

async function benchResign(): Promise<void> {
  const since = await age();
  const server = await start();
  const load = new Load(server.uploadUrl, server.token);
  const started = performance.now();
  try {
    await loopDelay(server);
    const taken: number[] = [];
    const deadline = performance.now() + RESIGN_PATIENCE;
    for (let aged = bins; aged > 0;) {
      taken.push(...(await load.atRate(5, 5)));
      aged = await countAged(since);
      console.error(`${aged} bins wait for their new signature`);
      if (performance.now() > deadline) throw new Error(`${aged} bins were not signed again in time`);
    }
    const lasted = (performance.now() - started) / 1000;
    row(
      `publishing beside a new signature of all ${bins} bins (${lasted.toFixed(0)} s), 5 uploads a second`,
      both(taken),
      'p99 250 ms',
    );
    const { p99, max } = await loopDelay(server);
    row('event loop late during it', `p99 ${milliseconds(p99)}, most ${milliseconds(max)}`, 'p99 20 ms');
  } finally {
    load.close();
    await server.stop();
  }
}

async function benchGigabyte(): Promise<void> {
  const server = await start();
  const load = new Load(server.uploadUrl, server.token);
  try {
    const [form] = load.forms(1, isQuick ? 10_000_000 : 1_000_000_000);
    if (form === undefined) return;
    await loopDelay(server);
    const taken = await load.post(form);
    const { p99, max } = await loopDelay(server);
    row(
      `event loop late during an upload of ${isQuick ? '10 MB' : '1 GB'} (${(taken / 1000).toFixed(1)} s)`,
      `p99 ${milliseconds(p99)}, most ${milliseconds(max)}`,
      'p99 20 ms',
    );
  } finally {
    load.close();
    await server.stop();
  }
}

async function benchRestart(): Promise<void> {
  const before = await start();
  const load = new Load(before.uploadUrl, before.token);
  const posts = load.forms(20).map((form) => load.post(form).catch(() => 0));
  await new Promise((resolve) => setTimeout(resolve, 200));
  await before.kill();
  await Promise.all(posts);
  load.close();
  const started = performance.now();
  const server = await start();
  await (await fetch(`${server.url}metadata/timestamp.json`)).arrayBuffer();
  const serving = performance.now() - started;
  const again = new Load(server.uploadUrl, server.token);
  try {
    const [form] = again.forms(1);
    if (form !== undefined) await again.post(form);
    row('kill -9 to serving', milliseconds(serving), '1 s');
    row('kill -9 to the next upload signed', milliseconds(performance.now() - started), '3 s');
  } finally {
    again.close();
    await server.stop();
  }
}

console.log(
  `Node.js ${process.version}, ${machine()}, load ${loadavg()
    .map((load) => load.toFixed(1))
    .join(' ')}`,
);
const begun = loadavg()[0] ?? 0;
if (!existsSync(data)) {
  await mkdir(scratch.path, { recursive: true });
  await makeDataFolder(data, isQuick ? 'team' : 'pypi');
}
if (isChosen('import')) {
  const { rate, peak, total } = await benchImport(data, scratch.path, targets);
  row(`import of ${total} targets`, `${rate.toFixed(0)} /s, signed and durable`, '20,000 /s');
  row('memory of the import, at most', `${peak.toFixed(0)} MiB`, '512 MB');
}
if (isChosen('uploads')) await benchUploads();
if (isChosen('resign')) await benchResign();
if (isChosen('gigabyte')) await benchGigabyte();
if (isChosen('restart')) await benchRestart();
if (isChosen('bins')) {
  const { few, many, snapshot } = await benchBinCost();
  row('processor time of a publication, 256 bins', milliseconds(few), '');
  row(
    'the same, 16,384 bins',
    milliseconds(many),
    `that of 256 bins and the snapshot's ${milliseconds(snapshot)}`,
  );
}
const table: Table = {
  title: `A repository of ${targets} targets`,
  method: `${bins} bins, about ${Math.round(targets / bins)} targets in each. Load of the machine before and after: ${begun.toFixed(1)}, ${(loadavg()[0] ?? 0).toFixed(1)}.`,
  columns: ['what', 'measured', 'to reach'],
  rows,
  missing: [],
};
console.log(`\n${renderTable(table)}`);
if (process.argv.includes('--write')) {
  const file = join(checkout, 'docs', 'benchmarks.md');
  await writeFile(file, replaceSection(await readFile(file, 'utf8'), table, 'npm run bench:repository'));
}
await scratch.remove();
