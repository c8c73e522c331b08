import { storedSize } from '../db/files.ts';
import { findLookAlike } from '../db/projects.ts';
import type { Executor, ProjectRow } from '../db/schema.ts';
import { validateCoreMetadata } from '../pypi/core-metadata-validation.ts';
import type { CoreMetadata } from '../pypi/core-metadata.ts';
import { classifierObjection } from '../pypi/classifiers.ts';
import type { DistributionFilename } from '../pypi/distribution-filename.ts';
import { quote } from '../pypi/errors.ts';
import { normalizeProjectName } from '../pypi/project-name.ts';
import { reservedReason, type ReservedReason } from '../pypi/reserved-names.ts';
import { RegistryError } from './errors.ts';
import type { Limits, UploadPolicy } from './upload-policy.ts';
import { refusing } from './upload-checks.ts';

const RESERVED: Readonly<Record<ReservedReason, string>> = {
  'standard-library': "is that of a module of Python's standard library",
  'mistaken-file': 'is what people type who meant a file',
  device: 'is that of a device on Windows',
};

/** A file, whether it comes by upload or from another index. */
export interface JudgedFile {
  readonly filename: DistributionFilename;
  /** In bytes. */
  readonly content: { readonly length: number };
}

/** What the policy says of a file before its archive is opened. @throws RegistryError AGAINST_POLICY, FILE_TOO_LARGE */
export function checkFilePolicy(
  { filename, content }: JudgedFile,
  policy: UploadPolicy,
  { maxFileBytes }: Limits,
): void {
  if (maxFileBytes !== undefined && content.length > maxFileBytes) {
    throw new RegistryError(
      'FILE_TOO_LARGE',
      `${quote(filename.filename)} has ${content.length} bytes; a file of this project may have ${maxFileBytes}.`,
      { filename: filename.filename },
    );
  }
  if (!policy.legacyFilenames && !filename.isCanonical) {
    throw against(filename, `is not spelt as the specifications demand (normalized name and version)`);
  }
  const platform =
    policy.linuxWheels || filename.kind === 'sdist' ? undefined : linuxTag(filename.platformTags);
  if (platform !== undefined) {
    throw against(
      filename,
      `is for the platform ${quote(platform)}, which runs on the machine it was built on only; this index takes manylinux and musllinux wheels (auditwheel repair makes them)`,
    );
  }
}

/** What the policy says of the metadata in the archive. @throws RegistryError INVALID_METADATA, AGAINST_POLICY */
export function checkMetadataPolicy(
  { filename }: Pick<JudgedFile, 'filename'>,
  coreMetadata: CoreMetadata,
  policy: UploadPolicy,
): void {
  const { localVersions, directReferences, malformedTexts = false } = policy;
  const judged = {
    localVersions,
    directReferences,
    malformedTexts,
    withdrawnVersion: policy.withdrawnMetadata,
  };
  refusing('INVALID_METADATA', () => validateCoreMetadata(coreMetadata, judged));
  for (const classifier of coreMetadata.classifiers) {
    const objection = classifierObjection(classifier, policy);
    if (objection !== undefined) {
      throw against(filename, `has the classifier ${quote(classifier)}, which ${objection}`);
    }
  }
}

/** What the policy says of the commands that a wheel puts on the path. @throws RegistryError AGAINST_POLICY */
export function checkScriptPolicy(
  { filename }: Pick<JudgedFile, 'filename'>,
  scripts: readonly string[],
  { prohibitedScripts }: UploadPolicy,
): void {
  if (prohibitedScripts.length === 0) return;
  for (const script of scripts) {
    const command = normalizeProjectName(script.replace(EXECUTABLE, ''));
    if (command !== filename.project && prohibitedScripts.some((pattern) => isNamed(command, pattern)))
      throw against(filename, `installs the command ${quote(script)}, which is prohibited on this index`);
  }
}

/** Whether a new project may have this name. In the transaction that makes it. @throws RegistryError NAME_REFUSED */
export async function checkNewName(
  tx: Executor,
  indexId: number,
  name: string,
  policy: UploadPolicy,
): Promise<void> {
  const reserved = reservedReason(name);
  if (reserved !== undefined && !(reserved === 'standard-library' && policy.standardLibraryNames)) {
    throw refused(name, RESERVED[reserved]);
  }
  if (policy.prohibitedNames.some((pattern) => isNamed(name, pattern))) {
    throw refused(name, 'is prohibited on this index');
  }
  if (policy.lookAlikeNames) return;
  const other = await findLookAlike(tx, indexId, name);
  if (other !== undefined) throw refused(name, `looks like that of the project '${other.name}'`);
}

