// `npm test`: README command 2. Build, type-check, lint, format check, API page, unit tests, integration tests.
//
//   npm test                         everything that can run here; the rest is named with its reason at the end
//   npm test -- --only=unit,lint     some steps only
//   RIND_NO_SKIP=1 npm test          whatever cannot run is a failure (continuous integration)
//   RIND_TEST_NODES=/a/node:/b/node  other Node.js programs that run the unit tests and the README's transcript too
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { refusedNode } from './node-version.mjs';

const refusal = refusedNode();
if (refusal !== undefined) {
  console.error(`error: ${refusal}`);
  process.exit(1);
}

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const tools = join(root, 'node_modules');
if (!existsSync(join(tools, 'vitest'))) {
  console.error('error: the test tools are not installed\nhint: run `npm ci` first');
  process.exit(1);
}

const skippingFails = process.env.RIND_NO_SKIP === '1';
const only = process.argv.find((argument) => argument.startsWith('--only='))?.slice('--only='.length);
const scratch = mkdtempSync(join(tmpdir(), 'rind-test-'));
/** @type {{ passed: number, failed: number, failures: { file: string, name: string, message: string }[], skipped: { file: string, name: string, reason: string }[] }} */
const total = { passed: 0, failed: 0, failures: [], skipped: [] };
/** @type {{ name: string, ok: boolean, seconds: number }[]} */
const steps = [];

function runNode(node, args, environment = {}) {
  const run = spawnSync(node, args, {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, ...environment },
  });
  return run.status ?? 1;
}

function step(name, run) {
  const chosen =
    only === undefined || only.split(',').some((word) => name === word || name.startsWith(`${word} `));
  if (!chosen) return true;
  console.log(`\n=== ${name}`);
  const started = performance.now();
  const ok = run();
  steps.push({ name, ok, seconds: (performance.now() - started) / 1000 });
  return ok;
}

/** A step that is one program: it has no tests to count, so that a failure counts as one. */
function check(name, args) {
  return step(name, () => {
    const ok = runNode(process.execPath, args) === 0;
    if (!ok) total.failed += 1;
    return ok;
  });
}

function vitest(name, args, node = process.execPath) {
  return step(name, () => {
    const tallyFile = join(scratch, `tally-${steps.length}.json`);
    const status = runNode(
      node,
      [
        join(tools, 'vitest', 'vitest.mjs'),
        'run',
        '--reporter=default',
        `--reporter=${join(root, 'scripts', 'tally-reporter.mjs')}`,
        ...args,
      ],
      { RIND_TALLY_FILE: tallyFile },
    );
    const tally = existsSync(tallyFile)
      ? JSON.parse(readFileSync(tallyFile, 'utf8'))
      : { passed: 0, failed: 0, failures: [], skipped: [] };
    total.passed += tally.passed;
    total.failed += tally.failed;
    total.failures.push(
      ...tally.failures.map((failure) => ({ ...failure, name: `${name}: ${failure.name}` })),
    );
    total.skipped.push(...tally.skipped.map((skip) => ({ ...skip, name: `${name}: ${skip.name}` })));
    if (status !== 0 && tally.failed === 0) total.failed += 1;
    return status === 0;
  });
}

const built = check('build', ['scripts/build.mjs']);
check('typecheck', [join(tools, 'typescript', 'bin', 'tsc'), '--noEmit', '-p', 'tsconfig.json']);
check('lint', [join(tools, 'oxlint', 'bin', 'oxlint'), '--type-aware', '--deny-warnings']);
check('format', [join(tools, 'prettier', 'bin', 'prettier.cjs'), '--check', '--log-level', 'warn', '.']);
if (built) check('api page', ['scripts/api-page.mjs', '--check']);
// With the branch coverage of src/tuf and src/updater, whose threshold stands in vitest.config.ts.
vitest('unit', ['--project', 'unit', '--coverage', '--coverage.reporter=text-summary']);
if (built) vitest('integration', ['--project', 'integration']);
else total.skipped.push({ file: 'test/', name: 'integration', reason: 'the build failed' });

const nodes = (process.env.RIND_TEST_NODES ?? '').split(delimiter).filter((node) => node !== '');
for (const node of nodes) {
  const version = spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout?.trim() || node;
  vitest(`unit on Node ${version}`, ['--project', 'unit'], node);
  if (built)
    vitest(
      `transcript on Node ${version}`,
      ['--project', 'integration', 'test/e2e/transcript.test.ts'],
      node,
    );
}
if (nodes.length === 0 && only === undefined) {
  total.skipped.push({
    file: 'scripts/test.mjs',
    name: 'the same on other Node.js versions',
    reason: 'RIND_TEST_NODES names no other Node.js program',
  });
}

rmSync(scratch, { recursive: true, force: true });
console.log('\n=== summary');
for (const { name, ok, seconds } of steps)
  console.log(`${ok ? 'ok    ' : 'FAILED'} ${name} (${seconds.toFixed(1)} s)`);
for (const { file, name, message } of total.failures)
  console.log(`\nfailed: ${name} (${file})\n${message.replace(/^/gm, '  ')}`);
if (total.skipped.length > 0) {
  console.log(skippingFails ? '\nCould not run, which RIND_NO_SKIP=1 makes a failure:' : '\nCould not run:');
  for (const { file, name, reason } of total.skipped) console.log(`- ${name} (${file}): ${reason}`);
}
const failed = total.failed + (skippingFails ? total.skipped.length : 0);
const skipped = skippingFails ? 0 : total.skipped.length;
console.log(`\n${total.passed} passed, ${failed} failed, ${skipped} skipped`);
process.exitCode = failed === 0 && steps.every(({ ok }) => ok) ? 0 : 1;
