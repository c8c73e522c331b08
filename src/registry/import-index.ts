import { createHash, getHashes, type Hash } from 'node:crypto';
import { findFile } from '../db/files.ts';
import type { FileRow } from '../db/schema.ts';
import { parseDistributionFilename, type DistributionFilename } from '../pypi/distribution-filename.ts';
import { FormatError, quote } from '../pypi/errors.ts';
import type { ForeignFile } from '../pypi/foreign-page.ts';
import { packagePath } from '../pypi/layout.ts';
import { compareVersions, isPreRelease, parseVersion } from '../pypi/version.ts';
import { ServedTree } from '../repository/served-tree.ts';
import type { RegistryContext } from './context.ts';
import { RegistryError } from './errors.ts';
import { takeDistribution } from './import-files.ts';
import type { Principal } from './principal.ts';
import { AS_IS_UPLOAD_POLICY } from './upload-policy.ts';

/** Another index, over whatever it is reached. Its failures are ForeignIndexErrors. */
export interface ForeignIndex {
  /** The files of a project, by its normalized name. */
  files(project: string): Promise<readonly ForeignFile[]>;
  /** The bytes of a file, at most `maxLength` of them. */
  download(file: ForeignFile, maxLength: number): AsyncIterable<Uint8Array>;
}

/** Something could not be had from the other index. The message is a sentence without credentials. */
export class ForeignIndexError extends Error {
  override readonly name = 'ForeignIndexError';
  readonly code = 'FOREIGN_INDEX';
}

/** How an import from another index goes. */
export interface ImportSettings {
  /** Only so many of the newest versions of each project; all when absent. */
  readonly newest?: number | undefined;
  /** Takes what the rules of this index forbid and installers accept. */
  readonly asIs: boolean;
  /** Files keep the time at which they were uploaded there, where it is known. */
  readonly keepUploadTimes: boolean;
}

/** What became of one file, or of a project whose page could not be read. `reason` is a sentence. */
export type ImportedForeignFile =
  | {
      readonly outcome: 'stored' | 'already-stored';
      readonly project: string;
      readonly filename: string;
      /** By which hash of the other index its bytes were checked; undefined: it listed none. */
      readonly checkedBy: string | undefined;
    }
  | {
      readonly outcome: 'refused';
      readonly project: string;
      readonly filename?: string;
      readonly reason: string;
    };

export interface ImportReport {
  each(file: ImportedForeignFile): void;
  /** So many projects are done. */
  progress(done: number): void;
}

const AT_ONCE = 4;
const LARGEST_FILE = 10 * 1024 ** 3;
/** Those that say something first. */
const ALGORITHMS = ['sha256', 'sha512', 'sha384', 'sha3_256', 'sha224', 'sha1', 'md5'];

/**
 * Takes the files of these projects from another index, with every check of an upload and of the hashes listed there. What is refused is
 * told and stops nothing else; what is here already is not fetched again, so that an import that was killed is simply run again.
 */
