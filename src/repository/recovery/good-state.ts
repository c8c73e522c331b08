import { dropTargets } from '../../db/foreign-versions.ts';
import { findFiles } from '../../db/files.ts';
import { lastPublication, type TargetChange } from '../../db/publications.ts';
import { takeJournal } from '../../db/journal.ts';
import { currentRoles } from '../../db/roles.ts';
import { putTargets } from '../../db/targets.ts';
import { writeTransaction } from '../../db/transactions.ts';
import { FormatError } from '../../pypi/errors.ts';
import { metadataSidecarPath, parseIndexPath } from '../../pypi/layout.ts';
import type { ProjectPage } from '../../pypi/project-page.ts';
import { parseProjectJson } from '../../pypi/simple.ts';
import { targetFileName } from '../../tuf/layout.ts';
import { sha256Hex } from '../project-targets.ts';
import { HeldBackProjects } from '../held-back.ts';
import { readPublishedClaims, type PublishedClaims } from '../published-claims.ts';
import { waitingChanges } from '../waiting-changes.ts';
import type { Comparison, Difference } from './comparison.ts';
import { RecoveryError } from './errors.ts';
import { ensureGoodObject } from './good-object.ts';
import {
  readGoodPage,
  restoreProject,
  type GoodProjectContext,
  type RestoredProject,
} from './good-project.ts';
import { storeSource } from './published-source.ts';

/** The projects that differences are about. */
export function projectsOf(differences: readonly Difference[]): readonly string[] {
  return [...new Set(differences.flatMap(({ path }) => parseIndexPath(path)?.project ?? []))].toSorted();
}

/**
 * Brings everything that differs back to the good state, and takes out what it does not know, except the files in `keep`. The rows and the
 * table of targets are then those that every bin is to be signed from; nothing is signed or published here. Running it again changes nothing
 * more. `becoming`: claimed projects as they are with the bundle. The store lock must be held and the publication on hold.
 */
export async function applyGoodState(
  context: GoodProjectContext,
  comparison: Comparison,
  keep: ReadonlySet<string>,
  becoming: (claims: PublishedClaims) => PublishedClaims,
): Promise<readonly RestoredProject[]> {
  const restored: RestoredProject[] = [];
  for (const project of projectsOf(comparison.differences)) {
    const page = await goodPage(context, comparison, project);
    await mendCopies(context, project, page);
    restored.push(await restoreProject(context, project, page, keep));
  }
  await mendPages(context, comparison.differences);
  await dropUnknown(context, comparison.differences);
  await settleTargets(context, becoming);
  return restored;
}

async function goodPage(
  context: GoodProjectContext,
  { pages }: Comparison,
  project: string,
): Promise<ProjectPage | undefined> {
  const target = pages.get(project);
  if (target === undefined) return undefined;
  const { source, store, tree } = context;
  const candidates = [source, storeSource(store, tree.prefix)];
  for (const candidate of candidates) {
    const bytes = await readGoodPage(candidate, project, target);
    if (bytes === undefined || sha256Hex(bytes) !== target.sha256) continue;
    try {
      return parseProjectJson(bytes);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
    }
  }
  throw new RecoveryError(
    'INCOMPLETE_SOURCE',
    `${target.path} of the good state is neither in ${source.name} nor in the store, so nobody knows what ${project} was; name another good state that has its pages.`,
    { path: target.path },
  );
}

/** Plain-named copies are links or copies of the hash-named objects; a wrong one is taken away, and made again from the good object. */
async function mendCopies(
  { store, tree, source }: GoodProjectContext,
  project: string,
  page: ProjectPage | undefined,
): Promise<void> {
  for (const { filename, sha256, size, coreMetadataSha256 } of page?.files ?? []) {
    const path = `packages/${project}/${filename}`;
    const good = { sha256, length: size, maxLength: size };
    const hashed = await ensureGoodObject(store, tree.hashed(path, sha256), good, source, targetFileName(path, sha256)); // prettier-ignore
    if (hashed === undefined) continue;
    await store.remove(tree.plain(path));
    await store.copy(tree.hashed(path, sha256), tree.plain(path));
    if (coreMetadataSha256 === undefined) continue;
    const sidecar = metadataSidecarPath(project, filename);
    await store.remove(tree.plain(sidecar));
    if ((await store.stat(tree.hashed(sidecar, sha256))) !== undefined)
      await store.copy(tree.hashed(sidecar, sha256), tree.plain(sidecar));
  }
}

