import { FormatError, quote } from './errors.ts';

/** A version outside PEP 440. */
export class InvalidVersionError extends FormatError<'invalid-version'> {
  constructor(message: string) {
    super('invalid-version', message);
  }
}

/** Longest version text; the numbers in it may be of any size and are never rounded. */
export const MAX_VERSION_LENGTH = 128;

/** A pre-release segment such as `rc1`. */
export interface PreRelease {
  readonly phase: 'a' | 'b' | 'rc';
  readonly number: string;
}

/**
 * A parsed PEP 440 version. All numbers are decimal strings without leading zeros, because calendar versions can be
 * larger than a double holds exactly and two versions must never become one.
 */
export interface Version {
  /** The normalized form, trailing zeros kept: what `str(packaging.version.Version(x))` gives. */
  readonly text: string;
  readonly epoch: string;
  readonly release: readonly string[];
  readonly pre?: PreRelease;
  readonly post?: string;
  readonly dev?: string;
  readonly local?: readonly string[];
}

// The pattern of PEP 440, appendix B. Every alternative begins with a different character or is bounded: it is linear.
const VERSION = new RegExp(
  '^v?(?:(?<epoch>[0-9]+)!)?(?<release>[0-9]+(?:\\.[0-9]+)*)' +
    '(?:[-_.]?(?<phase>alpha|a|beta|b|preview|pre|c|rc)[-_.]?(?<pre>[0-9]+)?)?' +
    '(?:-(?<implicitPost>[0-9]+)|(?<postWord>[-_.]?(?:post|rev|r)[-_.]?)(?<post>[0-9]+)?)?' +
    '(?:(?<devWord>[-_.]?dev[-_.]?)(?<dev>[0-9]+)?)?' +
    '(?:\\+(?<local>[a-z0-9]+(?:[-_.][a-z0-9]+)*))?$',
);
const PHASES: ReadonlyMap<string, PreRelease['phase']> = new Map([
  ['a', 'a'],
  ['alpha', 'a'],
  ['b', 'b'],
  ['beta', 'b'],
  ['c', 'rc'],
  ['rc', 'rc'],
  ['pre', 'rc'],
  ['preview', 'rc'],
]);
const ONLY_DIGITS = /^[0-9]+$/;

/**
 * Parses a version (PEP 440), white space around it allowed.
 *
 * @throws InvalidVersionError
 */
export function parseVersion(text: string): Version {
  const groups = match(text);
  if (groups === undefined) {
    throw new InvalidVersionError(`Invalid version ${quote(text)}: not a version as PEP 440 defines it.`);
  }
  const phase = PHASES.get(groups['phase'] ?? '');
  const post =
    groups['implicitPost'] ?? (groups['postWord'] === undefined ? undefined : (groups['post'] ?? '0'));
  const dev = groups['devWord'] === undefined ? undefined : (groups['dev'] ?? '0');
  const parts: Omit<Version, 'text'> = {
    epoch: withoutLeadingZeros(groups['epoch'] ?? '0'),
    release: (groups['release'] ?? '0').split('.').map(withoutLeadingZeros),
    ...(phase === undefined ? {} : { pre: { phase, number: withoutLeadingZeros(groups['pre'] ?? '0') } }),
    ...(post === undefined ? {} : { post: withoutLeadingZeros(post) }),
    ...(dev === undefined ? {} : { dev: withoutLeadingZeros(dev) }),
    ...(groups['local'] === undefined ? {} : { local: localSegments(groups['local']) }),
  };
  return { text: format(parts), ...parts };
}

/** Whether `text` is a version (PEP 440). */
export function isValidVersion(text: string): boolean {
  return match(text) !== undefined;
}

/** The normalized text of a version with its zeros kept, as filenames and metadata carry it: `1.0RC-1` gives `1.0rc1`. */
export function normalizeVersion(text: string): string {
  return parseVersion(text).text;
}

/**
 * The identity of a version: two versions are equal under PEP 440 exactly when these strings are equal (`1.0`, `1.0.0`
 * and `v1` all give `1`). For keys and comparisons; people are shown {@link normalizeVersion}.
 */
