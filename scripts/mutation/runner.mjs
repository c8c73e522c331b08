// One process of a mutation run: it keeps vitest loaded and runs test files for one mutant after the other. The parent
// ends it when a mutant does not come to an end.
import { createVitest } from 'vitest/node';

const { root, sources, setup, notes } = JSON.parse(process.argv[2]);
const texts = new Map(Object.entries(sources));

const vitest = await createVitest(
  'test',
  {
    root,
    config: false,
    watch: false,
    pool: 'threads',
    fileParallelism: false,
    bail: 1,
    include: ['src/**/*.test.ts'],
    setupFiles: [setup],
    testTimeout: 20_000,
    reporters: [{}],
    silent: true,
    provide: { mutant: -1, notes },
  },
  {
    configFile: false,
    logLevel: 'silent',
    plugins: [{ name: 'rind-mutants', enforce: 'pre', load: (id) => texts.get(id.split('?')[0]) }],
  },
);

async function runMutant({ mutant, files }) {
  vitest.provide('mutant', mutant);
  const project = vitest.getRootProject();
  let killedBy;
  let count = 0;
  const slow = {};
  for (const file of files) {
    const started = performance.now();
    const { testModules, unhandledErrors } = await vitest.runTestSpecifications([
      project.createSpecification(file),
    ]);
    slow[file] = performance.now() - started;
    // What vitest gives back includes the files of earlier runs.
    const own = testModules.filter(({ moduleId }) => moduleId === file);
    const failed = own.find((module) => !module.ok());
    for (const module of own) count += [...module.children.allTests()].length;
    if (failed === undefined && unhandledErrors.length === 0) continue;
    const test = failed && [...failed.children.allTests('failed')][0];
    killedBy = test?.fullName ?? `${file} as a whole`;
    break;
  }
  process.send({ mutant, killedBy, count, slow });
}

process.on('message', (message) => void runMutant(message));
process.send({ ready: true });
