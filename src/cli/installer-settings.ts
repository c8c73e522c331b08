import { join } from 'node:path';
import { parse, stringify, type TomlTable } from 'smol-toml';
import { CliError } from './cli-error.ts';
import { readPipConfiguration } from './pip-configuration.ts';

/** A configuration file of an installer and what has to stand in it. */
export interface InstallerSettings {
  readonly tool: 'pip' | 'uv' | 'pdm';
  readonly path: string;
  /** The file with the verified index, and with nothing that would go around it. */
  readonly edit: (before: string, indexUrl: string) => string;
}

/** The user's files, where the tools look for them: their own variables first, then XDG, then `~/.config`. */
export function installerSettings(
  environment: NodeJS.ProcessEnv,
  home: string,
): readonly InstallerSettings[] {
  const config = environment['XDG_CONFIG_HOME'] || join(home, '.config');
  const pip = environment['PIP_CONFIG_FILE'];
  return [
    {
      tool: 'pip',
      path: pip === undefined || pip === '' || pip === '/dev/null' ? join(config, 'pip', 'pip.conf') : pip,
      edit: editPip,
    },
    { tool: 'uv', path: environment['UV_CONFIG_FILE'] || join(config, 'uv', 'uv.toml'), edit: editUv },
    {
      tool: 'pdm',
      path: environment['PDM_CONFIG_FILE'] || join(config, 'pdm', 'config.toml'),
      edit: editPdm,
    },
  ];
}

/** For tools that have no file for all projects. */
export function installerHints(indexUrl: string): readonly string[] {
  return [
    `pipenv: export PIPENV_PYPI_MIRROR=${indexUrl}`,
    `poetry: has no setting for all projects; in one: poetry source add --priority=primary rind ${indexUrl}`,
    'poetry and uv write the address into lock files: for locks that are shared, rind run is the better way',
  ];
}

const AROUND_PIP = /^(?:index-url|extra-index-url|find-links|no-index|trusted-host|pypi-url|proxy)$/;

/** pip.conf: every section can hold every option. */
function editPip(before: string, indexUrl: string): string {
  const lines: string[] = [];
  let place: number | undefined;
  let indent: string | undefined;
  for (const line of readPipConfiguration(before)) {
    const isAround = (line.kind === 'option' || line.kind === 'continuation') && AROUND_PIP.test(line.option);
    lines.push(isAround ? `# rind: ${line.text}` : line.text);
    if (line.section !== 'global') continue;
    if (line.kind === 'section') place ??= lines.length;
    // Indented less than the next option, ours would swallow it.
    if (line.kind === 'option') indent ??= line.indent;
  }
  // As its HTTP proxy too, so that an index which a project or a command names is refused instead of asked.
  const options = [`index-url = ${indexUrl}`, `proxy = ${new URL(indexUrl).origin}`];
  const settings = options.map((option) => `${indent ?? ''}${option}`);
  if (place === undefined) lines.push(...(lines.length > 0 ? [''] : []), '[global]', ...settings);
  else lines.splice(place, 0, ...settings);
  return `${lines.join('\n')}\n`;
}

const AROUND_UV = ['index', 'index-url', 'extra-index-url', 'find-links', 'no-index', 'allow-insecure-host'];

function editUv(before: string, indexUrl: string): string {
  const table = parseTable(before, 'uv.toml');
  const kept = without(table, AROUND_UV);
  const pip = kept['pip'];
  if (isTable(pip)) kept['pip'] = without(pip, AROUND_UV);
  const isUnchanged = Object.keys(kept).length === Object.keys(table).length && !isTable(pip);
  // Comments stay as long as nothing has to be taken out.
  const head = isUnchanged ? before : stringify(kept);
  const gap = head === '' || head.endsWith('\n') ? '' : '\n';
  return `${head}${gap}${head === '' ? '' : '\n'}[[index]]\nname = "rind"\nurl = ${JSON.stringify(indexUrl)}\ndefault = true\n`;
}

function editPdm(before: string, indexUrl: string): string {
  const table = parseTable(before, 'config.toml of pdm');
  const pypi = isTable(table['pypi']) ? table['pypi'] : {};
  // Tables in it are further indexes.
  const own = Object.fromEntries(
    Object.entries(pypi).filter(([name, value]) => !isTable(value) && name !== 'url'),
  );
  return `${stringify({ ...without(table, ['pypi']), pypi: { ...own, url: indexUrl, ignore_stored_index: true } })}\n`;
}

function parseTable(text: string, name: string): TomlTable {
  try {
    return parse(text);
  } catch (error) {
    throw new CliError('failure', `The present ${name} is not TOML, so it is left alone.`, [], {
      cause: error,
    });
  }
}

function without(table: TomlTable, names: readonly string[]): TomlTable {
  return Object.fromEntries(Object.entries(table).filter(([name]) => !names.includes(name)));
}

function isTable(value: unknown): value is TomlTable {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}
