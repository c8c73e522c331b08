import { claimedProjectsOf, claimListOf, type ClaimList } from '../claims/claim-lists.ts';
import { parseProjectRoleName, projectRoleName } from '../claims/names.ts';
import { ownersText } from '../claims/owners-text.ts';
import { listClaims } from '../db/claims.ts';
import type { Executor } from '../db/schema.ts';
import { claimedTargetsUnder } from '../db/targets.ts';
import { parseIndexPath } from '../pypi/layout.ts';
import type { TargetFile } from '../tuf/file.ts';
import type { Targets } from '../tuf/targets.ts';
import type { Findings } from './finding.ts';

interface DelegatedClaim {
  readonly list: ClaimList;
  readonly owners: string;
}

/** What a client finds for one claimed project: the first role that lists a path counts. */
interface FoundProject {
  readonly project: string;
  readonly targets: Map<string, { readonly role: string; readonly target: TargetFile }>;
}

/** Checks what claimed and recently-claimed delegate, and the roles of their projects, against the rows (I5). */
export class ClaimCheck {
  readonly #db: Executor;
  readonly #indexId: number;
  readonly #findings: Findings;
  readonly #claims = new Map<string, DelegatedClaim>();
  #current: FoundProject | undefined;

  constructor(db: Executor, indexId: number, findings: Findings) {
    this.#db = db;
    this.#indexId = indexId;
    this.#findings = findings;
  }

  /** One role of a walk in a client's search order. Returns whether it is a role of a claimed project. */
  async visit(role: string, signed: Targets): Promise<boolean> {
    const list = claimListOf(role);
    if (list !== undefined) this.#takeList(list, role, signed);
    const parsed = parseProjectRoleName(role);
    if (this.#current !== undefined && this.#current.project !== parsed?.project) await this.#checkRows();
    if (parsed === undefined) return false;
    this.#current ??= { project: parsed.project, targets: new Map() };
    const { targets } = this.#current;
    for (const [path, target] of signed.targets) if (!targets.has(path)) targets.set(path, { role, target });
    return true;
  }

  /** Whether the search of a client ends before the bins. */
  isClaimed(path: string): boolean {
    const project = parseIndexPath(path)?.project;
    return project !== undefined && this.#claims.has(project);
  }

  /** After the walk: the rows of the claims say what is delegated. Projects with waiting changes are passed by. */
  async checkClaims(waiting: ReadonlySet<number>): Promise<void> {
    const left = new Map(this.#claims);
    for (const { project, project_id, state, owners } of await listClaims(this.#db, this.#indexId)) {
      const found = left.get(project);
      left.delete(project);
      if (waiting.has(project_id)) continue;
      if (found === undefined) this.#differs(project, 'is claimed in the database, but nothing delegates it');
      else if (found.list !== state) this.#differs(project, `is delegated by ${found.list}, not by ${state}`);
      else if (found.owners !== owners)
        this.#differs(project, `is delegated by ${found.list} to other keys than the database says`);
    }
    for (const [project, { list }] of left) {
      const row = await this.#db
        .selectFrom('projects')
        .select('id')
        .where('index_id', '=', this.#indexId)
        .where('name', '=', project)
        .executeTakeFirst();
      if (row === undefined || !waiting.has(row.id))
        this.#differs(project, `is delegated by ${list}, but the database knows no claim of it`);
    }
  }

  #takeList(list: ClaimList, role: string, signed: Targets): void {
    for (const { project, owners } of claimedProjectsOf([signed])) {
      const before = this.#claims.get(project);
      if (before === undefined) this.#claims.set(project, { list, owners: ownersText(owners) });
      else this.#differs(project, `is delegated by ${role} too, though ${before.list} comes first`);
    }
  }

  async #checkRows(): Promise<void> {
    const current = this.#current;
    this.#current = undefined;
    if (current === undefined) return;
    const { project, targets } = current;
    for (const folder of [`packages/${project}/`, `simple/${project}/`]) {
      for (const { path, length, sha256 } of await claimedTargetsUnder(this.#db, this.#indexId, folder)) {
        const signed = targets.get(path);
        targets.delete(path);
        if (signed === undefined)
          this.#targetDiffers(path, projectRoleName(project), 'is a target in the database, but not signed');
        else if (signed.target.length !== length || signed.target.hashes.get('sha256') !== sha256)
          this.#targetDiffers(path, signed.role, 'is signed, but not so among the targets of the database');
      }
    }
    for (const [path, { role }] of targets)
      this.#targetDiffers(path, role, 'is signed, but not so among the targets of the database');
  }

  #targetDiffers(path: string, role: string, what: string): void {
    this.#findings.add('TARGET_DIFFERS', `${path} ${what}.`, { role, path });
  }

  #differs(project: string, what: string): void {
    this.#findings.add('CLAIM_DIFFERS', `${project} ${what}.`, { role: projectRoleName(project) });
  }
}
