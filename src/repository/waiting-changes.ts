import type { Owners } from '../claims/owners.ts';
import { findClaims, latestSignedRoles } from '../db/claims.ts';
import { pageStates, removedFilenames, type PageState } from '../db/files.ts';
import { waitingJournal } from '../db/journal.ts';
import type { TargetChange } from '../db/publications.ts';
import type { Executor, JournalRow, SignedRoleRow } from '../db/schema.ts';
import { claimedTargetsUnder, findTargets } from '../db/targets.ts';
import { readTransaction } from '../db/transactions.ts';
import { packagePath, simpleHtmlPath, simpleJsonPath } from '../pypi/layout.ts';
import type { HeldBackProject, HeldBackProjects } from './held-back.ts';
import { changeOfProject, type ProjectPlace, type ProjectRows } from './project-change.ts';
import type { ClaimChanges } from './published-claims.ts';
import type { SignedRole } from './signed-role.ts';
import { takedownTarget, type TakedownTarget } from './takedown-target.ts';

/** The rows that wait, turned into what changes among the targets. */
export interface WaitingChanges {
  readonly journalIds: readonly number[];
  readonly targetChanges: readonly TargetChange[];
  readonly pages: ReadonlyMap<string, Uint8Array>;
  readonly copies: readonly { readonly from: string; readonly to: string }[];
  /** Metadata that developers signed. */
  readonly signed: readonly SignedRole[];
  readonly claims: ClaimChanges;
  /** Projects whose rows go on waiting since now, or for another reason than before. */
  readonly failures: readonly HeldBackProject[];
}

interface WaitingRows {
  readonly journal: readonly JournalRow[];
  readonly projects: readonly ProjectRows[];
  readonly takedowns: TakedownTarget | undefined;
}

/** Rows taken by one publication; more wait for the next. */
const GROUP_LENGTH = 1000;

/**
 * Looks at the rows that wait and at the projects they speak of, in one snapshot of the database. A project that cannot be published keeps its
 * rows waiting and stops nobody else: rows of `heldBack` do not count among those of one publication.
 */
export async function waitingChanges(
  place: ProjectPlace,
  heldBack: HeldBackProjects,
): Promise<WaitingChanges> {
  heldBack.begin();
  const failures: HeldBackProject[] = [];
  for (;;) {
    const rows = await readTransaction(place.db, (tx) => readRows(tx, place, heldBack));
    const changes = await changesOfRows(rows, place, heldBack, failures);
    if (changes.journalIds.length > 0 || rows.journal.length === 0) return { ...changes, failures };
  }
}

async function changesOfRows(
  rows: WaitingRows,
  place: ProjectPlace,
  heldBack: HeldBackProjects,
  failures: HeldBackProject[],
): Promise<Omit<WaitingChanges, 'failures'>> {
  const failed = new Set<number>();
  const result = {
    targetChanges: [] as TargetChange[],
    pages: new Map<string, Uint8Array>(),
    copies: [] as { from: string; to: string }[],
    signed: [] as SignedRole[],
    claims: new Map<string, Owners | undefined>(),
  };
  for (const project of rows.projects) {
    const { id, name } = project.state.project;
    try {
      const change = await changeOfProject(project, place);
      for (const one of change.targetChanges) result.targetChanges.push(one);
      for (const one of change.copies) result.copies.push(one);
      result.signed.push(...change.signed);
      for (const [path, bytes] of change.pages) result.pages.set(path, bytes);
      if (change.claim !== undefined) result.claims.set(name, change.claim.owners);
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

/** Everything in one snapshot of the database: the files of a claimed project and what its developers signed for them belong together. */
async function readRows(
  tx: Executor,
  { indexId, claims }: ProjectPlace,
  heldBack: HeldBackProjects,
): Promise<WaitingRows> {
  const journal = await takenRows(tx, indexId, heldBack);
  const projectIds = [...new Set(journal.flatMap(({ project_id }) => project_id ?? []))];
  const states = await pageStates(tx, projectIds);
  const removed = await removedFilenames(tx, projectIds);
  const claimed = await findClaims(tx, projectIds);
  const signed = new Map<number, SignedRoleRow[]>();
  for (const id of claimed.keys()) signed.set(id, []);
  for (const row of await latestSignedRoles(tx, [...claimed.keys()])) signed.get(row.project_id)?.push(row);
  const paths = new Map<number, readonly string[]>();
  for (const state of states) {
    const { id, name } = state.project;
    const isClaimed = claimed.has(id) || claims.of(name) !== undefined;
    const listed = isClaimed ? await claimedTargetsUnder(tx, indexId, `packages/${name}/`) : [];
    paths.set(id, [...pathsOf(state, removed), ...listed.map(({ path }) => path)]);
  }
  const current = await findTargets(tx, indexId, new Set([...paths.values()].flat()));
  const projects = states.map((state) => {
    const { id } = state.project;
    return {
      state,
      paths: paths.get(id) ?? [],
      current,
      claim: claimed.get(id),
      signed: signed.get(id) ?? [],
    };
  });
  return { journal, projects, takedowns: await takedownTarget(tx, indexId, journal) };
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
