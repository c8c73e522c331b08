import { appendAudits } from '../db/audit.ts';
import { findFiles, insertFile } from '../db/files.ts';
import { appendJournal } from '../db/journal.ts';
import { findProvenance, insertProvenance, setProvenanceUrl } from '../db/provenances.ts';
import { listProjectRoles, setProjectRole } from '../db/members.ts';
import { ensureProject, ensureRelease, findProject } from '../db/projects.ts';
import type { Executor, FileRow, ProjectRow } from '../db/schema.ts';
import { writeTransaction } from '../db/transactions.ts';
import { parseCoreMetadata } from '../pypi/core-metadata.ts';
import { parseDistributionFilename } from '../pypi/distribution-filename.ts';
import { quote } from '../pypi/errors.ts';
import { metadataSidecarPath, packagePath } from '../pypi/layout.ts';
import { ServedTree } from '../repository/served-tree.ts';
import { authorize, authorizeCreation } from './authorize.ts';
import { requireUnclaimed } from './claimed-projects.ts';
import type { RegistryContext } from './context.ts';
import { RegistryError } from './errors.ts';
import { settingsForProject, settingsOf } from './index-settings.ts';
import {
  checkFilePolicy,
  checkMetadataPolicy,
  checkNewName,
  checkQuota,
  checkScriptPolicy,
} from './policy-checks.ts';
import { notFound, projectNamed } from './project-change.ts';
import { actorOf, type Principal } from './principal.ts';
import type { UploadPolicy } from './upload-policy.ts';
import { canonical, chosenFiles } from './release-files.ts';
import { storedScripts } from './stored-scripts.ts';

/** What a promotion needs of the world. Both indexes are of the same server. */
export interface PromotionContext extends Pick<RegistryContext, 'db' | 'store' | 'clock' | 'indexDefaults'> {
  readonly from: RegistryContext['index'];
  readonly to: RegistryContext['index'];
}

export interface PromotionOutcome {
  readonly project: string;
  readonly version: string;
  /** The files that came over now; those that were there before are left out. */
  readonly files: readonly string[];
  /** Serial in the index promoted to. */
  readonly journalId: number;
}

/**
 * Copies a release, as it is, from one index to another of the same server: the same bytes, no upload, all files in one publication. The
 * upload time is that of the promotion: it says since when this index has the file (ADR 23). Yanked files and quarantined projects are
 * refused: what is promoted is what was tested. Doing it again copies what is missing.
 *
 * @throws RegistryError
 */
export async function promoteRelease(
  context: PromotionContext,
  principal: Principal,
  name: string,
  version: string,
): Promise<PromotionOutcome> {
  const { db, from, to } = context;
  if (from.id === to.id) {
    throw new RegistryError('INVALID_REQUEST', 'A release is promoted from one index to another one.');
  }
  const source = await readSource(db, context, principal, projectNamed(name), version);
  await judgeContents(context, source, (await settingsOf(db, to.id, context.indexDefaults)).upload);
  await linkObjects(context, source);
  return writeTransaction(db, (tx) => record(tx, context, principal, source, canonical(version)));
}

interface Source {
  readonly project: ProjectRow;
  readonly files: readonly FileRow[];
}

async function readSource(
  db: Executor,
  { from }: PromotionContext,
  principal: Principal,
  name: string,
  version: string,
): Promise<Source> {
  const project = await findProject(db, from.id, name);
  const isThere = project !== undefined && project.removed_at === null;
  await authorize(db, principal, 'read', isThere ? { index: from, project } : { index: from });
  if (!isThere) throw notFound(`There is no project ${quote(name)} in ${indexName(from)}.`, name);
  if (project.status === 'quarantined') {
    throw closed(`The project '${name}' is quarantined in ${indexName(from)} and is not promoted.`, name);
  }
  const files = await chosenFiles(db, project, { version });
  const yanked = files.find((file) => file.yanked === 1);
  if (yanked !== undefined) {
    throw closed(
      `${quote(yanked.filename)} is yanked in ${indexName(from)} and is not promoted; un-yank or delete it first.`,
      name,
    );
  }
  return { project, files };
}

