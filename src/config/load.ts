import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse, TomlError } from 'smol-toml';
import { ConfigError } from './error.ts';
import {
  commandLineLayer,
  environmentLayer,
  fileLayer,
  settle,
  type Layer,
  type LoadedSettings,
} from './settings.ts';

const MAX_FILE_SIZE = 1024 ** 2;
const DEFAULT_DATA = 'rind-data';

export interface SettingsSources {
  /** The file that was asked for; it must be there. */
  readonly file?: string | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** By "section.key". */
  readonly commandLine?: Readonly<Record<string, unknown>>;
}

export interface SettingsFromSources extends LoadedSettings {
  /** The file that was read; undefined: there is none. */
  readonly file: string | undefined;
}

/** Reads the settings: the command line over the environment over the file over the defaults. Throws ConfigError. */
export async function loadSettings({
  file,
  environment,
  commandLine = {},
}: SettingsSources): Promise<SettingsFromSources> {
  const above = [environmentLayer(environment), commandLineLayer(commandLine)];
  const named = file ?? (environment['RIND_CONFIG'] === '' ? undefined : environment['RIND_CONFIG']);
  const data = above
    .findLast(({ values }) => values.get('server')?.has('data'))
    ?.values.get('server')
    ?.get('data');
  const path = named ?? join(typeof data === 'string' ? data : DEFAULT_DATA, 'rind.toml');
  const layer = await readLayer(path, named !== undefined);
  const loaded = settle(layer === undefined ? above : [layer, ...above]);
  return { ...loaded, file: layer === undefined ? undefined : path };
}

const REASONS: ReadonlyMap<string, string> = new Map([
  ['ENOENT', 'it does not exist'],
  ['EACCES', 'this user may not'],
  ['EISDIR', 'it is a folder'],
  ['ENOTDIR', 'what should be its folder is a file'],
]);

async function readLayer(path: string, mustExist: boolean): Promise<Layer | undefined> {
  let text: string;
  try {
    const bytes = await readFile(path);
    if (bytes.length > MAX_FILE_SIZE)
      throw new ConfigError('UNREADABLE_FILE', [
        `${path} is larger than ${MAX_FILE_SIZE} bytes: it is no rind.toml.`,
      ]);
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    if (cause instanceof ConfigError) throw cause;
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT' && !mustExist) return undefined;
    const reason = cause instanceof TypeError ? 'it is not UTF-8' : (REASONS.get(code ?? '') ?? String(code));
    throw new ConfigError(
      'UNREADABLE_FILE',
      [`${path} cannot be read: ${reason}. Name another file with --config.`],
      {
        cause,
      },
    );
  }
  return fileLayer(parseToml(text, path), text, path);
}

function parseToml(text: string, path: string): Readonly<Record<string, unknown>> {
  try {
    return parse(text);
  } catch (cause) {
    if (!(cause instanceof TomlError)) throw cause;
    const reason = (cause.message.split('\n')[0] ?? '').replace('Invalid TOML document: ', '');
    throw new ConfigError(
      'INVALID_TOML',
      [
        `${path}, line ${cause.line}, column ${cause.column}: this is no TOML, ${reason}. Text stands in quotation marks.`,
      ],
      { cause },
    );
  }
}
