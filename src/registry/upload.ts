import { appendAudit } from '../db/audit.ts';
import { appendJournal, lastJournalEntry } from '../db/journal.ts';
import { findFile, insertFile } from '../db/files.ts';
import { insertProvenance } from '../db/provenances.ts';
import { setProjectRole } from '../db/members.ts';
import { ensureProject, ensureRelease, findProject } from '../db/projects.ts';
import type { Executor, FileRow, ProjectRow } from '../db/schema.ts';
import { findStagedFile } from '../db/staged-files.ts';
import { writeTransaction } from '../db/transactions.ts';
import { quote } from '../pypi/errors.ts';
import { metadataSidecarPath, packagePath } from '../pypi/layout.ts';
import { canonicalVersion } from '../pypi/version.ts';
import { ServedTree } from '../repository/served-tree.ts';
import { authorize, authorizeCreation } from './authorize.ts';
import { requireUnclaimed } from './claimed-projects.ts';
import type { RegistryContext } from './context.ts';
import { RegistryError } from './errors.ts';
import { actorOf, userOf, type Principal } from './principal.ts';
import { checkUpload, type CheckedUpload } from './upload-checks.ts';
import { requireFreeFilename } from './filename-rules.ts';
import { earlier, fileColumns, inspectUpload, type InspectedUpload } from './inspect-upload.ts';
import { offeredMetadata } from './offered-metadata.ts';
import { settingsForProject, settingsOf } from './index-settings.ts';
import { checkNewName, checkQuota, checkReleaseWindow } from './policy-checks.ts';
import { lockProject } from './project-lock.ts';
import { provenanceUrl } from './provenance.ts';
import type { UploadPolicy } from './upload-policy.ts';
import type { UploadedContent } from './uploaded-content.ts';

/** 'already-stored': the same file was here before. Either way the file is public once the journal entry is published. */
export interface UploadOutcome {
  readonly outcome: 'stored' | 'already-stored';
  readonly project: string;
  readonly filename: string;
  readonly journalId: number;
}

/** What is known of a file that was in another index before. */
export interface UploadOrigin {
  /** When it was uploaded there; one in the future counts as now. */
  readonly uploadedAt?: Date | undefined;
  readonly yanked?: true | string | undefined;
  /** Takes the place of what the index says about uploads. */
  readonly policy?: UploadPolicy | undefined;
}

/**
 * Takes one distribution file: every check, then the objects, durable, then one transaction that makes file, release, project
 * and journal entry. Before that transaction commits nothing of it exists for anybody (I4). The temporary object stays the
 * caller's to discard.
 *
 * @throws RegistryError
 */
export async function uploadFile(
  context: RegistryContext,
  principal: Principal,
  fields: ReadonlyMap<string, readonly string[]>,
  content: UploadedContent | undefined,
  origin: UploadOrigin = {},
): Promise<UploadOutcome> {
  const upload = checkUpload(fields, content);
  const { project } = upload.filename;
  const known = await findProject(context.db, context.index.id, project);
  await authorizeUpload(context.db, principal, context.index, known, project);
  const same = await findSameFile(context.db, context.index.id, upload);
  if (same !== undefined) return same;
  requireOpen(known, project);
  if (known !== undefined) await requireUnclaimed(context.db, known);
  const inspected = await inspectUpload(context, principal, upload, known, origin);
  const store = async () => {
    await storeObjects(context, upload, inspected.archive.metadata);
    return writeTransaction(context.db, (tx) => record(tx, { context, principal, origin }, inspected));
  };
  // A first claim that lists this file and fails would take its objects back.
  const staged = await findStagedFile(context.db, context.index.id, upload.filename.filename);
  return staged === undefined ? store() : lockProject(context, project, store);
}

/** @throws RegistryError NOT_AUTHENTICATED, NOT_PERMITTED */
export async function authorizeUpload(
  db: Executor,
  principal: Principal,
  index: RegistryContext['index'],
  project: ProjectRow | undefined,
  name: string,
): Promise<void> {
  if (project === undefined) await authorizeCreation(db, principal, index, name);
  else await authorize(db, principal, 'upload', { index, project });
}

/** The outcome when the index has this very file, undefined when it has none of that name. @throws RegistryError FILE_EXISTS, FILENAME_RETIRED */
export async function findSameFile(
  db: Executor,
  indexId: number,
  { filename: { filename, project }, content }: CheckedUpload,
): Promise<UploadOutcome | undefined> {
  const file = await findFile(db, indexId, filename);
  if (file === undefined) return undefined;
  if (file.removed_at !== null) {
    throw new RegistryError(
      'FILENAME_RETIRED',
      `The filename ${quote(filename)} was used before and removed; a filename is never used twice: choose another version.`,
      { filename, project },
    );
  }
  if (file.sha256 !== content.sha256 || file.length !== content.length) throw fileExists(file);
  const entry = await lastJournalEntry(db, file.project_id);
  if (entry === undefined) throw new Error(`The project of ${filename} has no journal entry.`);
  return { outcome: 'already-stored', project, filename, journalId: entry.id };
}

// The beginning of this sentence is what twine, poetry and pdm look for with --skip-existing.
function fileExists(file: FileRow): RegistryError {
  return new RegistryError(
    'FILE_EXISTS',
    `File already exists (${quote(file.filename)}, with blake2_256 hash ${quote(file.blake2b_256)}): its content never changes, choose another version.`,
    { filename: file.filename },
  );
}

