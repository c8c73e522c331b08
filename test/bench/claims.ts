// `npm run bench:claims`: what claimed projects (PEP 480) cost who installs, who publishes, and the server.
//
//   npm run bench:claims -- --quick     little of everything: it runs, its figures mean nothing
//   npm run bench:claims -- --only=installs|clients|releases
//   npm run bench:claims -- --write     also writes docs/benchmarks.md
import { readFile, writeFile } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { checkout, scratchFolder } from '../tools/rind-program.ts';
import { benchClaimedClients } from './claimed-clients.ts';
import { benchClaimedInstalls } from './claimed-installs.ts';
import { benchClaimedReleases } from './claimed-releases.ts';
import { machine, renderTable, replaceSection } from './report.ts';

const scratch = await scratchFolder('bench-claims');
console.log(`Node.js ${process.version}, ${machine()}`);
const file = join(checkout, 'docs', 'benchmarks.md');
let document = await readFile(file, 'utf8');
const parts = {
  installs: () => benchClaimedInstalls(scratch.path),
  clients: () => benchClaimedClients(scratch.path),
  releases: benchClaimedReleases,
};
const only = process.argv.find((argument) => argument.startsWith('--only='))?.slice('--only='.length);
for (const [name, measure] of Object.entries(parts)) {
  if (only !== undefined && only !== name) continue;
  const before = (loadavg()[0] ?? 0).toFixed(1);
  const table = await measure();
  const load = `Load average of the machine ${before} before, ${(loadavg()[0] ?? 0).toFixed(1)} after.`;
  const noted = { ...table, method: `${table.method} ${load}` };
  console.log(`\n${noted.title}\n${noted.method}\n\n${renderTable(noted)}`);
  document = replaceSection(document, noted, 'npm run bench:claims -- --write');
}
await scratch.remove();
if (process.argv.includes('--write')) {
  await writeFile(file, document);
  console.log(`\nwritten to ${file}`);
}
