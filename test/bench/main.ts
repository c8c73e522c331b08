// `npm run bench`: the figures of the first road. Peers that are not installed are named; nothing is estimated.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { checkout, rind, RindServer, scratchFolder } from '../tools/rind-program.ts';
import { benchInstalls } from './installs.ts';
import { benchPages } from './pages.ts';
import { machine, renderTable, replaceSection, type Table } from './report.ts';
import { benchUploads, type Population, targetsOf } from './uploads.ts';

const only = process.argv
  .find((argument) => argument.startsWith('--only='))
  ?.slice('--only='.length)
  .split(',');
const isChosen = (part: string): boolean => only === undefined || only.includes(part);
const tables: Table[] = [];

function show(table: Table): void {
  tables.push(table);
  console.log(`\n${table.title}\n${table.method}\n`);
  if (table.rows.length > 0) console.log(renderTable(table));
  for (const reason of table.missing) console.log(`not measured here: ${reason}`);
}

async function countBins(server: RindServer): Promise<number> {
  const timestamp = (await (await fetch(`${server.url}metadata/timestamp.json`)).json()) as {
    signed: { meta: Record<string, { version: number }> };
  };
  const version = timestamp.signed.meta['snapshot.json']?.version;
  const snapshot = (await (await fetch(`${server.url}metadata/${version}.snapshot.json`)).json()) as {
    signed: { meta: Record<string, unknown> };
  };
  return Object.keys(snapshot.signed.meta).filter((name) => name.startsWith('bin-')).length;
}

console.log(`Node.js ${process.version}, ${machine()}`);
const scratch = await scratchFolder('bench');
const server = await RindServer.start({ folder: join(scratch.path, 'data') });
try {
  const population: Population = { files: 0, projects: new Set() };
  if (isChosen('uploads') || isChosen('pages'))
    show(await benchUploads(server, await countBins(server), population));
  console.log(`\n${targetsOf(population)} targets`);
  const wheel = 'packages/bench-0/bench_0-1.1-py3-none-any.whl';
  if (isChosen('pages')) show(await benchPages(server, join(scratch.path, 'nginx'), wheel));
  if (isChosen('installs')) show(await benchInstalls(server, scratch.path));
} finally {
  await server.stop();
}
const checked = await rind(['fsck', '--data', server.folder]);
console.log(
  checked.code === 0
    ? '\nfsck finds nothing wrong afterwards'
    : `\nfsck after the benchmark:\n${checked.output}`,
);
if (checked.code !== 0) process.exitCode = 1;
await scratch.remove();
if (process.argv.includes('--write')) {
  const file = join(checkout, 'docs', 'benchmarks.md');
  let document = await readFile(file, 'utf8').catch(() => '');
  for (const table of tables) document = replaceSection(document, table, 'npm run bench -- --write');
  await writeFile(file, document);
  console.log(`written to ${file}`);
}