export function canonicalVersion(version: string | Version): string {
  const parsed = typeof version === 'string' ? parseVersion(version) : version;
  return format({ ...parsed, release: withoutTrailingZeros(parsed.release) });
}

/** Orders two versions as PEP 440 does: negative, zero or positive. */
export function compareVersions(left: string | Version, right: string | Version): number {
  const a = typeof left === 'string' ? parseVersion(left) : left;
  const b = typeof right === 'string' ? parseVersion(right) : right;
  return (
    compareNumbers(a.epoch, b.epoch) ||
    compareRelease(a.release, b.release) ||
    comparePre(a, b) ||
    compareOptional(a.post, b.post, -1) ||
    compareOptional(a.dev, b.dev, 1) ||
    compareLocal(a.local, b.local)
  );
}

/** Whether this is a pre-release or a development release. */
export function isPreRelease(version: Version): boolean {
  return version.pre !== undefined || version.dev !== undefined;
}

function match(text: string): Record<string, string | undefined> | undefined {
  const trimmed = text.trim();
  return trimmed.length > MAX_VERSION_LENGTH || !isAscii(trimmed)
    ? undefined
    : VERSION.exec(trimmed.toLowerCase())?.groups;
}

// Before lower-casing: the Kelvin sign and its like become ASCII letters by it.
function isAscii(text: string): boolean {
  return /^[!-~]*$/.test(text);
}

function localSegments(local: string): string[] {
  return local
    .split(/[-_.]/)
    .map((segment) => (ONLY_DIGITS.test(segment) ? withoutLeadingZeros(segment) : segment));
}

function format(version: Omit<Version, 'text'>): string {
  const { epoch, release, pre, post, dev, local } = version;
  return (
    (epoch === '0' ? '' : `${epoch}!`) +
    release.join('.') +
    (pre === undefined ? '' : pre.phase + pre.number) +
    (post === undefined ? '' : `.post${post}`) +
    (dev === undefined ? '' : `.dev${dev}`) +
    (local === undefined ? '' : `+${local.join('.')}`)
  );
}

function withoutLeadingZeros(digits: string): string {
  return digits.replace(/^0+(?=[0-9])/, '');
}

function withoutTrailingZeros(release: readonly string[]): readonly string[] {
  let length = release.length;
  while (length > 1 && release[length - 1] === '0') length--;
  return release.slice(0, length);
}

function compareNumbers(a: string, b: string): number {
  return a.length - b.length || compareText(a, b);
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function compareRelease(a: readonly string[], b: readonly string[]): number {
  const length = Math.max(a.length, b.length);
  for (let index = 0; index < length; index++) {
    const order = compareNumbers(a[index] ?? '0', b[index] ?? '0');
    if (order !== 0) return order;
  }
  return 0;
}

// A development release of a final version (1.0.dev1) comes before every pre-release of it; a final version after them.
function comparePre(a: Version, b: Version): number {
  const rank = (version: Version): number =>
    version.pre !== undefined ? 0 : version.post === undefined && version.dev !== undefined ? -1 : 1;
  const order = rank(a) - rank(b);
  if (order !== 0 || a.pre === undefined || b.pre === undefined) return order;
  return compareText(a.pre.phase, b.pre.phase) || compareNumbers(a.pre.number, b.pre.number);
}

function compareOptional(a: string | undefined, b: string | undefined, absent: -1 | 1): number {
  if (a === undefined || b === undefined) return a === b ? 0 : a === undefined ? absent : -absent;
  return compareNumbers(a, b);
}

function compareLocal(a: readonly string[] | undefined, b: readonly string[] | undefined): number {
  if (a === undefined || b === undefined) return a === b ? 0 : a === undefined ? -1 : 1;
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index++) {
    const order = compareLocalSegment(a[index] ?? '', b[index] ?? '');
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

// Numbers come after words.
function compareLocalSegment(a: string, b: string): number {
  const aIsNumber = ONLY_DIGITS.test(a);
  if (aIsNumber !== ONLY_DIGITS.test(b)) return aIsNumber ? 1 : -1;
  return aIsNumber ? compareNumbers(a, b) : compareText(a, b);
}
