import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parse as parseToml } from 'smol-toml';
import { readPipConfiguration } from '../pip-configuration.ts';
import { UV_PROXY_SETTINGS } from '../uv-settings.ts';
import { isTrustedUrl, shown, type Finding, type Surroundings } from './finding.ts';
import { strategy } from './variables.ts';

/** Tables of TOML, read without trust in their form. */
export type Table = { readonly [name: string]: unknown };

/** What the settings of pip, uv and pdm on this machine lead around the verification. */
export async function examineSettings(surroundings: Surroundings): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  for (const path of pipPaths(surroundings))
    findings.push(...pipFindings(path, await readText(path), surroundings));
  for (const path of uvPaths(surroundings)) {
    const table = await readTable(path);
    const uv = path.endsWith('pyproject.toml') ? asTable(asTable(table?.['tool'])?.['uv']) : table;
    if (uv !== undefined) findings.push(...uvFindings(path, uv, surroundings));
  }
  for (const path of pdmPaths(surroundings)) {
    const pypi = asTable((await readTable(path))?.['pypi']);
    findings.push(...pdmFindings(path, pypi ?? {}, surroundings));
  }
  return findings;
}

/** Whether an installer that is started by itself asks the proxy that keeps running, as far as its settings say. */
export async function asksProxy(proxyUrl: string, surroundings: Surroundings): Promise<boolean> {
  const { environment } = surroundings;
  if (
    [environment['PIP_INDEX_URL'], environment['UV_DEFAULT_INDEX']].some((url) => url?.startsWith(proxyUrl))
  )
    return true;
  for (const path of [...pipPaths(surroundings), ...uvPaths(surroundings), ...pdmPaths(surroundings)])
    if ((await readText(path))?.includes(proxyUrl) === true) return true;
  return false;
}

function configFolder({ environment, home }: Surroundings): string {
  return environment['XDG_CONFIG_HOME'] || join(home, '.config');
}

/** In the order in which pip reads them. */
function pipPaths(surroundings: Surroundings): string[] {
  const { environment, home } = surroundings;
  const machine = (environment['XDG_CONFIG_DIRS'] || '/etc/xdg')
    .split(':')
    .map((folder) => join(folder, 'pip', 'pip.conf'));
  const active = environment['VIRTUAL_ENV'];
  const named = environment['PIP_CONFIG_FILE'];
  return [
    ...machine,
    '/etc/pip.conf',
    join(home, '.pip', 'pip.conf'),
    join(configFolder(surroundings), 'pip', 'pip.conf'),
    ...(active ? [join(active, 'pip.conf')] : []),
    ...(named ? [named] : []),
  ];
}

function pipFindings(path: string, text: string | undefined, surroundings: Surroundings): Finding[] {
  const findings: Finding[] = [];
  for (const line of readPipConfiguration(text ?? '')) {
    if (line.kind !== 'option' && line.kind !== 'continuation') continue;
    const isPlace = /^(?:index-url|pypi-url|extra-index-url|find-links)$/.test(line.option);
    const values = isPlace
      ? line.value.split(/\s+/).filter((url) => url !== '' && !isTrustedUrl(url, surroundings))
      : [];
    for (const url of values) findings.push(source('pip', path, url, 'left out'));
    const isOwnProxy =
      line.option === 'proxy' && surroundings.trusted.some((url) => new URL(url).origin === line.value);
    if (/^(?:no-index|trusted-host|proxy)$/.test(line.option) && line.value !== '' && !isOwnProxy) {
      findings.push({
        severity: 'around',
        place: path,
        what: `pip is told ${line.option} = ${shown(line.value)}.`,
        underRun: 'left out',
        remedy: 'Take it out, or let rind client setup do so.',
      });
    }
  }
  return findings;
}

function uvPaths(surroundings: Surroundings): string[] {
  const paths: string[] = [];
  for (let folder = surroundings.folder; ; folder = dirname(folder)) {
    paths.push(join(folder, 'uv.toml'), join(folder, 'pyproject.toml'));
    if (dirname(folder) === folder) break;
  }
  const named = surroundings.environment['UV_CONFIG_FILE'];
  return [
    ...paths,
    join(configFolder(surroundings), 'uv', 'uv.toml'),
    '/etc/uv/uv.toml',
    ...(named ? [named] : []),
  ];
}

