import { SECTIONS, type Key, type Section, type Settings } from './keys.ts';
import { ConfigError } from './error.ts';
import { nearest } from './nearest.ts';
import { lineOf } from './toml-place.ts';

/** Where a value comes from. */
export type Origin = 'default' | 'file' | 'environment' | 'command line';

/** Values that were set, by section and key, and where each is written. */
export interface Layer {
  readonly origin: Exclude<Origin, 'default'>;
  readonly values: ReadonlyMap<string, ReadonlyMap<string, unknown>>;
  /** "rind.toml, line 3" or "RIND_SERVER_PORT". */
  readonly place: (section: string, key?: string) => string;
}

export interface LoadedSettings {
  readonly settings: Settings;
  /** By "section.key". */
  readonly origins: ReadonlyMap<string, Origin>;
}

const TABLE: ReadonlyMap<string, Section> = new Map(Object.entries(SECTIONS));

/** Every section with its keys, in the order of the table. */
export function* everyKey(): Generator<readonly [section: string, word: string, key: Key<unknown>]> {
  for (const [section, { keys }] of TABLE)
    for (const [word, key] of Object.entries(keys)) yield [section, word, key];
}

/** Lays the layers over the defaults, the later ones over the earlier. Throws ConfigError with every problem there is. */
export function settle(layers: readonly Layer[]): LoadedSettings {
  const problems = layers.flatMap((layer) => unknownNames(layer));
  const origins = new Map<string, Origin>();
  const sections = new Map<string, Map<string, unknown>>();
  for (const [section, word, key] of everyKey()) {
    const layer = layers.findLast(({ values }) => values.get(section)?.get(word) !== undefined);
    const written = layer === undefined ? key.standard : layer.values.get(section)?.get(word);
    origins.set(`${section}.${word}`, layer?.origin ?? 'default');
    const values = sections.get(section) ?? new Map<string, unknown>();
    sections.set(section, values);
    if (written === undefined) continue;
    const read = key.kind.schema.safeParse(written);
    if (read.success) values.set(word, read.data);
    else {
      const place = layer?.place(section, word) ?? 'default';
      problems.push(`${place}: ${section}.${word} ${read.error.issues[0]?.message ?? 'cannot be used'}.`);
    }
  }
  // Every key of the table was read by its own schema: this is what the type says.
  const settings = Object.fromEntries(
    [...sections].map(([name, values]) => [name, Object.fromEntries(values)]),
  ) as unknown as Settings;
  if (problems.length === 0) problems.push(...contradictions(settings, layers));
  if (problems.length > 0) throw new ConfigError('INVALID_SETTINGS', problems);
  return { settings, origins };
}

function unknownNames({ values, place }: Layer): readonly string[] {
  const problems: string[] = [];
  for (const [section, keys] of values) {
    const known = TABLE.get(section);
    if (known === undefined) {
      problems.push(
        `${place(section)}: there is no section ${shown(section)}${meant(section, TABLE.keys())}.`,
      );
      continue;
    }
    const words = Object.keys(known.keys);
    for (const word of keys.keys()) {
      if (words.includes(word)) continue;
      problems.push(
        `${place(section, word)}: there is no key ${section}.${shown(word)}${meant(word, words)}.`,
      );
    }
  }
  return problems;
}

function meant(word: string, candidates: Iterable<string>): string {
  const near = nearest(word, candidates);
  return near === undefined
    ? '; docs/configuration.md lists what there is'
    : `; did you mean ${near}? Write that, or take it out`;
}

function shown(word: string): string {
  return word.length > 64 ? `${word.slice(0, 64)}…` : word;
}

