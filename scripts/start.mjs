// `npm start`: README command 1. Builds if needed, then runs `rind serve` with the arguments given after `--`.
// The server runs in this very process, so that the signals, the terminal and the exit code are its own.
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { agedNode, refusedNode } from './node-version.mjs';

const refusal = refusedNode();
if (refusal !== undefined) {
  console.error(`error: ${refusal}`);
  process.exit(1);
}
const warning = agedNode();
if (warning !== undefined) console.error(`warning: ${warning}`);

const { build } = await import('./build.mjs');
const program = join(resolve(dirname(fileURLToPath(import.meta.url)), '..'), 'dist', 'cli', 'main.js');
if (!build() || !existsSync(program)) {
  console.error('error: Rind could not be built; what the compiler says stands above');
  process.exit(1);
}
// npm sends SIGTERM to the shell between it and this process, and that shell ends without passing it on: its end is ours.
if (process.env.npm_lifecycle_event !== undefined) {
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(watch);
    process.kill(process.pid, 'SIGTERM');
  }, 200);
  watch.unref();
}
process.argv.splice(1, process.argv.length - 1, program, 'serve', ...process.argv.slice(2));
await import(pathToFileURL(program).href);
