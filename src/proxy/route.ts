import { createHash, timingSafeEqual } from 'node:crypto';
import { InvalidFilenameError, parseDistributionFilename } from '../pypi/distribution-filename.ts';
import { metadataSidecarPath, packagePath, parseIndexPath, simpleJsonPath } from '../pypi/layout.ts';
import { isValidProjectName, normalizeProjectName } from '../pypi/project-name.ts';

/** What a request to the proxy asks for. */
export type Route =
  | { readonly kind: 'page'; readonly project: string; readonly path: string }
  | { readonly kind: 'file'; readonly project: string; readonly filename: string; readonly path: string }
  | { readonly kind: 'metadata'; readonly project: string; readonly filename: string; readonly path: string }
  /** The list of all projects, which nobody signs. */
  | { readonly kind: 'list' }
  /** The JSON of one release, or of the newest, as PyPI gives it; made of what is verified. */
  | {
      readonly kind: 'release';
      readonly project: string;
      readonly version: string | undefined;
      readonly path: string;
    }
  /** One of the links of a tombstone listing; always refused. */
  | { readonly kind: 'tombstone'; readonly project: string }
  | { readonly kind: 'redirect'; readonly project: string; readonly location: string };

/** The folder the links of a tombstone listing point into; it stands in what pdm shows of an error. */
export const TOMBSTONE_FOLDER = 'TUF-VERIFICATION-FAILED';

const LONGEST_PATH = 2048;

/**
 * Reads the path of a request: `/<token>/simple/<project>/`, `/<token>/packages/<project>/<filename>[.metadata]`.
 * Segments are percent-decoded once; whatever still looks encoded, or leads anywhere else, is no route.
 *
 * @param target the request target as received, e.g. `/token/simple/flask/?x`
 * @returns `undefined` when there is nothing here, also for a wrong token
 */
export function parseRoute(target: string, token: string): Route | undefined {
  const [given, ...segments] = requestedSegments(target) ?? [];
  return given === undefined || !isToken(given, token) ? undefined : routeOf(segments);
}

/**
 * The same below the base URL of an index.
 *
 * @param target the request target as received, e.g. `/prefix/simple/flask/`
 * @param prefix path of the base URL, with the slashes around it
 */
export function parseIndexRoute(target: string, prefix: string): Route | undefined {
  const segments = requestedSegments(target) ?? [];
  const parents = prefix.split('/').slice(1, -1);
  return parents.every((parent, position) => segments[position] === parent)
    ? routeOf(segments.slice(parents.length))
    : undefined;
}

function requestedSegments(target: string): string[] | undefined {
  const path = target.split('?', 1)[0] ?? '';
  return path.length > LONGEST_PATH || !path.startsWith('/') ? undefined : decodeSegments(path.slice(1));
}

function routeOf(segments: readonly string[]): Route | undefined {
  const [area, first, second, third, ...more] = segments;
  // pipenv puts a slash between a URL that ends with one and the name.
  if (area === 'simple' && first === '' && second && third === '' && isValidProjectName(second)) {
    const project = normalizeProjectName(second);
    return { kind: 'redirect', project, location: `../../${project}/` };
  }
  if (area === 'simple')
    return second === undefined || third === undefined ? simpleRoute(first, second) : undefined;
  if (area === 'packages') return packageRoute(segments.join('/'));
  if (area === 'pypi') return releaseRoute(segments.slice(1));
  if (area === TOMBSTONE_FOLDER && second !== undefined && third !== undefined && more.length === 0) {
    return isValidProjectName(second)
      ? { kind: 'tombstone', project: normalizeProjectName(second) }
      : undefined;
  }
  return undefined;
}

/** `pypi/<project>/json` and `pypi/<project>/<version>/json` */
function releaseRoute(segments: readonly string[]): Route | undefined {
  const name = segments[0];
  const version = segments.length === 3 ? segments[1] : undefined;
  if (name === undefined || !isValidProjectName(name) || segments.at(-1) !== 'json') return undefined;
  if (segments.length !== 2 && segments.length !== 3) return undefined;
  const project = normalizeProjectName(name);
  return { kind: 'release', project, version, path: simpleJsonPath(project) };
}

/** Whether a request is for the address itself: `/<token>/`. */
export function isHome(target: string, token: string): boolean {
  const [, given = '', ...more] = (target.split('?', 1)[0] ?? '').slice(0, LONGEST_PATH).split('/');
  return more.length === 1 && more[0] === '' && isToken(given, token);
}

/** The path of the tree a route stands for, e.g. to name it in a sentence. */
export function routeSubject(route: Route): string {
  if (route.kind === 'redirect') return route.location;
  if (route.kind === 'list') return 'simple/';
  return route.kind === 'tombstone' ? simpleJsonPath(route.project) : route.path;
}

function simpleRoute(first: string | undefined, second: string | undefined): Route | undefined {
  if (first === undefined || first === '') return second === undefined ? { kind: 'list' } : undefined;
  if (!isValidProjectName(first) || (second !== undefined && second !== '')) return undefined;
  const project = normalizeProjectName(first);
  if (second === undefined) return { kind: 'redirect', project, location: `${project}/` };
  if (first !== project) return { kind: 'redirect', project, location: `../${project}/` };
  return { kind: 'page', project, path: simpleJsonPath(project) };
}

function packageRoute(path: string): Route | undefined {
  const parsed = parseIndexPath(path);
  if (parsed?.sha256 !== undefined || parsed?.otherHash !== undefined) return undefined;
  if (parsed?.kind !== 'file' && parsed?.kind !== 'metadata') return undefined;
  const { kind, project, filename } = parsed;
  // An installer goes by the filename, so a file in another project's folder would escape its own project's rules.
  if (projectIn(filename) !== project) return undefined;
  const treePath = kind === 'file' ? packagePath(project, filename) : metadataSidecarPath(project, filename);
  return { kind, project, filename, path: treePath };
}

function projectIn(filename: string): string | undefined {
  try {
    return parseDistributionFilename(filename).project;
  } catch (error) {
    if (error instanceof InvalidFilenameError) return undefined;
    throw error;
  }
}

function decodeSegments(path: string): string[] | undefined {
  try {
    const segments = path.split('/').map(decodeURIComponent);
    return segments.some((segment) => /[%/\\\0]/.test(segment)) ? undefined : segments;
  } catch {
    return undefined;
  }
}

function isToken(given: string, token: string): boolean {
  return timingSafeEqual(sha256(given), sha256(token));
}

function sha256(text: string): Uint8Array {
  return createHash('sha256').update(text).digest();
}
