import { sql } from 'kysely';
import { chunked } from './chunked.ts';
import type { CollectionRow, Executor } from './schema.ts';
import { findTargets } from './targets.ts';

/** A version of a role whose object no kept snapshot lists. */
export interface CollectableVersion {
  readonly role: string;
  readonly version: number;
  readonly length: number;
}

/** A target content that no kept snapshot leads to, or perhaps does: `isNeeded`. */
export interface RetiredContent {
  readonly publicationId: number;
  readonly path: string;
  readonly sha256: string;
  /** It is public again, or was after the boundary. */
  readonly isNeeded: boolean;
}

/** A file that was removed from its index. */
export interface RemovedFile {
  readonly id: number;
  readonly project: string;
  readonly filename: string;
  readonly sha256: string;
  readonly length: number;
}

/**
 * The oldest publication that clients may still be reading: the one that was public at `cutoff`, or the last but `snapshots`, whichever is older.
 * What neither it nor a later one lists is garbage. Undefined: everything is needed.
 */
export async function collectionBoundary(
  db: Executor,
  indexId: number,
  { cutoff, snapshots }: { readonly cutoff: Date; readonly snapshots: number },
): Promise<number | undefined> {
  const published = db
    .selectFrom('publications')
    .select('id')
    .where('index_id', '=', indexId)
    .where('state', '=', 'published')
    .orderBy('id', 'desc');
  const byNumber = await published
    .limit(1)
    .offset(Math.max(0, snapshots - 1))
    .executeTakeFirst();
  const byTime = await published.where('finished_at', '<=', cutoff.toISOString()).limit(1).executeTakeFirst();
  return byNumber === undefined || byTime === undefined ? undefined : Math.min(byNumber.id, byTime.id);
}

/**
 * Versions that a later one had replaced by the boundary, and those of abandoned publications, in the order of their keys after `after`.
 * Never a root, and never the highest version of a role: the next one counts on from it.
 */
export async function collectableVersions(
  db: Executor,
  indexId: number,
  boundary: number,
  after: { readonly role: string; readonly version: number },
  limit: number,
): Promise<readonly CollectableVersion[]> {
  const { rows } = await sql<CollectableVersion>`
    select old.role as role, old.version as version, old.length as length
    from role_versions as old inner join publications as p on p.id = old.publication_id
    where old.index_id = ${indexId} and (old.role, old.version) > (${after.role}, ${after.version})
      and old.role <> 'root' and old.publication_id <= ${boundary} and p.state <> 'reserved'
      and exists (
        select 1 from role_versions as new inner join publications as q on q.id = new.publication_id
        where new.index_id = old.index_id and new.role = old.role and new.version > old.version
          and (p.state = 'abandoned' or (new.publication_id <= ${boundary} and q.state = 'published')))
    order by old.role, old.version limit ${limit}`.execute(db);
  return rows;
}

/** Their objects are gone. */
export async function forgetVersions(
  tx: Executor,
  indexId: number,
  versions: readonly CollectableVersion[],
): Promise<void> {
  for (const part of chunked(versions)) {
    const keys = sql.join(part.map(({ role, version }) => sql`(${role}, ${version})`));
    await sql`delete from role_versions where index_id = ${indexId} and (role, version) in (values ${keys})`.execute(
      tx,
    );
  }
}

/** Contents that were retired up to the boundary, in the order of their keys after `after`. */
export async function retiredContents(
  db: Executor,
  indexId: number,
  boundary: number,
  after: { readonly publicationId: number; readonly path: string; readonly sha256: string },
  limit: number,
): Promise<readonly RetiredContent[]> {
  const { rows } = await sql<Omit<RetiredContent, 'isNeeded'> & { retired_later: number }>`
    select publication_id as "publicationId", path, sha256, exists (
      select 1 from retired_targets as later where later.index_id = old.index_id and later.path = old.path
        and later.sha256 = old.sha256 and later.publication_id > ${boundary}) as retired_later
    from retired_targets as old
    where index_id = ${indexId} and publication_id <= ${boundary}
      and (publication_id, path, sha256) > (${after.publicationId}, ${after.path}, ${after.sha256})
    order by publication_id, path, sha256 limit ${limit}`.execute(db);
  const current = await currentContents(
    db,
    indexId,
    rows.map(({ path }) => path),
  );
  return rows.map(({ retired_later, ...row }) => ({
    ...row,
    isNeeded: Boolean(retired_later) || current.get(row.path) === row.sha256,
  }));
}

