// `npm run hammer`: verifying readers during uploads; ends with 1 when anything did not verify, was missing, or was signed twice.
//
//   --seconds=600 --rate=20 --readers=3   --write writes docs/benchmarks.md
import { readFile, writeFile } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import {
  machine,
  milliseconds,
  percentile,
  renderTable,
  replaceSection,
  type Table,
} from '../bench/report.ts';
import { checkout, rind, RindServer, scratchFolder } from '../tools/rind-program.ts';
import { hammer } from './hammer.ts';

const number = (name: string, otherwise: number): number =>
  Number(
    process.argv.find((argument) => argument.startsWith(`--${name}=`))?.slice(name.length + 3) ?? otherwise,
  );
const options = { seconds: number('seconds', 600), rate: number('rate', 20), readers: number('readers', 3) };
const scratch = await scratchFolder('hammer');
const server = await RindServer.start({ folder: join(scratch.path, 'data') });
const result = await hammer(server, options);
await server.stop();
const checked = await rind(['fsck', '--data', server.folder]);
const table: Table = {
  title: 'Hammer',
  method: `${options.readers} reading processes, each session after session with a verified page or file, during ${options.rate} uploads a second for ${options.seconds} s. ${machine()}, load at the end ${(loadavg()[0] ?? 0).toFixed(1)}.`,
  columns: ['what', 'count'],
  rows: [
    ['uploads answered 200', String(result.uploads)],
    ['uploads refused', String(result.refusedUploads.length)],
    [
      'upload to signed snapshot',
      `p50 ${milliseconds(percentile(result.taken, 0.5))}, p99 ${milliseconds(percentile(result.taken, 0.99))}`,
    ],
    ['sessions of readers', String(result.sessions)],
    ['targets verified', String(result.targets)],
    ['sessions that failed (a signature, a hash, a 404, anything)', String(result.failures.length)],
    ['(role, version) pairs seen', String(result.versions)],
    ['of them with two contents', String(result.equivocations.length)],
    ['fsck afterwards', checked.code === 0 ? 'clean' : 'NOT clean'],
  ],
  missing: [],
};
console.log(`${table.method}\n\n${renderTable(table)}`);
for (const line of [
  ...result.failures.slice(0, 20),
  ...result.refusedUploads.slice(0, 20),
  ...result.equivocations,
])
  console.log(line);
if (checked.code !== 0) console.log(checked.output.slice(0, 4000));
const isClean = result.failures.length + result.equivocations.length === 0 && checked.code === 0;
if (!isClean) process.exitCode = 1;
if (process.argv.includes('--write')) {
  const file = join(checkout, 'docs', 'benchmarks.md');
  await writeFile(file, replaceSection(await readFile(file, 'utf8'), table, 'npm run hammer -- --write'));
}
await scratch.remove();
