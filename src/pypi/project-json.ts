import { asciiJson } from './ascii-text.ts';
import { LIST_FIELDS, SINGLE_FIELDS, type CoreMetadata } from './core-metadata.ts';
import { yankedOf, type PageFile, type ProjectPage } from './project-page.ts';
import { compareVersions, isPreRelease, parseVersion } from './version.ts';

/** What PyPI's JSON API says of a file beyond the simple page. */
export interface FileDetail {
  readonly blake2b256: string;
  /** 'bdist_wheel' or 'sdist'. */
  readonly packagetype: string;
  /** 'py3', 'cp312', 'source'. */
  readonly pythonVersion: string;
}

/** Everything a project's document in the JSON API says. Everything that is listed stands in the signed page too. */
export interface ProjectDocument {
  readonly page: ProjectPage;
  /** As the project was first uploaded. */
  readonly displayName: string;
  readonly lastSerial: number;
  /** By filename. */
  readonly details: ReadonlyMap<string, FileDetail>;
  /** The core metadata of a release, by its version in {@link PageFile.version}; less may be known of old ones. */
  readonly metadata: (version: string) => Partial<CoreMetadata>;
  /** The absolute URL of the index, with its last `/`. */
  readonly url: string;
}

/**
 * The version that installers take who want nothing special: the newest that is not yanked as a whole and no pre-release, else the newest
 * not yanked, else the newest. Undefined when there is no file.
 */
export function latestVersion(page: ProjectPage): string | undefined {
  const offered = new Set(page.files.filter((file) => yankedOf(file) === undefined).map(versionOf));
  const all = [...new Set(page.files.map(versionOf))].toSorted(compareVersions);
  return (
    all.findLast((version) => offered.has(version) && !isPreRelease(parseVersion(version))) ??
    all.findLast((version) => offered.has(version)) ??
    all.at(-1)
  );
}

function versionOf({ version }: PageFile): string {
  return version;
}

/**
 * A project as `/pypi/<project>/json` (no `version`) or `/pypi/<project>/<version>/json` has it; undefined when there is no such version,
 * or no file at all.
 */
export function renderProjectDocument(
  document: ProjectDocument,
  version?: string,
): Uint8Array<ArrayBuffer> | undefined {
  const { page, lastSerial } = document;
  const shown = version ?? latestVersion(page);
  const urls = page.files.filter((file) => file.version === shown);
  if (shown === undefined || urls.length === 0) return undefined;
  const isProject = version === undefined;
  return asciiJson({
    info: infoJson(document, shown, urls),
    last_serial: lastSerial,
    ...(isProject ? { releases: releasesJson(document) } : {}),
    urls: urls.map((file) => fileJson(document, file)),
    vulnerabilities: [],
  });
}

function releasesJson(document: ProjectDocument): Record<string, unknown> {
  const releases = new Map<string, unknown[]>();
  for (const file of document.page.files) {
    const files = releases.get(file.version);
    if (files === undefined) releases.set(file.version, [fileJson(document, file)]);
    else files.push(fileJson(document, file));
  }
  return Object.fromEntries(releases);
}

const OWN_SINGLE = new Set(['metadataVersion', 'name', 'version']);
/** Lists that this API knows under another name, or not at all. */
const OTHER_LISTS = new Set(['platforms', 'projectUrls']);

function infoJson(
  { page, displayName, metadata, url }: ProjectDocument,
  version: string,
  urls: readonly PageFile[],
): Record<string, unknown> {
  const core = metadata(version);
  const info = new Map<string, unknown>();
  for (const [name, { form }] of Object.entries(SINGLE_FIELDS)) {
    if (!OWN_SINGLE.has(name)) info.set(form, core[name as keyof CoreMetadata] ?? null);
  }
  for (const [name, { form }] of Object.entries(LIST_FIELDS)) {
    const list = core[name as keyof CoreMetadata];
    if (!OTHER_LISTS.has(name)) info.set(LIST_NAMES.get(form) ?? form, list?.length ? list : null);
  }
  const yanks = urls.map(yankedOf);
  const isYanked = yanks.every((yank) => yank !== undefined);
  const reason = yanks.find((yank) => typeof yank === 'string');
  const projectUrl = `${url}simple/${page.name}/`;
  return {
    ...Object.fromEntries(info),
    classifiers: core.classifiers ?? [],
    name: displayName,
    version,
    platform: core.platforms?.join(',') || null,
    project_urls: labelledUrls(core.projectUrls ?? []),
    package_url: projectUrl,
    project_url: projectUrl,
    release_url: projectUrl,
    downloads: { last_day: -1, last_month: -1, last_week: -1 },
    yanked: isYanked,
    yanked_reason: isYanked ? (reason ?? null) : null,
  };
}

const LIST_NAMES: ReadonlyMap<string, string> = new Map([['license_file', 'license_files']]);

/** `label, url` as an object; a later label does not replace an earlier one. */
function labelledUrls(projectUrls: readonly string[]): Record<string, string> | null {
  const urls = new Map<string, string>();
  for (const text of projectUrls) {
    const comma = text.indexOf(',');
    const label = text.slice(0, comma).trim();
    if (comma > 0 && !urls.has(label)) urls.set(label, text.slice(comma + 1).trim());
  }
  return urls.size === 0 ? null : Object.fromEntries(urls);
}

function fileJson({ page, details, url }: ProjectDocument, file: PageFile): Record<string, unknown> {
  const detail = details.get(file.filename);
  const yanked = yankedOf(file);
  const isWheel = file.filename.endsWith('.whl');
  return {
    filename: file.filename,
    url: `${url}packages/${page.name}/${encodeURIComponent(file.filename)}`,
    digests: { blake2b_256: detail?.blake2b256 ?? null, sha256: file.sha256 },
    size: file.size,
    packagetype: detail?.packagetype ?? (isWheel ? 'bdist_wheel' : 'sdist'),
    python_version: detail?.pythonVersion ?? (isWheel ? 'py3' : 'source'),
    requires_python: file.requiresPython ?? null,
    upload_time: file.uploadTime.slice(0, 'yyyy-mm-ddThh:mm:ss'.length),
    upload_time_iso_8601: file.uploadTime,
    yanked: yanked !== undefined,
    yanked_reason: typeof yanked === 'string' ? yanked : null,
    'core-metadata': file.coreMetadataSha256 === undefined ? false : { sha256: file.coreMetadataSha256 },
    provenance: file.provenance ?? null,
    comment_text: null,
    downloads: -1,
    has_sig: false,
  };
}
