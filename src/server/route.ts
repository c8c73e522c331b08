import { isNormalizedProjectName, isValidProjectName, normalizeProjectName } from '../pypi/project-name.ts';
import { simpleHtmlPath, simpleJsonPath, parseIndexPath, type IndexPath } from '../pypi/layout.ts';
import type { FeedName } from '../registry/feeds.ts';
import { parseLogPath } from '../transparency/log-layout.ts';

/** The head may change at any moment; an entry and a tile never do. */
export type LogPart = NonNullable<ReturnType<typeof parseLogPath>>;

/** What a path of one index means. Paths are relative to the index and decoded. */
export type Route =
  | { readonly kind: 'home' | 'health' | 'readiness' | 'metrics' | 'upload' | 'project-list' | 'style-sheet' }
  /** `location` is relative, built from checked names only. */
  | { readonly kind: 'redirect'; readonly location: string }
  | { readonly kind: 'project-page'; readonly project: string }
  /** PyPI's JSON API. */
  | { readonly kind: 'project-json'; readonly project: string; readonly version?: string }
  | { readonly kind: 'feed'; readonly name: FeedName }
  /** The provenance object of a file (PEP 740). */
  | {
      readonly kind: 'provenance';
      readonly project: string;
      readonly version: string;
      readonly filename: string;
    }
  /** What PyPI had once: XML-RPC. */
  | { readonly kind: 'xml-rpc' }
  /** PyPI's API of trusted publishing. */
  | { readonly kind: 'oidc-audience' | 'oidc-mint-token' | 'oidc-burn-token' }
  /** A path below `/api/v1/`; the table of endpoints knows more. */
  | { readonly kind: 'api'; readonly path: string }
  /** An object of the tree small enough to be held in memory, with the content type it has. */
  | {
      readonly kind: 'page-object';
      readonly path: string;
      readonly format: 'json' | 'text-html';
      readonly isImmutable: boolean;
    }
  | { readonly kind: 'core-metadata'; readonly path: string }
  | { readonly kind: 'role-metadata'; readonly path: string; readonly isImmutable: boolean }
  /** An object of the public log. */
  | { readonly kind: 'log-object'; readonly path: string; readonly part: LogPart }
  | {
      readonly kind: 'file';
      readonly path: string;
      readonly filename: string;
      readonly sha256: string | undefined;
    };

/** The store keys of a project's page. */
export const PAGE_PATHS = {
  json: simpleJsonPath,
  html: simpleHtmlPath,
  'text-html': simpleHtmlPath,
} as const;

/** The target pypi/takedown-list.ts, plain and hash-named. */
const TAKEDOWNS = /^\/simple\/_takedowns\/(?:([0-9a-f]{64}|[0-9a-f]{96}|[0-9a-f]{128})\.)?index\.json$/;
const ROLE_METADATA = /^metadata\/(?:([1-9][0-9]{0,15})\.)?([A-Za-z0-9._-]{1,200})\.json$/;

/** Finds the route of a path (with its leading `/`), undefined for 404. Pure; no user-controlled pattern. */
export function findRoute(path: string): Route | undefined {
  switch (path) {
    case '/':
      return { kind: 'home' };
    case '/healthz':
      return { kind: 'health' };
    case '/readyz':
      return { kind: 'readiness' };
    case '/metrics':
      return { kind: 'metrics' };
    case '/legacy':
    case '/legacy/':
      return { kind: 'upload' };
    case '/simple':
      return { kind: 'redirect', location: 'simple/' };
    case '/simple/':
      return { kind: 'project-list' };
    case '/security':
      return { kind: 'redirect', location: 'security/' };
    case '/security/':
      // Bulletins after an incident (repository/recovery/bulletin.ts); 404 while there was none.
      return { kind: 'page-object', path: 'security/index.html', format: 'text-html', isImmutable: false };
    case '/_/oidc/audience':
      return { kind: 'oidc-audience' };
    case '/_/oidc/mint-token':
      return { kind: 'oidc-mint-token' };
    case '/_/oidc/burn-token':
      return { kind: 'oidc-burn-token' };
    case '/static/rind.css':
      return { kind: 'style-sheet' };
    case '/pypi':
    case '/pypi/':
    case '/RPC2':
      return { kind: 'xml-rpc' };
    case '/rss/updates.xml':
      return { kind: 'feed', name: { feed: 'updates' } };
    case '/rss/packages.xml':
      return { kind: 'feed', name: { feed: 'packages' } };
    default:
      if (path.startsWith('/api/v1/')) return { kind: 'api', path };
      if (path.startsWith('/pypi/')) return projectJsonRoute(path.slice('/pypi/'.length).split('/'));
      if (path.startsWith('/integrity/')) {
        return provenanceRoute(path.slice('/integrity/'.length).split('/'));
      }
      if (path.startsWith('/rss/')) return releasesFeedRoute(path.slice('/rss/'.length).split('/'));
      return path.startsWith('/simple/') ? simpleRoute(path) : treeRoute(path.slice(1));
  }
}

