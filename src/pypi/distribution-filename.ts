import { FormatError, quote } from './errors.ts';
import { filenameProjectName, isValidProjectName, normalizeProjectName } from './project-name.ts';
import { canonicalVersion, isValidVersion, parseVersion, type Version } from './version.ts';

/** A filename that is neither a wheel's nor an sdist's. */
export class InvalidFilenameError extends FormatError<'invalid-filename'> {
  readonly filename: string;

  constructor(filename: string, reason: string) {
    super('invalid-filename', `Invalid filename ${quote(filename)}: ${reason}`);
    this.filename = filename;
  }
}

/** Longest filename: with `<sha256>.` before it and `.metadata` behind it it fits into 255 bytes. */
export const MAX_FILENAME_LENGTH = 180;

interface DistributionFilenameBase {
  readonly filename: string;
  /** The project's normalized name. */
  readonly project: string;
  /** The normalized version, zeros kept. */
  readonly version: string;
  /**
   * Two filenames of an index must not share it: they differ only in the spelling of name, version or tags, so that an
   * installer takes them for the same distribution.
   */
  readonly identity: string;
  /** Whether name, version and tags are spelt as the specifications demand today (PEP 625, binary distribution format). */
  readonly isCanonical: boolean;
}

/** `{name}-{version}[-{build}]-{python}-{abi}-{platform}.whl` (binary distribution format). */
export interface WheelFilename extends DistributionFilenameBase {
  readonly kind: 'wheel';
  readonly build?: string;
  readonly pythonTags: readonly string[];
  readonly abiTags: readonly string[];
  readonly platformTags: readonly string[];
}

/** `{name}-{version}.tar.gz` (source distribution format, PEP 625). */
export interface SdistFilename extends DistributionFilenameBase {
  readonly kind: 'sdist';
}

export type DistributionFilename = WheelFilename | SdistFilename;

const SAFE_FILENAME = /^[A-Za-z0-9][A-Za-z0-9._+!-]*$/;
const HASH_PREFIXED = /^[0-9a-f]{64}\./i;
const WHEEL_NAME = /^[A-Za-z0-9._]+$/;
const BUILD_TAG = /^[0-9][A-Za-z0-9_.]*$/;
const PYTHON_TAGS = /^[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*$/;
const TAGS = /^[A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)*$/;

/** Whether `filename` can be one segment of a path of this index at all; says nothing about wheel or sdist. */
export function isSafeFilename(filename: string): boolean {
  return (
    filename.length <= MAX_FILENAME_LENGTH && SAFE_FILENAME.test(filename) && !HASH_PREFIXED.test(filename)
  );
}

/**
 * Parses the filename of a wheel or sdist strictly: one reading only, ASCII only.
 *
 * @throws InvalidFilenameError with a sentence that says what is wrong
 */
export function parseDistributionFilename(filename: string): DistributionFilename {
  if (filename.length > MAX_FILENAME_LENGTH) {
    throw new InvalidFilenameError(filename, `it is longer than ${MAX_FILENAME_LENGTH} characters.`);
  }
  if (!SAFE_FILENAME.test(filename)) {
    throw new InvalidFilenameError(
      filename,
      "only ASCII letters, digits, '.', '_', '+', '!' and '-' are allowed, and the first is a letter or digit.",
    );
  }
  if (HASH_PREFIXED.test(filename)) {
    throw new InvalidFilenameError(filename, 'it begins like a hash-prefixed copy of another file.');
  }
  if (filename.endsWith('.whl')) return parseWheel(filename, filename.slice(0, -'.whl'.length));
  if (filename.endsWith('.tar.gz')) return parseSdist(filename, filename.slice(0, -'.tar.gz'.length));
  throw new InvalidFilenameError(filename, "the extension must be '.whl' or '.tar.gz'.");
}

function parseWheel(filename: string, stem: string): WheelFilename {
  const parts = stem.split('-');
  if (parts.length !== 5 && parts.length !== 6) {
    throw new InvalidFilenameError(
      filename,
      'a wheel is named name-version[-build]-python-abi-platform.whl.',
    );
  }
  const [name = '', versionText = ''] = parts;
  const [python = '', abi = '', platform = ''] = parts.slice(-3);
  const build = parts.length === 6 ? parts[2] : undefined;
  if (!WHEEL_NAME.test(name) || name.includes('__') || !isValidProjectName(name)) {
    throw new InvalidFilenameError(filename, `${quote(name)} is not a project name as wheels escape it.`);
  }
  const version = versionOf(filename, versionText);
  if (build !== undefined && !BUILD_TAG.test(build)) {
    throw new InvalidFilenameError(filename, `the build tag ${quote(build)} must begin with a digit.`);
  }
  const wrongTags = [
    PYTHON_TAGS.test(python) ? undefined : python,
    ...[abi, platform].map((tags) => (TAGS.test(tags) ? undefined : tags)),
  ].find((tags) => tags !== undefined);
  if (wrongTags !== undefined)
    throw new InvalidFilenameError(filename, `${quote(wrongTags)} is no wheel tag.`);
  const project = normalizeProjectName(name);
  const tags = [python, abi, platform].map((tagSet) =>
    [...new Set(tagSet.toLowerCase().split('.'))].toSorted(),
  );
  const canonical = [filenameProjectName(project), version.text, ...parts.slice(2).map(lowerCase)].join('-');
  return {
    kind: 'wheel',
    filename,
    project,
    version: version.text,
    ...(build === undefined ? {} : { build }),
    pythonTags: tags[0] ?? [],
    abiTags: tags[1] ?? [],
    platformTags: tags[2] ?? [],
    identity: identityOf(project, version, [buildIdentity(build), ...tags.map((tagSet) => tagSet.join('.'))]),
    isCanonical: stem === canonical,
  };
}

function parseSdist(filename: string, stem: string): SdistFilename {
  const hyphen = stem.lastIndexOf('-');
  const name = stem.slice(0, Math.max(hyphen, 0));
  if (!isValidProjectName(name)) {
    throw new InvalidFilenameError(filename, 'an sdist is named name-version.tar.gz.');
  }
  const version = versionOf(filename, stem.slice(hyphen + 1));
  const project = normalizeProjectName(name);
  return {
    kind: 'sdist',
    filename,
    project,
    version: version.text,
    identity: identityOf(project, version, ['sdist']),
    isCanonical: stem === `${filenameProjectName(project)}-${version.text}`,
  };
}

function versionOf(filename: string, text: string): Version {
  if (!isValidVersion(text)) {
    throw new InvalidFilenameError(filename, `${quote(text)} is not a version as PEP 440 defines it.`);
  }
  return parseVersion(text);
}

function lowerCase(text: string): string {
  return text.toLowerCase();
}

// Installers read a build tag as a number and a suffix: 01 and 1 are the same build.
function buildIdentity(build: string | undefined): string {
  return build === undefined ? '' : build.toLowerCase().replace(/^0+(?=[0-9])/, '');
}

function identityOf(project: string, version: Version, rest: readonly string[]): string {
  return [filenameProjectName(project), canonicalVersion(version), ...rest].join('-');
}