/** What the index promoted to says of the metadata and the commands in the files; it never changes, so that it can be read before the transaction. */
async function judgeContents(
  { store, from }: PromotionContext,
  { project, files }: Source,
  policy: UploadPolicy,
): Promise<void> {
  const tree = new ServedTree(from.name);
  for (const { filename, sha256, metadata_sha256 } of files) {
    const parsed = parseDistributionFilename(filename);
    if (policy.prohibitedScripts.length > 0 && parsed.kind === 'wheel') {
      const key = tree.hashed(packagePath(project.name, filename), sha256);
      checkScriptPolicy({ filename: parsed }, await storedScripts(store, key, parsed), policy);
    }
    const bytes = await store.read(tree.hashed(metadataSidecarPath(project.name, filename), sha256));
    if (bytes === undefined) {
      if (metadata_sha256 === null) continue;
      throw new Error(`The core metadata of ${filename} is not in the store; rind fsck says more.`);
    }
    checkMetadataPolicy({ filename: parsed }, parseCoreMetadata(bytes), policy);
  }
}

/** Durable before the rows: under names of their content, listed by nothing yet. Links where the store can. */
async function linkObjects({ store, from, to }: PromotionContext, { project, files }: Source): Promise<void> {
  const [source, target] = [new ServedTree(from.name), new ServedTree(to.name)];
  for (const { filename, sha256, metadata_sha256 } of files) {
    const path = packagePath(project.name, filename);
    await store.copy(source.hashed(path, sha256), target.hashed(path, sha256));
    const sidecar = source.hashed(metadataSidecarPath(project.name, filename), sha256);
    if (metadata_sha256 === null && (await store.stat(sidecar)) === undefined) continue;
    await store.copy(sidecar, target.hashed(metadataSidecarPath(project.name, filename), sha256));
  }
}

async function record(
  tx: Executor,
  context: PromotionContext,
  principal: Principal,
  source: Source,
  version: string,
): Promise<PromotionOutcome> {
  const { from, to, clock } = context;
  const now = clock();
  // Looked at again: somebody may have quarantined, removed or yanked it meanwhile, or taken the right to read it away.
  const { files } = await readSource(tx, context, principal, source.project.name, version);
  const current = new Map(files.map((file) => [file.id, file]));
  const project = await openProject(tx, context, principal, source, now);
  const there = await findFiles(
    tx,
    to.id,
    source.files.map(({ filename }) => filename),
  );
  const settings = await settingsOf(tx, to.id, context.indexDefaults);
  const { limits } = settingsForProject(settings, project);
  const coreMetadata = await metadataOf(tx, source);
  const place = { indexId: to.id, projectId: project.id };
  const release = await ensureRelease(tx, { ...place, version, coreMetadata, now });
  const added: string[] = [];
  for (const { id } of source.files) {
    const file = current.get(id);
    if (file === undefined) {
      throw closed(
        `${project.name} ${version} was changed while it was promoted; look at it again.`,
        project.name,
      );
    }
    const known = there.get(file.filename);
    if (known !== undefined) {
      requireSame(known, file, to);
      continue;
    }
    const judged = { filename: parseDistributionFilename(file.filename), content: file };
    checkFilePolicy(judged, settings.upload, limits);
    await checkQuota(tx, project, release, file.length, limits);
    const copy = await insertFile(tx, promoted(file, { to, project, release, now }));
    await copyProvenance(tx, { from, to, file, copy, now });
    added.push(file.filename);
  }
  const shown = source.files[0]?.version ?? version;
  const detail = { project: project.name, version: shown, from: from.name, files: added.length };
  const entry = { indexId: to.id, projectId: project.id, kind: 'promote', detail, now } as const;
  const journalId = await appendJournal(tx, entry);
  const audit = { at: now, actor: actorOf(principal), action: 'release.promote', detail } as const;
  await appendAudits(tx, [{ ...audit, indexId: to.id, subject: `${project.name} ${shown}` }]);
  return { project: project.name, version: shown, files: added, journalId };
}

