import { StorageError } from './errors.ts';

/** The code of an error of the operating system, such as 'ENOENT'. */
export function systemErrorCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** The file, or a folder on the way to it, is not there. */
export function isAbsent(error: unknown): boolean {
  const code = systemErrorCode(error);
  return code === 'ENOENT' || code === 'ENOTDIR';
}

/** What an error of the operating system means for whoever uses the store. */
export function toStorageError(error: unknown, doing: string, key?: string): StorageError {
  if (error instanceof StorageError) return error;
  const options = key === undefined ? { cause: error } : { key, cause: error };
  const code = systemErrorCode(error);
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new StorageError(
      'NO_SPACE',
      `Could not ${doing}: the disk is full; free some space and try again.`,
      options,
    );
  }
  const reason = error instanceof Error ? error.message : String(error);
  return new StorageError('INPUT_OUTPUT', `Could not ${doing}: ${reason}.`, options);
}
