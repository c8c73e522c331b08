// `npm run classifiers`: writes src/pypi/trove-classifiers.ts, the list of classifiers, from the package trove-classifiers of the version that
// test/tools/installers.txt pins. Needs pip and its index; nothing at run time does. `--check` only compares.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const output = join(root, 'src', 'pypi', 'trove-classifiers.ts');
const pins = readFileSync(join(root, 'test', 'tools', 'installers.txt'), 'utf8');
const version = /^trove-classifiers==(\S+)/m.exec(pins)?.[1];
if (version === undefined) throw new Error('test/tools/installers.txt pins no trove-classifiers');

const { known, withdrawn } = read();
const text = render();
if (!process.argv.includes('--check')) writeFileSync(output, text);
else if (readFileSync(output, 'utf8') !== text) {
  console.error('src/pypi/trove-classifiers.ts is not what trove-classifiers says: npm run classifiers');
  process.exitCode = 1;
}

function read() {
  const folder = mkdtempSync(join(tmpdir(), 'rind-classifiers-'));
  try {
    const pip = ['-m', 'pip', 'download', '--quiet', '--disable-pip-version-check', '--no-deps'];
    const only = ['--only-binary', ':all:', '--dest', folder];
    execFileSync('python3', [...pip, ...only, `trove-classifiers==${version}`], { stdio: 'inherit' });
    const [wheel] = readdirSync(folder);
    const program =
      'import json, sys; sys.path.insert(0, sys.argv[1]); import trove_classifiers as t; ' +
      'print(json.dumps({"known": sorted(t.classifiers), "withdrawn": sorted(t.deprecated_classifiers.items())}))';
    return JSON.parse(execFileSync('python3', ['-c', program, join(folder, wheel)], { encoding: 'utf8' }));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function render() {
  const groups = new Map();
  for (const classifier of known) {
    const [, top, rest] = /^(.*?) :: (.*)$/.exec(classifier);
    if (rest.includes('|')) throw new Error(`${classifier} has the character that parts the list`);
    groups.set(top, [...(groups.get(top) ?? []), rest]);
  }
  return [
    `// Written by \`npm run classifiers\` from trove-classifiers ${version}.`,
    '',
    '/** The version of the list: the day it is of. */',
    `export const TROVE_VERSION = '${version}';`,
    '',
    '/** Classifiers that were withdrawn, and what took their place where something did. */',
    'export const WITHDRAWN_CLASSIFIERS: readonly (readonly [string, string | undefined])[] = [',
    ...withdrawn.map(([name, [successor]]) => `  [${literal(name)}, ${literal(successor)}],`),
    '];',
    '',
    '/** Every classifier: what stands before the first `::`, and what may stand behind it, parted by `|`. */',
    'export const CLASSIFIERS: readonly (readonly [string, string])[] = [',
    ...[...groups].flatMap(([top, rests]) => [
      `  [${literal(top)},`,
      ...wrapped(rests).map((line) => `    ${line}`),
    ]),
    '];',
    '',
  ].join('\n');
}

function literal(value) {
  return value === undefined ? 'undefined' : JSON.stringify(value);
}

/** The lines of one literal, each of about 110 characters. */
function wrapped(rests) {
  const lines = [''];
  for (const [index, rest] of rests.entries()) {
    const piece = index === rests.length - 1 ? rest : `${rest}|`;
    if (lines.at(-1).length + piece.length > 110 && lines.at(-1) !== '') lines.push('');
    lines.push(lines.pop() + piece);
  }
  return lines.map((line, index) => `${literal(line)}${index === lines.length - 1 ? '],' : ' +'}`);
}
