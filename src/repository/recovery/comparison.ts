import { ClaimError } from '../../claims/errors.ts';
import { projectRoleName } from '../../claims/names.ts';
import type { Owners } from '../../claims/owners.ts';
import { latestSignedRoles } from '../../db/claims.ts';
import { pageStates } from '../../db/files.ts';
import { findProject, projectIdsAfter } from '../../db/projects.ts';
import type { Executor, IndexRow } from '../../db/schema.ts';
import { CLAIMED_PREFIX, findTargets, targetsOfRange, type TargetEntry } from '../../db/targets.ts';
import { waitingSummary } from '../../db/journal.ts';
import { FormatError } from '../../pypi/errors.ts';
import { parseIndexPath, simpleJsonPath } from '../../pypi/layout.ts';
import type { ObjectStore } from '../../storage/object-store.ts';
import type { Targets } from '../../tuf/targets.ts';
import { BinLayout } from '../bins.ts';
import { readSignedProject, signedTargets } from '../claimed-project.ts';
import { PublicationError } from '../errors.ts';
import { projectTargets } from '../project-targets.ts';
import { ServedTree } from '../served-tree.ts';
import { digest } from './good-object.ts';
import { ClaimsOfTree } from './published-claims-rows.ts';
import type { PublishedSource } from './published-source.ts';
import { walkPublished, type PublishedRole, type PublishedState } from './published-walk.ts';
import { entryOf } from './rebuild.ts';

/**
 * `added`, `changed`, `deleted`: a target is other than in the good state. `damaged`: it is the same, but its bytes in the store are not.
 * `waiting`: it is not signed, but the rows of its project would sign it, or sign it otherwise.
 */
export type DifferenceKind = 'added' | 'changed' | 'deleted' | 'damaged' | 'waiting';

export interface Difference {
  readonly kind: DifferenceKind;
  readonly path: string;
  readonly present: { readonly length: number; readonly sha256: string } | undefined;
  readonly good: { readonly length: number; readonly sha256: string } | undefined;
}

export interface Comparison {
  readonly good: PublishedState;
  /** Of the good state, all of them compared. */
  readonly bins: number;
  readonly targets: number;
  readonly differences: readonly Difference[];
  /** The projects in claimed of the good state whose present metadata their keys of then vouch for, with these keys. */
  readonly vouched: ReadonlyMap<string, Owners>;
  /** The JSON page of each project of the good state. */
  readonly pages: ReadonlyMap<string, TargetEntry>;
}

export interface CompareOptions {
  readonly db: Executor;
  readonly store: ObjectStore;
  readonly index: IndexRow;
  /** The last known good state. */
  readonly source: PublishedSource;
  readonly pinnedRoot: Uint8Array;
}

const PROJECTS_TOGETHER = 200;

/**
 * Compares every target of every bin, the bytes of every file, and what the rows of every project would sign, with the last known good state
 * (PEP 458, "In the event of a key compromise", step 3). One bin is in memory at a time. Changes nothing. Throws RecoveryError.
 */
export async function compareWithGood(options: CompareOptions): Promise<Comparison> {
  const walk = new ComparisonWalk(options);
  const good = await walkPublished(options.source, options.pinnedRoot, (role, targets) =>
    walk.visit(role, targets),
  );
  await walk.compareClaimed();
  await walk.compareRows();
  return { good, ...walk.result() };
}

class ComparisonWalk {
  readonly #options: CompareOptions;
  readonly #tree: ServedTree;
  readonly #differences: Difference[] = [];
  readonly #pages = new Map<string, TargetEntry>();
  #layout: BinLayout | undefined;
  readonly #claims = new ClaimsOfTree();
  /** Projects in claimed whose present metadata their own keys vouch for. */
  readonly #kept = new Map<string, Owners>();
  /** Paths that are listed by the role of their project now, and were compared. */
  readonly #compared = new Set<string>();
  #bins = 0;
  #targets = 0;

  constructor(options: CompareOptions) {
    this.#options = options;
    this.#tree = new ServedTree(options.index.name);
  }

