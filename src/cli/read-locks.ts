import { existsSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { lockFormatOf, LOCK_NAMES, readLock } from '../locks/read-lock.ts';
import { LockFileError, MAX_LOCK_LENGTH, type Lock } from '../locks/lock-file.ts';
import { readRequirementsLock } from '../locks/requirements-lock.ts';
import { CliError } from './cli-error.ts';
import { readRequirementsFiles, type RequirementsLine } from './requirements-file.ts';

/** A lock and where it was read from. */
export interface NamedLock extends Lock {
  readonly path: string;
}

/**
 * Reads these locks, or those of the current folder when none is named.
 *
 * @throws CliError `usage` for what is no lock
 */
export async function readLocks(paths: readonly string[]): Promise<readonly NamedLock[]> {
  const wanted = paths.length > 0 ? paths : LOCK_NAMES.filter((name) => existsSync(name));
  if (wanted.length === 0)
    throw new CliError('usage', `There is no ${LOCK_NAMES.join(', ')} in this folder.`, [
      'name the files; a requirements file with hashes is one too',
    ]);
  const locks: NamedLock[] = [];
  for (const path of wanted) locks.push({ path, ...(await readOne(path)) });
  return locks;
}

async function readOne(path: string): Promise<Lock> {
  const format = lockFormatOf(basename(path));
  if (format === undefined)
    throw new CliError('usage', `${path} has not the name of a lock.`, [
      `it is one of ${LOCK_NAMES.join(', ')}, or a requirements file (.txt)`,
    ]);
  try {
    const { size } = await stat(path);
    if (size > MAX_LOCK_LENGTH)
      throw new LockFileError('too-large', `it is longer than ${MAX_LOCK_LENGTH} bytes`);
    if (format !== 'requirements') return readLock(format, await readFile(path));
    const lines: RequirementsLine[] = [];
    for await (const line of readRequirementsFiles(path, process.env)) lines.push(line);
    return readRequirementsLock(lines);
  } catch (error) {
    if (error instanceof LockFileError)
      throw new CliError('usage', `${path} cannot be read: ${error.message}.`, [], { cause: error });
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    const reason = code === 'ENOENT' ? 'there is no such file' : code;
    throw new CliError('usage', `${path} cannot be read: ${reason}.`, [], { cause: error });
  }
}
