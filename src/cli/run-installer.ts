import { join } from 'node:path';
import { Interception } from '../proxy/intercept/interception.ts';
import { userRootCertificates } from '../proxy/intercept/root-certificates.ts';
import { CliError } from './cli-error.ts';
import { recognizeInstaller, refuseArguments, type InstallerCommand } from './installer-arguments.ts';
import { installerEnvironment } from './installer-environment.ts';
import type { Ending } from './installer-process.ts';
import { KnownClaims } from './known-claims.ts';
import { openTrust, type OpenedTrust } from './open-trust.ts';
import { resolveTrust, type ResolvedTrust } from './resolve-trust.ts';
import { RunFolder } from './run-folder.ts';
import { say } from './terminal.ts';
import { placesOf } from './trust-places.ts';
import { logUnverifiedRun, reportUnverified } from './unverified-report.ts';
import { readUvSettings, uvFolder, type UvSettings } from './uv-settings.ts';
import { VerifiedRun } from './verified-run.ts';

export interface RunOptions {
  /** URL of the index; the only trusted one when left out. */
  readonly index?: string;
  /** `host` or `host:port` that may be reached although nothing from there is verified. */
  readonly allowHost?: readonly string[];
  /** Answers what is asked of PyPI from the trusted index, for tools that cannot be told another URL. */
  readonly insteadOfPypi?: boolean;
  /** Asks nobody: what is stored here, verified and unexpired has to do. */
  readonly offline?: boolean;
  /** The escape hatch of PEP 458. */
  readonly unsafelyDisablePackageVerification?: boolean;
}

/**
 * Runs a command whose connections go through a proxy that answers for the trusted indexes with what is verified, and
 * refuses the rest. When something does not verify, the command and everything it started is ended, the reason is said,
 * and nothing unverified has reached it.
 *
 * @returns how to end: as the command did, or with the exit code of the refusal
 * @throws CliError when the command is not started
 */
export async function runInstaller(
  command: string,
  args: readonly string[],
  options: RunOptions,
): Promise<Ending> {
  const trust = await resolveTrust(process.cwd(), { index: options.index });
  const installer = recognizeInstaller(command, args);
  const refusal = await refuseArguments(installer, process.env);
  if (refusal !== undefined) throw new CliError('usage', refusal.message, [refusal.hint]);
  const uv = await uvSettingsOf(installer);
  const urls = trust.indexes.map(({ url }) => url);
  if (options.unsafelyDisablePackageVerification === true) await openHatch(command, urls);
  const claims = new Map(trust.indexes.map((index) => [index.url, new KnownClaims(index)]));
  const opened = await openTrust(trust, {
    onClaim: (url, project, claim) => claims.get(url)?.see(project, claim),
    isOffline: options.offline,
    readsAhead: options.unsafelyDisablePackageVerification !== true,
    onWithheld: ({ project, reason }) => say(`note: of ${project}, ${reason}; they are left out`),
  });
  try {
    const run = new VerifiedRun();
    const interception = await intercept(trust, opened, options, run);
    const folder = await RunFolder.create();
    try {
      // While the installer starts; whatever fails here fails again, and is reported, when the installer asks.
      opened.refresh().catch(() => undefined);
      const environment = await environmentOf({ trust, options, interception, folder, uv, installer });
      const ending = await run.of(command, args, environment);
      reportUnverified(interception.unverified);
      for (const known of claims.values()) await known.report(new Date());
      return ending;
    } finally {
      await interception.close();
      await folder.remove();
    }
  } finally {
    await opened.close();
  }
}

/** The base URLs under which PyPI is known, all answered from the trusted index. */
const PYPI = ['https://pypi.org/', 'https://files.pythonhosted.org/'];