  async visit(published: PublishedRole, targets: Targets): Promise<void> {
    const { role } = published;
    const project = this.#claims.take(published, targets);
    if (project !== undefined) return this.#visitProject(project, role, targets);
    if (role === 'bins' && targets.delegations !== undefined)
      this.#layout = BinLayout.fromDelegations(targets.delegations);
    if (this.#layout?.has(role) !== true) return;
    const { db, index } = this.#options;
    const { first, last } = this.#layout.rangeOf(role);
    const present = new Map<string, TargetEntry>();
    for (const entry of await targetsOfRange(db, index.id, first, last)) present.set(entry.path, entry);
    this.#bins += 1;
    // Those whose projects were claimed since.
    const elsewhere = await findTargets(
      db,
      index.id,
      [...targets.targets.keys()].filter((path) => !present.has(path)),
    );
    for (const target of targets.targets.values()) {
      const good = entryOf(target);
      await this.#compareGood(good, present.get(good.path) ?? elsewhere.get(good.path));
      present.delete(good.path);
    }
    for (const { path, length, sha256 } of present.values())
      this.#differences.push({ kind: 'added', path, present: { length, sha256 }, good: undefined });
  }

  /**
   * One role of a claimed project. What claimed delegates is not the index's to forge: present metadata that its developers' keys vouch for is
   * good, whatever is newer in it (PEP 480). Recently claimed projects rest on the online key, so theirs is what it was in the good state.
   */
  async #visitProject(project: string, role: string, { targets }: Targets): Promise<void> {
    const { db, index } = this.#options;
    if (role === projectRoleName(project)) await this.#keepSigned(project);
    if (this.#kept.has(project)) return;
    const present = await findTargets(db, index.id, targets.keys());
    for (const target of targets.values()) await this.#compareGood(entryOf(target), present.get(target.path));
  }

  async #keepSigned(project: string): Promise<void> {
    const { db, index } = this.#options;
    const owners = this.#claims.ownersOf(project);
    if (owners === undefined || this.#claims.listOf(project) !== 'claimed') return;
    const row = await findProject(db, index.id, project);
    const rows = row === undefined ? [] : await latestSignedRoles(db, [row.id]);
    const [state] = row === undefined ? [] : await pageStates(db, [row.id]);
    if (state === undefined) return;
    try {
      const signed = await readSignedProject(project, owners, rows);
      const targets = signedTargets(signed, projectTargets(state).targets);
      this.#kept.set(project, owners);
      for (const [path, target] of targets)
        await this.#compareGood({ path, ...target }, await this.#present(path));
    } catch (error) {
      // Then the good state decides.
      const isKnown =
        error instanceof ClaimError || error instanceof PublicationError || error instanceof FormatError;
      if (!isKnown) throw error;
    }
  }

  async #present(path: string): Promise<TargetEntry | undefined> {
    return (await findTargets(this.#options.db, this.#options.index.id, [path])).get(path);
  }

  async #compareGood(good: TargetEntry, present: TargetEntry | undefined): Promise<void> {
    this.#compared.add(good.path);
    await this.#compare(good, present);
    const parsed = parseIndexPath(good.path);
    if (parsed?.kind === 'simple-json') this.#pages.set(parsed.project, good);
  }

  /** Targets that roles of projects list now, and that nothing good knows. */
  async compareClaimed(): Promise<void> {
    const { db, index } = this.#options;
    for (const { path, length, sha256 } of await targetsOfRange(db, index.id, CLAIMED_PREFIX, CLAIMED_PREFIX))
      if (!this.#compared.has(path))
        this.#differences.push({ kind: 'added', path, present: { length, sha256 }, good: undefined });
  }

  async #compare(good: TargetEntry, present: TargetEntry | undefined): Promise<void> {
    this.#targets += 1;
    const { path, length, sha256 } = good;
    if (present === undefined) {
      this.#differences.push({ kind: 'deleted', path, present: undefined, good: { length, sha256 } });
      return;
    }
    const same = present.sha256 === sha256 && present.length === length;
    if (same && (await this.#isWhole(good))) return;
    const kind = same ? 'damaged' : 'changed';
    const now = { length: present.length, sha256: present.sha256 };
    this.#differences.push({ kind, path, present: now, good: { length, sha256 } });
  }

  /** Reads the object and its plain-named copy. */
  async #isWhole({ path, length, sha256 }: TargetEntry): Promise<boolean> {
    for (const key of [this.#tree.hashed(path, sha256), this.#tree.plain(path)]) {
      const object = await this.#options.store.open(key);
      if (object === undefined) return false;
      try {
        const found = await digest(object.stream(), { sha256, length, maxLength: length });
        if (found === undefined) return false;
      } finally {
        await object.close();
      }
    }
    return true;
  }

  /** Rows that would sign something else than is signed: uploads that wait, and rows that somebody changed. */
  async compareRows(): Promise<void> {
    const { db, index } = this.#options;
    const { projectIds } = await waitingSummary(db, index.id);
    let last = 0;
    for (;;) {
      const ids = await projectIdsAfter(db, index.id, last, PROJECTS_TOGETHER);
      if (ids.length === 0) return;
      last = ids.at(-1) ?? last;
      for (const state of await pageStates(db, ids)) {
        const { id, name } = state.project;
        const targets = targetsOrNone(state);
        const signed = await findTargets(db, index.id, targets.keys());
        for (const [path, { length, sha256 }] of targets) {
          if (signed.get(path)?.sha256 === sha256) continue;
          const good = signed.get(path);
          this.#differences.push({ kind: 'waiting', path, present: { length, sha256 }, good });
        }
        if (targets.size === 0 && projectIds.has(id))
          this.#differences.push({
            kind: 'waiting',
            path: simpleJsonPath(name),
            present: undefined,
            good: undefined,
          });
      }
    }
  }

  result(): Omit<Comparison, 'good'> {
    const differences = this.#differences.toSorted((a, b) => (a.path < b.path ? -1 : 1));
    const [bins, targets, vouched, pages] = [this.#bins, this.#targets, this.#kept, this.#pages];
    return { bins, targets, differences, vouched, pages };
  }
}

function targetsOrNone(
  state: Parameters<typeof projectTargets>[0],
): ReadonlyMap<string, { readonly length: number; readonly sha256: string }> {
  try {
    return projectTargets(state).targets;
  } catch (error) {
    if (error instanceof FormatError) return new Map();
    throw error;
  }
}
