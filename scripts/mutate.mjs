// `npm run mutate`: breaks the verification code in every way of scripts/mutation/mutants.mjs, one at a time, and runs
// the unit tests that reach the place. A mutant that no test notices is a survivor; docs/mutation.md explains each.
//
//   npm run mutate                          all files (long: give it a machine of its own or `nice -n 19`)
//   npm run mutate -- --files=json,file     some files of src/tuf
//   npm run mutate -- --only-survivors      what docs/mutation.md names, and nothing else
//   npm run mutate -- --since=COMMIT        what stands in lines that are younger than this commit
//   npm run mutate -- --jobs=2              so many mutants at once
//
// Ends with 1 when a survivor is not explained.
import { execFileSync, fork } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { mutate } from './mutation/mutants.mjs';

const VERIFICATION = [
  'trusted-metadata-set',
  'verification',
  'metadata',
  'delegations',
  'delegation-table',
  'succinct-roles',
  'path-pattern',
  'file',
  'key',
  'public-key',
  'json',
  'canonical-json',
  'rows',
  'row-table',
];
/** What the tests of the updater are asked about too: they are slow, and everything else has tests of its own. */
const WITH_WORKFLOW = new Set(['trusted-metadata-set.ts']);
const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const explained = join(root, 'docs', 'mutation.md');
const option = (name) =>
  process.argv.find((argument) => argument.startsWith(`--${name}=`))?.slice(name.length + 3);
const chosen = option('files')?.split(',') ?? VERIFICATION;
const jobs = Number(option('jobs') ?? 1);
const explanations = existsSync(explained) ? readFileSync(explained, 'utf8') : '';

const sources = {};
const mutants = [];
for (const name of chosen) {
  const file = join(root, 'src', 'tuf', `${name}.ts`);
  const { text, mutants: more } = mutate(readFileSync(file, 'utf8'), `${name}.ts`, mutants.length);
  sources[file] = text;
  mutants.push(...more);
}

/** The numbers of the lines of a file of src/tuf that a commit does not have. */
function linesSince(commit, file) {
  const diff = execFileSync('git', ['diff', '--unified=0', commit, '--', join('src', 'tuf', file)], {
    cwd: root,
    encoding: 'utf8',
  });
  const lines = new Set();
  for (const [, first, count = '1'] of diff.matchAll(/^@@ -\S+ \+(\d+)(?:,(\d+))? @@/gm))
    for (let line = Number(first); line < Number(first) + Number(count); line++) lines.add(line);
  return lines;
}

function describe({ file, was, becomes }) {
  return `${file}: \`${was}\` → \`${becomes}\``;
}

/** Modules that were imported are never forgotten: a process is replaced after so many. */
const MOST_IMPORTS = 400;

/** A process that runs mutants, started again after one that had to be ended. */
class Runner {
  #child;

  async run(request, patience) {
    this.#child ??= await start();
    const child = this.#child;
    return new Promise((done) => {
      const end = (result) => {
        clearTimeout(timer);
        child.removeAllListeners();
        done(result);
        if (result.imports > MOST_IMPORTS) this.stop();
      };
      const timer = setTimeout(() => {
        this.stop();
        end({ failed: [{ name: 'the time limit' }] });
      }, patience);
      child.once('message', end);
      child.once('exit', () => {
        this.#child = undefined;
        end({ failed: [{ name: 'the end of the process' }] });
      });
      child.send(request);
    });
  }

  stop() {
    this.#child?.kill('SIGKILL');
    this.#child = undefined;
  }
}

function start() {
  const child = fork(join(root, 'scripts', 'mutation', 'runner.mjs'), [root], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    cwd: root,
    execArgv: ['--stack-size=700'],
  });
  return new Promise((done, failed) => {
    child.once('message', () => done(child));
    child.once('exit', () => failed(new Error('the runner ended before it was ready')));
  });
}

/** Each test file with the mutated sources in one module, so that it is read afresh by one import. */
async function bundle(files, folder) {
  const shim = join(root, 'scripts', 'mutation', 'vitest.mjs');
  await build({
    entryPoints: files,
    outdir: folder,
    outbase: join(root, 'src'),
    outExtension: { '.js': '.mjs' },
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    logLevel: 'error',
    plugins: [
      {
        name: 'rind-mutants',
        setup(host) {
          host.onResolve({ filter: /^vitest$/ }, () => ({ path: shim, external: true }));
          host.onResolve({ filter: /^[^./]/ }, ({ path, kind }) =>
            kind === 'entry-point' ? undefined : { path, external: true },
          );
          host.onLoad({ filter: /\.ts$/ }, ({ path }) =>
            sources[path] === undefined ? undefined : { contents: sources[path], loader: 'ts' },
          );
        },
      },
    ],
  });
  return new Map(
    files.map((file) => [file, join(folder, relative(join(root, 'src'), file).replace(/\.ts$/, '.mjs'))]),
  );
}

