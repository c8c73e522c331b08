// Runs before each test file of a mutation run: tells the instrumented code which mutant is active, and notes which
// mutants the file reaches when none is.
import { writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { afterAll, expect, inject } from 'vitest';

const active = inject('mutant');
const notes = String(inject('notes'));
const reached = new Set();

// That a property fails is all that counts: the smallest example is not looked for.
fc.configureGlobal({ endOnFailure: true });

globalThis.rindMutation =
  active === -1
    ? (id) => {
        reached.add(id);
        return false;
      }
    : (id) => id === active;

afterAll(() => {
  if (active !== -1) return;
  const name = expect.getState().testPath.replaceAll(/[^\w.-]/g, '_');
  writeFileSync(
    `${notes}/${name}.json`,
    JSON.stringify({ file: expect.getState().testPath, reached: [...reached] }),
  );
});
