import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { explain } from '../proxy/explain.ts';
import type { CheckedFile } from '../proxy/lock-check.ts';
import { VerdictError } from '../proxy/verdict.ts';
import { parseDistributionFilename } from '../pypi/distribution-filename.ts';
import { CliError } from './cli-error.ts';
import { EXIT } from './exit-codes.ts';
import { findPip } from './find-pip.ts';
import type { Ending } from './installer-process.ts';
import { checkAll, isGood, report } from './lock-check.ts';
import { openTrust, type OpenedTrust } from './open-trust.ts';
import { readLocks } from './read-locks.ts';
import { RefusalError } from './refusal-error.ts';
import { resolveTrust } from './resolve-trust.ts';
import { runInstaller } from './run-installer.ts';
import { print, say } from './terminal.ts';

export interface DownloadOptions {
  readonly dest: string;
  readonly requirement: readonly string[];
  readonly lock: readonly string[];
  readonly index?: string;
}

/**
 * `rind download`: verified files in a folder. They are put together beside it and get into it when all of them are verified,
 * each whole under its name at once.
 */
export async function downloadFiles(
  requirements: readonly string[],
  options: DownloadOptions,
): Promise<Ending> {
  const hasRequirements = requirements.length + options.requirement.length > 0;
  if (hasRequirements === options.lock.length > 0)
    throw new CliError('usage', 'Say what to fetch: requirements, -r FILE, or --lock FILE.', [
      'a lock says all by itself, so nothing can stand beside it',
    ]);
  await mkdir(options.dest, { recursive: true });
  const fresh = await mkdtemp(join(options.dest, '.rind-download-'));
  try {
    const ending = hasRequirements
      ? await downloadRequirements(fresh, requirements, options)
      : await downloadLocks(fresh, options);
    if (ending.exitCode !== EXIT.ok) return ending;
    for (const name of (await readdir(fresh)).toSorted()) {
      await rename(join(fresh, name), join(options.dest, name));
      print(join(options.dest, name));
    }
    return ending;
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
}

/** pip chooses and fetches through the verification; what it left is compared once more. */
async function downloadRequirements(
  folder: string,
  requirements: readonly string[],
  { requirement, index }: DownloadOptions,
): Promise<Ending> {
  const found = await findPip(process.env);
  const files = requirement.flatMap((file) => ['-r', file]);
  const args = [...found.args, 'download', '--dest', folder, ...files, '--', ...requirements];
  const ending = await runInstaller(found.command, args, index === undefined ? {} : { index });
  if (ending.exitCode !== EXIT.ok) return ending;
  await withTrust(index, async (opened) => {
    for (const name of await readdir(folder)) await compareWithSigned(folder, name, opened);
  });
  return ending;
}

async function downloadLocks(folder: string, { lock, index }: DownloadOptions): Promise<Ending> {
  const locks = await readLocks(lock);
  return withTrust(index, async (opened) => {
    const checked = await checkAll(locks, opened);
    const bad = checked.filter((each) => !isGood(each));
    for (const each of bad) report(each, false);
    if (bad.length > 0) {
      say('error: nothing was downloaded, as not everything that the lock names is signed');
      return { exitCode: EXIT.verification, signal: undefined };
    }
    const files = checked.flatMap((each) => each.files);
    for (const { locked, signed } of files) {
      if (signed === undefined) say(`note: ${locked.project} is left out: it is on this machine`);
      else await fetchInto(folder, signed, opened);
    }
    return { exitCode: EXIT.ok, signal: undefined };
  });
}

async function withTrust<T>(index: string | undefined, use: (opened: OpenedTrust) => Promise<T>): Promise<T> {
  const opened = await openTrust(await resolveTrust(process.cwd(), { index }));
  try {
    return await use(opened);
  } finally {
    await opened.close();
  }
}

async function fetchInto(
  folder: string,
  { file, filename }: NonNullable<CheckedFile['signed']>,
  opened: OpenedTrust,
): Promise<void> {
  try {
    // The file was signed by the index that `checkAll` asked.
    const { path } = await opened.index.download(file);
    await copyFile(path, join(folder, filename));
  } catch (error) {
    throw refusal(error, filename, opened);
  }
}

async function compareWithSigned(folder: string, filename: string, opened: OpenedTrust): Promise<void> {
  try {
    const { project } = parseDistributionFilename(filename);
    const signed = await opened.index.fileTarget(project, filename);
    if (signed === undefined) throw new VerdictError('not-signed', `${filename} is signed by nobody`);
    const hash = createHash('sha256');
    for await (const chunk of createReadStream(join(folder, filename))) hash.update(chunk as Uint8Array);
    if (hash.digest('hex') !== signed.sha256)
      throw new VerdictError('tampered', `${filename} is not the file that is signed under this name`);
  } catch (error) {
    throw refusal(error, filename, opened);
  }
}

function refusal(error: unknown, subject: string, { index }: OpenedTrust): RefusalError {
  return new RefusalError(explain(error, { subject, index: index.url, now: new Date() }), { cause: error });
}