/** The unit tests of TUF, then those of the client workflow above it; fast ones first. */
function testFiles() {
  const tests = (folder, pattern) =>
    readdirSync(join(root, 'src', folder))
      .filter((name) => pattern.test(name))
      .map((name) => join(root, 'src', folder, name));
  const workflow = mutants.some(({ file }) => WITH_WORKFLOW.has(file));
  return [
    ...tests('tuf', /\.test\.ts$/),
    ...(workflow ? tests('updater', /^updater-(?!limits|mirrors).*\.test\.ts$/) : []),
  ];
}

// Below the checkout, because the bundles import what is installed there.
const folder = mkdtempSync(join(root, 'node_modules', '.rind-mutation-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
const first = new Runner();
const reachedBy = new Map();
const times = new Map();
const ignored = [];
const files = testFiles();
console.log(`${mutants.length} mutants; first the tests without any ...`);
const bundles = await bundle(files, folder);
let tests = 0;
for (const file of files) {
  const result = await first.run({ mutant: -1, bundles: [bundles.get(file)], all: true }, 600_000);
  for (const { name, reason } of result.failed) {
    console.log(`left out: ${basename(file)}: ${name} (${reason})`);
    ignored.push(name);
  }
  times.set(file, result.time);
  tests += result.count;
  for (const id of result.reached) reachedBy.set(id, [...(reachedBy.get(id) ?? []), file]);
}
if (ignored.length > 3) {
  console.error('error: the tests fail without a mutant');
  first.stop();
  process.exit(1);
}
console.log(`${tests} tests in ${files.length} files`);

/** The file's own tests first, then the others that reach the place, the slow ones last. */
function testsOf(id) {
  const own = mutants[id].file.replace('.ts', '.test.ts');
  const cost = (file) => (basename(file) === own ? 0 : times.get(file));
  return (reachedBy.get(id) ?? [])
    .filter((file) => dirname(file) === join(root, 'src', 'tuf') || WITH_WORKFLOW.has(mutants[id].file))
    .sort((a, b) => cost(a) - cost(b));
}

const survivors = [];
const since = option('since');
const young = new Map(chosen.map((name) => [`${name}.ts`, since && linesSince(since, `${name}.ts`)]));
const waiting = [...mutants.keys()].filter(
  (id) =>
    (!process.argv.includes('--only-survivors') || explanations.includes(describe(mutants[id]))) &&
    (!since || young.get(mutants[id].file).has(mutants[id].line)),
);
const wanted = [...waiting];
const total = wanted.length;
let done = 0;

/** The name of the first test that notices the mutant. One file at a time: an endless loop takes the time of one. */
async function failureOf(runner, id, asked) {
  for (const file of asked) {
    const request = { mutant: id, bundles: [bundles.get(file)], ignored };
    const { failed } = await runner.run(request, 10_000 + 4 * times.get(file));
    if (failed.length > 0) return failed[0].name;
  }
  return undefined;
}

async function work(runner) {
  for (let id = waiting.shift(); id !== undefined; id = waiting.shift()) {
    const asked = testsOf(id);
    const killedBy = await failureOf(runner, id, asked);
    done += 1;
    if (killedBy === undefined) {
      survivors.push(id);
      const { line } = mutants[id];
      const reason = asked.length === 0 ? 'no test reaches it' : `${asked.length} test files pass`;
      console.log(`survived [${done}/${total}] line ${line} of ${describe(mutants[id])} (${reason})`);
    } else if (done % 50 === 0) console.log(`[${done}/${total}] ${survivors.length} survivors so far`);
    if (process.env.RIND_MUTATION_VERBOSE === '1') console.log(`${id} ${describe(mutants[id])}: ${killedBy}`);
  }
  runner.stop();
}
await Promise.all([first, ...Array.from({ length: jobs - 1 }, () => new Runner())].map(work));

const score = ((100 * (total - survivors.length)) / total).toFixed(1);
console.log(
  `\n${total} mutants, ${total - survivors.length} noticed, ${survivors.length} survivors: ${score} %`,
);
for (const [index, name] of chosen.entries()) {
  const own = wanted.filter((id) => mutants[id].file === `${name}.ts`).length;
  const lost = survivors.filter((id) => mutants[id].file === `${name}.ts`).length;
  if (index === 0) console.log('file, mutants, survivors');
  console.log(`${name}.ts, ${own}, ${lost}`);
}
const unexplained = survivors.filter((id) => !explanations.includes(describe(mutants[id])));
for (const id of unexplained)
  console.log(`not explained: line ${mutants[id].line} of ${describe(mutants[id])}`);
process.exitCode = unexplained.length === 0 ? 0 : 1;
