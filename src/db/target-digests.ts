import { sql } from 'kysely';
import { chunked } from './chunked.ts';
import type { Executor } from './schema.ts';
import { targetPathPrefix } from './targets.ts';

/** A digest beside sha256 of the content of a target. Lower-case hex. */
export interface TargetDigest {
  readonly path: string;
  readonly sha256: string;
  /** 'sha384' or 'sha512'. */
  readonly algorithm: string;
  readonly digest: string;
}

/** A content of a target. */
export interface TargetContent {
  readonly path: string;
  readonly sha256: string;
}

/** What is known beside sha256 about contents. */
export async function findDigests(
  db: Executor,
  indexId: number,
  contents: readonly TargetContent[],
): Promise<readonly TargetDigest[]> {
  const found: TargetDigest[] = [];
  for (const part of chunked(contents)) {
    const { rows } = await sql<TargetDigest>`
      with wanted(path_prefix, path, sha256) as (values ${keysOf(part)})
      select d.path as path, d.sha256 as sha256, d.algorithm as algorithm, d.digest as digest from wanted
      inner join target_digests as d on d.index_id = ${indexId} and d.path_prefix = wanted.path_prefix
        and d.path = wanted.path and d.sha256 = wanted.sha256`.execute(db);
    for (const row of rows) found.push(row);
  }
  return found;
}

/** The digests of the contents whose paths begin with these prefixes: of one bin. */
export async function digestsOfRange(
  db: Executor,
  indexId: number,
  first: number,
  last: number,
): Promise<readonly TargetDigest[]> {
  return db
    .selectFrom('target_digests')
    .select(['path', 'sha256', 'algorithm', 'digest'])
    .where('index_id', '=', indexId)
    .where('path_prefix', '>=', first)
    .where('path_prefix', '<=', last)
    .execute();
}

/** Those that are known already stay. The objects that they name must be in the store. */
export async function putDigests(
  tx: Executor,
  indexId: number,
  digests: readonly TargetDigest[],
): Promise<void> {
  for (const part of chunked(digests)) {
    await tx
      .insertInto('target_digests')
      .values(
        part.map(({ path, sha256, algorithm, digest }) => ({
          index_id: indexId,
          path_prefix: targetPathPrefix(path),
          path,
          sha256,
          algorithm,
          digest,
        })),
      )
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }
}

/** Their objects are gone. */
export async function forgetDigests(
  tx: Executor,
  indexId: number,
  contents: readonly TargetContent[],
): Promise<void> {
  for (const part of chunked(contents)) {
    await sql`delete from target_digests
      where index_id = ${indexId} and (path_prefix, path, sha256) in (values ${keysOf(part)})`.execute(tx);
  }
}

/** The objects of just these digests are gone. */
export async function forgetDigestRows(
  tx: Executor,
  indexId: number,
  digests: readonly TargetDigest[],
): Promise<void> {
  for (const part of chunked(digests)) {
    const keys = sql.join(
      part.map(
        ({ path, sha256, algorithm }) => sql`(${targetPathPrefix(path)}, ${path}, ${sha256}, ${algorithm})`,
      ),
    );
    await sql`delete from target_digests
      where index_id = ${indexId} and (path_prefix, path, sha256, algorithm) in (values ${keys})`.execute(tx);
  }
}

/** Digests of algorithms that are not listed any more, in the order of their keys. */
export async function digestsExcept(
  db: Executor,
  indexId: number,
  algorithms: readonly string[],
  limit: number,
  offset: number,
): Promise<readonly TargetDigest[]> {
  return db
    .selectFrom('target_digests')
    .select(['path', 'sha256', 'algorithm', 'digest'])
    .where('index_id', '=', indexId)
    .where('algorithm', 'not in', ['', ...algorithms])
    .orderBy('path_prefix')
    .orderBy('path')
    .orderBy('sha256')
    .orderBy('algorithm')
    .limit(limit)
    .offset(offset)
    .execute();
}

/** Whether a bin that the boundary, or something after it, may list was made by `since` or before. To be asked when older versions are collected. */
export async function areBinsOlder(
  db: Executor,
  indexId: number,
  boundary: number,
  since: Date,
): Promise<boolean> {
  const row = await db
    .selectFrom('role_versions')
    .innerJoin('publications', 'publications.id', 'role_versions.publication_id')
    .select('role')
    .where('role_versions.index_id', '=', indexId)
    .where('role_versions.publication_id', '<=', boundary)
    .where('role', 'like', 'bin-%')
    .where('publications.created_at', '<=', since.toISOString())
    .limit(1)
    .executeTakeFirst();
  if (row !== undefined) return true;
  const later = await db
    .selectFrom('publications')
    .select('id')
    .where('index_id', '=', indexId)
    .where('id', '>', boundary)
    .where('created_at', '<=', since.toISOString())
    .limit(1)
    .executeTakeFirst();
  return later !== undefined;
}

function keysOf(contents: readonly TargetContent[]) {
  return sql.join(contents.map(({ path, sha256 }) => sql`(${targetPathPrefix(path)}, ${path}, ${sha256})`));
}
