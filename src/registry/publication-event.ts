import { findPublication } from '../db/publications.ts';
import type { Executor } from '../db/schema.ts';

/** What a webhook is told of a publication. Nothing in it is secret to whoever may read the index. */
export interface PublicationEvent {
  readonly event: 'publication';
  /** '' is the default index. */
  readonly index: string;
  readonly publication: number;
  readonly snapshotVersion: number;
  readonly timestampVersion: number;
  readonly at: string;
  readonly changes: readonly PublishedChange[];
  /** There were more changes than are listed. */
  readonly isTruncated: boolean;
}

export interface PublishedChange {
  readonly serial: number;
  /** 'upload', 'yank', 'unyank', 'remove', 'status' … */
  readonly kind: string;
  readonly project: string | null;
  readonly filename?: string;
  readonly version?: string;
}

const MOST_CHANGES = 500;

/** @throws Error when there is no such publication */
export async function publicationEvent(db: Executor, publicationId: number): Promise<PublicationEvent> {
  const publication = await findPublication(db, publicationId);
  if (publication === undefined) throw new Error(`There is no publication ${publicationId}.`);
  const index = await db
    .selectFrom('indexes')
    .select('name')
    .where('id', '=', publication.index_id)
    .executeTakeFirstOrThrow();
  const rows = await db
    .selectFrom('journal')
    .leftJoin('projects', 'projects.id', 'journal.project_id')
    .select(['journal.id', 'journal.kind', 'journal.detail', 'projects.name'])
    .where('publication_id', '=', publicationId)
    .orderBy('journal.id')
    .limit(MOST_CHANGES + 1)
    .execute();
  return {
    event: 'publication',
    index: index.name,
    publication: publication.id,
    snapshotVersion: publication.snapshot_version,
    timestampVersion: publication.timestamp_version,
    at: publication.finished_at ?? publication.created_at,
    changes: rows
      .slice(0, MOST_CHANGES)
      .map(({ id, kind, name, detail }) => ({ serial: id, kind, project: name, ...textsOf(detail) })),
    isTruncated: rows.length > MOST_CHANGES,
  };
}

/** Of the detail only what everybody sees. */
function textsOf(detail: string): { filename?: string; version?: string } {
  const { filename, version } = JSON.parse(detail) as Record<string, unknown>;
  return {
    ...(typeof filename === 'string' ? { filename } : {}),
    ...(typeof version === 'string' ? { version } : {}),
  };
}