function intercept(
  { indexes, policy }: ResolvedTrust,
  { index }: OpenedTrust,
  options: RunOptions,
  run: VerifiedRun,
): Promise<Interception> {
  const isOne = indexes.length === 1 && policy.isPlain;
  const entries = indexes.map(({ url }) => ({ baseUrl: url, index, ...(isOne ? {} : { only: url }) }));
  const aliases = options.insteadOfPypi === true ? PYPI.map((baseUrl) => ({ baseUrl, index })) : [];
  return Interception.start({
    indexes: [...entries, ...aliases.filter(({ baseUrl }) => !indexes.some(({ url }) => url === baseUrl))],
    policy,
    unknownHosts: policy.unknownHosts,
    allowedHosts: new Set((options.allowHost ?? []).map((host) => host.toLowerCase())),
    isUnverified: options.unsafelyDisablePackageVerification === true,
    environment: process.env,
    ...run.listeners,
  });
}

interface RunParts {
  readonly trust: ResolvedTrust;
  readonly options: RunOptions;
  readonly interception: Interception;
  readonly folder: RunFolder;
  readonly uv: UvSettings | undefined;
  readonly installer: InstallerCommand;
}

async function environmentOf(parts: RunParts): Promise<NodeJS.ProcessEnv> {
  const { trust, options, interception, folder, uv } = parts;
  const { certificate } = interception;
  const bundlePath =
    certificate === undefined
      ? undefined
      : await folder.write('bundle.pem', `${await userRootCertificates(process.env)}\n${certificate}`);
  const urls = trust.indexes.map(({ url }) => url);
  const main = trust.policy.defaultIndex;
  const ordered = urls.toSorted((a, b) => Number(b === main) - Number(a === main));
  return installerEnvironment(process.env, {
    proxyUrl: interception.proxyUrl,
    bundlePath,
    simpleUrls: ordered.map((url) => `${url}simple/`),
    cacheFolder: join((await placesOf(trust)).cacheFolder, cacheName(trust, options)),
    refusesUnknownHosts: trust.policy.unknownHosts === 'refuse',
    keepsUvConfiguration: uv !== undefined,
    hasUvDefault: urls.some((url) => uv?.defaultIndex?.startsWith(url) === true),
  });
}

/** What came unverified is never found by a run that verifies. */
function cacheName({ policy }: ResolvedTrust, options: RunOptions): string {
  if (options.unsafelyDisablePackageVerification === true) return 'unverified';
  return policy.unknownHosts === 'tunnel' || (options.allowHost ?? []).length > 0 ? 'partly-verified' : '';
}

const UV_PROJECT_COMMANDS = new Set(['add', 'remove', 'lock', 'sync', 'run', 'export', 'tree', 'version']);

/**
 * The settings of the project uv works on, or undefined when it works on none: then it reads no configuration. Of a command
 * that may or may not start uv (make, tox) only a warning can be said, unless all of it would go around the run.
 */
async function uvSettingsOf({ tool, args }: InstallerCommand): Promise<UvSettings | undefined> {
  const isProject = tool === 'uv' && args[0] !== 'pip' && args.some((arg) => UV_PROJECT_COMMANDS.has(arg));
  if (!isProject && tool !== 'other') return undefined;
  const folder = uvFolder(isProject ? args : [], process.cwd(), process.env);
  const settings = await readUvSettings(folder, process.env);
  const [proxy] = settings.proxies;
  if (proxy !== undefined) {
    const message = `${proxy.path} sets ${proxy.setting}, which uv takes before the proxy of this run: nothing of it would be verified.`;
    throw new CliError('usage', message, ['take it out, and set HTTPS_PROXY, which rind honours']);
  }
  const [local] = settings.localSources;
  if (local === undefined) return settings;
  const message = `${local.path} names ${local.source}, which is on this machine and which nobody signed.`;
  if (isProject)
    throw new CliError('usage', message, ['take it out: rind sees only what is fetched over http and https']);
  say(`warning: ${message}`);
  return settings;
}

async function openHatch(command: string, urls: readonly string[]): Promise<void> {
  say('WARNING: PACKAGE VERIFICATION IS DISABLED FOR THIS RUN: whatever the network gives may be installed.');
  say(`WARNING: nothing from ${urls.join(', ')} is checked, except projects whose rule is locked.`);
  await logUnverifiedRun(command, urls);
}
