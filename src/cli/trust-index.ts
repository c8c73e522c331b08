import { readFile } from 'node:fs/promises';
import { explain } from '../proxy/explain.ts';
import { parseIndexUrl } from '../proxy/index-url.ts';
import {
  fetchRoot,
  parseFingerprint,
  readSelfSignedRoot,
  requireFingerprint,
} from '../proxy/trusted-root.ts';
import type { SelfSignedRoot } from '../proxy/trusted-root.ts';
import { TrustStoreError, type TrustDecision, type TrustedIndex } from '../proxy/trust-store.ts';
import type { Verdict } from '../proxy/verdict.ts';
import { DownloadError, DownloadHttpError } from '../tuf/download-error.ts';
import type { Fetcher } from '../updater/fetcher.ts';
import { CliError } from './cli-error.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { openFetchers, openTrustStore, openUpdater } from './open-index.ts';
import { recordOf } from './show-trusted.ts';
import { print, reportVerdict, say } from './terminal.ts';
import { mirrorsOf, reportMirrors, warnOfStrangers } from './trust-mirrors.ts';

export interface TrustAddOptions {
  readonly root?: string;
  readonly fingerprint?: string;
  readonly trustOnFirstUse?: boolean;
  readonly rootVersion: number;
  readonly allowUnencryptedHttp?: boolean;
  /** Copies of the index, as they were typed. */
  readonly mirror?: readonly string[];
  /** Print what is trusted now as JSON. */
  readonly json?: boolean;
}

/** Why a root is to be trusted: exactly one of the three ways. */
type Grounds =
  | { readonly origin: 'root-file'; readonly path: string }
  | { readonly origin: 'fingerprint'; readonly fingerprint: string; readonly version: number }
  | { readonly origin: 'first-use'; readonly version: number };

/**
 * `rind trust add`: obtains the root, checks it against the grounds, follows the index from it to its newest metadata,
 * and only then stores the trust. Doing it again with the same root changes nothing but the mirrors, if some are named, and succeeds.
 */
export async function trustIndex(text: string, options: TrustAddOptions): Promise<ExitCode> {
  const url = parseIndexUrl(text, { allowUnencrypted: options.allowUnencryptedHttp === true });
  const mirrors = mirrorsOf(url, options);
  const grounds = groundsOf(options);
  const fetcher = openFetchers([url, ...(mirrors ?? [])]);
  try {
    const root = await obtainRoot([url, ...(mirrors ?? [])], grounds, fetcher);
    const exitCode = await store({ url, origin: grounds.origin, root }, mirrors, fetcher);
    if (options.json === true && exitCode === EXIT.ok) await printTrusted(url);
    return exitCode;
  } catch (error) {
    if (!(error instanceof DownloadError)) throw error;
    return reportVerdict(explain(error, { subject: 'the root', index: url, now: new Date() }));
  } finally {
    await fetcher.close();
  }
}

/** `rind trust remove` */
export async function removeTrusted(text: string, asJson: boolean): Promise<void> {
  const removed = await openTrustStore().remove(parseIndexUrl(text, { allowUnencrypted: true }));
  say(`${removed.url} is no longer trusted`);
  if (asJson) print(JSON.stringify(recordOf(removed), undefined, 2));
}

async function printTrusted(url: string): Promise<void> {
  const index = await openTrustStore().choose(url);
  print(JSON.stringify(recordOf(index), undefined, 2));
}

function groundsOf(options: TrustAddOptions): Grounds {
  const { root, fingerprint, trustOnFirstUse, rootVersion: version } = options;
  const given = [root, fingerprint, trustOnFirstUse].filter((option) => option !== undefined);
  if (given.length !== 1) {
    const message =
      given.length === 0 ? 'Nothing says which root is the right one.' : 'One reason to trust is enough.';
    throw new CliError('usage', message, [
      'give --fingerprint HEX or --root FILE, as whoever runs the index told you',
      '--trust-on-first-use takes whatever root the index shows now',
    ]);
  }
  if (root !== undefined) return { origin: 'root-file', path: root };
  if (fingerprint === undefined) return { origin: 'first-use', version };
  const parsed = parseFingerprint(fingerprint);
  if (parsed === undefined) {
    throw new CliError('usage', 'A fingerprint has 64 hexadecimal digits (0-9, a-f).', [
      'it is the sha256 of the signed part of the root; the start of the index prints it',
    ]);
  }
  return { origin: 'fingerprint', fingerprint: parsed, version };
}

