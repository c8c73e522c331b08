// `npm run bench`: measures the built program and prints tables; see test/bench/main.ts for what and how.
//
//   npm run bench                     everything that can be measured here
//   npm run bench -- --only=pages     some parts only
//   npm run bench -- --quick          little of everything: it runs, but its figures mean nothing
//   npm run bench -- --write          also writes docs/benchmarks.md
import { spawnSync } from 'node:child_process';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from './build.mjs';
import { refusedNode } from './node-version.mjs';

const refusal = refusedNode();
if (refusal !== undefined) {
  console.error(`error: ${refusal}`);
  process.exit(1);
}
if (!build()) process.exit(1);
const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const program = [join(root, 'node_modules', 'tsx', 'dist', 'cli.mjs'), join('test', 'bench', 'main.ts')];
const run = spawnSync(process.execPath, [...program, ...process.argv.slice(2)], {
  cwd: root,
  stdio: 'inherit',
});
process.exitCode = run.status ?? 1;
