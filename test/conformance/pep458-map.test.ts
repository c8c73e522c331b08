import { describe, expect, it } from 'vitest';
import { requirementMap } from './requirement-map.ts';

describe('docs/pep458.md', () => {
  const { rows, names, untested, missing } = requirementMap('pep458.md');

  it('has a row for every requirement', () => {
    expect(new Set(names).size).toBe(names.length);
    const wanted = { K: 10, E: 5, P: 7, C: 6, H: 1 };
    for (const [letter, count] of Object.entries(wanted))
      expect(names.filter((name) => name.startsWith(letter) && /^.[0-9]+$/.test(name))).toHaveLength(count);
  });

  it('names a test file in each row that says "built and tested"', () => {
    expect(rows.filter((line) => line.includes('built and tested')).length).toBeGreaterThan(20);
    expect(untested).toEqual([]);
  });

  it('names test files and folders that exist, and tests that are in them', () => {
    expect(missing()).toEqual([]);
  });
});
