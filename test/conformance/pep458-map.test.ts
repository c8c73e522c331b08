import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkout } from '../tools/rind-program.ts';
import { titlesOf } from '../tools/test-titles.ts';

/** A test file that a row names, by path or by its name alone, and what the row quotes beside it. */
interface Reference {
  readonly row: string;
  readonly file: string;
  readonly titles: readonly string[];
}

const page = readFileSync(join(checkout, 'docs', 'pep458.md'), 'utf8');
const rows = page.split('\n').filter((line) => /^\| +[A-Z]+[0-9]+ +\|/.test(line));
const testFiles = ['src', 'test'].flatMap((folder) =>
  readdirSync(join(checkout, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => /\.test\.tsx?$/.test(path))
    .map((path) => `${folder}/${path}`),
);

function references(): readonly Reference[] {
  return rows.flatMap((line) =>
    [...line.matchAll(/`([\w/*.-]+\.test\.tsx?)`((?:,? (?:and )?"[^"]+")*)/g)].map(
      ([, file = '', quoted = '']) => ({
        row: line.split('|')[1]?.trim() ?? '',
        file,
        titles: [...quoted.matchAll(/"([^"]+)"/g)].map(([, title = '']) => title),
      }),
    ),
  );
}

/** Paths, also with an asterisk; a name alone may be anywhere. */
function filesOf(name: string): readonly string[] {
  const pattern = new RegExp(`^${name.replaceAll('.', '\\.').replaceAll('*', '[^/]*')}$`);
  return testFiles.filter((path) => pattern.test(name.includes('/') ? path : basename(path)));
}

describe('docs/pep458.md', () => {
  it('has a row for every requirement', () => {
    const names = rows.map((line) => line.split('|')[1]?.trim() ?? '');
    expect(new Set(names).size).toBe(names.length);
    const wanted = { K: 10, E: 5, P: 7, C: 6, H: 1 };
    for (const [letter, count] of Object.entries(wanted))
      expect(names.filter((name) => name.startsWith(letter) && /^.[0-9]+$/.test(name))).toHaveLength(count);
  });

  it('names a test file in each row that says "built and tested"', () => {
    const tested = rows.filter((line) => line.includes('built and tested'));
    expect(tested.length).toBeGreaterThan(20);
    const without = tested.filter((line) => !/`[\w/*.-]+\.test\.tsx?`|`test\//.test(line));
    expect(without.map((line) => line.split('|')[1]?.trim())).toEqual([]);
  });

  it('names test files and folders that exist, and tests that are in them', () => {
    const missing: string[] = [];
    for (const { row, file, titles } of references()) {
      const files = filesOf(file);
      if (files.length === 0) missing.push(`${row}: there is no ${file}`);
      const known = files.flatMap((path) => titlesOf(join(checkout, path)));
      for (const title of titles)
        if (
          files.length > 0 &&
          !known.some((each) => title.split('…').every((part) => each.includes(part.trim())))
        )
          missing.push(`${row}: ${file} has no test "${title}"`);
    }
    for (const line of rows)
      for (const [, folder = ''] of line.matchAll(/`(test\/[\w/-]+?)\/?`/g))
        if (!testFiles.some((path) => path.startsWith(`${folder}/`)))
          missing.push(`there are no tests in ${folder}`);
    expect(missing).toEqual([]);
  });
});
