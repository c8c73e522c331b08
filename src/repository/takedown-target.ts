import type { TargetChange } from '../db/publications.ts';
import type { Executor, JournalRow } from '../db/schema.ts';
import { takedownsInForce } from '../db/takedowns.ts';
import { findTargets } from '../db/targets.ts';
import { renderTakedowns, TAKEDOWNS_PATH } from '../pypi/takedown-list.ts';
import { sha256Hex } from './project-targets.ts';

/** The list of takedowns as a change of its target, and its bytes. */
export interface TakedownTarget {
  readonly change: TargetChange;
  readonly bytes: Uint8Array;
}

/** What rows that wait change in the list of takedowns; undefined when they change nothing. An index without takedowns never had the list. */
export async function takedownTarget(
  tx: Executor,
  indexId: number,
  journal: readonly JournalRow[],
): Promise<TakedownTarget | undefined> {
  if (!journal.some(({ kind }) => kind === 'takedown')) return undefined;
  const rows = await takedownsInForce(tx, indexId);
  const bytes = renderTakedowns(
    rows.map(({ project, filename, reason, since }) => ({ project, filename, reason, since })),
  );
  const target = { length: bytes.length, sha256: sha256Hex(bytes) };
  const current = (await findTargets(tx, indexId, [TAKEDOWNS_PATH])).get(TAKEDOWNS_PATH);
  if (current?.sha256 === target.sha256) return undefined;
  return { change: { path: TAKEDOWNS_PATH, target }, bytes };
}
