import { sql } from 'kysely';
import type { Executor } from './schema.ts';
import type { TargetEntry } from './targets.ts';

/** What an index lists beside sha256, and since when. */
export interface TargetHashes {
  /** 'sha384', 'sha512'; ascending. */
  readonly algorithms: readonly string[];
  readonly since: Date | undefined;
}

export async function targetHashes(db: Executor, indexId: number): Promise<TargetHashes> {
  const row = await db
    .selectFrom('indexes')
    .select(['target_hashes', 'target_hashes_since'])
    .where('id', '=', indexId)
    .executeTakeFirst();
  const since = row?.target_hashes_since ?? null;
  return {
    algorithms: (row?.target_hashes ?? '').split(',').filter((name) => name !== ''),
    since: since === null ? undefined : new Date(since),
  };
}

/** From now on these are listed, each once; in a write transaction. */
export async function setTargetHashes(
  tx: Executor,
  indexId: number,
  algorithms: readonly string[],
  now: Date,
): Promise<void> {
  await tx
    .updateTable('indexes')
    .set({
      target_hashes: [...new Set(algorithms)].toSorted((a, b) => (a < b ? -1 : 1)).join(','),
      target_hashes_since: now.toISOString(),
    })
    .where('id', '=', indexId)
    .execute();
}

/** A place among the targets, in the order of their keys. */
export interface TargetPlace {
  readonly path_prefix: number;
  readonly path: string;
}

/** Public targets after a place, page by page: for work that goes over all of them in slices. */
export async function targetsAfter(
  db: Executor,
  indexId: number,
  after: TargetPlace,
  limit: number,
): Promise<readonly (TargetEntry & TargetPlace)[]> {
  const { rows } = await sql<TargetEntry & TargetPlace>`
    select path_prefix, path, length, sha256 from targets
    where index_id = ${indexId} and (path_prefix, path) > (${after.path_prefix}, ${after.path})
    order by path_prefix, path limit ${limit}`.execute(db);
  return rows;
}
