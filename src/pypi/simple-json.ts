import { asciiJson } from './ascii-text.ts';
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
 * A project's page as PEP 691 JSON: compact, ASCII, ending without a line feed.
 *
 * A quarantined project lists no files (PEP 792). Control characters in texts become spaces.
 *
 * @throws InvalidPageError when a value cannot stand in a page
 */
export function renderProjectJson(page: ProjectPage): Uint8Array<ArrayBuffer> {
  const files = listedFiles(page);
  const status = statusOf(page);
  const versions = [...new Set(files.map((file) => file.version))];
  return asciiJson({
    meta: { 'api-version': SIMPLE_API_VERSION },
    name: page.name,
    ...(status === undefined ? {} : { 'project-status': status }),
    versions,
    files: files.map((file) => fileJson(page.name, file)),
  });
}

/**
 * The list of all projects, `/simple/`, as PEP 691 JSON with the serials mirrors go by. It is no target of TUF.
 *
 * @param lastSerial the index's serial; without it the highest of the entries
 */
export function renderIndexJson(
  entries: readonly IndexEntry[],
  lastSerial?: number,
): Uint8Array<ArrayBuffer> {
  const serial = lastSerial ?? entries.reduce((highest, entry) => Math.max(highest, entry.lastSerial), 0);
  return asciiJson({
    meta: { 'api-version': SIMPLE_API_VERSION, '_last-serial': serial },
    projects: entries.map((entry) => ({ name: entry.name, '_last-serial': entry.lastSerial })),
  });
}

function fileJson(project: string, file: PageFile): Record<string, unknown> {
  const metadata = file.coreMetadataSha256 === undefined ? undefined : { sha256: file.coreMetadataSha256 };
  // Keys whose value is undefined are left out by JSON.stringify. `data-dist-info-metadata` is what older clients read;
  // `dist-info-metadata` is never written, because old pips misread it (PEP 714).
  return {
    filename: file.filename,
    url: relativeFileUrl(project, file.filename),
    hashes: { sha256: file.sha256 },
    'requires-python': requiresPythonOf(file),
    'core-metadata': metadata,
    'data-dist-info-metadata': metadata,
    size: file.size,
    'upload-time': file.uploadTime,
    yanked: yankedOf(file),
    provenance: file.provenance,
  };
}
