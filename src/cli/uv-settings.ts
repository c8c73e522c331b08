import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { parse as parseToml } from 'smol-toml';

/** What uv's configuration files say about where packages come from. */
export interface UvSettings {
  /** URL of the index that is declared the default one. */
  readonly defaultIndex: string | undefined;
  /** Folders and files on this machine that are named as sources of built packages, which nobody signed; with the file that names them. */
  readonly localSources: readonly { readonly path: string; readonly source: string }[];
  /** Settings by which uv chooses its proxy by itself, whatever the environment says; with the file. */
  readonly proxies: readonly { readonly path: string; readonly setting: string }[];
}

/** uv takes these before HTTPS_PROXY and before its own variables. */
export const UV_PROXY_SETTINGS = ['http-proxy', 'https-proxy', 'no-proxy'] as const;

type Table = { readonly [name: string]: unknown };

/**
 * Reads the files uv reads for a folder: `uv.toml` and `[tool.uv]` of the folder and those above it, and the user's and the
 * machine's `uv.toml`. What cannot be read is left to uv.
 */
export async function readUvSettings(folder: string, environment: NodeJS.ProcessEnv): Promise<UvSettings> {
  const found: UvSettings[] = [];
  for (const path of settingsPaths(folder, environment)) {
    const table = await readTable(path);
    if (table !== undefined) found.push(settingsOf(table, path));
  }
  return {
    defaultIndex: found.map(({ defaultIndex }) => defaultIndex).find((url) => url !== undefined),
    localSources: found.flatMap(({ localSources }) => localSources),
    proxies: found.flatMap(({ proxies }) => proxies),
  };
}

/** The folder uv works in: `--project` or UV_PROJECT below `--directory` or UV_WORKING_DIR, or this one. */
export function uvFolder(args: readonly string[], cwd: string, environment: NodeJS.ProcessEnv): string {
  const directory = optionOf('--directory', args) ?? environment['UV_WORKING_DIR'] ?? '';
  const project = optionOf('--project', args) ?? environment['UV_PROJECT'] ?? '';
  return resolve(cwd, directory, project);
}

function optionOf(name: string, args: readonly string[]): string | undefined {
  for (const [position, arg] of args.entries()) {
    if (arg === '--') return undefined;
    if (arg === name) return args[position + 1];
    if (arg.startsWith(`${name}=`)) return arg.slice(name.length + 1);
  }
  return undefined;
}

function settingsPaths(folder: string, environment: NodeJS.ProcessEnv): string[] {
  const paths: string[] = [];
  for (let current = folder; ; current = dirname(current)) {
    paths.push(join(current, 'uv.toml'), join(current, 'pyproject.toml'));
    if (dirname(current) === current) break;
  }
  const configuration = environment['XDG_CONFIG_HOME'] || join(homedir(), '.config');
  return [...paths, join(configuration, 'uv', 'uv.toml'), '/etc/uv/uv.toml'];
}

async function readTable(path: string): Promise<Table | undefined> {
  try {
    const whole = asTable(parseToml(await readFile(path, 'utf8')));
    return path.endsWith('pyproject.toml') ? asTable(asTable(whole?.['tool'])?.['uv']) : whole;
  } catch {
    return undefined;
  }
}

function settingsOf(table: Table, path: string): UvSettings {
  const pip = asTable(table['pip']) ?? {};
  const indexes = asList(table['index']).map(asTable);
  const links = [...asList(table['find-links']), ...asList(pip['find-links'])];
  const urls = [table['index-url'], ...indexes.map((index) => index?.['url'])];
  const sources = Object.values(asTable(table['sources']) ?? {})
    .flatMap(asListOrOne)
    .map(asTable);
  const named = [
    ...[...links, ...urls, ...sources.map((source) => source?.['url'])].filter(isLocal),
    ...sources.map((source) => source?.['path']).filter(isBuilt),
  ];
  const chosen = indexes.find((index) => index?.['default'] === true)?.['url'] ?? table['index-url'];
  return {
    defaultIndex: typeof chosen === 'string' ? chosen : undefined,
    localSources: named.map((source) => ({ path, source })),
    proxies: UV_PROXY_SETTINGS.filter((setting) => table[setting] !== undefined).map((setting) => ({
      path,
      setting,
    })),
  };
}

function isLocal(value: unknown): value is string {
  return typeof value === 'string' && !/^https?:\/\//i.test(value);
}

/** A folder of sources is the user's own program; a built package came from somewhere. */
function isBuilt(value: unknown): value is string {
  return typeof value === 'string' && /\.(?:whl|zip|tar\.[a-z0-9]+|tgz)$/i.test(value);
}

function asTable(value: unknown): Table | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Table) : undefined;
}

function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function asListOrOne(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [value];
}
