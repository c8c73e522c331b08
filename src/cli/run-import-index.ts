import { parseIndexUrl } from '../proxy/index-url.ts';
import { ForeignPageError } from '../pypi/foreign-page.ts';
import { isValidProjectName, normalizeProjectName } from '../pypi/project-name.ts';
import { BoundedPool } from '../registry/bounded-pool.ts';
import { ForeignIndexError, importIndex, type ImportedForeignFile } from '../registry/import-index.ts';
import { isNamed } from '../registry/policy-checks.ts';
import { CliError } from './cli-error.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { HttpForeignIndex } from './foreign-index.ts';
import { ProgressLine } from './progress-line.ts';
import { publishAll, type ImportTarget } from './sign-imported.ts';
import { print, say } from './terminal.ts';

/** What `rind import` is told when it imports from another index. */
export interface ImportIndexOptions {
  /** Names, or beginnings of names with `*`. All projects when absent. */
  readonly project?: readonly string[];
  readonly newest?: number;
  readonly uploadTimes?: string;
  readonly asIs?: boolean;
  readonly allowUnencryptedHttp?: boolean;
  readonly json?: boolean;
}

interface Tally {
  stored: number;
  'already-stored': number;
  refused: number;
  /** Taken on trust: the other index listed no hash, or only one that says little. */
  unhashed: number;
  refusals: { project: string; filename?: string; reason: string }[];
}

const WEAK: ReadonlySet<string | undefined> = new Set([undefined, 'md5', 'sha1']);

export function isIndexUrl(text: string): boolean {
  return /^https?:\/\//i.test(text);
}

/** Takes in what another index has; what was done goes to stdout, progress and refusals to stderr. */
export async function importFromIndex(
  target: ImportTarget,
  address: string,
  actor: string,
  options: ImportIndexOptions,
): Promise<ExitCode> {
  const source = new HttpForeignIndex(simpleUrl(address, options.allowUnencryptedHttp === true));
  try {
    const projects = await chosenProjects(source, options.project);
    const tally: Tally = { stored: 0, 'already-stored': 0, refused: 0, unhashed: 0, refusals: [] };
    const line = new ProgressLine();
    const { db, store, index, indexDefaults } = target;
    const inspections = new BoundedPool({ concurrency: 2, queueLength: 64 });
    await importIndex(
      { db, store, index, indexDefaults, clock: () => new Date(), inspections },
      { kind: 'cli', name: actor },
      source,
      projects,
      { newest: options.newest, asIs: options.asIs === true, keepUploadTimes: options.uploadTimes !== 'now' },
      {
        each: (file) => count(tally, file),
        progress: (done) => line.show({ phase: 'projects', done, total: projects.length }),
      },
    );
    await publishAll(target);
    tell(tally, projects.length, options.json === true);
    return tally.refused === 0 ? EXIT.ok : EXIT.failure;
  } catch (cause) {
    if (!(cause instanceof ForeignIndexError) && !(cause instanceof ForeignPageError)) throw cause;
    const hint = 'give the URL of its list of projects, as pip has it: it ends in /simple/ or /+simple/';
    throw new CliError('failure', cause.message, [hint], { cause });
  } finally {
    await source.close();
  }
}

function simpleUrl(address: string, allowUnencrypted: boolean): string {
  parseIndexUrl(address, { allowUnencrypted });
  return address.endsWith('/') ? address : `${address}/`;
}

async function chosenProjects(
  source: HttpForeignIndex,
  wanted: readonly string[] | undefined,
): Promise<readonly string[]> {
  if (wanted === undefined) return source.projects();
  for (const name of wanted) {
    if (!isValidProjectName(name.replace(/\*$/, 'x')))
      throw new CliError('usage', `'${name}' is no project name, with * at its end or not.`);
  }
  // Indexes that pass another one through do not list what they could have.
  if (wanted.every((name) => !name.endsWith('*'))) return [...new Set(wanted.map(normalizeProjectName))];
  const listed = await source.projects();
  return listed.filter((project) => wanted.some((name) => isNamed(project, name)));
}

function count(tally: Tally, file: ImportedForeignFile): void {
  tally[file.outcome] += 1;
  if (file.outcome === 'refused') {
    const { project, filename, reason } = file;
    tally.refusals.push({ project, reason, ...(filename === undefined ? {} : { filename }) });
    say(`refused: ${filename ?? project}: ${reason}`);
  } else if (file.outcome === 'stored' && WEAK.has(file.checkedBy)) tally.unhashed += 1;
}

function tell(tally: Tally, projects: number, json: boolean): void {
  if (json) {
    print(JSON.stringify({ projects, ...tally }));
    return;
  }
  print(
    `${projects} projects: ${tally.stored} files stored, ${tally['already-stored']} were here before, ${tally.refused} refused`,
  );
  if (tally.unhashed > 0)
    print(`${tally.unhashed} of them had no sha256 there: they are what that index sent, whatever that is`);
}