export function requireOpen(project: ProjectRow | undefined, name: string): void {
  if (project !== undefined && project.removed_at !== null) {
    throw new RegistryError(
      'PROJECT_CLOSED',
      `The project '${name}' was deleted and its name is closed: an administrator can restore it.`,
      { project: name },
    );
  }
  const status = project?.status ?? 'active';
  if (status !== 'archived' && status !== 'quarantined') return;
  const reason = project?.status_reason ?? '';
  const why = reason === '' ? '' : ` (${reason})`;
  const message = `The project '${name}' is ${status}${why} and takes no uploads.`;
  throw new RegistryError('PROJECT_CLOSED', message, { project: name });
}

/** Content-addressed and create-only: what an upload leaves here when it fails later is listed by nothing and served to nobody who does not have it. */
async function storeObjects(
  context: RegistryContext,
  upload: CheckedUpload,
  metadata: Uint8Array,
): Promise<void> {
  const { store, index } = context;
  const { filename, content } = upload;
  const tree = new ServedTree(index.name);
  const file = tree.hashed(packagePath(filename.project, filename.filename), content.sha256);
  const sidecar = tree.hashed(metadataSidecarPath(filename.project, filename.filename), content.sha256);
  const [, outcome] = await Promise.all([content.temporary.commit(file), store.create(sidecar, metadata)]);
  if (outcome === 'created') return;
  // Left by an upload that failed; another version of this program may have made it.
  const left = await store.read(sidecar);
  if (left === undefined || Buffer.compare(left, metadata) !== 0) await store.put(sidecar, metadata);
}

/** The project of an upload; the first upload makes it, and its uploader the owner. May she still? She is asked again, now that nobody else writes. */
export async function openProject(
  tx: Executor,
  { index }: RegistryContext,
  principal: Principal,
  wanted: { readonly name: string; readonly displayName: string; readonly now: Date },
  policy: UploadPolicy,
): Promise<ProjectRow> {
  const { name, now } = wanted;
  const known = await findProject(tx, index.id, name);
  await authorizeUpload(tx, principal, index, known, name);
  if (known === undefined) await checkNewName(tx, index.id, name, policy);
  const project = await ensureProject(tx, { indexId: index.id, ...wanted });
  if (known === undefined) {
    const owner = userOf(principal);
    if (owner !== undefined) {
      await setProjectRole(tx, { projectId: project.id, userId: owner.userId, role: 'owner', now });
    }
    await appendAudit(tx, {
      indexId: index.id,
      at: now,
      actor: actorOf(principal),
      action: 'project.create',
      subject: name,
      detail: { owner: owner?.name ?? null },
    });
  }
  return project;
}

/** Who uploads, what is known of the file's past. */
interface Uploading {
  readonly context: RegistryContext;
  readonly principal: Principal;
  readonly origin: UploadOrigin;
}

async function record(
  tx: Executor,
  { context, principal, origin }: Uploading,
  inspected: InspectedUpload,
): Promise<UploadOutcome> {
  const { upload, archive, provenance } = inspected;
  const { filename, content } = upload;
  const indexId = context.index.id;
  const now = context.clock();
  // Somebody may have uploaded it while the archive was read.
  const same = await findSameFile(tx, indexId, upload);
  if (same !== undefined) return same;
  const settings = await settingsOf(tx, indexId, context.indexDefaults);
  const policy = origin.policy ?? settings.upload;
  const named = { name: filename.project, displayName: archive.coreMetadata.name, now };
  const project = await openProject(tx, context, principal, named, policy);
  requireOpen(project, filename.project);
  await requireUnclaimed(tx, project);
  const release = await ensureRelease(tx, {
    indexId,
    projectId: project.id,
    version: canonicalVersion(filename.version),
    coreMetadata: JSON.stringify(archive.coreMetadata),
    now,
  });
  await requireFreeFilename(tx, release.id, filename);
  const uploadedAt = earlier(origin.uploadedAt, now);
  await checkReleaseWindow(tx, release.id, filename, policy, uploadedAt);
  await checkQuota(tx, project, release, content.length, settingsForProject(settings, project).limits);
  const yanked = origin.yanked === undefined ? await yankOfRelease(tx, release.id) : yankFrom(origin.yanked);
  const columns = fileColumns(principal, inspected);
  const file = await insertFile(tx, {
    ...columns,
    ...offeredMetadata(columns, archive.coreMetadata),
    ...yanked,
    index_id: indexId,
    project_id: project.id,
    release_id: release.id,
    uploaded_at: uploadedAt.toISOString(),
    removed_at: null,
    provenance_url: provenance === undefined ? null : provenanceUrl(context.url?.() ?? '/', filename),
  });
  if (provenance !== undefined) await insertProvenance(tx, { fileId: file.id, document: provenance, now });
  const journalId = await appendJournal(tx, {
    indexId,
    projectId: project.id,
    kind: 'upload',
    detail: { file: file.id, filename: filename.filename, sha256: content.sha256 },
    now,
  });
  await appendAudit(tx, {
    indexId,
    at: now,
    actor: actorOf(principal),
    action: 'file.upload',
    subject: filename.filename,
    detail: { project: project.name, sha256: content.sha256 },
  });
  return { outcome: 'stored', project: project.name, filename: filename.filename, journalId };
}

function yankFrom(reason: true | string): { readonly yanked: 1; readonly yanked_reason: string | null } {
  return { yanked: 1, yanked_reason: reason === true ? null : reason };
}

/** A release that is yanked as a whole stays so: the file added to it bears the same mark. */
async function yankOfRelease(
  tx: Executor,
  releaseId: number,
): Promise<{ readonly yanked: 0 | 1; readonly yanked_reason: string | null }> {
  const files = await tx
    .selectFrom('files')
    .select(['yanked', 'yanked_reason'])
    .where('release_id', '=', releaseId)
    .where('removed_at', 'is', null)
    .orderBy('id')
    .execute();
  const [first] = files;
  return first !== undefined && files.every(({ yanked }) => yanked === 1)
    ? first
    : { yanked: 0, yanked_reason: null };
}
