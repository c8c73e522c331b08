import { parseProjectRoleName } from '../claims/names.ts';
import { findFiles, pageStates, type PageState } from '../db/files.ts';
import { projectIdsAfter } from '../db/projects.ts';
import type { Executor, FileRow } from '../db/schema.ts';
import { findTargets, targetsOfRange, type TargetEntry } from '../db/targets.ts';
import { FormatError } from '../pypi/errors.ts';
import { metadataSidecarPath, parseIndexPath, simpleJsonPath } from '../pypi/layout.ts';
import { TAKEDOWNS_PATH } from '../pypi/takedown-list.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import type { TargetFile } from '../tuf/file.ts';
import type { Targets } from '../tuf/targets.ts';
import { BinLayout } from './bins.ts';
import { PublicationError } from './errors.ts';
import { ClaimCheck } from './fsck-claims.ts';
import type { Findings } from './finding.ts';
import type { Delegator } from './fsck-metadata.ts';
import { checkObject } from './fsck-objects.ts';
import { projectTargets, type ProjectTargets } from './project-targets.ts';
import type { ServedTree } from './served-tree.ts';

const PROJECTS_TOGETHER = 100;

/** Checks the targets of a walk against the objects and the rows (I5). */
export class TargetCheck {
  readonly #db: Executor;
  readonly #store: ObjectStore;
  readonly #tree: ServedTree;
  readonly #indexId: number;
  readonly #findings: Findings;
  readonly #waiting: ReadonlySet<number>;
  /** Targets of roles that come before the bins: they hide a bin's target of the same path. */
  readonly #hidden = new Set<string>();
  readonly #claims: ClaimCheck;
  #layout: BinLayout | undefined;
  #count = 0;

  constructor(
    db: Executor,
    store: ObjectStore,
    tree: ServedTree,
    indexId: number,
    findings: Findings,
    waiting: ReadonlySet<number>,
  ) {
    this.#db = db;
    this.#store = store;
    this.#tree = tree;
    this.#indexId = indexId;
    this.#findings = findings;
    this.#waiting = waiting;
    this.#claims = new ClaimCheck(db, indexId, findings);
  }

  /** How many targets were seen. */
  get count(): number {
    return this.#count;
  }

