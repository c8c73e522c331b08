import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkout } from '../tools/rind-program.ts';
import { titlesOf } from '../tools/test-titles.ts';

const page = readFileSync(join(checkout, 'docs', 'security-tests.md'), 'utf8');
const [, vulnerabilities = '', checklist = ''] = page.split(/^## /m);

/** The cells of the rows of a table, without its head. */
function rowsOf(part: string): readonly (readonly string[])[] {
  return part
    .split('\n')
    .filter((line) => line.startsWith('| ') && !line.startsWith('| -'))
    .slice(1)
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}

/** What is wrong with a cell such as `file` title › title; `file` title. */
function problemsOf(cell: string): readonly string[] {
  return cell.split(/; (?=`)/).flatMap((reference) => {
    const [, name, titles = ''] = /^`([\w/.-]+\.test\.ts)` (.+)$/.exec(reference) ?? [];
    if (name === undefined) return [`${reference}: no test file and title`];
    const file = join(checkout, name.startsWith('test/') ? '' : 'src', name);
    if (!existsSync(file)) return [`${name} is not there`];
    const known = titlesOf(file);
    return titles
      .split(' › ')
      .filter((title) => !known.some((each) => each.includes(title)))
      .map((title) => `${name} has no test "${title}"`);
  });
}

describe('docs/security-tests.md', () => {
  it('has a row for every vulnerability and point of the checklist', () => {
    expect(rowsOf(vulnerabilities).length).toBeGreaterThanOrEqual(26);
    expect(rowsOf(checklist).length).toBeGreaterThanOrEqual(24);
  });

  it('names in every row a test that exists', () => {
    const rows = [...rowsOf(vulnerabilities), ...rowsOf(checklist)];
    expect(
      rows.flatMap((cells) => problemsOf(cells.at(-1) ?? '').map((problem) => `${cells[0]}: ${problem}`)),
    ).toEqual([]);
  });
});
