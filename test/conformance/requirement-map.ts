import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { checkout } from '../tools/rind-program.ts';
import { titlesOf } from '../tools/test-titles.ts';

/** A page of `docs/` with one row per requirement, which names the tests of each. */
export interface RequirementMap {
  readonly rows: readonly string[];
  /** The first cell of each row. */
  readonly names: readonly string[];
  /** Names of rows that say "built and tested" and name no test. */
  readonly untested: readonly string[];
  /** Whether the rows name files, folders and tests that are not there; one line for each. */
  readonly missing: () => readonly string[];
}

const testFiles = ['src', 'test'].flatMap((folder) =>
  readdirSync(join(checkout, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => /\.test\.tsx?$/.test(path))
    .map((path) => `${folder}/${path}`),
);

const nameOf = (line: string): string => line.split('|')[1]?.trim() ?? '';

/** @param page its file name in `docs/` */
export function requirementMap(page: string): RequirementMap {
  const text = readFileSync(join(checkout, 'docs', page), 'utf8');
  const rows = text.split('\n').filter((line) => /^\| +[A-Z]+[0-9]+ +\|/.test(line));
  const untested = rows.filter(
    (line) => line.includes('built and tested') && !/`[\w/*.-]+\.test\.tsx?`|`test\//.test(line),
  );
  return { rows, names: rows.map(nameOf), untested: untested.map(nameOf), missing: () => missingIn(rows) };
}

function missingIn(rows: readonly string[]): readonly string[] {
  const missing: string[] = [];
  for (const line of rows) {
    for (const [, file = '', quoted = ''] of line.matchAll(
      /`([\w/*.-]+\.test\.tsx?)`((?:,? (?:and )?"[^"]+")*)/g,
    )) {
      const files = filesOf(file);
      if (files.length === 0) missing.push(`${nameOf(line)}: there is no ${file}`);
      const known = files.flatMap((path) => titlesOf(join(checkout, path)));
      for (const [, title = ''] of quoted.matchAll(/"([^"]+)"/g))
        if (files.length > 0 && !known.some((each) => isTitle(title, each)))
          missing.push(`${nameOf(line)}: ${file} has no test "${title}"`);
    }
    for (const [, folder = ''] of line.matchAll(/`(test\/[\w/-]+?)\/?`/g))
      if (!testFiles.some((path) => path.startsWith(`${folder}/`)))
        missing.push(`there are no tests in ${folder}`);
  }
  return missing;
}

function isTitle(quoted: string, title: string): boolean {
  return quoted.split('…').every((part) => title.includes(part.trim()));
}

/** Paths, also with an asterisk; a name alone may be anywhere. */
function filesOf(name: string): readonly string[] {
  const pattern = new RegExp(`^${name.replaceAll('.', '\\.').replaceAll('*', '[^/]*')}$`);
  return testFiles.filter((path) => pattern.test(name.includes('/') ? path : basename(path)));
}
