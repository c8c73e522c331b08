import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { parseDistributionFilename, type DistributionFilename } from '../pypi/distribution-filename.ts';
import { FormatError } from '../pypi/errors.ts';
import type { RegistryContext } from './context.ts';
import { DigestStream } from './digests.ts';
import { RegistryError } from './errors.ts';
import type { Principal } from './principal.ts';
import { uploadFile, type UploadOrigin, type UploadOutcome } from './upload.ts';

/** What became of one file. `reason` is a sentence. */
export type ImportedFile =
  | { readonly path: string; readonly outcome: UploadOutcome['outcome']; readonly journalId: number }
  | { readonly path: string; readonly outcome: 'refused'; readonly reason: string };

/** Files that are read and checked at the same time. */
const AT_ONCE = 4;
const DISTRIBUTION = /\.(?:whl|tar\.gz)$/;

/** Every wheel and sdist in a folder and those below it, in ascending order; other files and links are passed by. */
export async function* distributionFiles(folder: string): AsyncGenerator<string> {
  const entries = await readdir(folder, { withFileTypes: true });
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* distributionFiles(path);
    else if (entry.isFile() && DISTRIBUTION.test(entry.name)) yield path;
  }
}

/**
 * Takes files into the index as uploads, some at once, with every check of an upload but the form's; they are public when their journal entries
 * are. What is refused is told to `each` and stops nobody else. A file that is here already is no error, so that an import can be run again.
 */
export async function importFiles(
  context: RegistryContext,
  principal: Principal,
  paths: AsyncIterable<string>,
  each: (file: ImportedFile) => Promise<void> | void,
  origin: UploadOrigin = {},
): Promise<void> {
  const queue = paths[Symbol.asyncIterator]();
  const work = async (): Promise<void> => {
    for (let next = await queue.next(); next.done !== true; next = await queue.next())
      await each(await importOne(context, principal, next.value, origin));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}

async function importOne(
  context: RegistryContext,
  principal: Principal,
  path: string,
  origin: UploadOrigin,
): Promise<ImportedFile> {
  try {
    const { outcome, journalId } = await importFile(context, principal, path, origin);
    return { path, outcome, journalId };
  } catch (error) {
    if (!(error instanceof RegistryError) && !(error instanceof FormatError)) throw error;
    return { path, outcome: 'refused', reason: error.message };
  }
}

/**
 * Takes one distribution file of this machine into the index.
 *
 * @throws RegistryError, FormatError
 */
export async function importFile(
  context: RegistryContext,
  principal: Principal,
  path: string,
  origin: UploadOrigin = {},
): Promise<UploadOutcome> {
  const filename = parseDistributionFilename(basename(path));
  const bytes = createReadStream(path, { highWaterMark: 256 * 1024 });
  return takeDistribution(context, principal, { filename, bytes, origin });
}

/** A distribution file from wherever. */
export interface TakenDistribution {
  readonly filename: DistributionFilename;
  /** What it throws is thrown on, and nothing is taken. */
  readonly bytes: AsyncIterable<Uint8Array>;
  readonly origin: UploadOrigin;
}

/**
 * Takes one distribution into the index as an upload, whose form says no more than the filename.
 *
 * @throws RegistryError, FormatError
 */
export async function takeDistribution(
  context: RegistryContext,
  principal: Principal,
  { filename, bytes, origin }: TakenDistribution,
): Promise<UploadOutcome> {
  const fields = new Map([
    [':action', ['file_upload']],
    ['protocol_version', ['1']],
    ['metadata_version', ['2.1']],
    ['name', [filename.project]],
    ['version', [filename.version]],
    ['filetype', [filename.kind === 'wheel' ? 'bdist_wheel' : 'sdist']],
    ['pyversion', [filename.kind === 'wheel' ? filename.pythonTags.join('.') : 'source']],
  ]);
  const [temporary, digest] = await Promise.all([context.store.temporary(), DigestStream.create()]);
  try {
    await pipeline(bytes, digest, temporary.writable);
    const digests = digest.digests();
    fields.set('sha256_digest', [digests.sha256]);
    const content = { filename: filename.filename, temporary, ...digests };
    return await uploadFile(context, principal, fields, content, origin);
  } finally {
    await temporary.discard();
  }
}