  /** One role of the walk, with those that lead to it. */
  async visit(role: string, targets: Targets, delegators: readonly Delegator[]): Promise<void> {
    if (role === 'bins') this.#layout = this.#readLayout(targets);
    const isProject = await this.#claims.visit(role, targets);
    this.#count += targets.targets.size;
    for (const target of targets.targets.values()) {
      if (this.#isMisplaced(role, target.path, delegators)) {
        this.#findings.add(
          'TARGET_MISPLACED',
          `${target.path} is listed by ${role}, but no client looks for it there.`,
          { role, path: target.path },
        );
      }
    }
    const isBin = this.#layout?.has(role) === true;
    if (!isBin && !isProject) for (const name of targets.targets.keys()) this.#hidden.add(name);
    await this.#checkObjects(targets);
    if (isBin) await this.#checkRows(role, targets);
    if (isProject) await this.#checkFiles(role, targets);
  }

  #readLayout({ delegations, version }: Targets): BinLayout | undefined {
    try {
      return delegations && BinLayout.fromDelegations(delegations);
    } catch (error) {
      if (!(error instanceof PublicationError)) throw error;
      this.#findings.add('METADATA_INVALID', error.message, { role: 'bins', version });
      return undefined;
    }
  }

  /** Whether a client's search for the path passes this role by, or ends before it. */
  #isMisplaced(role: string, path: string, delegators: readonly Delegator[]): boolean {
    const isProject = parseProjectRoleName(role) !== undefined;
    if (this.#hidden.has(path) || (!isProject && this.#claims.isClaimed(path))) return true;
    return delegators.some(({ targets }, depth) => {
      const next = delegators[depth + 1]?.role ?? role;
      return targets.delegations?.rolesForTarget(path).some(({ name }) => name === next) !== true;
    });
  }

  async #checkObjects({ targets }: Targets): Promise<void> {
    for (const { path, length, hashes } of targets.values()) {
      const sha256 = hashes.get('sha256') ?? '';
      const expected = { length, sha256 };
      // A copy for each hash that is listed; a client may ask for any of them.
      for (const digest of hashes.values())
        await checkObject(
          this.#store,
          this.#tree.hashed(path, digest),
          expected,
          ['TARGET_MISSING', 'TARGET_CHANGED'],
          this.#findings,
        );
      await checkObject(
        this.#store,
        this.#tree.plain(path),
        expected,
        ['COPY_MISSING', 'COPY_CHANGED'],
        this.#findings,
      );
    }
  }

  /** The bin against the rows of its targets and of its files. */
  async #checkRows(role: string, { targets }: Targets): Promise<void> {
    const range = this.#layout?.rangeOf(role);
    if (range === undefined) return;
    const rows = new Map<string, TargetEntry>();
    for (const row of await targetsOfRange(this.#db, this.#indexId, range.first, range.last)) {
      rows.set(row.path, row);
      if (!targets.has(row.path))
        this.#differs(row.path, role, 'is a target in the database, but not signed');
    }
    for (const target of targets.values()) {
      const row = rows.get(target.path);
      const sameRow = row?.length === target.length && row.sha256 === target.hashes.get('sha256');
      if (!sameRow)
        this.#differs(target.path, role, 'is signed, but not so among the targets of the database');
    }
    await this.#checkFiles(role, { targets });
  }

  /** What a role lists against the files of the index. */
  async #checkFiles(role: string, { targets }: Pick<Targets, 'targets'>): Promise<void> {
    const filenames = [...targets.keys()].flatMap((path) => {
      const parsed = parseIndexPath(path);
      return parsed?.kind === 'file' ? [parsed.filename] : [];
    });
    const files = await findFiles(this.#db, this.#indexId, filenames);
    for (const target of targets.values()) await this.#checkFile(target, files, role);
  }

  async #checkFile(target: TargetFile, files: ReadonlyMap<string, FileRow>, role: string): Promise<void> {
    const parsed = parseIndexPath(target.path);
    const isPage = parsed?.kind === 'simple-json' || parsed?.kind === 'simple-html';
    if (isPage || target.path === TAKEDOWNS_PATH) return;
    const row = parsed?.kind === 'file' ? files.get(parsed.filename) : undefined;
    if (parsed === undefined || row === undefined) {
      // A builder's wheel may be listed before it stands on the page.
      if (parsed?.kind === 'file' && parseProjectRoleName(role)?.kind === 'wheels') return;
      this.#findings.add('TARGET_UNKNOWN', `${target.path} is signed, but the index has no such file.`, {
        role,
        path: target.path,
      });
      return;
    }
    if (row.sha256 !== target.hashes.get('sha256') || row.length !== target.length) {
      this.#differs(target.path, role, 'is signed with other bytes than were uploaded');
    }
    if (row.metadata_sha256 === null || (row.removed_at !== null && this.#waiting.has(row.project_id)))
      return;
    const path = metadataSidecarPath(parsed.project, row.filename);
    for (const key of [this.#tree.hashed(path, row.sha256), this.#tree.plain(path)]) {
      const expected = { sha256: row.metadata_sha256 };
      await checkObject(this.#store, key, expected, ['COPY_MISSING', 'COPY_CHANGED'], this.#findings);
    }
  }

  /** The other direction: every file and page of every project is signed as its rows say. Projects with waiting changes are passed by. */
  async checkProjects(): Promise<void> {
    await this.#claims.checkClaims(this.#waiting);
    let last = 0;
    for (;;) {
      const ids = await projectIdsAfter(this.#db, this.#indexId, last, PROJECTS_TOGETHER);
      if (ids.length === 0) return;
      last = ids.at(-1) ?? last;
      const settled = ids.filter((id) => !this.#waiting.has(id));
      for (const state of await pageStates(this.#db, settled)) await this.#checkProject(state);
    }
  }

  async #checkProject(state: PageState): Promise<void> {
    const made = targetsOrReason(state);
    if (typeof made === 'string') {
      const { name } = state.project;
      this.#findings.add('PAGE_DIFFERS', `The rows of ${name} make no page: ${made}`, {
        path: simpleJsonPath(name),
      });
      return;
    }
    const { targets, pages } = made;
    const signed = await findTargets(this.#db, this.#indexId, targets.keys());
    for (const [path, { sha256 }] of targets) {
      if (signed.get(path)?.sha256 === sha256) continue;
      if (pages.has(path)) {
        this.#findings.add('PAGE_DIFFERS', `${path} is not signed as the project now is.`, { path });
      } else {
        this.#findings.add('FILE_NOT_SIGNED', `${path} was uploaded, but is not signed.`, { path });
      }
    }
  }

  #differs(path: string, role: string, what: string): void {
    this.#findings.add('TARGET_DIFFERS', `${path} ${what}.`, { role, path });
  }
}

/** Rows that were changed by hand may make no page; the check tells so and goes on. */
function targetsOrReason(state: PageState): ProjectTargets | string {
  try {
    return projectTargets(state);
  } catch (error) {
    if (error instanceof FormatError) return error.message;
    throw error;
  }
}
