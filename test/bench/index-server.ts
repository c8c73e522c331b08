// `npm run bench:index`: the index as HTTP server beside its peers, with a large file, at a million files, under overload.
//
//   npm run bench:index -- --only=peers,large,scale,overload   some parts
//   npm run bench:index -- --quick                             little of everything: it runs, its figures mean nothing
//   npm run bench:index -- --write                             also writes docs/benchmarks.md
import { readFile, writeFile } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { checkout, RindServer, scratchFolder } from '../tools/rind-program.ts';
import { benchLargeFile, benchOverload } from './index-overload.ts';
import { benchPeers } from './index-peers.ts';
import { benchScale } from './index-scale.ts';
import { machine, renderTable, replaceSection, type Table } from './report.ts';

const only = process.argv
  .find((argument) => argument.startsWith('--only='))
  ?.slice('--only='.length)
  .split(',');
const scratch = await scratchFolder('bench-index');
const parts: Readonly<Record<string, (server: RindServer) => Promise<Table>>> = {
  peers: (server) => benchPeers(server, scratch.path),
  large: (server) => benchLargeFile(server, scratch.path),
  overload: (server) => benchOverload(server),
  scale: () => benchScale(scratch.path),
};

console.log(`Node.js ${process.version}, ${machine()}`);
let document = await readFile(join(checkout, 'docs', 'benchmarks.md'), 'utf8');
for (const [name, measure] of Object.entries(parts)) {
  if (only !== undefined && !only.includes(name)) continue;
  const load = (): string => (loadavg()[0] ?? 0).toFixed(1);
  const before = load();
  const server = await RindServer.start({ folder: join(scratch.path, `data-${name}`), args: [] });
  try {
    const table = await measure(server);
    const noted = {
      ...table,
      method: `${table.method} Load average of the machine ${before} before, ${load()} after.`,
    };
    console.log(`\n${noted.title}\n${noted.method}\n\n${renderTable(noted)}`);
    for (const reason of noted.missing) console.log(`not measured here: ${reason}`);
    document = replaceSection(document, noted, 'npm run bench:index -- --write');
    // Each part as soon as it is there: the next one may take long.
    if (process.argv.includes('--write')) await writeFile(join(checkout, 'docs', 'benchmarks.md'), document);
  } finally {
    await server.stop();
  }
}
await scratch.remove();
