import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { explain } from '../../proxy/explain.ts';
import { parseIndexUrl } from '../../proxy/index-url.ts';
import { inspectIndex, type Inspection } from '../../proxy/inspection.ts';
import { fetchRoot, readSelfSignedRoot, TrustedRootError } from '../../proxy/trusted-root.ts';
import { DownloadError } from '../../tuf/download-error.ts';
import { RepositoryError } from '../../tuf/errors.ts';
import { Updater } from '../../updater/updater.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { openFetcher, openTrustStore, openUpdater, type OpenFetcher } from '../open-index.ts';
import { print, reportVerdict, say } from '../terminal.ts';
import { drawRoles } from './role-drawing.ts';
import { roleTable, roleTree } from './role-table.ts';

export interface InspectOptions {
  readonly json?: boolean;
  /** Where a drawing is written. */
  readonly svg?: string;
  readonly allowUnencryptedHttp?: boolean;
  readonly most: number;
}

/**
 * `rind inspect URL`: roles, keys, thresholds, versions and expiries of an index, and its trust tree. With the trust there is on this
 * machine; of any other index with whatever root it shows, which nobody vouches for.
 */
export async function inspect(text: string, options: InspectOptions): Promise<ExitCode> {
  const url = parseIndexUrl(text, {
    allowUnencrypted: options.allowUnencryptedHttp === true || (await isTrusted(text)),
  });
  const fetcher = openFetcher(url);
  const folder = await mkdtemp(join(tmpdir(), 'rind-inspect-'));
  try {
    const inspection = await inspectIndex(url, await updaterOf(url, fetcher, folder), options.most);
    await show(inspection, options);
    return inspection.roles.some(({ problem }) => problem !== undefined) ? EXIT.verification : EXIT.ok;
  } catch (error) {
    if (!(error instanceof DownloadError || error instanceof RepositoryError)) throw error;
    return reportVerdict(explain(error, { subject: 'the index', index: url, now: new Date() }));
  } finally {
    await fetcher.close();
    await rm(folder, { recursive: true, force: true });
  }
}

async function isTrusted(text: string): Promise<boolean> {
  return (await openTrustStore().get(parseIndexUrl(text, { allowUnencrypted: true }))) !== undefined;
}

async function updaterOf(url: string, fetcher: OpenFetcher, folder: string): Promise<Updater> {
  const trusted = await openTrustStore().get(url);
  if (trusted !== undefined) return (await openUpdater(trusted, fetcher))();
  const root = await readSelfSignedRoot(await fetchRoot(fetcher, url, 1));
  if (root.root.version !== 1)
    throw new TrustedRootError(
      'wrong-version',
      `The index gave root version ${root.root.version} as the first.`,
    );
  say(`warning: ${url} is not trusted here; nobody vouches for its root, ${root.fingerprint}`);
  return new Updater({
    metadataDir: folder,
    metadataBaseUrl: `${url}metadata/`,
    targetBaseUrl: url,
    fetcher,
    bootstrapRoot: root.bytes,
  });
}

async function show(inspection: Inspection, options: InspectOptions): Promise<void> {
  const now = new Date();
  if (options.svg !== undefined) {
    await writeFile(options.svg, drawRoles(inspection, now));
    say(`${options.svg} is written`);
  }
  if (options.json === true) print(JSON.stringify(inspection, undefined, 2));
  else {
    for (const line of roleTable(inspection, now)) print(line);
    print('');
    for (const line of roleTree(inspection, now)) print(line);
  }
  if (inspection.omitted > 0)
    say(`note: ${inspection.omitted} more roles are not shown; --most NUMBER shows more`);
}
