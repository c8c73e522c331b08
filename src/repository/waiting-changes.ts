import { pageStates, removedFilenames, type PageState } from '../db/files.ts';
import { waitingJournal } from '../db/journal.ts';
import type { TargetChange } from '../db/publications.ts';
import type { Executor, JournalRow } from '../db/schema.ts';
import { findTargets, type TargetEntry } from '../db/targets.ts';
import { readTransaction } from '../db/transactions.ts';
import { packagePath, simpleHtmlPath, simpleJsonPath } from '../pypi/layout.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { PublicationError } from './errors.ts';
import { projectTargets, type ProjectTargets } from './project-targets.ts';
import type { ServedTree } from './served-tree.ts';

/** The rows that wait, turned into what changes among the targets. */
export interface WaitingChanges {
  readonly journalIds: readonly number[];
  readonly targetChanges: readonly TargetChange[];
  readonly pages: ReadonlyMap<string, Uint8Array>;
  readonly copies: readonly { readonly from: string; readonly to: string }[];
  /** Projects whose rows go on waiting, and why. */
  readonly failures: readonly { readonly project: string; readonly error: unknown }[];
}

interface WaitingRows {
  readonly journal: readonly JournalRow[];
  readonly states: readonly PageState[];
  readonly removed: ReadonlyMap<number, readonly string[]>;
  readonly current: ReadonlyMap<string, TargetEntry>;
}

/** Rows taken by one publication; more wait for the next. */
const GROUP_LENGTH = 1000;

/** Looks at the rows that wait and at the projects they speak of, in one snapshot of the database. A project that cannot be published keeps its rows waiting and stops nobody else. */
export async function waitingChanges(
  db: Executor,
  store: ObjectStore,
  tree: ServedTree,
  indexId: number,
): Promise<WaitingChanges> {
  const rows = await readTransaction(db, (tx) => readRows(tx, indexId));
  const failed = new Set<number>();
  const result = {
    targetChanges: [] as TargetChange[],
    pages: new Map<string, Uint8Array>(),
    copies: [] as { from: string; to: string }[],
    failures: [] as { project: string; error: unknown }[],
  };
  for (const state of rows.states) {
    try {
      const targets = projectTargets(state);
      const changes = changesOf(targets, pathsOf(state, rows.removed), rows.current);
      const copies = await copiesOf(targets, changes, store, tree);
      result.targetChanges.push(...changes);
      result.copies.push(...copies);
      for (const [path, bytes] of targets.pages) result.pages.set(path, bytes);
    } catch (error) {
      failed.add(state.project.id);
      result.failures.push({ project: state.project.name, error });
    }
  }
  const journal = rows.journal.filter(({ project_id }) => project_id === null || !failed.has(project_id));
  return { journalIds: journal.map(({ id }) => id), ...result };
}

async function readRows(tx: Executor, indexId: number): Promise<WaitingRows> {
  const journal = await waitingJournal(tx, indexId, GROUP_LENGTH);
  const projectIds = [...new Set(journal.flatMap(({ project_id }) => project_id ?? []))];
  const states = await pageStates(tx, projectIds);
  const removed = await removedFilenames(tx, projectIds);
  const paths = states.flatMap((state) => pathsOf(state, removed));
  return { journal, states, removed, current: await findTargets(tx, indexId, paths) };
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