/** The project in the index promoted to; made with the same owners and maintainers when it is not there. */
async function openProject(
  tx: Executor,
  { to, indexDefaults }: PromotionContext,
  principal: Principal,
  { project: source }: Source,
  now: Date,
): Promise<ProjectRow> {
  const { name, display_name: displayName } = source;
  const known = await findProject(tx, to.id, name);
  if (known !== undefined) {
    await authorize(tx, principal, 'upload', { index: to, project: known });
    await requireUnclaimed(tx, known);
    if (known.removed_at !== null || known.status === 'archived' || known.status === 'quarantined') {
      const state = known.removed_at === null ? known.status : 'deleted';
      throw closed(`The project '${name}' is ${state} in ${indexName(to)} and takes no files.`, name);
    }
    return known;
  }
  await authorizeCreation(tx, principal, to, name);
  await checkNewName(tx, to.id, name, (await settingsOf(tx, to.id, indexDefaults)).upload);
  const project = await ensureProject(tx, { indexId: to.id, name, displayName, now });
  for (const { userId, role } of await listProjectRoles(tx, source.id))
    await setProjectRole(tx, { projectId: project.id, userId, role, now });
  return project;
}

/** JSON text of the core metadata of the release. */
async function metadataOf(tx: Executor, { files }: Source): Promise<string> {
  const release = await tx
    .selectFrom('releases')
    .select('core_metadata')
    .where('id', '=', files[0]?.release_id ?? 0)
    .executeTakeFirstOrThrow();
  return release.core_metadata;
}

/** What was attested of a file holds wherever it is; it is served by the index promoted to. */
async function copyProvenance(
  tx: Executor,
  promotion: Pick<PromotionContext, 'from' | 'to'> & {
    readonly file: FileRow;
    readonly copy: FileRow;
    readonly now: Date;
  },
): Promise<void> {
  const { from, to, file, copy, now } = promotion;
  const url = file.provenance_url;
  const document = url === null ? undefined : await findProvenance(tx, file.id);
  if (url === null || document === undefined) return;
  const end = url.lastIndexOf('integrity/');
  const server = url.slice(0, end).slice(0, end - new ServedTree(from.name).prefix.length);
  await setProvenanceUrl(tx, copy.id, server + new ServedTree(to.name).prefix + url.slice(end));
  await insertProvenance(tx, { fileId: copy.id, document, now });
}

function requireSame(known: FileRow, file: FileRow, to: { readonly name: string }): void {
  if (known.removed_at !== null) {
    throw new RegistryError(
      'FILENAME_RETIRED',
      `The filename ${quote(file.filename)} was used in ${indexName(to)} and removed; a filename is never used twice.`,
      { filename: file.filename },
    );
  }
  if (known.sha256 === file.sha256) return;
  throw new RegistryError(
    'FILE_EXISTS',
    `File already exists (${quote(file.filename)}) in ${indexName(to)}, with other content.`,
    { filename: file.filename },
  );
}

function promoted(
  { id: _id, uploaded_by: _token, ...file }: FileRow,
  place: {
    readonly to: { readonly id: number };
    readonly project: ProjectRow;
    readonly release: { readonly id: number };
    readonly now: Date;
  },
): Parameters<typeof insertFile>[1] {
  return {
    ...file,
    index_id: place.to.id,
    project_id: place.project.id,
    release_id: place.release.id,
    uploaded_at: place.now.toISOString(),
    uploaded_by: null,
    provenance_url: null,
  };
}

function closed(message: string, project: string): RegistryError {
  return new RegistryError('PROJECT_CLOSED', message, { project });
}

function indexName({ name }: { readonly name: string }): string {
  return name === '' ? 'the default index' : `the index '${name}'`;
}
