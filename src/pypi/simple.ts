/**
 * The simple API, version 1.4 (PEP 503, 592, 629, 658, 691, 700, 714, 740, 792).
 *
 * A project's pages are signed bytes, so they are a pure function of the project: fixed key order, files by version and
 * name, URLs relative to `simple/<project>/`, no serial, no clock, nothing but printable ASCII and line feeds. Whoever changes one
 * byte of what {@link renderProjectJson} or {@link renderProjectHtml} give for an old page raises
 * {@link PAGE_FORMAT_VERSION}, so that the publisher renders every page anew.
 */
export { negotiate, PAGE_CONTENT_TYPES, type PageFormat } from './negotiation.ts';
export {
  InvalidPageError,
  PAGE_FORMAT_VERSION,
  PROJECT_STATUSES,
  relativeFileUrl,
  SIMPLE_API_VERSION,
  type IndexEntry,
  type PageFile,
  type ProjectPage,
  type ProjectStatus,
} from './project-page.ts';
export { renderIndexHtml, renderProjectHtml } from './simple-html.ts';
export { parseProjectJson } from './simple-json-parse.ts';
export { renderIndexJson, renderProjectJson } from './simple-json.ts';
