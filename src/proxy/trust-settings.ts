import { parse as parseToml } from 'smol-toml';
import { z } from 'zod';
import { parseIndexUrl } from './index-url.ts';
import { parseNamePattern, type NamePattern } from './name-pattern.ts';
import { createPolicy, type Agreement, type ClientPolicy, type PolicyRule } from './policy.ts';
import { TrustSettingsError } from './trust-settings-error.ts';
import { parseFingerprint } from './trusted-root.ts';

/** An index that settings name. */
export interface IndexSetting {
  readonly name: string;
  /** Base URL, with the final slash. */
  readonly url: string;
  /** Base URLs of copies, asked in this order when the index cannot be used; none of them has to be trusted. */
  readonly mirrors: readonly string[];
  /** sha256 of a root version's file, or of its signed part; lower-case hex. */
  readonly rootSha256: string;
  /** Names that must come from here; undefined: all others. */
  readonly projects: readonly NamePattern[] | undefined;
}

/** What `[tool.rind]` of a project, the same tables in the user's `rind.toml` or a bundle say. */
export interface TrustSettings {
  /** The file they stand in. */
  readonly path: string;
  readonly indexes: readonly IndexSetting[];
  readonly routes: ReadonlyMap<NamePattern, string>;
  readonly agreements: ReadonlyMap<NamePattern, Agreement>;
  readonly rules: readonly PolicyRule[];
  readonly defaultIndex: string | undefined;
  readonly unknownHosts: 'refuse' | 'tunnel' | undefined;
}

const pattern = z.string().transform((text, context) => {
  const parsed = parseNamePattern(text);
  if (parsed !== undefined) return parsed;
  context.addIssue({
    code: 'custom',
    message: `'${text}' is neither a project name nor the beginning of names with *`,
  });
  return z.NEVER;
});

const indexUrl = z.string().transform((text, context) => {
  try {
    return parseIndexUrl(text);
  } catch (error) {
    context.addIssue({ code: 'custom', message: error instanceof Error ? error.message : String(error) });
    return z.NEVER;
  }
});

const sha256 = z.string().transform((text, context) => {
  const parsed = parseFingerprint(text);
  if (parsed !== undefined) return parsed;
  context.addIssue({ code: 'custom', message: 'a sha256 has 64 hexadecimal digits' });
  return z.NEVER;
});

const name = z.string().regex(/^[a-z0-9][a-z0-9_-]{0,63}$/, 'a name has lower-case letters, digits, - and _');
const patterns = z.array(pattern).max(1000);

/** Unknown keys are refused: a mistyped rule that is passed over would protect nobody. */
const SETTINGS = z.strictObject({
  'unknown-hosts': z.enum(['refuse', 'tunnel']).optional(),
  index: z
    .array(
      z.strictObject({
        name,
        url: indexUrl,
        mirrors: z.array(indexUrl).max(10).default([]),
        'root-sha256': sha256,
        projects: patterns.optional(),
      }),
    )
    .max(100)
    .default([]),
  rule: z
    .array(
      z.strictObject({
        projects: patterns.min(1),
        index: name.optional(),
        'must-be-claimed': z.boolean().default(false),
        'signed-by': z
          .array(z.string().regex(/^[0-9a-f]{64}$/))
          .max(100)
          .default([]),
        'minimum-age-days': z.number().min(0).max(3650).default(0),
        locked: z.boolean().default(false),
      }),
    )
    .max(1000)
    .default([]),
  map: z
    .array(
      z.strictObject({
        projects: patterns.min(1),
        indexes: z.array(name).min(2).max(20),
        threshold: z.number().int().min(1).optional(),
      }),
    )
    .max(100)
    .default([]),
});

type Tables = z.infer<typeof SETTINGS>;

/**
 * Reads the table of settings.
 *
 * @param path of the file, for messages
 * @throws TrustSettingsError `malformed`
 */
