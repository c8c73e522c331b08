// `npm run bench:client`: verified installs beside the same tool on the same index without rind, in the same run.
//
//   npm run bench:client -- --only=tools,metadata,memory
//   npm run bench:client -- --rounds=2      instead of five
//   npm run bench:client -- --quick         little of everything: it runs, its figures mean nothing
//   npm run bench:client -- --write         also writes docs/benchmarks.md
import { readFile, writeFile } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { checkout, buildRind, scratchFolder } from '../tools/rind-program.ts';
import { benchClientMemory } from './client-memory.ts';
import { benchClientMetadata } from './client-metadata.ts';
import { benchClientTools } from './client-tools.ts';
import { machine, renderTable, replaceSection, type Table } from './report.ts';

const only = process.argv
  .find((argument) => argument.startsWith('--only='))
  ?.slice('--only='.length)
  .split(',');
const isChosen = (part: string): boolean => only === undefined || only.includes(part);

await buildRind();
const scratch = await scratchFolder('bench-client');
const parts: Readonly<Record<string, () => Promise<Table>>> = {
  tools: () => benchClientTools(join(scratch.path, 'tools')),
  metadata: () => benchClientMetadata(join(scratch.path, 'metadata')),
  memory: () => benchClientMemory(join(scratch.path, 'memory')),
};
console.log(`Node.js ${process.version}, ${machine()}`);
const file = join(checkout, 'docs', 'benchmarks.md');
let document = await readFile(file, 'utf8');
for (const [name, measure] of Object.entries(parts)) {
  if (!isChosen(name)) continue;
  const load = (): string => (loadavg()[0] ?? 0).toFixed(1);
  const before = load();
  const table = await measure();
  const noted = {
    ...table,
    method: `${table.method} Load average of the machine ${before} before, ${load()} after.`,
  };
  console.log(`\n${noted.title}\n${noted.method}\n\n${renderTable(noted)}`);
  document = replaceSection(document, noted, 'npm run bench:client -- --write');
}
await scratch.remove();
if (process.argv.includes('--write')) await writeFile(file, document);
