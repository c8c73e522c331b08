import { createHash } from 'node:crypto';
import type { FileRow } from '../db/schema.ts';
import type { PageState } from '../db/files.ts';
import { pageTargets } from '../claims/page-targets.ts';
import type { SignedTarget } from '../claims/project-role.ts';
import { metadataSidecarPath, packagePath } from '../pypi/layout.ts';
import { PROJECT_STATUSES, type PageFile, type ProjectPage, type ProjectStatus } from '../pypi/simple.ts';

/** Everything of a project that is to be signed, and the bytes of its pages. */
export interface ProjectTargets {
  readonly project: string;
  /** By target path. */
  readonly targets: ReadonlyMap<string, SignedTarget>;
  /** The bytes of the pages, by target path. */
  readonly pages: ReadonlyMap<string, Uint8Array>;
  /** The path of the core metadata beside a file, by the path of the file. No target; its hash-named form bears the hash of the file. */
  readonly sidecars: ReadonlyMap<string, string>;
}

/** The targets of a project: its files and its page in both formats. A quarantined project offers no files (PEP 792), a deleted one nothing. Throws InvalidPageError. */
export function projectTargets(state: PageState): ProjectTargets {
  const page = projectPage(state);
  const project = page.name;
  const sidecars = new Map<string, string>();
  if (state.isRemoved) return { project, targets: new Map(), pages: new Map(), sidecars };
  const { targets, pages } = pageTargets(page);
  for (const { filename, metadata_sha256: sha256 } of state.files) {
    const path = packagePath(project, filename);
    if (sha256 !== null && targets.has(path)) sidecars.set(path, metadataSidecarPath(project, filename));
  }
  return { project, targets, pages, sidecars };
}

/** What the page of a project says, from its rows. */
export function projectPage(state: PageState): ProjectPage {
  return {
    name: state.project.name,
    ...(isStatus(state.status) && state.status !== 'active' ? { status: state.status } : {}),
    ...(state.statusReason === undefined ? {} : { statusReason: state.statusReason }),
    files: state.files.map(pageFile),
  };
}

function pageFile(file: FileRow): PageFile {
  return {
    filename: file.filename,
    version: file.version,
    sha256: file.sha256,
    size: file.length,
    uploadTime: withMicroseconds(file.uploaded_at),
    ...(file.requires_python === null ? {} : { requiresPython: file.requires_python }),
    ...(file.metadata_sha256 === null ? {} : { coreMetadataSha256: file.metadata_sha256 }),
    ...(file.provenance_url === null ? {} : { provenance: file.provenance_url }),
    ...(file.yanked === 0 ? {} : { yanked: file.yanked_reason ?? (true as const) }),
  };
}

/** The rows have milliseconds or microseconds, the pages always microseconds. */
function withMicroseconds(time: string): string {
  const match = /^([^.Z]+)(?:\.([0-9]{1,6}))?Z$/.exec(time);
  return match === null ? time : `${match[1]}.${(match[2] ?? '').padEnd(6, '0')}Z`;
}

function isStatus(status: string): status is ProjectStatus {
  return PROJECT_STATUSES.has(status);
}

/** Lower-case hex. */
export function sha256Hex(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
