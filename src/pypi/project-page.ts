import { displayText } from './ascii-text.ts';
import { parseDistributionFilename } from './distribution-filename.ts';
import { FormatError, quote } from './errors.ts';
import { isNormalizedProjectName } from './project-name.ts';
import { canonicalVersion, compareVersions, parseVersion, type Version } from './version.ts';

/** The `api-version` the pages declare. */
export const SIMPLE_API_VERSION = '1.4';

/** The version of the rendering function; it does not stand in the pages. */
export const PAGE_FORMAT_VERSION = 1;

/** Project status markers (PEP 792). */
export type ProjectStatus = 'active' | 'archived' | 'quarantined' | 'deprecated';

/** All project status markers. */
export const PROJECT_STATUSES: ReadonlySet<string> = new Set([
  'active',
  'archived',
  'quarantined',
  'deprecated',
]);

/** One distribution file as a page lists it. */
export interface PageFile {
  readonly filename: string;
  /** The release's version, normalized; it equals the version in `filename`. */
  readonly version: string;
  /** Lower-case hex. */
  readonly sha256: string;
  /** Bytes. */
  readonly size: number;
  /** `yyyy-mm-ddThh:mm:ss.ffffffZ`, UTC, microseconds. */
  readonly uploadTime: string;
  readonly requiresPython?: string;
  /** Lower-case hex; present when `<filename>.metadata` is served (PEP 658). */
  readonly coreMetadataSha256?: string;
  /** `true`, or the reason; absent when not yanked (PEP 592). */
  readonly yanked?: true | string;
  /** Absolute https URL of the provenance object (PEP 740). */
  readonly provenance?: string;
}

/** Everything a project's page says. */
export interface ProjectPage {
  /** Normalized. */
  readonly name: string;
  /** Absent means active, and the page then says nothing about it. */
  readonly status?: ProjectStatus;
  readonly statusReason?: string;
  readonly files: readonly PageFile[];
}

/** A page that is not as this index makes them, or values no page can be made of. */
export class InvalidPageError extends FormatError<'invalid-page'> {
  constructor(message: string, options?: ErrorOptions) {
    super('invalid-page', message, options);
  }
}

/** Lower-case hex. */
export const SHA256 = /^[0-9a-f]{64}$/;
/** The form of {@link PageFile.uploadTime}. */
export const UPLOAD_TIME = /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z$/;

/** The URL of a file relative to its project's page. `+` is percent-encoded: some object stores read it as a space. */
export function relativeFileUrl(project: string, filename: string): string {
  return `../../packages/${project}/${encodeURIComponent(filename)}`;
}

/**
 * The files a page lists, checked, by version and then name: none when the project is quarantined (PEP 792).
 *
 * @throws InvalidPageError
 */
export function listedFiles(page: ProjectPage): readonly PageFile[] {
  if (!isNormalizedProjectName(page.name)) {
    throw new InvalidPageError(`Page of ${quote(page.name)}: this is not a normalized project name.`);
  }
  if (page.status === 'quarantined') return [];
  const versions = new Map<string, Version>();
  const seen = new Set<string>();
  for (const file of page.files) {
    checkFile(page.name, file);
    if (seen.has(file.filename))
      throw new InvalidPageError(`Page of ${page.name}: ${quote(file.filename)} is listed twice.`);
    seen.add(file.filename);
    if (!versions.has(file.version)) versions.set(file.version, parseVersion(file.version));
  }
  const versionOf = (file: PageFile): Version => versions.get(file.version) ?? parseVersion(file.version);
  return page.files.toSorted(
    (a, b) =>
      (a.version === b.version ? 0 : compareVersions(versionOf(a), versionOf(b))) ||
      (a.filename < b.filename ? -1 : 1),
  );
}

/** The status marker a page carries, `undefined` when it says nothing. */
export function statusOf(page: ProjectPage): { status: ProjectStatus; reason?: string } | undefined {
  if (page.status === undefined) return undefined;
  const reason = displayText(page.statusReason ?? '');
  return reason === '' ? { status: page.status } : { status: page.status, reason };
}

/** Whether and why a file is yanked, as pages say it: an empty reason is none. */
export function yankedOf(file: PageFile): true | string | undefined {
  if (typeof file.yanked !== 'string') return file.yanked;
  return displayText(file.yanked) || true;
}

/** The `requires-python` a page carries. */
export function requiresPythonOf(file: PageFile): string | undefined {
  return file.requiresPython === undefined ? undefined : displayText(file.requiresPython) || undefined;
}

function checkFile(project: string, file: PageFile): void {
  const parsed = parseDistributionFilename(file.filename);
  const problem =
    parsed.project !== project
      ? 'belongs to another project'
      : canonicalVersion(parsed.version) !== canonicalVersion(file.version)
        ? `is not of version ${quote(file.version)}`
        : !SHA256.test(file.sha256)
          ? 'has no sha256'
          : file.coreMetadataSha256 !== undefined && !SHA256.test(file.coreMetadataSha256)
            ? 'has no sha256 of its metadata'
            : !Number.isSafeInteger(file.size) || file.size < 0
              ? 'has no size'
              : !UPLOAD_TIME.test(file.uploadTime)
                ? 'has no upload time'
                : undefined;
  if (problem !== undefined)
    throw new InvalidPageError(`Page of ${project}: ${quote(file.filename)} ${problem}.`);
}

/** One project in the list of all projects. */
export interface IndexEntry {
  /** Normalized. */
  readonly name: string;
  /** The serial of the project's last change, for mirrors. */
  readonly lastSerial: number;
}
