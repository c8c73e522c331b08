/**
 * Every path of the served tree that belongs to a project; nobody else builds one.
 *
 *     simple/<project>/index.json             the page, PEP 691 JSON; a target
 *     simple/<project>/index.html             the page, PEP 503 HTML; a target
 *     packages/<project>/<filename>           a distribution file; a target
 *     packages/<project>/<filename>.metadata  its core metadata, PEP 658; no target, its hash stands in the signed page
 *
 * The hash-named copy of each has `<sha256>.` before the last segment (TUF consistent snapshots).
 */
import { InvalidFilenameError, isSafeFilename } from './distribution-filename.ts';
import { InvalidProjectNameError, isNormalizedProjectName } from './project-name.ts';
import { quote } from './errors.ts';

/** What a path of the tree is; `sha256` stands there when it is the hash-named copy, `otherHash` (sha384 or sha512) when it is one under another hash. */
export type IndexPath =
  | {
      readonly kind: 'simple-json' | 'simple-html';
      readonly project: string;
      readonly sha256?: string;
      readonly otherHash?: string;
    }
  | {
      readonly kind: 'file' | 'metadata';
      readonly project: string;
      /** The distribution's filename, without `.metadata`. */
      readonly filename: string;
      readonly sha256?: string;
      readonly otherHash?: string;
    };

const METADATA_SUFFIX = '.metadata';
const HASH_PREFIX = /^(?:([0-9a-f]{64})|([0-9a-f]{96}|[0-9a-f]{128}))\.(.+)$/;

/** The path of a project's JSON page. */
export function simpleJsonPath(project: string): string {
  return `simple/${checkedProject(project)}/index.json`;
}

/** The path of a project's HTML page. */
export function simpleHtmlPath(project: string): string {
  return `simple/${checkedProject(project)}/index.html`;
}

/** The path of a distribution file. */
export function packagePath(project: string, filename: string): string {
  return `packages/${checkedProject(project)}/${checkedFilename(filename)}`;
}

/** The path of the core metadata beside a distribution file. */
export function metadataSidecarPath(project: string, filename: string): string {
  return packagePath(project, filename) + METADATA_SUFFIX;
}

/** The hash-named copy of a path: `packages/foo/<sha256>.foo-1.0.tar.gz`. `sha256` is lower-case hex. */
export function hashedPath(path: string, sha256: string): string {
  const slash = path.lastIndexOf('/') + 1;
  return `${path.slice(0, slash)}${sha256}.${path.slice(slash)}`;
}

/**
 * The inverse of the functions above, for plain and hash-named paths without a leading `/`; `undefined` for anything
 * they cannot give. Takes the path decoded; a filename is checked for safe characters, not for being a wheel or sdist.
 */
export function parseIndexPath(path: string): IndexPath | undefined {
  const segments = path.split('/', 4);
  const [area, project = '', last = ''] = segments;
  if (segments.length !== 3 || !isNormalizedProjectName(project)) return undefined;
  const prefixed = HASH_PREFIX.exec(last);
  const name = prefixed?.[3] ?? last;
  const hash = {
    ...(prefixed?.[1] === undefined ? {} : { sha256: prefixed[1] }),
    ...(prefixed?.[2] === undefined ? {} : { otherHash: prefixed[2] }),
  };
  if (area === 'simple') {
    if (name === 'index.json') return { kind: 'simple-json', project, ...hash };
    return name === 'index.html' ? { kind: 'simple-html', project, ...hash } : undefined;
  }
  if (area !== 'packages') return undefined;
  const kind = name.endsWith(METADATA_SUFFIX) ? 'metadata' : 'file';
  const filename = kind === 'metadata' ? name.slice(0, -METADATA_SUFFIX.length) : name;
  return isSafeDistributionSegment(filename) ? { kind, project, filename, ...hash } : undefined;
}

function isSafeDistributionSegment(filename: string): boolean {
  return isSafeFilename(filename) && !filename.endsWith(METADATA_SUFFIX);
}

function checkedProject(project: string): string {
  if (!isNormalizedProjectName(project)) {
    throw new InvalidProjectNameError(`${quote(project)} is not a normalized project name.`);
  }
  return project;
}

function checkedFilename(filename: string): string {
  if (!isSafeDistributionSegment(filename)) {
    throw new InvalidFilenameError(filename, 'it cannot stand in a path of this index.');
  }
  return filename;
}
