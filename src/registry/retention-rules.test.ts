import { describe, expect, it } from 'vitest';
import type { FileRow } from '../db/schema.ts';
import { expiredFiles, type RetentionRules } from './retention-rules.ts';

const NOW = new Date('2026-06-01T00:00:00.000Z');

/** Files by version, each so many days old. */
function files(ages: Readonly<Record<string, number>>): FileRow[] {
  return Object.entries(ages).map(
    ([version, days]) =>
      ({ version, uploaded_at: new Date(NOW.getTime() - days * 86_400_000).toISOString() }) as FileRow,
  );
}

function gone(ages: Readonly<Record<string, number>>, rules: RetentionRules): readonly string[] {
  return expiredFiles(files(ages), rules, NOW).map(({ version }) => version);
}

describe('retention rules', () => {
  it('keep the highest versions, not the youngest uploads', () => {
    expect(gone({ '1.9': 1, '1.10': 50, '2.0': 90, '0.1': 0 }, { keepReleases: 2 })).toEqual(['1.9', '0.1']);
  });

  it('without rules nothing goes', () => {
    expect(gone({ '1.0': 5000, '2.0.dev1': 5000, '2.0a1': 5000 }, {})).toEqual([]);
  });

  it('take pre-releases by age, and count no pre-release as a release', () => {
    const ages = { '1.0': 400, '2.0a1': 40, '2.0rc1': 10 };
    expect(gone(ages, { preReleaseDays: 30, keepReleases: 1 })).toEqual(['2.0a1']);
  });

  it('keep the newest development builds of each coming release', () => {
    const ages = { '1.0.dev1': 3, '1.0.dev2': 2, '1.0.dev10': 1, '2.0.dev1': 9, '2.0': 1 };
    expect(gone(ages, { keepDevReleases: 1 })).toEqual(['1.0.dev2', '1.0.dev1']);
    expect(gone(ages, { devReleaseDays: 5 })).toEqual(['2.0.dev1']);
  });

  it('never take the last release of a project', () => {
    expect(gone({ '1.0.dev1': 9, '1.0.dev2': 9 }, { devReleaseDays: 1 })).toEqual(['1.0.dev1']);
    expect(gone({ '1.0a1': 900 }, { preReleaseDays: 1 })).toEqual([]);
  });

  it('take a release with all its files, by its youngest', () => {
    const rows = [...files({ '1.0a1': 90 }), ...files({ '1.0a1': 1 }), ...files({ '1.0': 1 })];
    expect(expiredFiles(rows, { preReleaseDays: 30 }, NOW)).toEqual([]);
    const old = [...files({ '1.0a1': 90 }), ...files({ '1.0a1': 80 }), ...files({ '1.0': 1 })];
    expect(expiredFiles(old, { preReleaseDays: 30 }, NOW)).toHaveLength(2);
  });
});
