import { hash } from 'node:crypto';
import { sql } from 'kysely';
import { chunked } from './chunked.ts';
import type { Executor, TargetRow } from './schema.ts';

/** The first 24 bits of sha256(path) as an integer. With 2^n bins, bin i holds the prefixes from i·2^(24-n) to (i+1)·2^(24-n)-1. */
export function targetPathPrefix(path: string): number {
  return Number.parseInt(hash('sha256', path, 'hex').slice(0, 6), 16);
}

/** In place of the prefix: the target is listed by the role of a claimed project (PEP 480), by no bin. */
export const CLAIMED_PREFIX = -1;

/** A target without its derived columns. */
export interface TargetEntry {
  readonly path: string;
  readonly length: number;
  readonly sha256: string;
}

/** A target and whether the role of its project lists it, not a bin. */
export interface PlacedTarget extends TargetEntry {
  readonly isClaimed: boolean;
}

/** The public targets of one bin: those with `first` <= path_prefix <= `last`, by prefix and path: as they lie there, for sorting them costs as much as reading them. */
export async function targetsOfRange(
  db: Executor,
  indexId: number,
  first: number,
  last: number,
): Promise<readonly TargetEntry[]> {
  return db
    .selectFrom('targets')
    .select(['path', 'length', 'sha256'])
    .where('index_id', '=', indexId)
    .where('path_prefix', '>=', first)
    .where('path_prefix', '<=', last)
    .orderBy('path_prefix')
    .orderBy('path')
    .execute();
}

export async function findTarget(
  db: Executor,
  indexId: number,
  path: string,
): Promise<TargetRow | undefined> {
  return db
    .selectFrom('targets')
    .selectAll()
    .where('index_id', '=', indexId)
    .where('path_prefix', 'in', [targetPathPrefix(path), CLAIMED_PREFIX])
    .where('path', '=', path)
    .executeTakeFirst();
}

export async function countTargets(db: Executor, indexId: number): Promise<number> {
  const row = await db
    .selectFrom('targets')
    .where('index_id', '=', indexId)
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .executeTakeFirstOrThrow();
  return Number(row.count);
}

/** Adds or replaces public targets at once, without a publication: for import and tests only. */
export async function putTargets(
  db: Executor,
  indexId: number,
  targets: readonly (TargetEntry & { readonly isClaimed?: boolean })[],
): Promise<void> {
  for (const part of chunked(targets)) {
    await db
      .insertInto('targets')
      .values(
        part.map(({ path, length, sha256, isClaimed }) => ({
          index_id: indexId,
          path,
          path_prefix: isClaimed === true ? CLAIMED_PREFIX : targetPathPrefix(path),
          length,
          sha256,
        })),
      )
      .onConflict((conflict) =>
        conflict.columns(['index_id', 'path_prefix', 'path']).doUpdateSet((eb) => ({
          length: eb.ref('excluded.length'),
          sha256: eb.ref('excluded.sha256'),
        })),
      )
      .execute();
  }
}

/** Those of the paths that are public targets, by path. */
export async function findTargets(
  db: Executor,
  indexId: number,
  paths: Iterable<string>,
): Promise<ReadonlyMap<string, PlacedTarget>> {
  const found = new Map<string, PlacedTarget>();
  for (const part of chunked([...paths])) {
    const places = part.flatMap((path) => [
      sql`(${targetPathPrefix(path)}, ${path})`,
      sql`(${CLAIMED_PREFIX}, ${path})`,
    ]);
    const { rows } = await sql<TargetEntry & { path_prefix: number }>`
      with wanted(path_prefix, path) as (values ${sql.join(places)})
      select targets.path as path, targets.path_prefix as path_prefix, targets.length as length,
        targets.sha256 as sha256 from wanted
      inner join targets on targets.index_id = ${indexId}
        and targets.path_prefix = wanted.path_prefix and targets.path = wanted.path`.execute(db);
    for (const { path_prefix, ...row } of rows)
      found.set(row.path, { ...row, isClaimed: path_prefix === CLAIMED_PREFIX });
  }
  return found;
}

/** Public targets that the roles of claimed projects list, of one folder of paths: `packages/foo/`. */
export async function claimedTargetsUnder(
  db: Executor,
  indexId: number,
  folder: string,
): Promise<readonly TargetEntry[]> {
  return (
    db
      .selectFrom('targets')
      .select(['path', 'length', 'sha256'])
      .where('index_id', '=', indexId)
      .where('path_prefix', '=', CLAIMED_PREFIX)
      .where('path', '>', folder)
      // The first character after a slash.
      .where('path', '<', `${folder.slice(0, -1)}0`)
      .orderBy('path')
      .execute()
  );
}

/** Takes a row away that nothing signed stands behind: for fsck only. */
export async function deleteTarget(tx: Executor, indexId: number, path: string): Promise<void> {
  await tx
    .deleteFrom('targets')
    .where('index_id', '=', indexId)
    .where('path_prefix', 'in', [targetPathPrefix(path), CLAIMED_PREFIX])
    .where('path', '=', path)
    .execute();
}
