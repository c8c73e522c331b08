import { parseDistributionFilename } from '../pypi/distribution-filename.ts';
import { filenameProjectName } from '../pypi/project-name.ts';
import { TOMBSTONE_FOLDER } from './route.ts';

/**
 * The page given instead of one that failed verification to installers that hide errors of an index page (pip, pdm) and
 * would go on with another index or another version.
 *
 * It lists every file that is known, and for every version a decoy whose build tag beats them all, and one version
 * higher than any other. Whatever the installer chooses, it then asks for a link that is answered with the reason, and
 * every installer stops at an error of a file (reference: what each does with which answer).
 *
 * @param slug of the reason; stands in every link, because some installers show nothing but the link
 */
export function renderTombstone(
  format: 'json' | 'html',
  project: string,
  knownFilenames: readonly string[],
  slug: string,
): string {
  const filenames = tombstoneFilenames(project, knownFilenames);
  const href = (filename: string): string =>
    `../../${TOMBSTONE_FOLDER}/${slug}/${project}/${encodeURIComponent(filename)}`;
  return format === 'json' ? renderJson(project, filenames, href) : renderHtml(project, filenames, href);
}

const FAILED_VERSION = '99999+tuf.verification.failed';
const DECOY_BUILD = '99999tuf';

function tombstoneFilenames(project: string, knownFilenames: readonly string[]): string[] {
  const name = filenameProjectName(project);
  const filenames = new Set(knownFilenames);
  for (const filename of knownFilenames) {
    const version = versionIn(filename);
    if (version !== undefined) filenames.add(`${name}-${version}-${DECOY_BUILD}-py3-none-any.whl`);
  }
  filenames.add(`${name}-${FAILED_VERSION}-py3-none-any.whl`);
  filenames.add(`${name}-${FAILED_VERSION}.tar.gz`);
  return [...filenames].toSorted();
}

function versionIn(filename: string): string | undefined {
  try {
    return parseDistributionFilename(filename).version;
  } catch {
    return undefined;
  }
}

function renderJson(
  project: string,
  filenames: readonly string[],
  href: (filename: string) => string,
): string {
  const versions = new Set(
    filenames.map((filename) => versionIn(filename)).filter((version) => version !== undefined),
  );
  const files = filenames.map((filename) => ({
    filename,
    url: href(filename),
    hashes: {},
    'core-metadata': true,
    'data-dist-info-metadata': true,
    size: 0,
    'upload-time': '1970-01-01T00:00:00Z',
  }));
  return JSON.stringify({ meta: { 'api-version': '1.1' }, name: project, versions: [...versions], files });
}

function renderHtml(
  project: string,
  filenames: readonly string[],
  href: (filename: string) => string,
): string {
  // Project and filenames went through their grammar: nothing in them needs escaping in HTML.
  const links = filenames.map(
    (filename) =>
      `<a href="${href(filename)}" data-core-metadata="true" data-dist-info-metadata="true">${filename}</a><br>`,
  );
  return `<!DOCTYPE html>\n<html><head><title>${project}</title></head><body>\n${links.join('\n')}\n</body></html>\n`;
}
