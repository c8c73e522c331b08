import { readdir, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { isUnseenUrl, refusedRequirementsOption, requirementsPathsOf } from '../installer-arguments.ts';
import { readRequirementsFiles } from '../requirements-file.ts';
import { isTrustedUrl, shown, type Finding, type Surroundings } from './finding.ts';
import {
  asList,
  asTable,
  direct,
  directSource,
  readTable,
  readText,
  source,
  strings,
  type Table,
} from './settings-files.ts';

const LOCKS = /^(?:uv\.lock|poetry\.lock|pdm\.lock|Pipfile\.lock|pylock(?:\..+)?\.toml)$/;
const REQUIREMENTS = /^(?:.*requirements.*|constraints.*)\.(?:txt|in)$/;

/** What the files of a project lead around the verification: requirements, sources, locks. */
export async function examineProject(surroundings: Surroundings): Promise<readonly Finding[]> {
  const { folder } = surroundings;
  const names = await namesIn(folder);
  const findings: Finding[] = [];
  for (const name of names) {
    const path = join(folder, name);
    if (name === 'pyproject.toml')
      findings.push(...pyproject(path, (await readTable(path)) ?? {}, surroundings));
    else if (name === 'Pipfile') findings.push(...pipfile(path, (await readTable(path)) ?? {}, surroundings));
    else if (LOCKS.test(name)) findings.push(...lock(path, (await readText(path)) ?? '', surroundings));
    else if (REQUIREMENTS.test(name)) findings.push(...(await requirements(path, surroundings)));
  }
  for (const path of await otherRequirements(surroundings))
    findings.push(...(await requirements(path, surroundings)));
  return findings;
}

async function namesIn(folder: string): Promise<readonly string[]> {
  return (await readdir(folder).catch((): string[] => [])).toSorted();
}

/** In a folder of their own, or named by variables. */
async function otherRequirements({ folder, environment }: Surroundings): Promise<readonly string[]> {
  const inner = join(folder, 'requirements');
  const names = (await namesIn(inner)).filter((name) => /\.(?:txt|in)$/.test(name));
  const named = requirementsPathsOf(environment).map((path) => (isUrl(path) ? path : resolve(folder, path)));
  return [...names.map((name) => join(inner, name)), ...named];
}

function isUrl(path: string): boolean {
  return /^[a-z][a-z0-9+.-]+:\/\//i.test(path);
}

/** Caches of installers hold what was installed before anybody verified it. */
export async function examineCaches({ environment, home }: Surroundings): Promise<readonly Finding[]> {
  const base = environment['XDG_CACHE_HOME'] || join(home, '.cache');
  const caches = [
    environment['PIP_CACHE_DIR'] || join(base, 'pip'),
    environment['UV_CACHE_DIR'] || join(base, 'uv'),
    environment['POETRY_CACHE_DIR'] || join(base, 'pypoetry'),
    environment['PDM_CACHE_DIR'] || join(base, 'pdm'),
    environment['PIPENV_CACHE_DIR'] || join(base, 'pipenv'),
  ];
  const findings: Finding[] = [];
  for (const cache of caches) {
    if ((await stat(cache).catch(() => undefined))?.isDirectory() !== true) continue;
    findings.push({
      severity: 'note',
      place: cache,
      what: 'This cache may hold packages that nobody verified; an installer that is started by itself uses them.',
      underRun: 'apart',
      remedy: 'Delete it once, if installers are started by themselves.',
    });
  }
  return findings;
}

function pyproject(path: string, file: Table, surroundings: Surroundings): Finding[] {
  const project = asTable(file['project']) ?? {};
  const groups = [project['optional-dependencies'], file['dependency-groups']].flatMap((table) =>
    Object.values(asTable(table) ?? {}).flatMap(asList),
  );
  const required = [
    ...asList(project['dependencies']),
    ...groups,
    ...asList(asTable(file['build-system'])?.['requires']),
  ];
  const findings = strings(required).flatMap((line) => requirement(path, line, surroundings));
  const tool = asTable(file['tool']) ?? {};
  const poetry = asTable(tool['poetry']);
  if (poetry !== undefined) findings.push(...poetryFindings(path, poetry, surroundings));
  for (const entry of asList(asTable(tool['pdm'])?.['source'])) {
    findings.push(...sourceOf('pdm', path, asTable(entry) ?? {}, surroundings));
  }
  return findings;
}

function poetryFindings(path: string, poetry: Table, surroundings: Surroundings): Finding[] {
  const sources = asList(poetry['source']).map((entry) => asTable(entry) ?? {});
  const findings = sources.flatMap((entry) => sourceOf('poetry', path, entry, surroundings));
  const isPrimary = (entry: Table): boolean =>
    !['supplemental', 'explicit'].includes(String(entry['priority'])) && typeof entry['url'] === 'string';
  if (!sources.some(isPrimary)) {
    findings.push({
      severity: 'around',
      place: path,
      what: 'poetry asks pypi.org, since no primary source is named.',
      underRun: 'refused',
      remedy: 'Name the trusted index as a source, or say rind poetry --instead-of-pypi.',
    });
  }
  const groups = Object.values(asTable(poetry['group']) ?? {}).map(
    (group) => asTable(group)?.['dependencies'],
  );
  for (const table of [poetry['dependencies'], poetry['dev-dependencies'], ...groups]) {
    for (const [name, value] of Object.entries(asTable(table) ?? {})) {
      for (const each of asList(value))
        findings.push(...directSource(path, name, asTable(each) ?? {}, surroundings));
    }
  }
  return findings;
}

function pipfile(path: string, file: Table, surroundings: Surroundings): Finding[] {
  const findings = asList(file['source']).flatMap((entry) =>
    sourceOf('pipenv', path, asTable(entry) ?? {}, surroundings),
  );
  for (const [group, table] of Object.entries(file)) {
    if (['source', 'requires', 'scripts', 'pipenv'].includes(group)) continue;
    for (const [name, value] of Object.entries(asTable(table) ?? {}))
      findings.push(...directSource(path, name, asTable(value) ?? {}, surroundings));
  }
  return findings;
}

function sourceOf(tool: string, path: string, entry: Table, surroundings: Surroundings): Finding[] {
  const { url } = entry;
  return typeof url !== 'string' || isTrustedUrl(url, surroundings)
    ? []
    : [source(tool, path, url, 'refused')];
}

/** `name @ URL` (dependency specifiers). */
function requirement(path: string, line: string, surroundings: Surroundings): Finding[] {
  const [, name = line, url] = /^\s*([^\s@[]+)[^@]*@\s*(\S+:\S+)/.exec(line) ?? [];
  return url === undefined || isTrustedUrl(url, surroundings) ? [] : [direct(path, name, url)];
}

async function requirements(path: string, surroundings: Surroundings): Promise<Finding[]> {
  const findings: Finding[] = [];
  if (isUrl(path)) return isTrustedUrl(path, surroundings) ? [] : [remoteRequirements(path)];
  for await (const line of readRequirementsFiles(path, surroundings.environment)) {
    const place = `${line.path}, line ${line.number}`;
    const option = /^(?:-[ifr]|--(?:index-url|extra-index-url|find-links|trusted-host|no-index)\b)/.exec(
      line.text,
    )?.[0];
    const named = line.words.slice(1).concat(line.words[0]?.split('=').slice(1).join('=') ?? []);
    if (option !== undefined && option !== '-r') {
      for (const url of named.filter(
        (word) => word !== '' && !word.startsWith('-') && !isTrustedUrl(word, surroundings),
      ))
        findings.push(
          source(
            'pip',
            place,
            url,
            refusedRequirementsOption(line.words) === undefined ? 'refused' : 'not seen',
          ),
        );
    } else if (isUnseenUrl(line.text) || /(?:^|[\s@])(?:git\+)?https?:\/\//i.test(line.text)) {
      const url = /\S*:\/\/\S+/.exec(line.text)?.[0] ?? line.text;
      if (!isTrustedUrl(url, surroundings)) findings.push(direct(place, line.words[0] ?? url, url));
    }
  }
  return findings;
}

function remoteRequirements(url: string): Finding {
  return {
    severity: 'around',
    place: shown(url),
    what: 'Requirements or constraints are read from there, and can name any place to install from.',
    underRun: 'refused',
    remedy: 'Keep the file in the project.',
  };
}

/** Each other place once, with how often it is named. */
function lock(path: string, text: string, surroundings: Surroundings): Finding[] {
  const counts = new Map<string, number>();
  for (const [url] of text.matchAll(/https?:\/\/[^\s"'<>]+/gi)) {
    if (!URL.canParse(url) || isTrustedUrl(url, surroundings)) continue;
    const { origin } = new URL(url);
    counts.set(origin, (counts.get(origin) ?? 0) + 1);
  }
  return [...counts].map(([origin, count]) => ({
    severity: 'around',
    place: path,
    what: `The lock names ${shown(origin)} ${count === 1 ? 'once' : `${count} times`}, and installers fetch from there.`,
    underRun: 'refused',
    remedy: 'Check it with rind lock check, or make it anew with rind run.',
  }));
}
