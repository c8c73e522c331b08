// `npm run bench:signing`: signatures, and a ceremony with 16,384 bins; see test/bench/signing.ts.
//
//   npm run bench:signing                          all bins (some GiB on the disk, for minutes)
//   RIND_BENCH_BINS=1024 npm run bench:signing     fewer full bins; the table says how many
//   npm run bench:signing -- --quick               shows that everything runs
import { spawnSync } from 'node:child_process';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const program = [join(root, 'node_modules', 'tsx', 'dist', 'cli.mjs'), join('test', 'bench', 'signing.ts')];
const run = spawnSync(process.execPath, [...program, ...process.argv.slice(2)], {
  cwd: root,
  stdio: 'inherit',
});
process.exitCode = run.status ?? 1;
