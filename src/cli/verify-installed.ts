import { readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { explain } from '../proxy/explain.ts';
import type { AnsweringIndex } from '../proxy/index-answers.ts';
import { compareInstalled, isCompiled } from '../proxy/installed/comparison.ts';
import { listInstalled, type InstalledDistribution } from '../proxy/installed/installed-distribution.ts';
import { findPythonEnvironment, type PythonEnvironment } from '../proxy/installed/python-environment.ts';
import { readWheelContent } from '../proxy/installed/signed-content.ts';
import { UnsafeArchiveError } from '../pypi/archive.ts';
import {
  parseDistributionFilename,
  type DistributionFilename,
  type WheelFilename,
} from '../pypi/distribution-filename.ts';
import { parseProjectJson } from '../pypi/simple.ts';
import { canonicalVersion } from '../pypi/version.ts';
import { CliError } from './cli-error.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { openTrust } from './open-trust.ts';
import { ProgressLine } from './progress-line.ts';
import { resolveTrust } from './resolve-trust.ts';
import { print, say } from './terminal.ts';
import type { VerifyOptions } from './verify-files.ts';

export interface VerifyInstalledOptions extends VerifyOptions {
  /** An interpreter, or the folder of an environment. */
  readonly python?: string;
}

type Outcome = 'verified' | 'changed' | 'unverifiable';

interface Result {
  readonly name: string;
  readonly version?: string;
  readonly outcome: Outcome;
  /** Why it is not verified, one clause. */
  readonly reason?: string;
  /** The signed wheel it was compared with. */
  readonly wheel?: string;
  readonly signedBy?: string;
  readonly files?: {
    readonly changed: readonly string[];
    readonly missing: readonly string[];
    readonly added: readonly string[];
  };
}

/**
 * `rind verify --installed`: whether the files of installed distributions are those of the wheels that the trusted index signed. The
 * interpreter is not started.
 *
 * @returns 3 when something was changed, 1 when something could not be verified
 */
export async function verifyInstalled(options: VerifyInstalledOptions): Promise<ExitCode> {
  const environment = await environmentOf(options.python);
  const trust = await resolveTrust(process.cwd(), { index: options.index });
  const opened = await openTrust(trust, { isOffline: options.offline });
  try {
    const check = new EnvironmentCheck(environment, opened.index);
    const results = await check.run();
    if (options.json === true)
      print(JSON.stringify({ environment: environment.prefix, results }, undefined, 2));
    else for (const result of results) printResult(result);
    summarize(results);
    if (results.some(({ outcome }) => outcome === 'changed')) return EXIT.verification;
    return results.some(({ outcome }) => outcome === 'unverifiable') ? EXIT.failure : EXIT.ok;
  } finally {
    await opened.close();
  }
}

async function environmentOf(python: string | undefined): Promise<PythonEnvironment> {
  const path = python ?? process.env['VIRTUAL_ENV'];
  if (path === undefined || path === '')
    throw new CliError('usage', 'No virtual environment is active.', [
      '--python PATH names an interpreter or an environment',
    ]);
  const environment = await findPythonEnvironment(path);
  if (environment !== undefined) return environment;
  throw new CliError('failure', `${path} has no folder of installed distributions.`, [
    'give the python inside the environment, or the folder of the environment',
  ]);
}

class EnvironmentCheck {
  readonly #environment: PythonEnvironment;
  readonly #index: AnsweringIndex;
  /** Every path that belongs to a distribution. */
  readonly #owned = new Set<string>();

  constructor(environment: PythonEnvironment, index: AnsweringIndex) {
    this.#environment = environment;
    this.#index = index;
  }

  async run(): Promise<readonly Result[]> {
    const results: Result[] = [];
    const progress = process.stderr.isTTY ? new ProgressLine() : undefined;
    for (const site of this.#environment.sites) {
      const installed = await listInstalled(site);
      for (const [position, distribution] of installed.entries()) {
        progress?.show({ phase: 'verifying', done: position + 1, total: installed.length });
        if ('reason' in distribution)
          results.push({ name: distribution.name, outcome: 'unverifiable', reason: distribution.reason });
        else results.push(await this.#check(distribution));
      }
      results.push(...(await this.#strays(site)));
    }
    return results;
  }

  async #check(distribution: InstalledDistribution): Promise<Result> {
    const { project, version, site } = distribution;
    for (const path of distribution.recorded ?? []) this.#owned.add(join(site, path));
    const base = { name: project, version };
    try {
      return { ...base, ...(await this.#compare(distribution)) };
    } catch (error) {
      if (error instanceof UnsafeArchiveError)
        return {
          ...base,
          outcome: 'unverifiable',
          reason: `the signed wheel cannot be read in one way only: ${error.message}`,
        };
      const { code, what } = explain(error, { subject: project, index: this.#index.url, now: new Date() });
      return { ...base, outcome: 'unverifiable', reason: `${what} (${code})` };
    }
  }

  async #compare(distribution: InstalledDistribution): Promise<Omit<Result, 'name'>> {
    const { project, origin } = distribution;
    const page = await this.#index.page(project, 'json');
    if (page === undefined) {
      const { what } = await this.#index.absence(project);
      return {
        outcome: 'unverifiable',
        reason: origin === undefined ? clause(what) : `it was installed from ${origin}`,
      };
    }
    const filenames = parseProjectJson(page.bytes).files.map(({ filename }) => filename);
    const candidates = wheelsOf(filenames, distribution);
    let result: Omit<Result, 'name'> | undefined;
    for (const wheel of candidates) {
      const next = await this.#compareWith(distribution, wheel);
      if (next?.outcome === 'verified') return next;
      result ??= next;
    }
    return result ?? { outcome: 'unverifiable', reason: withoutWheel(distribution, filenames) };
  }

  async #compareWith(
    distribution: InstalledDistribution,
    wheel: WheelFilename,
  ): Promise<Omit<Result, 'name'> | undefined> {
    const signed = await this.#index.fileTarget(distribution.project, wheel.filename);
    if (signed === undefined) return undefined;
    const { path } = await this.#index.download(signed);
    const content = await readWheelContent(path, wheel);
    const { changed, missing, added, own } = await compareInstalled(distribution, content, this.#environment);
    for (const each of own) this.#owned.add(each);
    const isSame = changed.length + missing.length + added.length === 0;
    const known = { wheel: wheel.filename, signedBy: signed.signedBy };
    return isSame
      ? { outcome: 'verified', ...known }
      : {
          outcome: 'changed',
          reason: 'its files are not those of the signed wheel',
          files: { changed, missing, added },
          ...known,
        };
  }

  /** Files that could run and belong to nothing that is installed. */
  async #strays(site: string): Promise<Result[]> {
    const entries = await readdir(site, { recursive: true, withFileTypes: true });
    const strays = entries
      .filter((entry) => !entry.isDirectory() && /\.(?:pth|pyw?|pyc|so|pyd|egg-link)$/.test(entry.name))
      .map((entry) => join(entry.parentPath, entry.name))
      .filter((path) => !this.#owned.has(path) && !isCompiled(path));
    if (strays.length === 0) return [];
    const shown = strays
      .slice(0, 10)
      .map((path) => relative(site, path))
      .join(', ');
    const more = strays.length > 10 ? ` and ${strays.length - 10} more` : '';
    return [{ name: site, outcome: 'unverifiable', reason: `no distribution has ${shown}${more}` }];
  }
}

/** The wheels of the version whose tags are those that the installed WHEEL file names. */
function wheelsOf(filenames: readonly string[], { version, tags }: InstalledDistribution): WheelFilename[] {
  return filenames.flatMap((filename) => {
    if (!filename.endsWith('.whl')) return [];
    const wheel = parsed(filename);
    if (wheel?.kind !== 'wheel' || canonicalVersion(wheel.version) !== version) return [];
    return tagsOf(wheel).join() === tags.join() ? [wheel] : [];
  });
}

function parsed(filename: string): DistributionFilename | undefined {
  try {
    return parseDistributionFilename(filename);
  } catch {
    return undefined;
  }
}

function tagsOf({ pythonTags, abiTags, platformTags }: WheelFilename): string[] {
  const tags = pythonTags.flatMap((python) =>
    abiTags.flatMap((abi) => platformTags.map((platform) => `${python}-${abi}-${platform}`)),
  );
  return tags.toSorted();
}

function withoutWheel({ version, origin }: InstalledDistribution, filenames: readonly string[]): string {
  if (origin !== undefined) return `it was installed from ${origin}`;
  const ofVersion = filenames.filter((filename) => {
    const distribution = parsed(filename);
    return distribution !== undefined && canonicalVersion(distribution.version) === version;
  });
  if (ofVersion.length === 0) return `the index has no version ${version} of it`;
  return ofVersion.some((filename) => filename.endsWith('.whl'))
    ? 'no signed wheel of this version has its tags, so it was built on this machine'
    : 'the index has the source alone, so it was built on this machine';
}

function clause(sentence: string): string {
  return (sentence.charAt(0).toLowerCase() + sentence.slice(1)).replace(/\.$/, '');
}

function printResult({ name, version = '', outcome, reason, wheel, signedBy, files }: Result): void {
  const label = `${name} ${version}`.trim();
  if (outcome === 'verified') return print(`verified  ${label}  ${wheel}, signed by ${signedBy}`);
  print(`${outcome === 'changed' ? 'CHANGED ' : 'unknown '}  ${label}  ${reason ?? ''}`);
  for (const kind of ['changed', 'missing', 'added'] as const) {
    for (const path of files?.[kind].slice(0, 20) ?? []) print(`            ${kind}: ${path}`);
  }
}

function summarize(results: readonly Result[]): void {
  const count = (outcome: Outcome): number => results.filter((result) => result.outcome === outcome).length;
  say(
    `${count('verified')} verified, ${count('changed')} changed, ${count('unverifiable')} cannot be verified`,
  );
  if (count('changed') > 0) say('hint: make the environment anew: rind pip install into a fresh one');
  say(
    'note: compiled files in __pycache__ are not compared; delete them if the environment was in other hands',
  );
}
