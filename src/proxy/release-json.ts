import { parseCoreMetadata, type CoreMetadata } from '../pypi/core-metadata.ts';
import { packagePath } from '../pypi/layout.ts';
import { parseProjectJson, type PageFile } from '../pypi/simple.ts';
import { compareVersions, isPreRelease, isValidVersion, parseVersion } from '../pypi/version.ts';
import type { VerifiedIndex } from './verified-index.ts';

/**
 * What PyPI answers at `/pypi/<project>/<version>/json`, as far as poetry and its kind read it, made of the verified page
 * and the verified core metadata; nothing of it comes from anywhere else.
 *
 * @param version as asked for; the newest release when left out
 * @param baseUrl where the files are for whoever asks, with the final slash
 * @returns `undefined` when the index has no such release
 */
export async function releaseJson(
  index: Pick<VerifiedIndex, 'page' | 'metadata'>,
  project: string,
  version: string | undefined,
  baseUrl: string,
): Promise<object | undefined> {
  const page = await index.page(project, 'json');
  if (page === undefined) return undefined;
  const { files } = parseProjectJson(page.bytes);
  const wanted = version ?? newestOf(files);
  if (wanted === undefined || !isValidVersion(wanted)) return undefined;
  const release = files.filter((file) => compareVersions(file.version, wanted) === 0);
  const [first] = release;
  if (first === undefined) return undefined;
  const described = release.find((file) => file.coreMetadataSha256 !== undefined);
  const bytes = described === undefined ? undefined : await index.metadata(project, described.filename);
  const metadata = bytes === undefined ? undefined : parseCoreMetadata(bytes);
  return {
    info: infoOf(project, first, metadata, release),
    releases: releasesOf(version === undefined ? files : release, project, baseUrl),
    urls: release.map((file) => fileOf(file, project, baseUrl)),
    vulnerabilities: [],
  };
}

function newestOf(files: readonly PageFile[]): string | undefined {
  const versions = [
    ...new Set(files.filter(({ yanked }) => yanked === undefined).map(({ version }) => version)),
  ];
  const final = versions.filter((version) => !isPreRelease(parseVersion(version)));
  return (final.length > 0 ? final : versions).toSorted(compareVersions).at(-1);
}

/** `requires_dist: null` says that nothing is known: poetry then looks into the files themselves. */
function infoOf(
  project: string,
  { version, requiresPython }: PageFile,
  metadata: CoreMetadata | undefined,
  release: readonly PageFile[],
): object {
  const reason = release.map(({ yanked }) => yanked).find((yanked) => typeof yanked === 'string');
  return {
    name: metadata?.name ?? project,
    version,
    summary: metadata?.summary ?? '',
    requires_dist: metadata?.requiresDist ?? null,
    requires_python: metadata?.requiresPython ?? requiresPython ?? null,
    yanked: release.every(({ yanked }) => yanked !== undefined),
    yanked_reason: reason ?? null,
  };
}

function releasesOf(files: readonly PageFile[], project: string, baseUrl: string): object {
  const releases = new Map<string, object[]>();
  for (const file of files) {
    const known = releases.get(file.version) ?? [];
    known.push(fileOf(file, project, baseUrl));
    releases.set(file.version, known);
  }
  return Object.fromEntries(releases);
}

function fileOf(file: PageFile, project: string, baseUrl: string): object {
  const path = packagePath(project, file.filename).split('/').map(encodeURIComponent).join('/');
  return {
    filename: file.filename,
    packagetype: file.filename.endsWith('.whl') ? 'bdist_wheel' : 'sdist',
    digests: { sha256: file.sha256 },
    url: baseUrl + path,
    size: file.size,
    upload_time_iso_8601: file.uploadTime,
    requires_python: file.requiresPython ?? null,
    yanked: file.yanked !== undefined,
    yanked_reason: typeof file.yanked === 'string' ? file.yanked : null,
  };
}
