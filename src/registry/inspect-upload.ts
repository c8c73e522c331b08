import { createHash } from 'node:crypto';
import type { Executor, NewStagedFile, ProjectRow } from '../db/schema.ts';
import { canonicalVersion } from '../pypi/version.ts';
import type { DistributionContent } from '../pypi/wheel.ts';
import type { RegistryContext } from './context.ts';
import { settingsForProject, settingsOf } from './index-settings.ts';
import {
  checkFilePolicy,
  checkMetadataPolicy,
  checkNewName,
  checkQuota,
  checkReleaseWindow,
  checkScriptPolicy,
} from './policy-checks.ts';
import { tokenOf, type Principal } from './principal.ts';
import { provenanceOf } from './provenance.ts';
import { checkArchive, type CheckedUpload } from './upload-checks.ts';
import type { Limits, UploadPolicy } from './upload-policy.ts';

/** An upload that passed every check: its form, what its archive says, what was attested of it. */
export interface InspectedUpload {
  readonly upload: CheckedUpload;
  readonly archive: DistributionContent;
  /** The provenance object that was verified, JSON text; undefined when the form has no attestations. */
  readonly provenance: string | undefined;
}

/** What an upload is measured by beside the settings of its index. */
export interface UploadMeasure {
  /** In place of what the index says about uploads. */
  readonly policy?: UploadPolicy | undefined;
  /** When it was uploaded to another index before. */
  readonly uploadedAt?: Date | undefined;
  /** Of files that wait to be public: they take room too. */
  readonly waitingBytes?: number;
}

/**
 * Every check of an upload before anything of it is stored, whether it is to be public at once or waits for its owners. `known`: its project,
 * which takes uploads; undefined for a new one.
 *
 * @throws RegistryError
 */
export async function inspectUpload(
  context: RegistryContext,
  principal: Principal,
  upload: CheckedUpload,
  known: ProjectRow | undefined,
  { uploadedAt, waitingBytes = 0, ...measure }: UploadMeasure = {},
): Promise<InspectedUpload> {
  const { db, index } = context;
  const settings = await settingsOf(db, index.id, context.indexDefaults);
  const policy = measure.policy ?? settings.upload;
  const { limits } = settingsForProject(settings, known);
  if (known === undefined) await checkNewName(db, index.id, upload.filename.project, policy);
  checkFilePolicy(upload, policy, limits);
  const archive = await context.inspections.run(() => checkArchive(upload, policy));
  checkMetadataPolicy(upload, archive.coreMetadata, policy);
  checkScriptPolicy(upload, archive.scripts, policy);
  const provenance = await verifiedProvenance(context, principal, upload);
  const now = earlier(uploadedAt, context.clock());
  const project = known ?? { id: NO_ROW, name: upload.filename.project, index_id: index.id };
  await requireRoom(db, project, upload, { policy, limits, now, waitingBytes });
  return { upload, archive, provenance };
}

/** What is known of a file from its upload alone, as the tables of public and of staged files have it. */
export function fileColumns(
  principal: Principal,
  { upload: { form, filename, content }, archive }: InspectedUpload,
): Pick<
  NewStagedFile,
  | 'version'
  | 'filename'
  | 'packagetype'
  | 'python_version'
  | 'length'
  | 'sha256'
  | 'blake2b_256'
  | 'requires_python'
  | 'metadata_sha256'
  | 'metadata_length'
  | 'uploaded_by'
> {
  return {
    version: filename.version,
    filename: filename.filename,
    packagetype: form.filetype,
    python_version: form.pyversion,
    length: content.length,
    sha256: content.sha256,
    blake2b_256: content.blake2b256,
    requires_python: archive.coreMetadata.requiresPython ?? null,
    metadata_sha256: createHash('sha256').update(archive.metadata).digest('hex'),
    metadata_length: archive.metadata.length,
    uploaded_by: tokenOf(principal) ?? null,
  };
}

/** When a file was uploaded; a time in the future counts as now. */
export function earlier(time: Date | undefined, now: Date): Date {
  return time === undefined || time > now ? now : time;
}

async function verifiedProvenance(
  context: RegistryContext,
  principal: Principal,
  { form, filename: { project, filename }, content: { sha256 } }: CheckedUpload,
): Promise<string | undefined> {
  if (form.attestations === undefined) return undefined;
  return provenanceOf(context, principal, form.attestations, { project, filename, sha256 });
}

/** Of a project or a release that the upload would make. */
const NO_ROW = 0;

interface Room {
  readonly policy: UploadPolicy;
  readonly limits: Limits;
  readonly now: Date;
  readonly waitingBytes: number;
}

/** What would be refused when it is recorded is not stored first: a full project would fill the disk all the same. @throws RegistryError QUOTA_EXCEEDED, AGAINST_POLICY */
async function requireRoom(
  db: Executor,
  project: Pick<ProjectRow, 'id' | 'name' | 'index_id'>,
  { filename, content }: CheckedUpload,
  { policy, limits, now, waitingBytes }: Room,
): Promise<void> {
  const version = canonicalVersion(filename.version);
  const row = await db
    .selectFrom('releases')
    .select(['id', 'version'])
    .where('project_id', '=', project.id)
    .where('version', '=', version)
    .executeTakeFirst();
  if (row !== undefined) await checkReleaseWindow(db, row.id, filename, policy, now);
  await checkQuota(db, project, row ?? { id: NO_ROW, version }, content.length + waitingBytes, limits);
}
