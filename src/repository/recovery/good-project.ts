import { findFiles, insertFile } from '../../db/files.ts';
import { appendJournal } from '../../db/journal.ts';
import { ensureProject, ensureRelease, setProjectRemoved, setProjectStatus } from '../../db/projects.ts';
import type { Executor, FileRow } from '../../db/schema.ts';
import { writeTransaction } from '../../db/transactions.ts';
import { MAX_METADATA_LENGTH, parseCoreMetadata, type CoreMetadata } from '../../pypi/core-metadata.ts';
import { parseDistributionFilename } from '../../pypi/distribution-filename.ts';
import { FormatError } from '../../pypi/errors.ts';
import { metadataSidecarPath, packagePath, simpleJsonPath } from '../../pypi/layout.ts';
import type { PageFile, ProjectPage } from '../../pypi/project-page.ts';
import { canonicalVersion } from '../../pypi/version.ts';
import type { ObjectStore } from '../../storage/object-store.ts';
import { targetFileName } from '../../tuf/layout.ts';
import type { ServedTree } from '../served-tree.ts';
import { archiveMetadata } from './archive-metadata.ts';
import { ensureGoodObject, type GoodObject } from './good-object.ts';
import { readSource, type PublishedSource } from './published-source.ts';

export interface GoodProjectContext {
  readonly db: Executor;
  readonly store: ObjectStore;
  readonly tree: ServedTree;
  readonly indexId: number;
  readonly source: PublishedSource;
  readonly now: Date;
}

/** A file of a page, its objects in the store, its core metadata read. */
interface ReadyFile {
  readonly file: PageFile;
  readonly object: GoodObject;
  /** Bytes of the core metadata that the page offers beside it. */
  readonly sidecarLength: number | undefined;
  readonly metadata: CoreMetadata | undefined;
}

/** What became of a project. */
export interface RestoredProject {
  readonly project: string;
  /** Paths of files whose bytes exist nowhere any more: they are not listed. */
  readonly lost: readonly string[];
  /** Paths of files that were taken out. */
  readonly dropped: readonly string[];
}

/**
 * Sets the rows of a project to what a good page says: its files and their bytes, yanked or not, its status. Files that the page does not list
 * are taken out, except those in `keep` (target paths); `page` undefined: the project was not there. One transaction; with a journal row, so that
 * the next publication renders its pages anew.
 */
export async function restoreProject(
  context: GoodProjectContext,
  name: string,
  page: ProjectPage | undefined,
  keep: ReadonlySet<string>,
): Promise<RestoredProject> {
  const ready: ReadyFile[] = [];
  const lost: string[] = [];
  for (const file of page?.files ?? []) {
    const one = await readyFile(context, name, file);
    if (one === undefined) lost.push(packagePath(name, file.filename));
    else ready.push(one);
  }
  return writeTransaction(context.db, async (tx) => {
    const { indexId, now } = context;
    const project = await ensureProject(tx, { indexId, name, displayName: displayName(ready) ?? name, now });
    const status = page?.status ?? 'active';
    await setProjectStatus(tx, project.id, status, page?.statusReason);
    const known = await findFiles(
      tx,
      indexId,
      ready.map(({ file }) => file.filename),
    );
    for (const one of ready) await putFile(tx, context, project.id, one, known.get(one.file.filename));
    const good = new Set(ready.map(({ file }) => packagePath(name, file.filename)));
    const dropped = await dropOthers(tx, project.id, name, new Set([...good, ...keep]), now);
    const isGone = page === undefined && !(await hasFiles(tx, project.id));
    await setProjectRemoved(tx, project.id, isGone ? now : undefined);
    const detail = { files: ready.length, dropped: dropped.length, lost: lost.length };
    await appendJournal(tx, { indexId, projectId: project.id, kind: 'restore', detail, now });
    return { project: name, lost, dropped };
  });
}

/** The page of a project from a source, verified against what is signed. Undefined when its bytes are nowhere, or are no page of ours. */
export async function readGoodPage(
  source: PublishedSource,
  name: string,
  target: { readonly length: number; readonly sha256: string },
): Promise<Uint8Array | undefined> {
  return readSource(source, targetFileName(simpleJsonPath(name), target.sha256), target.length);
}