/** Whether the release still takes files. @throws RegistryError AGAINST_POLICY */
export async function checkReleaseWindow(
  tx: Executor,
  releaseId: number,
  filename: DistributionFilename,
  { releaseDays }: UploadPolicy,
  now: Date,
): Promise<void> {
  if (releaseDays === undefined) return;
  const first = await tx
    .selectFrom('files')
    .select('uploaded_at')
    .where('release_id', '=', releaseId)
    .orderBy('id')
    .limit(1)
    .executeTakeFirst();
  if (first === undefined || now.getTime() - Date.parse(first.uploaded_at) <= releaseDays * DAY) return;
  throw against(
    filename,
    `is of a release that began at ${first.uploaded_at}; files are added for ${releaseDays} days only: choose another version`,
  );
}

/** Whether there is room for one more file. In the transaction that adds it. @throws RegistryError QUOTA_EXCEEDED */
export async function checkQuota(
  tx: Executor,
  project: Pick<ProjectRow, 'id' | 'name' | 'index_id'>,
  release: { readonly id: number; readonly version: string },
  length: number,
  limits: Limits,
): Promise<void> {
  const { maxProjectBytes, maxProjectFiles, maxReleaseFiles, maxIndexBytes } = limits;
  if (maxReleaseFiles !== undefined) {
    const files = await tx
      .selectFrom('files')
      .select(({ fn }) => fn.countAll<number>().as('count'))
      .where('release_id', '=', release.id)
      .where('removed_at', 'is', null)
      .executeTakeFirstOrThrow();
    if (Number(files.count) >= maxReleaseFiles)
      throw full(project.name, `the release ${release.version} has its ${maxReleaseFiles} files`);
  }
  if (maxProjectBytes !== undefined || maxProjectFiles !== undefined) {
    const { files, bytes } = await storedSize(tx, 'project_id', project.id);
    if (maxProjectFiles !== undefined && files >= maxProjectFiles)
      throw full(project.name, `the project has its ${maxProjectFiles} files`);
    if (maxProjectBytes !== undefined && bytes + length > maxProjectBytes)
      throw full(project.name, `the project has ${bytes} of its ${maxProjectBytes} bytes`);
  }
  if (maxIndexBytes !== undefined) {
    const { bytes } = await storedSize(tx, 'index_id', project.index_id);
    if (bytes + length > maxIndexBytes)
      throw full(project.name, `the index has ${bytes} of its ${maxIndexBytes} bytes`);
  }
}

const DAY = 86_400_000;
/** What Windows runs without its being typed. */
const EXECUTABLE = /\.(?:exe|com|bat|cmd|ps1|py)$/i;
const LINUX = /^linux_/;
/** PyPI takes these two: no manylinux exists for them. */
const PORTABLE_LINUX: ReadonlySet<string> = new Set(['linux_armv6l', 'linux_armv7l']);

function linuxTag(platformTags: readonly string[]): string | undefined {
  return platformTags.find((tag) => LINUX.test(tag) && !PORTABLE_LINUX.has(tag));
}

/** Whether a normalized name is the one that the pattern says, in any spelling, or begins as one that ends in `*` says. */
export function isNamed(name: string, pattern: string): boolean {
  if (!pattern.endsWith('*')) return normalizeProjectName(pattern) === name;
  return name.startsWith(
    pattern
      .slice(0, -1)
      .toLowerCase()
      .replace(/[-_.]+/g, '-'),
  );
}

function against({ filename, project }: DistributionFilename, why: string): RegistryError {
  return new RegistryError('AGAINST_POLICY', `${quote(filename)} ${why}.`, { filename, project });
}

function refused(project: string, why: string): RegistryError {
  const message = `The name '${project}' cannot be given to a new project: it ${why}; choose another one, or ask who runs this index.`;
  return new RegistryError('NAME_REFUSED', message, { project });
}

function full(project: string, why: string): RegistryError {
  return new RegistryError(
    'QUOTA_EXCEEDED',
    `There is no room for this file: ${why}; delete old releases, or ask who runs this index for more.`,
    { project },
  );
}