/** Pages whose signed bytes are the good ones, but not those in the store. */
async function mendPages(
  { store, tree, source }: GoodProjectContext,
  differences: readonly Difference[],
): Promise<void> {
  for (const { kind, path, good } of differences) {
    const parsed = parseIndexPath(path);
    const isPage = parsed?.kind === 'simple-json' || parsed?.kind === 'simple-html';
    if (kind !== 'damaged' || !isPage || good === undefined) continue;
    const key = tree.hashed(path, good.sha256);
    await ensureGoodObject(store, key, { ...good, maxLength: good.length }, source, targetFileName(path, good.sha256)); // prettier-ignore
    const bytes = await store.read(key);
    if (bytes !== undefined) await store.put(tree.plain(path), bytes);
  }
}

/** Targets that belong to no file of the index. */
async function dropUnknown(
  { db, store, tree, indexId }: GoodProjectContext,
  differences: readonly Difference[],
): Promise<void> {
  const added = differences.filter(({ kind }) => kind === 'added');
  const filenames = added.flatMap(({ path }) => {
    const parsed = parseIndexPath(path);
    return parsed?.kind === 'file' ? [parsed.filename] : [];
  });
  const files = await findFiles(db, indexId, filenames);
  const unknown = added.filter(({ path }) => {
    const parsed = parseIndexPath(path);
    return parsed === undefined || (parsed.kind === 'file' && !files.has(parsed.filename));
  });
  for (const { path } of unknown)
    if (parseIndexPath(path) !== undefined) await store.remove(tree.plain(path));
  await writeTransaction(db, (tx) => dropTargets(tx, indexId, unknown));
}

/** The table of targets, the pages and the copies as the rows now are: every bin is signed from it next, so no snapshot lists anything between. */
async function settleTargets(
  context: GoodProjectContext,
  becoming: (claims: PublishedClaims) => PublishedClaims,
): Promise<void> {
  const { db, store, tree, indexId } = context;
  const roles = new Map((await currentRoles(db, indexId)).map((row) => [row.role, row]));
  const claims = becoming(await readPublishedClaims(store, tree, roles));
  const place = { db, store, tree, indexId, claims, roles, now: context.now };
  for (;;) {
    const changes = await waitingChanges(place, new HeldBackProjects(() => 0));
    const [failure] = changes.failures;
    if (failure !== undefined)
      throw new RecoveryError('CANNOT_PROCEED', `The project ${failure.project} cannot be restored.`, {
        cause: failure.error,
      });
    if (changes.journalIds.length === 0) return;
    for (const { path, target } of changes.targetChanges.toSorted(goingFirst)) {
      const bytes = changes.pages.get(path);
      if (target === undefined) await removePlain(store, tree, path);
      else if (bytes !== undefined) {
        await store.put(tree.hashed(path, target.sha256), bytes);
        await store.put(tree.plain(path), bytes);
      }
    }
    for (const { from, to } of changes.copies) await store.copy(from, to);
    await writeTransaction(db, async (tx) => {
      // What moves between a bin and the role of its project goes before it comes.
      await dropTargets(
        tx,
        indexId,
        changes.targetChanges.filter(({ target }) => target === undefined),
      );
      await putTargets(tx, indexId, changes.targetChanges.flatMap(entryOfChange));
      const last = await lastPublication(tx, indexId);
      if (last !== undefined) await takeJournal(tx, last.id, changes.journalIds);
    });
  }
}

function entryOfChange({ path, target, isClaimed = false }: TargetChange) {
  return target === undefined ? [] : [{ path, ...target, isClaimed }];
}

function goingFirst(left: TargetChange, right: TargetChange): number {
  return Number(left.target !== undefined) - Number(right.target !== undefined);
}

async function removePlain(
  store: GoodProjectContext['store'],
  tree: GoodProjectContext['tree'],
  path: string,
): Promise<void> {
  await store.remove(tree.plain(path));
  const parsed = parseIndexPath(path);
  if (parsed?.kind === 'file')
    await store.remove(tree.plain(metadataSidecarPath(parsed.project, parsed.filename)));
}
