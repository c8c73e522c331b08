import { FormatError, quote } from './errors.ts';

/** A project name outside the grammar of the name specification (PEP 508, PEP 503), or one this index cannot hold. */
export class InvalidProjectNameError extends FormatError<'invalid-project-name'> {
  constructor(message: string) {
    super('invalid-project-name', message);
  }
}

/** Longest project name: it must fit into file names of 255 bytes together with a hash, a version and tags. */
export const MAX_PROJECT_NAME_LENGTH = 128;

const VALID_NAME = /^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?$/;
const NORMALIZED_NAME = /^[a-z0-9]+(?:-[a-z0-9]+)*$/;

/** Whether `name` is a project name: ASCII letters, digits, `.`, `_`, `-`, beginning and ending with a letter or digit, at most 128. */
export function isValidProjectName(name: string): boolean {
  return name.length <= MAX_PROJECT_NAME_LENGTH && VALID_NAME.test(name);
}

/** Whether `name` is a project name in its normalized form (PEP 503). */
export function isNormalizedProjectName(name: string): boolean {
  return name.length <= MAX_PROJECT_NAME_LENGTH && NORMALIZED_NAME.test(name);
}

/**
 * The one form in which names are compared and stand in paths (PEP 503): lower case, runs of `-`, `_`, `.` as one `-`.
 *
 * @throws InvalidProjectNameError when `name` is no project name
 */
export function normalizeProjectName(name: string): string {
  if (!isValidProjectName(name)) {
    throw new InvalidProjectNameError(
      `Invalid project name ${quote(name)}: 1 to ${MAX_PROJECT_NAME_LENGTH} ASCII letters, digits, '.', '_' or '-', beginning and ending with a letter or digit.`,
    );
  }
  return name.toLowerCase().replace(/[-_.]+/g, '-');
}

/** The normalized name as it stands in a canonical wheel or sdist filename: `-` becomes `_`. */
export function filenameProjectName(normalizedName: string): string {
  return normalizedName.replaceAll('-', '_');
}

/**
 * Two names with the same key look alike (`l`, `1`, `I`; `0`, `o`; separators left out), so that one of them may be an
 * attack on the other (PyPI's "ultranormalized" name).
 */
export function lookAlikeKey(name: string): string {
  return name.toLowerCase().replace(/[-_.]/g, '').replace(/[il]/g, '1').replaceAll('o', '0');
}

/**
 * Whether two names look alike to a person: the same {@link lookAlikeKey}, and the same numbers, for `load-1-11` and `load-11-1` are told
 * apart by everybody.
 */
export function looksAlike(left: string, right: string): boolean {
  return lookAlikeKey(left) === lookAlikeKey(right) && joinedDigits(left) === joinedDigits(right);
}

/** Separators are left out except between two digits. */
function joinedDigits(name: string): string {
  const joined = name.toLowerCase().replace(/(?<![0-9])[-_.]+|[-_.]+(?![0-9])/g, '');
  return joined
    .replace(/[-_.]+/g, '-')
    .replace(/[il]/g, '1')
    .replaceAll('o', '0');
}
