import { appendAudit } from '../db/audit.ts';
import { findClaim } from '../db/claims.ts';
import { findProject } from '../db/projects.ts';
import {
  deleteStagedFiles,
  findStagedFile,
  insertStagedFile,
  keepStagedFile,
  stagedFilesOf,
  stagedSize,
} from '../db/staged-files.ts';
import type { Executor, NewStagedFile, ProjectRow, StagedFileRow } from '../db/schema.ts';
import { writeTransaction } from '../db/transactions.ts';
import { parseDistributionFilename } from '../pypi/distribution-filename.ts';
import { quote } from '../pypi/errors.ts';
import { canonicalVersion } from '../pypi/version.ts';
import { ServedTree } from '../repository/served-tree.ts';
import { StagedObjects } from '../repository/staged-objects.ts';
import { isStaging, unsignedUpload } from './claimed-projects.ts';
import type { RegistryContext } from './context.ts';
import { RegistryError } from './errors.ts';
import { requireFreeFilename } from './filename-rules.ts';
import { settingsOf } from './index-settings.ts';
import { fileColumns, inspectUpload, type InspectedUpload } from './inspect-upload.ts';
import { actorOf, type Principal } from './principal.ts';
import { lockProject } from './project-lock.ts';
import { provenanceUrl } from './provenance.ts';
import { checkUpload, type CheckedUpload } from './upload-checks.ts';
import {
  authorizeUpload,
  findSameFile,
  openProject,
  requireOpen,
  uploadFile,
  type UploadOutcome,
} from './upload.ts';
import type { UploadedContent } from './uploaded-content.ts';

/** Kept where nobody but the project's people sees it. */
export interface StagedOutcome {
  readonly outcome: 'staged';
  readonly project: string;
  readonly filename: string;
  readonly expires: Date;
}

/** Milliseconds. */
export const STAGING_LIFETIME = 14 * 86_400_000;
/** As many as one transaction takes. */
const MOST_STAGED = 1000;

/**
 * Takes an upload as its project wants it: public at once, or, when the project is claimed and stages, or `stage` is asked for, staged.
 *
 * @throws RegistryError CLAIMED_PROJECT for a claimed project that does not stage, and as {@link uploadFile}
 */
export async function takeUpload(
  context: RegistryContext,
  principal: Principal,
  fields: ReadonlyMap<string, readonly string[]>,
  content: UploadedContent | undefined,
  { stage }: { readonly stage: boolean },
): Promise<UploadOutcome | StagedOutcome> {
  const upload = checkUpload(fields, content);
  const { db, index } = context;
  const { project } = upload.filename;
  const known = await findProject(db, index.id, project);
  const claim = known === undefined ? undefined : await findClaim(db, known.id);
  if (claim === undefined && !stage) return uploadFile(context, principal, fields, content);
  await authorizeUpload(db, principal, index, known, project);
  const same = await findSameFile(db, index.id, upload);
  if (same !== undefined) return same;
  if (!stage && claim !== undefined && !isStaging(claim)) throw unsignedUpload(project);
  return stageFile(context, principal, upload, known);
}

/** Every check of an upload, then the objects, durable, then one transaction. */
async function stageFile(
  context: RegistryContext,
  principal: Principal,
  upload: CheckedUpload,
  known: ProjectRow | undefined,
): Promise<StagedOutcome> {
  const { db, index, store } = context;
  const { filename, content } = upload;
  requireOpen(known, filename.project);
  const waitingBytes = known === undefined ? 0 : (await stagedSize(db, known.id)).bytes;
  const inspected = await inspectUpload(context, principal, upload, known, { waitingBytes });
  const stored = { project: filename.project, filename: filename.filename, sha256: content.sha256 };
  const objects = new StagedObjects(store, new ServedTree(index.name));
  return lockProject(context, filename.project, async () => {
    await objects.keep(stored, content.temporary, inspected.archive.metadata);
    return writeTransaction(db, (tx) => record(tx, { context, principal, inspected }));
  });
}

interface Staging {
  readonly context: RegistryContext;
  readonly principal: Principal;
  readonly inspected: InspectedUpload;
}

async function record(tx: Executor, staging: Staging): Promise<StagedOutcome> {
  const { context, principal } = staging;
  const { upload, archive } = staging.inspected;
  const { filename, content } = upload;
  const now = context.clock();
  const expires = new Date(now.getTime() + STAGING_LIFETIME);
  const settings = await settingsOf(tx, context.index.id, context.indexDefaults);
  const named = { name: filename.project, displayName: archive.coreMetadata.name, now };
  const project = await openProject(tx, context, principal, named, settings.upload);
  requireOpen(project, filename.project);
  const outcome = { outcome: 'staged', project: project.name, filename: filename.filename, expires } as const;
  const staged = await findStagedFile(tx, context.index.id, filename.filename);
  if (staged !== undefined && new Date(staged.expires_at) > now) {
    if (staged.sha256 !== content.sha256) throw stagedAlready(staged, project.name);
    await keepStagedFile(tx, staged.id, expires);
    return outcome;
  }
  if (staged !== undefined) await deleteStagedFiles(tx, [staged.id]);
  await requireFree(tx, upload, project, now);
  await insertStagedFile(tx, newStagedFile(staging, project, { now, expires }));
  await appendAudit(tx, {
    indexId: context.index.id,
    at: now,
    actor: actorOf(principal),
    action: 'file.stage',
    subject: filename.filename,
    detail: { project: project.name, sha256: content.sha256 },
  });
  return outcome;
}

function stagedAlready({ filename, blake2b_256: hash }: StagedFileRow, project: string): RegistryError {
  return new RegistryError(
    'FILE_EXISTS',
    `File already exists (${quote(filename)}, with blake2_256 hash ${quote(hash)}): it waits for a signature with other bytes; choose another version, or throw it away: rind staged remove ${project} ${filename}.`,
    { filename, project },
  );
}

/** No other spelling of it is there or waits, and not too many wait. @throws RegistryError FILE_EXISTS, QUOTA_EXCEEDED */
async function requireFree(
  tx: Executor,
  { filename }: CheckedUpload,
  project: ProjectRow,
  now: Date,
): Promise<void> {
  const release = await tx
    .selectFrom('releases')
    .select('id')
    .where('project_id', '=', project.id)
    .where('version', '=', canonicalVersion(filename.version))
    .executeTakeFirst();
  if (release !== undefined) await requireFreeFilename(tx, release.id, filename);
  const waiting = await stagedFilesOf(tx, project.id, now);
  const twin = waiting.find((row) => parseDistributionFilename(row.filename).identity === filename.identity);
  if (twin !== undefined) throw stagedAlready(twin, project.name);
  if (waiting.length < MOST_STAGED) return;
  throw new RegistryError(
    'QUOTA_EXCEEDED',
    `${waiting.length} files of the project '${project.name}' wait for a signature: sign or remove some first.`,
    { project: project.name },
  );
}

function newStagedFile(
  { context, principal, inspected }: Staging,
  project: ProjectRow,
  { now, expires }: { readonly now: Date; readonly expires: Date },
): NewStagedFile {
  const { upload, archive, provenance } = inspected;
  return {
    ...fileColumns(principal, inspected),
    index_id: context.index.id,
    project_id: project.id,
    core_metadata: JSON.stringify(archive.coreMetadata),
    provenance: provenance ?? null,
    provenance_url: provenance === undefined ? null : provenanceUrl(context.url?.() ?? '/', upload.filename),
    staged_by: actorOf(principal),
    staged_at: now.toISOString(),
    expires_at: expires.toISOString(),
  };
}