function uvFindings(path: string, uv: Table, surroundings: Surroundings): Finding[] {
  const pip = asTable(uv['pip']) ?? {};
  const urls = [uv, pip].flatMap((table) => [
    ...asList(table['index']).map((index) => asTable(index)?.['url']),
    ...['index-url', 'extra-index-url', 'find-links'].flatMap((name) => asList(table[name])),
  ]);
  const findings = strings(urls)
    .filter((url) => !isTrustedUrl(url, surroundings))
    .map((url) => source('uv', path, url, 'refused'));
  for (const [name, value] of Object.entries(asTable(uv['sources']) ?? {})) {
    for (const each of asList(value))
      findings.push(...directSource(path, name, asTable(each) ?? {}, surroundings));
  }
  for (const table of [uv, pip]) {
    const chosen = table['index-strategy'];
    if (typeof chosen === 'string' && chosen.startsWith('unsafe')) findings.push(strategy(path, chosen));
  }
  for (const name of UV_PROXY_SETTINGS.filter((each) => uv[each] !== undefined)) {
    findings.push({
      severity: 'around',
      place: path,
      what: `uv is told ${name}, which it takes before every variable, those of rind run too.`,
      underRun: 'not seen',
      remedy: 'Take it out, and set HTTPS_PROXY and NO_PROXY, which rind run honours.',
    });
  }
  for (const host of strings(asList(uv['allow-insecure-host']))) {
    findings.push({
      severity: 'around',
      place: path,
      what: `uv does not check who answers for ${shown(host)}.`,
      underRun: 'refused',
      remedy: 'Take it out.',
    });
  }
  return findings;
}

function pdmPaths(surroundings: Surroundings): string[] {
  return [
    join(surroundings.folder, 'pdm.toml'),
    surroundings.environment['PDM_CONFIG_FILE'] || join(configFolder(surroundings), 'pdm', 'config.toml'),
  ];
}

function pdmFindings(path: string, pypi: Table, surroundings: Surroundings): Finding[] {
  const urls = [pypi['url'], ...Object.values(pypi).map((value) => asTable(value)?.['url'])];
  return strings(urls)
    .filter((url) => !isTrustedUrl(url, surroundings))
    .map((url) => source('pdm', path, url, 'left out'));
}

/** An index, or a page of links, that nobody trusts. */
export function source(tool: string, place: string, url: string, underRun: Finding['underRun']): Finding {
  const isHere = !/^https?:\/\//i.test(url);
  return {
    severity: 'around',
    place,
    what: `${tool} installs from ${shown(url)}, which no trusted index signed.`,
    underRun,
    remedy: isHere
      ? 'Take it out, and upload the files to the index.'
      : 'Take it out; if its packages are needed, have the trusted index import them.',
  };
}

/** A requirement that names a place of its own instead of a version. */
export function directSource(
  path: string,
  name: string,
  table: Table,
  surroundings: Surroundings,
): Finding[] {
  const { url, file, git, path: local } = table;
  const built =
    typeof local === 'string' && /\.(?:whl|zip|tar\.[a-z0-9]+|tgz)$/i.test(local) ? local : undefined;
  return strings([url, file, git, built])
    .filter((place) => !isTrustedUrl(place, surroundings))
    .map((place) => direct(path, name, place));
}

/** The finding for one such requirement. */
export function direct(path: string, name: string, place: string): Finding {
  return {
    severity: 'around',
    place: path,
    what: `${name} comes from ${shown(place)} and not from an index.`,
    underRun: /^(?:git\+)?https?:/i.test(place) ? 'refused' : 'not seen',
    remedy: 'Upload it to the index and require a version of it.',
  };
}

export async function readText(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch(() => undefined);
}

/** Undefined for what is not there or no TOML: then the tool will complain. */
export async function readTable(path: string): Promise<Table | undefined> {
  try {
    return asTable(parseToml((await readText(path)) ?? ''));
  } catch {
    return undefined;
  }
}

export function asTable(value: unknown): Table | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Table) : undefined;
}

/** One thing or a list of them. */
export function asList(value: unknown): readonly unknown[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? value : [value];
}

export function strings(values: readonly unknown[]): string[] {
  return values.filter((value) => typeof value === 'string');
}