function simpleRoute(path: string): Route | undefined {
  const takedowns = TAKEDOWNS.exec(path);
  if (takedowns !== null)
    return { kind: 'role-metadata', path: path.slice(1), isImmutable: takedowns[1] !== undefined };
  const [name = '', last, ...more] = path.slice('/simple/'.length).split('/');
  if (more.length > 0 || !isValidProjectName(name)) return undefined;
  if (last !== undefined && last !== '') return treeRoute(path.slice(1));
  const project = normalizeProjectName(name);
  if (last === undefined) return { kind: 'redirect', location: `${project}/` };
  if (project !== name) return { kind: 'redirect', location: `../${project}/` };
  return isNormalizedProjectName(project) ? { kind: 'project-page', project } : undefined;
}

/** `<project>/json`, `<project>/<version>/json`; a slash at the end or another spelling of the name is redirected. */
function projectJsonRoute(segments: readonly string[]): Route | undefined {
  const isSlashed = segments.at(-1) === '';
  const [name = '', ...rest] = isSlashed ? segments.slice(0, -1) : segments;
  if (rest.pop() !== 'json' || rest.length > 1 || !isValidProjectName(name)) return undefined;
  const project = normalizeProjectName(name);
  const [version] = rest;
  if (project !== name || isSlashed) {
    const up = '../'.repeat(segments.length - 1);
    const canonical = [project, ...(version === undefined ? [] : [encodeURIComponent(version)]), 'json'];
    return { kind: 'redirect', location: up + canonical.join('/') };
  }
  return { kind: 'project-json', project, ...(version === undefined ? {} : { version }) };
}

/** `<project>/<version>/<filename>/provenance` */
function provenanceRoute([name = '', version, filename, last, ...more]: readonly string[]):
  Route | undefined {
  if (last !== 'provenance' || more.length > 0 || !isNormalizedProjectName(name)) return undefined;
  if (version === undefined || filename === undefined) return undefined;
  return { kind: 'provenance', project: name, version, filename };
}

/** `project/<project>/releases.xml` */
function releasesFeedRoute([area, name = '', last, ...more]: readonly string[]): Route | undefined {
  if (area !== 'project' || last !== 'releases.xml' || more.length > 0 || !isValidProjectName(name)) {
    return undefined;
  }
  const project = normalizeProjectName(name);
  if (project !== name) return { kind: 'redirect', location: `../${project}/releases.xml` };
  return { kind: 'feed', name: { feed: 'releases', project } };
}

function treeRoute(path: string): Route | undefined {
  const metadata = ROLE_METADATA.exec(path);
  if (metadata !== null) {
    return { kind: 'role-metadata', path, isImmutable: metadata[1] !== undefined };
  }
  const part = parseLogPath(path);
  if (part !== undefined) return { kind: 'log-object', path, part };
  const parsed = parseIndexPath(path);
  switch (parsed?.kind) {
    case undefined:
      return undefined;
    case 'simple-json':
      return { kind: 'page-object', path, format: 'json', isImmutable: isHashNamed(parsed) };
    case 'simple-html':
      return { kind: 'page-object', path, format: 'text-html', isImmutable: isHashNamed(parsed) };
    case 'metadata':
      return { kind: 'core-metadata', path };
    case 'file':
      return { kind: 'file', path, filename: parsed.filename, sha256: parsed.sha256 };
  }
}

/** Under its hash name a document never changes. */
function isHashNamed({ sha256, otherHash }: IndexPath): boolean {
  return sha256 !== undefined || otherHash !== undefined;
}