async function readyFile(
  { store, tree, source }: GoodProjectContext,
  project: string,
  file: PageFile,
): Promise<ReadyFile | undefined> {
  const path = packagePath(project, file.filename);
  const hashed = tree.hashed(path, file.sha256);
  const expected = { sha256: file.sha256, length: file.size, maxLength: file.size };
  const object = await ensureGoodObject(store, hashed, expected, source, targetFileName(path, file.sha256));
  if (object === undefined) return undefined;
  const sha256 = file.coreMetadataSha256;
  if (sha256 === undefined) {
    const metadata = await archiveMetadata(store, hashed, file.filename);
    return { file, object, sidecarLength: undefined, metadata };
  }
  const sidecarPath = metadataSidecarPath(project, file.filename);
  const key = tree.hashed(sidecarPath, file.sha256);
  const wanted = { sha256, maxLength: MAX_METADATA_LENGTH };
  const found = await ensureGoodObject(store, key, wanted, source, targetFileName(sidecarPath, file.sha256));
  const bytes = found === undefined ? undefined : await store.read(key, { maxLength: MAX_METADATA_LENGTH });
  const metadata = bytes === undefined ? undefined : readMetadata(bytes);
  if (metadata === undefined || found === undefined) return undefined;
  return { file, object, sidecarLength: found.length, metadata };
}

function readMetadata(bytes: Uint8Array): CoreMetadata | undefined {
  try {
    return parseCoreMetadata(bytes);
  } catch (error) {
    if (error instanceof FormatError) return undefined;
    throw error;
  }
}

function displayName(files: readonly ReadyFile[]): string | undefined {
  return files.find(({ metadata }) => metadata !== undefined)?.metadata?.name;
}

async function putFile(
  tx: Executor,
  { indexId }: GoodProjectContext,
  projectId: number,
  { file, object, sidecarLength, metadata }: ReadyFile,
  known: FileRow | undefined,
): Promise<void> {
  const release = await ensureRelease(tx, {
    indexId,
    projectId,
    version: canonicalVersion(file.version),
    coreMetadata: JSON.stringify(metadata ?? {}),
    now: new Date(file.uploadTime),
  });
  const values = {
    project_id: projectId,
    release_id: release.id,
    version: file.version,
    length: object.length,
    sha256: file.sha256,
    blake2b_256: object.blake2b256,
    requires_python: file.requiresPython ?? null,
    metadata_sha256: file.coreMetadataSha256 ?? null,
    metadata_length: sidecarLength ?? null,
    uploaded_at: file.uploadTime,
    yanked: file.yanked === undefined ? (0 as const) : (1 as const),
    yanked_reason: typeof file.yanked === 'string' ? file.yanked : null,
    removed_at: null,
    // Clean-up may have taken it already, and will again when it is removed again.
    collected_at: null,
  };
  if (known !== undefined) {
    await tx.updateTable('files').set(values).where('id', '=', known.id).execute();
    return;
  }
  const parsed = parseDistributionFilename(file.filename);
  const isWheel = parsed.kind === 'wheel';
  await insertFile(tx, {
    ...values,
    index_id: indexId,
    filename: file.filename,
    packagetype: isWheel ? 'bdist_wheel' : 'sdist',
    python_version: isWheel ? parsed.pythonTags.join('.') : 'source',
    uploaded_by: null,
  });
}

async function dropOthers(
  tx: Executor,
  projectId: number,
  project: string,
  kept: ReadonlySet<string>,
  now: Date,
): Promise<readonly string[]> {
  const files = await tx
    .selectFrom('files')
    .select(['id', 'filename'])
    .where('project_id', '=', projectId)
    .where('removed_at', 'is', null)
    .execute();
  const dropped: string[] = [];
  for (const { id, filename } of files) {
    const path = packagePath(project, filename);
    if (kept.has(path)) continue;
    dropped.push(path);
    await tx.updateTable('files').set({ removed_at: now.toISOString() }).where('id', '=', id).execute();
  }
  return dropped;
}

async function hasFiles(tx: Executor, projectId: number): Promise<boolean> {
  const row = await tx
    .selectFrom('files')
    .select('id')
    .where('project_id', '=', projectId)
    .where('removed_at', 'is', null)
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}
