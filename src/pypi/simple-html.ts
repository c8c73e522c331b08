import { asciiHtml } from './ascii-text.ts';
import {
  SIMPLE_API_VERSION,
  listedFiles,
  relativeFileUrl,
  requiresPythonOf,
  statusOf,
  yankedOf,
  type PageFile,
  type ProjectPage,
  type IndexEntry,
} from './project-page.ts';

/**
 * A project's page as PEP 503 HTML, frozen at version 1.4 (PEP 833): the same content as the JSON page as far as HTML
 * has words for it.
 *
 * @throws InvalidPageError when a value cannot stand in a page
 */
export function renderProjectHtml(page: ProjectPage): Uint8Array<ArrayBuffer> {
  const files = listedFiles(page);
  const status = statusOf(page);
  const title = `Links for ${page.name}`;
  const lines = [
    '<!DOCTYPE html>',
    '<html lang="en">',
    '<head>',
    '<meta charset="utf-8">',
    `<meta name="pypi:repository-version" content="${SIMPLE_API_VERSION}">`,
  ];
  if (status !== undefined) {
    lines.push(`<meta name="pypi:project-status" content="${asciiHtml(status.status)}">`);
    if (status.reason !== undefined) {
      lines.push(`<meta name="pypi:project-status-reason" content="${asciiHtml(status.reason)}">`);
    }
  }
  lines.push(`<title>${title}</title>`, '</head>', '<body>', `<h1>${title}</h1>`);
  for (const file of files) lines.push(fileAnchor(page.name, file));
  lines.push('</body>', '</html>', '');
  return new TextEncoder().encode(lines.join('\n'));
}

/** The list of all projects, `/simple/`, as PEP 503 HTML. */
export function renderIndexHtml(entries: readonly IndexEntry[]): Uint8Array<ArrayBuffer> {
  const lines = [
    '<!DOCTYPE html>',
    '<html lang="en">',
    '<head>',
    '<meta charset="utf-8">',
    `<meta name="pypi:repository-version" content="${SIMPLE_API_VERSION}">`,
    '<title>Simple index</title>',
    '</head>',
    '<body>',
  ];
  for (const { name } of entries)
    lines.push(`<a href="${encodeURIComponent(name)}/">${asciiHtml(name)}</a><br>`);
  lines.push('</body>', '</html>', '');
  return new TextEncoder().encode(lines.join('\n'));
}

function fileAnchor(project: string, file: PageFile): string {
  const attributes = [`href="${asciiHtml(relativeFileUrl(project, file.filename))}#sha256=${file.sha256}"`];
  const requiresPython = requiresPythonOf(file);
  if (requiresPython !== undefined) attributes.push(`data-requires-python="${asciiHtml(requiresPython)}"`);
  if (file.coreMetadataSha256 !== undefined) {
    attributes.push(`data-core-metadata="sha256=${file.coreMetadataSha256}"`);
    attributes.push(`data-dist-info-metadata="sha256=${file.coreMetadataSha256}"`);
  }
  const yanked = yankedOf(file);
  if (yanked !== undefined) attributes.push(`data-yanked="${yanked === true ? '' : asciiHtml(yanked)}"`);
  if (file.provenance !== undefined) attributes.push(`data-provenance="${asciiHtml(file.provenance)}"`);
  return `<a ${attributes.join(' ')}>${asciiHtml(file.filename)}</a><br>`;
}
