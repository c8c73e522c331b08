import { parseIndexUrl } from '../proxy/index-url.ts';
import { fetchRoot, readSelfSignedRoot } from '../proxy/trusted-root.ts';
import type { TrustedIndex } from '../proxy/trust-store.ts';
import { CliError } from './cli-error.ts';
import { openFetchers, openTrustStore } from './open-index.ts';
import { recordOf } from './show-trusted.ts';
import { print, say } from './terminal.ts';

export interface MirrorOptions {
  /** As they were typed. */
  readonly mirror?: readonly string[];
  readonly allowUnencryptedHttp?: boolean;
  readonly json?: boolean;
}

const MOST = 10;

/**
 * The mirrors of an index that options name, each once; undefined when they name none.
 *
 * @throws CliError, IndexUrlError
 */
export function mirrorsOf(
  url: string,
  { mirror, allowUnencryptedHttp }: MirrorOptions,
): readonly string[] | undefined {
  if (mirror === undefined || mirror.length === 0) return undefined;
  const options = { allowUnencrypted: allowUnencryptedHttp === true };
  const mirrors = [...new Set(mirror.map((text) => parseIndexUrl(text, options)))];
  if (mirrors.includes(url)) throw new CliError('usage', `${url} is the index itself, and no mirror of it.`);
  if (mirrors.length > MOST) throw new CliError('usage', `An index has ${MOST} mirrors at most.`);
  return mirrors;
}

/** `rind trust set`: other mirrors for a trusted index, in place of those it had. */
export async function setMirrors(
  text: string,
  { mirrors: keepsMirrors = true, ...options }: MirrorOptions & { readonly mirrors?: boolean },
): Promise<void> {
  const url = parseIndexUrl(text, { allowUnencrypted: true });
  const named = mirrorsOf(url, options);
  if ((named === undefined) === keepsMirrors) {
    const message = keepsMirrors ? 'There is nothing to set.' : 'Mirrors are named and taken away at once.';
    throw new CliError('usage', message, [
      '--mirror URL, once for each, replaces those there are',
      '--no-mirrors takes all away',
    ]);
  }
  const index = await openTrustStore().setMirrors(url, named ?? []);
  reportMirrors(index);
  await warnOfStrangers(index);
  if (options.json === true) print(JSON.stringify(recordOf(index), undefined, 2));
}

export function reportMirrors({ url, mirrors }: TrustedIndex): void {
  say(mirrors.length === 0 ? `${url} has no mirrors` : `${url} has the mirrors ${mirrors.join(', ')}`);
}

/** What is no copy of the index does no harm, and is of no use: better said now than when the index is away. */
export async function warnOfStrangers({ mirrors, rootVersion, fingerprint }: TrustedIndex): Promise<void> {
  const fetcher = openFetchers(mirrors);
  try {
    const warnings = await Promise.all(
      mirrors.map(async (mirror) => {
        const root = await fetchRoot(fetcher, mirror, rootVersion)
          .then(readSelfSignedRoot)
          .catch((error: unknown) => (error instanceof Error ? error.message : String(error)));
        if (typeof root === 'string') return `${mirror} is no mirror of it so far: ${root}`;
        return root.fingerprint === fingerprint ? undefined : `${mirror} is a mirror of another index`;
      }),
    );
    for (const warning of warnings) if (warning !== undefined) say(`warning: ${warning}`);
  } finally {
    await fetcher.close();
  }
}
