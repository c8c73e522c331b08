// A vitest reporter that writes what ran, what failed, and why the rest did not run, to the file named by RIND_TALLY_FILE.
import { writeFileSync } from 'node:fs';
import { relative } from 'node:path';

/** The beginning of a message: enough to know the failure by. */
const saying = (error) =>
  String(error?.message ?? error)
    .split('\n')
    .slice(0, 12)
    .join('\n')
    .slice(0, 1500);

export default class TallyReporter {
  onTestRunEnd(modules, unhandledErrors) {
    const tally = { passed: 0, failed: 0, failures: [], skipped: [] };
    const fail = (file, name, error) => {
      tally.failed += 1;
      tally.failures.push({ file, name, message: saying(error) });
    };
    for (const error of unhandledErrors) fail('', 'an error outside of any test', error);
    for (const module of modules) {
      const file = relative(process.cwd(), module.moduleId);
      // A file that could not be loaded, or whose suite hook threw, has failed whatever its tests say.
      if (module.state() === 'failed' && module.errors().length > 0)
        fail(file, 'the file itself', module.errors()[0]);
      for (const suite of module.children.allSuites())
        if (suite.errors().length > 0) fail(file, suite.fullName, suite.errors()[0]);
      for (const test of module.children.allTests()) {
        const result = test.result();
        if (result.state === 'passed') tally.passed += 1;
        else if (result.state === 'failed') fail(file, test.fullName, result.errors[0]);
        else tally.skipped.push({ file, name: test.fullName, reason: result.note ?? 'no reason was given' });
      }
    }
    if (process.env.RIND_TALLY_FILE !== undefined)
      writeFileSync(process.env.RIND_TALLY_FILE, JSON.stringify(tally));
  }
}
