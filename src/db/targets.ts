import { hash } from 'node:crypto';
import { sql } from 'kysely';
import { chunked } from './chunked.ts';
import type { Executor, TargetRow } from './schema.ts';

/** The first 24 bits of sha256(path) as an integer. With 2^n bins, bin i holds the prefixes from i·2^(24-n) to (i+1)·2^(24-n)-1. */
export function targetPathPrefix(path: string): number {
  return Number.parseInt(hash('sha256', path, 'hex').slice(0, 6), 16);
}

/** A target without its derived columns. */
export interface TargetEntry {
  readonly path: string;
  readonly length: number;
  readonly sha256: string;
}

/** The public targets of one bin: those with `first` <= path_prefix <= `last`, by path in order of code points. */
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
    .where('path_prefix', '=', targetPathPrefix(path))
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
  targets: readonly TargetEntry[],
): Promise<void> {
  for (const part of chunked(targets)) {
    await db
      .insertInto('targets')
      .values(
        part.map(({ path, length, sha256 }) => ({
          index_id: indexId,
          path,
          path_prefix: targetPathPrefix(path),
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
): Promise<ReadonlyMap<string, TargetEntry>> {
  const found = new Map<string, TargetEntry>();
  for (const part of chunked([...paths])) {
    const wanted = sql.join(part.map((path) => sql`(${targetPathPrefix(path)}, ${path})`));
    const { rows } = await sql<TargetEntry>`
      with wanted(path_prefix, path) as (values ${wanted})
      select targets.path as path, targets.length as length, targets.sha256 as sha256 from wanted
      inner join targets on targets.index_id = ${indexId}
        and targets.path_prefix = wanted.path_prefix and targets.path = wanted.path`.execute(db);
    for (const row of rows) found.set(row.path, row);
  }
  return found;
}

/** Takes a row away that nothing signed stands behind: for fsck only. */
export async function deleteTarget(tx: Executor, indexId: number, path: string): Promise<void> {
  await tx
    .deleteFrom('targets')
    .where('index_id', '=', indexId)
    .where('path_prefix', '=', targetPathPrefix(path))
    .where('path', '=', path)
    .execute();
}
