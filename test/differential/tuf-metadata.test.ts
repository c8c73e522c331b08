import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { UnavailableError } from '../tools/unavailable-error.ts';
import { compare } from './comparison.ts';
import { BATCH, describeDifference, makeBatch, newTally, runBatch } from './differential-run.ts';
import { KNOWN_DIFFERENCES, explanationOf } from './known-differences.ts';
import { PythonTufJudge } from './python-tuf-judge.ts';
import { rindJudge } from './rind-judge.ts';
import { tufJsJudge } from './tuf-js-judge.ts';
import type { Answer, Judge } from './verdict.ts';

/** Another one on every run; a failure names it. */
// One seed, so that a run says something about the change it judges; `npm run fuzz` looks for new cases.
const SEED = Number(process.env['RIND_SEED'] ?? 20_261_122);
const CASES = 16 * BATCH;

async function disagreements(judge: Judge): Promise<string[]> {
  const tally = newTally();
  for (let start = 0; start < CASES; start += BATCH) await runBatch([judge], SEED, start, tally);
  expect(tally.executions.get(judge.name)).toBe(CASES);
  // Cases that everybody refuses teach little: most must get somewhere.
  expect(tally.accepted).toBeGreaterThan(CASES / 4);
  expect(tally.known.size).toBeGreaterThan(5);
  return tally.unknown.map(({ seed, index, difference }) => describeDifference(seed, index, difference));
}

describe(`metadata, valid and mutated, beside other implementations (RIND_SEED=${SEED})`, () => {
  let python: PythonTufJudge | undefined;
  let reason = '';

  beforeAll(async () => {
    try {
      python = await PythonTufJudge.start();
    } catch (error) {
      if (!(error instanceof UnavailableError)) throw error;
      reason = error.message;
    }
  });
  afterAll(() => python?.close());

  it('has the verdicts, signed bytes, searches and requests of python-tuf but for the known differences', async (context) => {
    if (python === undefined) return context.skip(reason);
    expect(await disagreements(python)).toEqual([]);
  });

  it('has the verdicts, signed bytes, searches and requests of tuf-js but for the known differences', async () => {
    expect(await disagreements(tufJsJudge)).toEqual([]);
  });
});

describe('the list of known differences', () => {
  it('gives every class a name of its own, a reason, and why it is safe', () => {
    expect(new Set(KNOWN_DIFFERENCES.map(({ name }) => name)).size).toBe(KNOWN_DIFFERENCES.length);
    for (const { reason, safe, judges } of KNOWN_DIFFERENCES) {
      expect([reason.length > 20, safe.length > 20, judges.length > 0]).toEqual([true, true, true]);
    }
  });

  it.each(['python-tuf', 'tuf-js'] as const)(
    'explains no acceptance of what %s refuses, nor a refusal of valid metadata',
    async (name) => {
      let unexplained = 0;
      let valid = 0;
      for (const start of [0, BATCH, 2 * BATCH]) {
        const cases = makeBatch(7, start);
        const answers = await rindJudge.judge(cases);
        for (const [index, answer] of answers.entries()) {
          const each = cases[index];
          if (each?.kind !== 'operations' || !answer.every(({ accepted }) => accepted)) continue;
          valid++;
          for (const error of [
            'BadVersionNumberError',
            'UnsignedMetadataError',
            'ExpiredMetadataError',
            'LengthOrHashMismatchError',
          ]) {
            const refused: Answer = [{ accepted: false, error, message: 'refused' }];
            const difference = compare(each, answer, refused, name);
            if (difference !== undefined && explanationOf(difference) === undefined) unexplained++;
          }
        }
      }
      expect(valid).toBeGreaterThan(50);
      // A few of these documents hold what the list is about; an error in the whole list would explain most of them.
      expect(unexplained).toBeGreaterThan(valid * 4 * 0.9);
    },
  );
});
