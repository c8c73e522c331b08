import { waitingSummary } from '../db/journal.ts';
import { findReservedPublication, lastPublication } from '../db/publications.ts';
import { currentRoles } from '../db/roles.ts';
import type { Executor, IndexRow } from '../db/schema.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { Findings, type Finding } from './finding.ts';
import { checkLog } from './fsck-log.ts';
import { walkMetadata } from './fsck-metadata.ts';
import { checkReservations, digestObject } from './fsck-objects.ts';
import { TargetCheck } from './fsck-targets.ts';
import { ServedTree } from './served-tree.ts';

export interface FsckOptions {
  readonly db: Executor;
  readonly store: ObjectStore;
  readonly index: IndexRow;
  readonly clock?: () => Date;
  /** Told how many of the roles were verified, each with its targets. */
  readonly onRole?: ((done: number, total: number) => void) | undefined;
}

export interface FsckReport {
  /** At most 10,000 of them. */
  readonly findings: readonly Finding[];
  /** How many broken invariants and notices there are in all. */
  readonly count: number;
  /** Whether no invariant is broken: no finding but notices. */
  readonly clean: boolean;
  /** Roles and targets that were verified. */
  readonly roles: number;
  readonly targets: number;
}

/**
 * Verifies a whole index as a client would that reads everything, and what only the server can know: that reserved, signed, stored and
 * recorded are the same (invariants I1, I2, I3, I5, I6 and I9 of the design). Reads every byte of the store and changes nothing.
 * Beside a running publisher it may see two states at once; then it says PUBLISHED_MEANWHILE.
 */
export async function fsck(options: FsckOptions): Promise<FsckReport> {
  const { db, store, index } = options;
  const tree = new ServedTree(index.name);
  const findings = new Findings();
  if ((await lastPublication(db, index.id)) === undefined) {
    findings.add('NO_REPOSITORY', `The index "${index.name}" has no published metadata.`);
    return report(findings, 0, 0);
  }
  const before = await digestObject(store, tree.metadata('timestamp'));
  const waiting = await noteUnfinished(db, index, findings);
  const rows = new Map((await currentRoles(db, index.id)).map((row) => [row.role, row]));
  const check = new TargetCheck(db, store, tree, index.id, findings, waiting);
  // Root, timestamp and snapshot are read before the others.
  const total = rows.size - 3;
  let done = 0;
  const roles = await walkMetadata({
    store,
    tree,
    now: options.clock?.() ?? new Date(),
    rows,
    findings,
    visit: async (role, targets, delegators) => {
      await check.visit(role, targets, delegators);
      options.onRole?.(++done, Math.max(done, total));
    },
  });
  // What cannot be read was passed by.
  if (done < total) options.onRole?.(total, total);
  await check.checkProjects();
  await checkReservations(db, store, tree, index.id, findings);
  await checkLog({ db, store, tree, indexId: index.id }, findings);
  const after = await digestObject(store, tree.metadata('timestamp'));
  if (before?.sha256 !== after?.sha256) {
    findings.add(
      'PUBLISHED_MEANWHILE',
      'Something was published during this check, so it may have seen two states at once; run it again.',
    );
  }
  return report(findings, roles, check.count);
}

/** Tells what waits, and returns the projects whose rows are ahead of what is signed. */
async function noteUnfinished(
  db: Executor,
  index: IndexRow,
  findings: Findings,
): Promise<ReadonlySet<number>> {
  const open = await findReservedPublication(db, index.id);
  if (open !== undefined) {
    findings.add(
      'PUBLICATION_OPEN',
      `Publication ${open.id} was interrupted; the publisher finishes or abandons it when it starts.`,
    );
  }
  const { count, projectIds } = await waitingSummary(db, index.id);
  if (count > 0) {
    findings.add(
      'CHANGES_WAITING',
      `${count} ${count === 1 ? 'change waits' : 'changes wait'} to be published.`,
    );
  }
  return projectIds;
}

function report(findings: Findings, roles: number, targets: number): FsckReport {
  const clean = findings.list.every(({ severity }) => severity === 'notice');
  return { findings: findings.list, count: findings.count, clean, roles, targets };
}