/** Their objects are gone, or are needed by a later publication. */
export async function forgetContents(
  tx: Executor,
  indexId: number,
  contents: readonly RetiredContent[],
): Promise<void> {
  for (const part of chunked(contents)) {
    const keys = sql.join(part.map((row) => sql`(${row.publicationId}, ${row.path}, ${row.sha256})`));
    await sql`delete from retired_targets
      where index_id = ${indexId} and (publication_id, path, sha256) in (values ${keys})`.execute(tx);
  }
}

/** Files that were removed before `cutoff` and are still in the store, by id after `after`. */
export async function removedFiles(
  db: Executor,
  indexId: number,
  cutoff: Date,
  after: number,
  limit: number,
): Promise<readonly RemovedFile[]> {
  return db
    .selectFrom('files')
    .innerJoin('projects', 'projects.id', 'files.project_id')
    .select(['files.id', 'projects.name as project', 'filename', 'sha256', 'length'])
    .where('files.index_id', '=', indexId)
    .where('files.removed_at', '<=', cutoff.toISOString())
    .where('collected_at', 'is', null)
    .where('files.id', '>', after)
    .orderBy('files.id')
    .limit(limit)
    .execute();
}

/** Those of the paths that are public, or were listed by a publication after the boundary. */
export async function pathsInUse(
  db: Executor,
  indexId: number,
  boundary: number,
  paths: readonly string[],
): Promise<ReadonlySet<string>> {
  const used = new Set((await currentContents(db, indexId, paths)).keys());
  for (const part of chunked(paths)) {
    const rows = await db
      .selectFrom('retired_targets')
      .select('path')
      .where('index_id', '=', indexId)
      .where('path', 'in', part)
      .where('publication_id', '>', boundary)
      .execute();
    for (const { path } of rows) used.add(path);
  }
  return used;
}

/** Their objects are gone. */
export async function markFilesCollected(tx: Executor, fileIds: readonly number[], now: Date): Promise<void> {
  for (const ids of chunked(fileIds)) {
    await tx
      .updateTable('files')
      .set({ collected_at: now.toISOString() })
      .where('id', 'in', ids)
      .where('removed_at', 'is not', null)
      .execute();
  }
}

/** Asks the publisher, in whichever process it runs, for a collection. Returns the number of the request. */
export async function requestCollection(tx: Executor, indexId: number, now: Date): Promise<number> {
  const { id } = await tx
    .insertInto('collections')
    .values({ index_id: indexId, requested_at: now.toISOString() })
    .returning('id')
    .executeTakeFirstOrThrow();
  return id;
}

export async function findCollection(db: Executor, id: number): Promise<CollectionRow | undefined> {
  return db.selectFrom('collections').selectAll().where('id', '=', id).executeTakeFirst();
}

/** Whether somebody asked and has no answer yet. */
export async function isCollectionWanted(db: Executor, indexId: number): Promise<boolean> {
  const row = await db
    .selectFrom('collections')
    .select('id')
    .where('index_id', '=', indexId)
    .where('finished_at', 'is', null)
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

/** Answers everybody who asked before the collection began; in one write transaction. */
export async function finishCollections(
  tx: Executor,
  indexId: number,
  result: {
    readonly requestedUntil: number;
    readonly now: Date;
    readonly objects: number;
    readonly bytes: number;
    readonly error: string | null;
  },
): Promise<void> {
  await tx
    .updateTable('collections')
    .set({
      finished_at: result.now.toISOString(),
      objects: result.objects,
      bytes: result.bytes,
      error: result.error,
    })
    .where('index_id', '=', indexId)
    .where('id', '<=', result.requestedUntil)
    .where('finished_at', 'is', null)
    .execute();
}

/** The youngest request, 0 before the first. */
export async function lastRequest(db: Executor, indexId: number): Promise<number> {
  const row = await db
    .selectFrom('collections')
    .select('id')
    .where('index_id', '=', indexId)
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row?.id ?? 0;
}

async function currentContents(
  db: Executor,
  indexId: number,
  paths: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const targets = await findTargets(db, indexId, new Set(paths));
  return new Map([...targets].map(([path, { sha256 }]) => [path, sha256]));
}
