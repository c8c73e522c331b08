import { pageStates, removedFilenames, type PageState } from '../db/files.ts';
import { waitingJournal } from '../db/journal.ts';
import type { TargetChange } from '../db/publications.ts';
import type { Executor, JournalRow } from '../db/schema.ts';
import { findTargets, type TargetEntry } from '../db/targets.ts';
import { readTransaction } from '../db/transactions.ts';
import { packagePath, simpleHtmlPath, simpleJsonPath } from '../pypi/layout.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { PublicationError } from './errors.ts';
import type { HeldBackProject, HeldBackProjects } from './held-back.ts';
import { projectTargets, type ProjectTargets } from './project-targets.ts';
import type { ServedTree } from './served-tree.ts';
import { takedownTarget, type TakedownTarget } from './takedown-target.ts';

/** The rows that wait, turned into what changes among the targets. */
export interface WaitingChanges {
  readonly journalIds: readonly number[];
  readonly targetChanges: readonly TargetChange[];
  readonly pages: ReadonlyMap<string, Uint8Array>;
  readonly copies: readonly { readonly from: string; readonly to: string }[];
  /** Projects whose rows go on waiting since now, or for another reason than before. */
  readonly failures: readonly HeldBackProject[];
}

interface WaitingRows {
  readonly journal: readonly JournalRow[];
  readonly states: readonly PageState[];
  readonly removed: ReadonlyMap<number, readonly string[]>;
  readonly current: ReadonlyMap<string, TargetEntry>;
  readonly takedowns: TakedownTarget | undefined;
}

/** Rows taken by one publication; more wait for the next. */
const GROUP_LENGTH = 1000;

/**
 * Looks at the rows that wait and at the projects they speak of, in one snapshot of the database. A project that cannot be published keeps its
 * rows waiting and stops nobody else: rows of `heldBack` do not count among those of one publication.
 */
export async function waitingChanges(
  db: Executor,
  store: ObjectStore,
  tree: ServedTree,
  indexId: number,
  heldBack: HeldBackProjects,
): Promise<WaitingChanges> {
  heldBack.begin();
  const failures: HeldBackProject[] = [];
  for (;;) {
    const rows = await readTransaction(db, (tx) => readRows(tx, indexId, heldBack));
    const changes = await changesOfRows(rows, store, tree, heldBack, failures);
    if (changes.journalIds.length > 0 || rows.journal.length === 0) return { ...changes, failures };
  }
}

async function changesOfRows(
  rows: WaitingRows,
  store: ObjectStore,
  tree: ServedTree,
  heldBack: HeldBackProjects,
  failures: HeldBackProject[],
): Promise<Omit<WaitingChanges, 'failures'>> {
  const failed = new Set<number>();
  const result = {
    targetChanges: [] as TargetChange[],
    pages: new Map<string, Uint8Array>(),
    copies: [] as { from: string; to: string }[],
  };
  for (const state of rows.states) {
    const { id, name } = state.project;
    try {
      const targets = projectTargets(state);
      const changes = changesOf(targets, pathsOf(state, rows.removed), rows.current);
      const copies = await copiesOf(targets, changes, store, tree);
      result.targetChanges.push(...changes);
      result.copies.push(...copies);
      for (const [path, bytes] of targets.pages) result.pages.set(path, bytes);
      heldBack.release(id);
    } catch (error) {
      failed.add(id);
      const failure = { project: name, error };
      if (heldBack.hold(id, rows.journal.at(-1)?.id ?? 0, failure)) failures.push(failure);
    }
  }
  if (rows.takedowns !== undefined) {
    result.targetChanges.push(rows.takedowns.change);
    result.pages.set(rows.takedowns.change.path, rows.takedowns.bytes);
  }
  const journal = rows.journal.filter(({ project_id }) => project_id === null || !failed.has(project_id));
  return { journalIds: journal.map(({ id }) => id), ...result };
}

async function readRows(tx: Executor, indexId: number, heldBack: HeldBackProjects): Promise<WaitingRows> {
  const journal = await takenRows(tx, indexId, heldBack);
  const projectIds = [...new Set(journal.flatMap(({ project_id }) => project_id ?? []))];
  const states = await pageStates(tx, projectIds);
  const removed = await removedFilenames(tx, projectIds);
  const paths = states.flatMap((state) => pathsOf(state, removed));
  const takedowns = await takedownTarget(tx, indexId, journal);
  return { journal, states, removed, current: await findTargets(tx, indexId, paths), takedowns };
}

async function takenRows(
  tx: Executor,
  indexId: number,
  heldBack: HeldBackProjects,
): Promise<readonly JournalRow[]> {
  const taken: JournalRow[] = [];
  let after = 0;
  for (;;) {
    const rows = await waitingJournal(tx, indexId, GROUP_LENGTH, after);
    for (const row of rows) if (taken.length < GROUP_LENGTH && !heldBack.skips(row)) taken.push(row);
    after = rows.at(-1)?.id ?? after;
    if (rows.length < GROUP_LENGTH || taken.length === GROUP_LENGTH) return taken;
  }
}

/** Every target path that the project has or ever had. */
function pathsOf(state: PageState, removed: ReadonlyMap<number, readonly string[]>): readonly string[] {
  const { id, name } = state.project;
  const filenames = [...state.files.map(({ filename }) => filename), ...(removed.get(id) ?? [])];
  return [
    simpleJsonPath(name),
    simpleHtmlPath(name),
    ...filenames.map((filename) => packagePath(name, filename)),
  ];
}

function changesOf(
  { targets }: ProjectTargets,
  paths: readonly string[],
  current: ReadonlyMap<string, TargetEntry>,
): readonly TargetChange[] {
  const changes: TargetChange[] = [];
  for (const path of paths) {
    const target = targets.get(path);
    const old = current.get(path);
    if (target?.sha256 !== old?.sha256 || target?.length !== old?.length) changes.push({ path, target });
  }
  return changes;
}

/** The plain-named copies that new files need. Throws when a file that would be listed is not in the store: what is listed must be there. */
async function copiesOf(
  { pages, sidecars }: ProjectTargets,
  changes: readonly TargetChange[],
  store: ObjectStore,
  tree: ServedTree,
): Promise<readonly { readonly from: string; readonly to: string }[]> {
  const copies: { from: string; to: string }[] = [];
  for (const { path, target } of changes) {
    if (target === undefined || pages.has(path)) continue;
    const from = tree.hashed(path, target.sha256);
    const stat = await store.stat(from);
    if (stat?.length !== target.length) {
      throw new PublicationError(
        'FOREIGN_OBJECT',
        `${from} should be in the store with ${target.length} bytes, but ${stat === undefined ? 'is absent' : `has ${stat.length}`}; its project waits until it is restored.`,
      );
    }
    copies.push({ from, to: tree.plain(path) });
    const sidecar = sidecars.get(path);
    if (sidecar === undefined) continue;
    const hashed = tree.hashed(sidecar, target.sha256);
    if ((await store.stat(hashed)) === undefined) {
      throw new PublicationError(
        'FOREIGN_OBJECT',
        `${hashed} is absent; its project waits until it is restored.`,
      );
    }
    copies.push({ from: hashed, to: tree.plain(sidecar) });
  }
  return copies;
}
