import { explain } from '../proxy/explain.ts';
import { IndexCopy, type CopiedIndex } from '../proxy/mirror/index-copy.ts';
import { TreeFolder } from '../proxy/mirror/tree-folder.ts';
import { parseNamePattern, type NamePattern } from '../proxy/name-pattern.ts';
import type { TrustedIndex } from '../proxy/trust-store.ts';
import { isAbsence } from '../updater/sources.ts';
import { CliError } from './cli-error.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { chooseIndex, openFetchers, openTrustStore, openUpdater, type OpenFetcher } from './open-index.ts';
import { terminalProgress } from './progress-line.ts';
import { print, reportVerdict, say } from './terminal.ts';

export interface MirrorOptions {
  readonly projects?: readonly string[];
  readonly recheck?: boolean;
  readonly json?: boolean;
}

const ATTEMPTS = 3;

/** `rind mirror URL DIR`: a verified copy of a trusted index for any web server; see {@link IndexCopy}. */
export async function mirrorIndex(url: string, folder: string, options: MirrorOptions): Promise<ExitCode> {
  const projects = options.projects?.map(patternOf);
  const trusted = await chooseIndex(openTrustStore(), url);
  const fetcher = openFetchers([trusted.url, ...trusted.mirrors]);
  try {
    const copied = await copy(trusted, folder, fetcher, projects, options.recheck === true);
    if (options.json === true) print(JSON.stringify(copied, undefined, 2));
    say(
      `${folder} has timestamp ${copied.timestampVersion} of ${trusted.url}: ${copied.targets} files, ${copied.roles} roles`,
    );
    say(`${copied.fetched} files were new, ${copied.fetchedBytes} bytes`);
    return EXIT.ok;
  } catch (error) {
    if (error instanceof CliError) throw error;
    const exitCode = reportVerdict(
      explain(error, { subject: 'the mirror', index: trusted.url, now: new Date() }),
    );
    say(
      'hint: the copy is what it was before; what came so far is kept, and the next run goes on from there',
    );
    return exitCode;
  } finally {
    await fetcher.close();
  }
}

/** The server may remove old files while the copy goes on: then it begins again with what is newest. */
async function copy(
  trusted: TrustedIndex,
  folder: string,
  fetcher: OpenFetcher,
  projects: readonly NamePattern[] | undefined,
  isRecheck: boolean,
): Promise<CopiedIndex> {
  const progress = terminalProgress();
  const open = await openUpdater(trusted, fetcher);
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await new IndexCopy(open(), {
        url: trusted.url,
        metadataFolder: trusted.metadataFolder,
        fetcher,
        folder: new TreeFolder(folder),
        projects,
        isRecheck,
        onProgress: (state) => progress?.show(state),
      }).run();
    } catch (error) {
      if (!isAbsence(error) || attempt === ATTEMPTS) throw error;
    }
  }
}

function patternOf(text: string): NamePattern {
  const pattern = parseNamePattern(text);
  if (pattern !== undefined) return pattern;
  throw new CliError('usage', `'${text}' is neither a project name nor the beginning of names with *.`);
}
