import { ConfigError } from '../config/error.ts';
import { loadSettings, type SettingsFromSources } from '../config/load.ts';
import { tomlText } from '../config/page.ts';
import { everyKey } from '../config/settings.ts';
import { CliError } from './cli-error.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { metricsToken, orCliError, tlsIdentity } from './serve-settings.ts';
import { print, say } from './terminal.ts';

export interface ConfigOptions {
  readonly config?: string;
  readonly data?: string;
  readonly json?: boolean;
}

const REDACTED = '[redacted]';

/** `rind config check`: every problem there is, the files that are named included. */
export async function checkConfig(options: ConfigOptions): Promise<ExitCode> {
  const { file, problems } = await findProblems(options);
  if (options.json === true)
    print(JSON.stringify({ ok: problems.length === 0, file: file ?? null, problems }));
  else if (problems.length === 0)
    say(file === undefined ? 'There is no file; the defaults hold.' : `${file} is sound.`);
  else for (const problem of problems) say(`error: ${problem}`);
  return problems.length === 0 ? EXIT.ok : EXIT.usage;
}

async function findProblems(
  options: ConfigOptions,
): Promise<{ readonly file?: string | undefined; readonly problems: readonly string[] }> {
  let loaded: SettingsFromSources;
  try {
    loaded = await load(options);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { file: options.config, problems: error.problems };
  }
  const problems: string[] = [];
  for (const read of [tlsIdentity, metricsToken]) {
    try {
      await read(loaded.settings);
    } catch (error) {
      if (!(error instanceof CliError)) throw error;
      problems.push(error.message);
    }
  }
  return { file: loaded.file, problems };
}

/** `rind config show`: what holds, as TOML with where it comes from, or as JSON. */
export async function showConfig(options: ConfigOptions): Promise<ExitCode> {
  const { settings, origins, file } = await orCliError(() => load(options));
  const values = new Map<string, Map<string, unknown>>();
  for (const [section, word, key] of everyKey()) {
    const sections: Readonly<Record<string, Readonly<Record<string, unknown>>>> = settings;
    const value = sections[section]?.[word];
    const keys = values.get(section) ?? new Map<string, unknown>();
    values.set(section, keys.set(word, value !== undefined && key.isSecret ? REDACTED : value));
  }
  if (options.json === true) {
    const all = [...values].map(([section, keys]) => [section, Object.fromEntries(keys)] as const);
    print(JSON.stringify({ file: file ?? null, settings: Object.fromEntries(all) }, undefined, 2));
    return EXIT.ok;
  }
  if (file !== undefined) print(`# ${file}; durations in milliseconds, sizes in bytes`);
  for (const [section, keys] of values) {
    print(`\n[${section}]`);
    for (const [word, value] of keys) {
      const origin = origins.get(`${section}.${word}`) ?? 'default';
      print(value === undefined ? `# ${word} is not set` : `${word} = ${tomlText(value)}  # ${origin}`);
    }
  }
  return EXIT.ok;
}

function load({ config, data }: ConfigOptions): Promise<SettingsFromSources> {
  return loadSettings({ file: config, environment: process.env, commandLine: { 'server.data': data } });
}
