import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { combineSettings } from '../proxy/combined-settings.ts';
import { parseIndexUrl } from '../proxy/index-url.ts';
import { createPolicy, type ClientPolicy } from '../proxy/policy.ts';
import { findProjectTrust, readTrustFile, type Reader } from '../proxy/project-trust.ts';
import type { TrustSettings } from '../proxy/trust-settings.ts';
import { TrustStoreError, type TrustedIndex } from '../proxy/trust-store.ts';
import { establishTrust } from './establish-trust.ts';
import { findBundledTrust } from './bundled-trust.ts';
import { openTrustStore } from './open-index.ts';

/** Whom a command may trust, and for what. */
export interface ResolvedTrust {
  readonly indexes: readonly TrustedIndex[];
  readonly policy: ClientPolicy;
  /** Who decided: the project's pyproject.toml, a bundle in the virtual environment, or the user. */
  readonly source: 'project' | 'environment' | 'user';
  /** The file that decided, if it was one. */
  readonly path?: string;
}

export interface ResolveTrustOptions {
  /** URL of the only index to use. */
  readonly index?: string | undefined;
  readonly environment?: NodeJS.ProcessEnv;
}

/**
 * The indexes and rules that count in a folder: `[tool.rind]` of the project, otherwise those of the user, otherwise those of a bundle
 * installed into the virtual environment. The rules of the user's `rind.toml` hold in all cases.
 *
 * A root that is committed and not known here yet is fetched and verified now.
 *
 * @throws TrustSettingsError, TrustedRootError, TrustStoreError, or the verification error of the index
 */
export async function resolveTrust(cwd: string, options: ResolveTrustOptions = {}): Promise<ResolvedTrust> {
  const { environment = process.env } = options;
  const reader = currentReader(environment);
  const user = await readUserSettings(environment, reader);
  const project = await findProjectTrust(cwd, reader);
  if (project !== undefined) return narrow(await committed(project, user, 'project'), options.index);
  if (options.index === undefined && user !== undefined && user.indexes.length > 0)
    return committed(user, undefined, 'user');
  // A package in the environment decides only where the user has not.
  const decided = options.index !== undefined || (await openTrustStore().list()).length > 0;
  const bundle = decided ? undefined : await findBundledTrust(environment, reader);
  if (bundle !== undefined) return committed(bundle.settings, user, 'environment', bundle.roots);
  return ofStore(user, options.index);
}

/**
 * The only keys to which the rules that hold in a folder let a project be delegated; undefined: any. Asks no index.
 * @throws TrustSettingsError
 */
export async function pinnedSigners(
  cwd: string,
  project: string,
  environment = process.env,
): Promise<ReadonlySet<string> | undefined> {
  const reader = currentReader(environment);
  const user = await readUserSettings(environment, reader);
  const settings = await findProjectTrust(cwd, reader);
  if (settings === undefined && user === undefined) return undefined;
  const { policyOf } = await settingsModule();
  if (settings === undefined) return user === undefined ? undefined : policyOf(user).rulesOf(project).signers;
  return policyOf(user === undefined ? settings : combineSettings(settings, user)).rulesOf(project).signers;
}

/** Reads settings. Loaded for those who have any: most have none, and it takes a tenth of the time until a command starts. */
function settingsModule(): Promise<typeof import('../proxy/trust-settings.ts')> {
  return import('../proxy/trust-settings.ts');
}

/** Who asks: this process, by its user id. */
export function currentReader(environment: NodeJS.ProcessEnv): Reader {
  return { uid: process.getuid?.(), safeFolder: environment['RIND_SAFE_FOLDER'] || undefined };
}

/** `$RIND_CONFIG_FILE`, `$XDG_CONFIG_HOME/rind/rind.toml` or `~/.config/rind/rind.toml`. */
export function userSettingsPath(environment: NodeJS.ProcessEnv, home: string): string {
  return (
    environment['RIND_CONFIG_FILE'] ||
    join(environment['XDG_CONFIG_HOME'] || join(home, '.config'), 'rind', 'rind.toml')
  );
}

async function readUserSettings(
  environment: NodeJS.ProcessEnv,
  reader: Reader,
): Promise<TrustSettings | undefined> {
  const path = userSettingsPath(environment, homedir());
  const text = await readTrustFile(path, {
    ...reader,
    safeFolder: reader.safeFolder ?? safeIfNamed(environment, path),
  });
  return text === undefined ? undefined : (await settingsModule()).parseTrustSettings(text, path);
}

function safeIfNamed(environment: NodeJS.ProcessEnv, path: string): string | undefined {
  return environment['RIND_CONFIG_FILE'] ? dirname(path) : undefined;
}

async function committed(
  settings: TrustSettings,
  user: TrustSettings | undefined,
  source: 'project' | 'environment' | 'user',
  roots: readonly Uint8Array[] = [],
): Promise<ResolvedTrust> {
  const combined = user === undefined ? settings : combineSettings(settings, user);
  if (combined.indexes.length === 0)
    return { ...(await ofStore(combined, undefined)), source, path: settings.path };
  const indexes: TrustedIndex[] = [];
  for (const setting of combined.indexes) {
    const trusted = await establishTrust(setting, settings.path, roots);
    indexes.push(withMirrors(trusted, setting.mirrors));
  }
  return { indexes, policy: (await settingsModule()).policyOf(combined), source, path: settings.path };
}

/** What the user trusts by `rind trust add`, with rules but without routes of a file. */
async function ofStore(rules: TrustSettings | undefined, url: string | undefined): Promise<ResolvedTrust> {
  const store = openTrustStore();
  const indexes =
    url === undefined
      ? await store.list()
      : [await store.choose(parseIndexUrl(url, { allowUnencrypted: true }))];
  const [first, ...others] = indexes;
  // Nothing says which name comes from which.
  if (first === undefined || (others.length > 0 && (rules?.routes.size ?? 0) === 0))
    await store.choose(undefined);
  const more = new Map(rules?.indexes.map((setting) => [setting.url, setting.mirrors]));
  const policy = createPolicy({
    routes: rules?.routes ?? new Map<string, string>(),
    agreements: rules?.agreements ?? new Map<string, never>(),
    rules: rules?.rules ?? [],
    defaultIndex: others.length === 0 ? first?.url : undefined,
    unknownHosts: rules?.unknownHosts ?? 'refuse',
  });
  const mirrored = indexes.map((index) => withMirrors(index, more.get(index.url) ?? []));
  return { indexes: mirrored, policy, source: 'user' };
}

/** Those of `rind trust` first, then those that a file names. */
function withMirrors(index: TrustedIndex, more: readonly string[]): TrustedIndex {
  return { ...index, mirrors: [...new Set([...index.mirrors, ...more])] };
}

/** Only this index; names that must come from another one then come from nowhere. */
function narrow(trust: ResolvedTrust, url: string | undefined): ResolvedTrust {
  if (url === undefined) return trust;
  const wanted = parseIndexUrl(url, { allowUnencrypted: true });
  const indexes = trust.indexes.filter((index) => index.url === wanted);
  if (indexes.length > 0) return { ...trust, indexes };
  throw new TrustStoreError('not-trusted', `${trust.path ?? 'The settings'} name no index ${wanted}.`);
}