/** A mirror may give the root that a fingerprint names; what is trusted on first use is what the index itself shows. */
async function obtainRoot(
  [url = '', ...mirrors]: readonly string[],
  grounds: Grounds,
  fetcher: Fetcher,
): Promise<SelfSignedRoot> {
  if (grounds.origin === 'root-file') return readSelfSignedRoot(await readRootFile(grounds.path));
  const { version } = grounds;
  try {
    const root = await readSelfSignedRoot(await fetchRoot(fetcher, url, version));
    requireFingerprint(
      root,
      version,
      grounds.origin === 'fingerprint' ? grounds.fingerprint : root.fingerprint,
    );
    return root;
  } catch (error) {
    const [next] = mirrors;
    if (!(error instanceof DownloadError) || grounds.origin === 'first-use' || next === undefined)
      throw error;
    return obtainRoot(mirrors, grounds, fetcher).catch(() => {
      throw error;
    });
  }
}

async function readRootFile(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const reason = code === 'ENOENT' ? 'there is no such file' : message;
    throw new CliError('failure', `The root file ${path} cannot be read: ${reason}.`, [], { cause: error });
  }
}

async function store(
  { url, origin, root }: TrustDecision,
  mirrors: readonly string[] | undefined,
  fetcher: Fetcher,
): Promise<ExitCode> {
  let unreachable: Verdict | undefined;
  let refused: Verdict | undefined;
  try {
    const decision = { url, origin, root, mirrors: mirrors ?? [] };
    const index = await openTrustStore().add(decision, async (draft) => {
      try {
        await (await openUpdater(draft, fetcher))().refresh();
      } catch (error) {
        const verdict = explain(error, { subject: 'the index', index: url, now: new Date() });
        const isAway = verdict.code === 'unreachable' && !(error instanceof DownloadHttpError);
        // A root from a file needs no network: a container image may be built without.
        if (isAway && origin === 'root-file') unreachable = verdict;
        else {
          refused = verdict;
          throw error;
        }
      }
    });
    reportTrusted(index, root, unreachable);
    await warnOfStrangers(index);
    return EXIT.ok;
  } catch (error) {
    if (refused !== undefined) {
      const exitCode = reportVerdict(refused);
      say('hint: nothing was trusted');
      return exitCode;
    }
    if (!(error instanceof TrustStoreError) || error.code !== 'already-trusted') throw error;
    return alreadyTrusted(url, root, mirrors, error);
  }
}

async function alreadyTrusted(
  url: string,
  root: SelfSignedRoot,
  mirrors: readonly string[] | undefined,
  error: TrustStoreError,
): Promise<ExitCode> {
  const index = await openTrustStore().get(url);
  if (index?.fingerprint !== root.fingerprint) {
    throw new TrustStoreError('already-trusted', `The index ${url} is trusted already, with another root.`, {
      cause: error,
    });
  }
  say(`${url} is trusted already, with this root`);
  if (mirrors !== undefined && mirrors.join() !== index.mirrors.join()) {
    const changed = await openTrustStore().setMirrors(url, mirrors);
    reportMirrors(changed);
    await warnOfStrangers(changed);
  }
  return EXIT.ok;
}

function reportTrusted(
  index: TrustedIndex,
  { root, signatures, threshold }: SelfSignedRoot,
  unreachable?: Verdict,
): void {
  say(`${index.url} is trusted from now on`);
  say(`  root         version ${root.version}, signed by ${signatures} of its keys (${threshold} needed)`);
  say(`  fingerprint  ${index.fingerprint}`);
  for (const mirror of index.mirrors) say(`  mirror       ${mirror}`);
  if (index.origin === 'first-use') {
    say('warning: nobody vouched for this root; compare the fingerprint with whoever runs the index');
  }
  if (unreachable !== undefined) say(`warning: the index could not be asked: ${unreachable.what}`);
  else say('the index was asked, and everything it signed up to now follows from this root');
  say('hint: rind pip install PACKAGE');
}