export async function importIndex(
  context: RegistryContext,
  principal: Principal,
  source: ForeignIndex,
  projects: readonly string[],
  settings: ImportSettings,
  report: ImportReport,
): Promise<void> {
  const queue = filesOf(source, projects, settings, report);
  const work = async (): Promise<void> => {
    for (let next = await queue.next(); next.done !== true; next = await queue.next())
      report.each(await takeOne(context, principal, source, next.value, settings));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}

interface Wanted {
  readonly project: string;
  readonly file: ForeignFile;
}

async function* filesOf(
  source: ForeignIndex,
  projects: readonly string[],
  settings: ImportSettings,
  report: ImportReport,
): AsyncGenerator<Wanted, void> {
  for (const [done, project] of projects.entries()) {
    report.progress(done);
    let files: readonly ForeignFile[];
    try {
      files = await source.files(project);
    } catch (error) {
      report.each({ outcome: 'refused', project, reason: reasonOf(error) });
      continue;
    }
    for (const file of chosen(files, settings.newest)) yield { project, file };
  }
  report.progress(projects.length);
}

/** Files of the newest versions; final ones before pre-releases, as installers choose. */
function chosen(files: readonly ForeignFile[], newest: number | undefined): readonly ForeignFile[] {
  if (newest === undefined) return files;
  const versions = new Map<ForeignFile, string>();
  for (const file of files) {
    try {
      versions.set(file, parseDistributionFilename(file.filename).version);
    } catch {
      // Whatever has no version is not among the newest.
    }
  }
  const ordered = [...new Set(versions.values())].toSorted((left, right) => compareVersions(right, left));
  const final = ordered.filter((version) => !isPreRelease(parseVersion(version)));
  const wanted = new Set((final.length > 0 ? final : ordered).slice(0, newest));
  return files.filter((file) => wanted.has(versions.get(file) ?? ''));
}

async function takeOne(
  context: RegistryContext,
  principal: Principal,
  source: ForeignIndex,
  { project, file }: Wanted,
  settings: ImportSettings,
): Promise<ImportedForeignFile> {
  const { filename } = file;
  const checkedBy = strongest(file)?.[0];
  try {
    const parsed = parseDistributionFilename(filename);
    if (parsed.project !== project)
      throw new ForeignIndexError(
        `${quote(filename)} is listed under ${quote(project)} and is no file of it.`,
      );
    const known = await findFile(context.db, context.index.id, filename);
    if (known !== undefined && known.removed_at === null && (await isSame(context, parsed, known, file)))
      return { outcome: 'already-stored', project, filename, checkedBy };
    const { outcome } = await takeDistribution(context, principal, {
      filename: parsed,
      bytes: checkedBytes(source, file),
      origin: {
        yanked: file.yanked,
        uploadedAt: settings.keepUploadTimes ? file.uploadTime : undefined,
        policy: settings.asIs ? AS_IS_UPLOAD_POLICY : undefined,
      },
    });
    return { outcome, project, filename, checkedBy };
  } catch (error) {
    return { outcome: 'refused', project, filename, reason: reasonOf(error) };
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof RegistryError || error instanceof FormatError || error instanceof ForeignIndexError)
    return error.message;
  throw error;
}

function strongest({ hashes }: ForeignFile): [name: string, hex: string] | undefined {
  for (const name of ALGORITHMS) {
    const hex = hashes.get(name);
    if (hex !== undefined && getHashes().includes(nodeName(name))) return [name, hex];
  }
  return undefined;
}

function nodeName(algorithm: string): string {
  return algorithm.replace('sha3_', 'sha3-');
}

/** Whether the file here is the one listed there. Without a hash there is only one way to know: fetching it. */
async function isSame(
  { store, index }: RegistryContext,
  { project, filename }: DistributionFilename,
  row: FileRow,
  file: ForeignFile,
): Promise<boolean> {
  const [name, hex] = strongest(file) ?? [];
  if (name === undefined) return false;
  if (name === 'sha256') return row.sha256 === hex;
  const opened = await store.open(
    new ServedTree(index.name).hashed(packagePath(project, filename), row.sha256),
  );
  if (opened === undefined) return false;
  const hash = createHash(nodeName(name));
  try {
    for await (const chunk of opened.stream()) hash.update(chunk as Uint8Array);
  } finally {
    await opened.close();
  }
  return hash.digest('hex') === hex;
}

/** The bytes of a file; the stream fails at its end when they are not those that the other index listed. */
async function* checkedBytes(source: ForeignIndex, file: ForeignFile): AsyncGenerator<Uint8Array, void> {
  const [name, hex] = strongest(file) ?? [];
  const hash: Hash | undefined = name === undefined ? undefined : createHash(nodeName(name));
  let length = 0;
  for await (const chunk of source.download(file, file.size ?? LARGEST_FILE)) {
    hash?.update(chunk);
    length += chunk.length;
    yield chunk;
  }
  if (file.size !== undefined && length !== file.size)
    throw new ForeignIndexError(
      `${quote(file.filename)} has ${length} bytes, and the other index lists it with ${file.size}.`,
    );
  if (hash !== undefined && hash.digest('hex') !== hex)
    throw new ForeignIndexError(
      `${quote(file.filename)} is not the file that the other index lists: its ${name} is another.`,
    );
}
