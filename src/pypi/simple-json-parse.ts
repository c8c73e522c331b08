import { asciiJson } from './ascii-text.ts';
import { isSafeFilename, parseDistributionFilename } from './distribution-filename.ts';
import { quote } from './errors.ts';
import { isNormalizedProjectName } from './project-name.ts';
import {
  InvalidPageError,
  SHA256,
  UPLOAD_TIME,
  PROJECT_STATUSES,
  relativeFileUrl,
  type PageFile,
  type ProjectPage,
  type ProjectStatus,
} from './project-page.ts';
import { canonicalVersion, isValidVersion } from './version.ts';

type Fields = Readonly<Record<string, unknown>>;

/**
 * Reads a page that `renderProjectJson` made, this version's or a later minor version's: unknown keys are ignored, but
 * the bytes must be compact ASCII JSON without duplicate keys, and every file must lie where the layout puts it.
 * For verified bytes: it checks form, not trust.
 *
 * @throws InvalidPageError
 */
export function parseProjectJson(bytes: Uint8Array): ProjectPage {
  const page = asObject(parseCompactJson(bytes), 'the page');
  const apiVersion = asString(asObject(page['meta'], 'meta')['api-version'], 'api-version');
  if (!/^1\.[0-9]{1,4}$/.test(apiVersion))
    fail(`the api-version ${quote(apiVersion)} is not supported, only 1.x is.`);
  const name = asString(page['name'], 'name');
  if (!isNormalizedProjectName(name)) fail(`the name ${quote(name)} is not normalized.`);
  const versions = readVersions(page['versions']);
  const files = asArray(page['files'], 'files').map((file) =>
    readFile(name, versions, asObject(file, 'files[]')),
  );
  const status = readStatus(page['project-status']);
  if (status.status === 'quarantined' && files.length > 0) fail('a quarantined project lists files.');
  if (new Set(files.map((file) => file.filename)).size !== files.length) fail('a file is listed twice.');
  return { name, ...status, files };
}

function readVersions(value: unknown): ReadonlyMap<string, string> {
  const versions = new Map<string, string>();
  for (const item of asArray(value, 'versions')) {
    const version = asString(item, 'versions[]');
    if (!isValidVersion(version)) fail(`${quote(version)} is not a version.`);
    const canonical = canonicalVersion(version);
    if (!versions.has(canonical)) versions.set(canonical, version);
    versions.set(version, version);
  }
  return versions;
}

function readStatus(value: unknown): Pick<ProjectPage, 'status' | 'statusReason'> {
  if (value === undefined) return {};
  const marker = asObject(value, 'project-status');
  const status = asString(marker['status'], 'status');
  if (!isProjectStatus(status)) fail(`the project status ${quote(status)} is not known.`);
  const reason = marker['reason'];
  return reason === undefined ? { status } : { status, statusReason: asString(reason, 'reason') };
}

function readFile(project: string, versions: ReadonlyMap<string, string>, file: Fields): PageFile {
  const filename = asString(file['filename'], 'filename');
  if (!isSafeFilename(filename)) fail(`${quote(filename)} is not a safe filename.`);
  const parsed = parseDistributionFilename(filename);
  if (parsed.project !== project) fail(`${quote(filename)} belongs to another project.`);
  const version = versions.get(parsed.version) ?? versions.get(canonicalVersion(parsed.version));
  if (version === undefined) fail(`the version of ${quote(filename)} is not in versions.`);
  if (file['url'] !== relativeFileUrl(project, filename))
    fail(`the URL of ${quote(filename)} is not the layout's.`);
  const size = file['size'];
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0)
    fail(`${quote(filename)} has no size.`);
  const uploadTime = asString(file['upload-time'], 'upload-time');
  if (!UPLOAD_TIME.test(uploadTime)) fail(`the upload time of ${quote(filename)} is malformed.`);
  return {
    filename,
    version,
    sha256: readSha256(file['hashes'], 'hashes'),
    size,
    uploadTime,
    ...readOptional(file),
  };
}

function readOptional(file: Fields): Partial<PageFile> {
  const { 'requires-python': requiresPython, 'core-metadata': coreMetadata, yanked, provenance } = file;
  if (yanked !== undefined && typeof yanked !== 'boolean' && typeof yanked !== 'string')
    fail('yanked is malformed.');
  if (yanked === '') fail('the reason of a yank is empty.');
  return {
    ...(isAbsent(requiresPython) ? {} : { requiresPython: asString(requiresPython, 'requires-python') }),
    ...(coreMetadata === undefined || coreMetadata === false
      ? {}
      : { coreMetadataSha256: readSha256(coreMetadata, 'core-metadata') }),
    ...(yanked === undefined || yanked === false ? {} : { yanked }),
    ...(isAbsent(provenance) ? {} : { provenance: asString(provenance, 'provenance') }),
  };
}

function readSha256(value: unknown, what: string): string {
  const sha256 = asString(asObject(value, what)['sha256'], 'sha256');
  return SHA256.test(sha256) ? sha256 : fail(`the sha256 in ${what} is malformed.`);
}

// What does not come out as it went in has duplicate keys, other white space or numbers only some readers agree on.
function parseCompactJson(bytes: Uint8Array): unknown {
  let value: unknown;
  let again: Uint8Array;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
    again = asciiJson(value);
  } catch (cause) {
    throw new InvalidPageError('Simple page: it is not JSON, or nested too deeply.', { cause });
  }
  const isSame = again.length === bytes.length && again.every((byte, index) => byte === bytes[index]);
  return isSame ? value : fail('it is not compact ASCII JSON with unique keys.');
}

function isProjectStatus(status: string): status is ProjectStatus {
  return PROJECT_STATUSES.has(status);
}

function isAbsent(value: unknown): value is undefined | null {
  return value === undefined || value === null;
}

function asObject(value: unknown, what: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) fail(`${what} is not an object.`);
  // A copy without prototype, so that 'constructor' is absent unless it was sent.
  return Object.assign(Object.create(null) as Record<string, unknown>, value);
}

function asArray(value: unknown, what: string): readonly unknown[] {
  return Array.isArray(value) ? value : fail(`${what} is not a list.`);
}

function asString(value: unknown, what: string): string {
  return typeof value === 'string' ? value : fail(`${what} is not a string.`);
}

function fail(reason: string): never {
  throw new InvalidPageError(`Simple page: ${reason}`);
}
