import type { Lock, LockFormat } from './lock-file.ts';
import { readPdmLock } from './pdm-lock.ts';
import { readPipfileLock } from './pipfile-lock.ts';
import { readPoetryLock } from './poetry-lock.ts';
import { readPylock } from './pylock.ts';
import { readUvLock } from './uv-lock.ts';

/** Names of locks, in the order in which they are looked for. */
export const LOCK_NAMES = ['uv.lock', 'poetry.lock', 'pdm.lock', 'Pipfile.lock', 'pylock.toml'] as const;

/** The format of a file by its name; undefined when no tool names its locks like this. */
export function lockFormatOf(filename: string): LockFormat | undefined {
  switch (filename) {
    case 'uv.lock':
      return 'uv';
    case 'poetry.lock':
      return 'poetry';
    case 'pdm.lock':
      return 'pdm';
    case 'Pipfile.lock':
      return 'pipenv';
  }
  if (/^pylock(\.[^.]+)?\.toml$/.test(filename)) return 'pylock';
  return /\.(txt|in|pip)$/.test(filename) ? 'requirements' : undefined;
}

/** Reads a lock that one file holds. @throws LockFileError */
export function readLock(format: Exclude<LockFormat, 'requirements'>, bytes: Uint8Array): Lock {
  switch (format) {
    case 'uv':
      return readUvLock(bytes);
    case 'poetry':
      return readPoetryLock(bytes);
    case 'pdm':
      return readPdmLock(bytes);
    case 'pipenv':
      return readPipfileLock(bytes);
    case 'pylock':
      return readPylock(bytes);
  }
}
