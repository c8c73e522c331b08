import { UnsafeArchiveError } from '../pypi/archive.ts';
import {
  metadataDifference,
  PRIVATE_METADATA_POLICY,
  validateCoreMetadata,
} from '../pypi/core-metadata-validation.ts';
import { readDistribution } from '../pypi/distribution.ts';
import { parseDistributionFilename, type DistributionFilename } from '../pypi/distribution-filename.ts';
import { FormatError, quote } from '../pypi/errors.ts';
import { readLegacyForm, type UploadForm } from '../pypi/legacy-form.ts';
import { normalizeProjectName } from '../pypi/project-name.ts';
import { canonicalVersion } from '../pypi/version.ts';
import type { DistributionContent } from '../pypi/wheel.ts';
import { RegistryError, type RegistryErrorCode } from './errors.ts';
import type { UploadPolicy } from './upload-policy.ts';
import type { UploadedContent } from './uploaded-content.ts';

/** An upload whose form, filename and digests agree; its archive is not opened yet. */
export interface CheckedUpload {
  readonly form: UploadForm;
  readonly filename: DistributionFilename;
  readonly content: UploadedContent;
}

/** Everything that can be said of an upload without opening the archive. @throws RegistryError */
export function checkUpload(
  fields: ReadonlyMap<string, readonly string[]>,
  content: UploadedContent | undefined,
): CheckedUpload {
  const form = refusing('INVALID_FORM', () => readLegacyForm(fields));
  if (content === undefined) {
    throw new RegistryError(
      'INVALID_FORM',
      'The field content, the distribution file, is missing from the form.',
    );
  }
  const filename = refusing('INVALID_FILENAME', () => parseDistributionFilename(content.filename));
  if ((form.filetype === 'sdist') !== (filename.kind === 'sdist')) {
    throw new RegistryError(
      'INVALID_FILENAME',
      `The filetype of the form is ${form.filetype}, but ${quote(content.filename)} is a ${filename.kind}.`,
    );
  }
  checkNameAndVersion(form, filename);
  checkDigests(form, content);
  return { form, filename, content };
}

/**
 * Opens the archive: it must be safe, of one meaning, of the name and version that the filename has, its metadata valid and
 * not contradicted by the form.
 *
 * @throws RegistryError
 */
export async function checkArchive(
  { form, filename, content }: CheckedUpload,
  { malformedTexts = false }: Pick<UploadPolicy, 'malformedTexts'> = {},
): Promise<DistributionContent> {
  const archive = await inspect(content, filename);
  const policy = { ...PRIVATE_METADATA_POLICY, malformedTexts };
  refusing('INVALID_METADATA', () => validateCoreMetadata(archive.coreMetadata, policy));
  const difference = refusing('METADATA_MISMATCH', () =>
    metadataDifference(form.metadata, archive.coreMetadata),
  );
  if (difference !== undefined) throw new RegistryError('METADATA_MISMATCH', difference);
  return archive;
}

async function inspect(
  content: UploadedContent,
  filename: DistributionFilename,
): Promise<DistributionContent> {
  const reader = await content.temporary.reader();
  try {
    return await readDistribution(reader, filename);
  } catch (error) {
    throw asRefusal(error instanceof UnsafeArchiveError ? 'INVALID_ARCHIVE' : 'INVALID_METADATA', error);
  } finally {
    await reader.close();
  }
}

/** Runs `work`; what it refuses as a wrong format becomes a RegistryError with this code and the same sentence. */
export function refusing<Result>(code: RegistryErrorCode, work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    throw asRefusal(code, error);
  }
}

/** The RegistryError for a wrong format; anything else as it is. */
function asRefusal(code: RegistryErrorCode, error: unknown): unknown {
  if (!(error instanceof FormatError)) return error;
  return new RegistryError(error.code === 'unsupported-action' ? 'UNSUPPORTED_ACTION' : code, error.message, {
    cause: error,
  });
}

function checkNameAndVersion({ metadata }: UploadForm, filename: DistributionFilename): void {
  if (refusing('NAME_MISMATCH', () => normalizeProjectName(metadata.name)) !== filename.project) {
    throw new RegistryError(
      'NAME_MISMATCH',
      `The form says the name is ${quote(metadata.name)}, but the filename ${quote(filename.filename)} says ${quote(filename.project)}.`,
    );
  }
  const version = refusing('VERSION_MISMATCH', () => canonicalVersion(metadata.version));
  if (version !== canonicalVersion(filename.version)) {
    throw new RegistryError(
      'VERSION_MISMATCH',
      `The form says the version is ${quote(metadata.version)}, but the filename ${quote(filename.filename)} says ${quote(filename.version)}.`,
    );
  }
}

function checkDigests({ digests }: UploadForm, content: UploadedContent): void {
  const pairs = [
    ['sha256', digests.sha256, content.sha256],
    ['BLAKE2b-256', digests.blake2b256, content.blake2b256],
    ['md5', digests.md5, content.md5],
  ] as const;
  for (const [algorithm, named, actual] of pairs) {
    if (named === undefined || named === actual) continue;
    throw new RegistryError(
      'DIGEST_MISMATCH',
      `The ${algorithm} digest does not match: the form says ${named}, the file received has ${actual}.`,
    );
  }
}