/** What is wrong only together. */
function contradictions({ tls, expiry }: Settings, layers: readonly Layer[]): readonly string[] {
  const problems: string[] = [];
  const at = (section: string, key: string): string =>
    layers.findLast(({ values }) => values.get(section)?.get(key) !== undefined)?.place(section, key) ??
    section;
  if (tls.certificate !== undefined && tls.key === undefined)
    problems.push(
      `${at('tls', 'certificate')}: tls.certificate is set and tls.key is not: set both or none.`,
    );
  if (tls.key !== undefined && tls.certificate === undefined)
    problems.push(`${at('tls', 'key')}: tls.key is set and tls.certificate is not: set both or none.`);
  for (const role of ['timestamp', 'snapshot', 'bins'] as const) {
    const [lifetime, renewal] = [expiry[`${role}-lifetime`], expiry[`${role}-renewal`]];
    const [set, other] = lifetime === undefined ? ['renewal', 'lifetime'] : ['lifetime', 'renewal'];
    if ((lifetime === undefined) !== (renewal === undefined))
      problems.push(
        `${at('expiry', `${role}-${set}`)}: expiry.${role}-${set} is set and expiry.${role}-${other} is not: set both or none.`,
      );
    if (lifetime !== undefined && renewal !== undefined && renewal > lifetime / 2)
      problems.push(
        `${at('expiry', `${role}-renewal`)}: expiry.${role}-renewal is more than half of expiry.${role}-lifetime: renew earlier, so that there is time to notice a failure.`,
      );
  }
  return problems;
}

/** What a parsed TOML document sets. */
export function fileLayer(document: Readonly<Record<string, unknown>>, text: string, name: string): Layer {
  const place = (section: string, key?: string): string => {
    const line = lineOf(text, section, key);
    return line === undefined ? name : `${name}, line ${line}`;
  };
  const values = new Map<string, ReadonlyMap<string, unknown>>();
  for (const [section, keys] of Object.entries(document)) {
    if (typeof keys !== 'object' || keys === null || Array.isArray(keys) || keys instanceof Date)
      throw new ConfigError('INVALID_SETTINGS', [
        TABLE.has(section)
          ? `${place(section)}: ${section} is a section: write [${section}] on a line, and its keys below.`
          : `${place(section)}: ${shown(section)} stands outside of every section: write it below one such as [server].`,
      ]);
    values.set(section, new Map(Object.entries(keys)));
  }
  return { origin: 'file', values, place };
}

/** The name of the environment variable of a key. */
export function variableOf(section: string, word: string): string {
  return `RIND_${section}_${word}`.toUpperCase().replaceAll('-', '_');
}

/** What `RIND_<SECTION>_<KEY>` set; empty ones set nothing. */
export function environmentLayer(environment: Readonly<Record<string, string | undefined>>): Layer {
  const values = new Map<string, Map<string, unknown>>();
  const put = (section: string, word: string, value: unknown): void => {
    values.set(section, (values.get(section) ?? new Map<string, unknown>()).set(word, value));
  };
  const known = new Set<string>();
  for (const [section, word, key] of everyKey()) {
    const name = variableOf(section, word);
    known.add(name);
    const text = environment[name];
    if (text !== undefined && text !== '') put(section, word, key.kind.fromText(text));
  }
  for (const name of Object.keys(environment)) {
    const section = [...TABLE.keys()].find((one) => name.startsWith(`RIND_${one.toUpperCase()}_`));
    if (section === undefined || known.has(name) || environment[name] === '') continue;
    put(section, name.slice(`RIND_${section}_`.length).toLowerCase().replaceAll('_', '-'), '');
  }
  return {
    origin: 'environment',
    values,
    place: (section, key) => (key === undefined ? `RIND_${section.toUpperCase()}` : variableOf(section, key)),
  };
}

/** What the command line set, by "section.key"; undefined ones set nothing. */
export function commandLineLayer(set: Readonly<Record<string, unknown>>): Layer {
  const values = new Map<string, Map<string, unknown>>();
  for (const [name, value] of Object.entries(set)) {
    const [section = '', word = ''] = name.split('.');
    if (value !== undefined)
      values.set(section, (values.get(section) ?? new Map<string, unknown>()).set(word, value));
  }
  return { origin: 'command line', values, place: (_section, key = '') => `--${key}` };
}
