// A vitest reporter that writes what ran, and why the rest did not, to the file named by RIND_TALLY_FILE.
import { writeFileSync } from 'node:fs';
import { relative } from 'node:path';

export default class TallyReporter {
  onTestRunEnd(modules, unhandledErrors) {
    const tally = { passed: 0, failed: unhandledErrors.length, skipped: [] };
    for (const module of modules) {
      const file = relative(process.cwd(), module.moduleId);
      // A file that could not be loaded, or whose suite hook threw, has failed whatever its tests say.
      if (module.state() === 'failed' && module.errors().length > 0) tally.failed += 1;
      for (const suite of module.children.allSuites()) tally.failed += suite.errors().length > 0 ? 1 : 0;
      for (const test of module.children.allTests()) {
        const result = test.result();
        if (result.state === 'passed') tally.passed += 1;
        else if (result.state === 'failed') tally.failed += 1;
        else tally.skipped.push({ file, name: test.fullName, reason: result.note ?? 'no reason was given' });
      }
    }
    if (process.env.RIND_TALLY_FILE !== undefined)
      writeFileSync(process.env.RIND_TALLY_FILE, JSON.stringify(tally));
  }
}