export function readTrustSettings(table: unknown, path: string): TrustSettings {
  const result = SETTINGS.safeParse(table);
  if (!result.success) {
    const [issue] = result.error.issues;
    const place = issue?.path
      .map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`))
      .join('');
    throw malformed(
      path,
      `[tool.rind]${place ?? ''}: ${(issue?.message ?? 'it cannot be read').replace(/\.$/, '')}`,
    );
  }
  return settingsOf(result.data, path);
}

/** Reads a whole file of settings. @throws TrustSettingsError `malformed` */
export function parseTrustSettings(text: string, path: string): TrustSettings {
  return readTrustSettings(parseTomlTable(text, path), path);
}

/** @throws TrustSettingsError `malformed` */
export function parseTomlTable(text: string, path: string): { readonly [key: string]: unknown } {
  try {
    return parseToml(text);
  } catch (error) {
    const [reason = ''] = (error instanceof Error ? error.message : String(error)).split('\n');
    throw new TrustSettingsError('malformed', path, `this is not TOML: ${reason}`, { cause: error });
  }
}

/** The policy that settings describe, where they are the only ones. */
export function policyOf(settings: TrustSettings): ClientPolicy {
  return createPolicy({ ...settings, unknownHosts: settings.unknownHosts ?? 'refuse' });
}

function settingsOf(tables: Tables, path: string): TrustSettings {
  const indexes = tables.index.map((entry) => ({
    name: entry.name,
    url: entry.url,
    mirrors: entry.mirrors,
    rootSha256: entry['root-sha256'],
    projects: entry.projects,
  }));
  requireDistinct(
    indexes.map((index) => index.name),
    'the name',
    path,
  );
  requireDistinct(
    indexes.map((index) => index.url),
    'the URL',
    path,
  );
  const [first, ...others] = indexes.filter(({ projects }) => projects === undefined);
  if (others.length > 0) {
    const names = [first, ...others].map((index) => index?.name).join(', ');
    throw malformed(
      path,
      `the indexes ${names} have no 'projects', and only one can be the index of all other names`,
    );
  }
  return {
    path,
    indexes,
    routes: routesOf(tables, indexes, path),
    agreements: agreementsOf(tables, indexes, path),
    rules: tables.rule.map((rule) => ({
      projects: rule.projects,
      mustBeClaimed: rule['must-be-claimed'],
      signedBy: rule['signed-by'],
      minimumAgeDays: rule['minimum-age-days'],
      locked: rule.locked,
    })),
    defaultIndex: first?.url,
    unknownHosts: tables['unknown-hosts'],
  };
}

function routesOf(tables: Tables, indexes: readonly IndexSetting[], path: string): Map<NamePattern, string> {
  const routes = new Map<NamePattern, string>();
  const add = (projects: readonly NamePattern[], url: string): void => {
    for (const each of projects) {
      const other = routes.get(each);
      if (other !== undefined && other !== url)
        throw malformed(path, `${each} would have to come from ${other} and from ${url}`);
      routes.set(each, url);
    }
  };
  for (const { projects, url } of indexes) add(projects ?? [], url);
  for (const rule of tables.rule) {
    if (rule.index !== undefined) add(rule.projects, urlOf(rule.index, indexes, path));
  }
  return routes;
}

function agreementsOf(
  tables: Tables,
  indexes: readonly IndexSetting[],
  path: string,
): Map<NamePattern, Agreement> {
  const agreements = new Map<NamePattern, Agreement>();
  for (const entry of tables.map) {
    const { threshold = entry.indexes.length } = entry;
    requireDistinct(entry.indexes, 'the index', path);
    if (threshold > entry.indexes.length)
      throw malformed(path, `${entry.indexes.length} indexes cannot agree ${threshold} times`);
    const urls = entry.indexes.map((each) => urlOf(each, indexes, path));
    const agreement = { indexes: urls, threshold };
    for (const each of entry.projects) {
      if (agreements.has(each)) throw malformed(path, `two maps speak about ${each}`);
      agreements.set(each, agreement);
    }
  }
  return agreements;
}

function urlOf(wanted: string, indexes: readonly IndexSetting[], path: string): string {
  const index = indexes.find((each) => each.name === wanted);
  if (index === undefined) throw malformed(path, `there is no index named ${wanted}`);
  return index.url;
}

function requireDistinct(values: readonly string[], what: string, path: string): void {
  const twice = values.find((value, position) => values.indexOf(value) !== position);
  if (twice !== undefined) throw malformed(path, `${what} ${twice} stands there twice`);
}

function malformed(path: string, reason: string): TrustSettingsError {
  return new TrustSettingsError('malformed', path, reason);
}
