import { describe, expect, it } from 'vitest';
import { requirementMap } from './requirement-map.ts';

describe('docs/pep480.md', () => {
  const { names, untested, missing } = requirementMap('pep480.md');

  it('has a row for every requirement', () => {
    expect(names).toEqual(Array.from({ length: 18 }, (_, number) => `D${number + 1}`));
  });

  it('names a test file in each row that says "built and tested"', () => {
    expect(untested).toEqual([]);
  });

  it('names test files and folders that exist, and tests that are in them', () => {
    expect(missing()).toEqual([]);
  });
});
