// One process of a mutation run: it imports bundled test files afresh for one mutant after the other. The parent ends it
// when a mutant does not come to an end, and now and then, because modules are never forgotten.
import { startTests } from '@vitest/runner';
import fc from 'fast-check';
import { pathToFileURL } from 'node:url';

// That a property fails is all that counts: the smallest example is not looked for.
fc.configureGlobal({ endOnFailure: true, seed: 20261122 });

const root = process.argv[2];
let imports = 0;
let unhandled;
process.on('unhandledRejection', (reason) => (unhandled ??= reason));
process.on('uncaughtException', (reason) => (unhandled ??= reason));

/** Runs one test file; stops at the first failure unless `all`. */
async function runFile(bundle, isIgnored, all) {
  const failed = [];
  let count = 0;
  let isOver = false;
  const runner = {
    config: {
      root,
      setupFiles: [],
      name: undefined,
      passWithNoTests: true,
      testNamePattern: undefined,
      allowOnly: true,
      sequence: { seed: 1, hooks: 'stack', setupFiles: 'list' },
      chaiConfig: undefined,
      maxConcurrency: 1,
      // A busy machine takes its time; the parent ends what does not come to an end.
      testTimeout: 180_000,
      hookTimeout: 180_000,
      retry: 0,
      includeTaskLocation: false,
      tags: [],
      tagsFilter: undefined,
      strictTags: false,
    },
    importFile: (path) => import(`${pathToFileURL(path).href}?${imports++}`),
    onBeforeRunTask(test) {
      if (isOver || isIgnored(nameOf(test))) test.mode = 'skip';
    },
    onAfterRunTask(test) {
      if (test.mode !== 'skip') count += 1;
      if (test.result?.state !== 'fail') return;
      failed.push({ name: nameOf(test), reason: String(test.result.errors?.[0]?.message) });
      isOver ||= !all;
    },
  };
  const files = await startTests([bundle], runner);
  for (const file of files) {
    if (failed.length === 0 && file.result?.state === 'fail')
      failed.push({ name: `${bundle} as a whole`, reason: String(file.result.errors?.[0]?.message) });
  }
  return { failed, count };
}

function nameOf(test) {
  const names = [];
  for (let task = test; task !== undefined && task !== test.file; task = task.suite) names.unshift(task.name);
  return names.join(' > ');
}

process.on('message', (message) => void judge(message));

async function judge({ mutant, bundles, ignored = [], all = false }) {
  const reached = new Set();
  globalThis.rindMutation =
    mutant === -1
      ? (id) => {
          reached.add(id);
          return false;
        }
      : (id) => id === mutant;
  unhandled = undefined;
  const names = new Set(ignored);
  const failed = [];
  let count = 0;
  const started = performance.now();
  for (const bundle of bundles) {
    const result = await runFile(bundle, (name) => names.has(name), all);
    failed.push(...result.failed);
    count += result.count;
    if (failed.length > 0 && !all) break;
  }
  if (failed.length === 0 && unhandled !== undefined)
    failed.push({ name: 'an unhandled rejection', reason: String(unhandled) });
  process.send({ failed, count, reached: [...reached], time: performance.now() - started, imports });
}
process.send({ ready: true });
