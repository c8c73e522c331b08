import type { Executor } from './schema.ts';

/** Keeps the provenance object of a file; in the transaction that makes the file. */
export async function insertProvenance(
  tx: Executor,
  provenance: { readonly fileId: number; readonly document: string; readonly now: Date },
): Promise<void> {
  const { fileId: file_id, document, now } = provenance;
  await tx.insertInto('provenances').values({ file_id, document, created_at: now.toISOString() }).execute();
}

/** The provenance object of a file, JSON text. */
export async function findProvenance(db: Executor, fileId: number): Promise<string | undefined> {
  const row = await db
    .selectFrom('provenances')
    .select('document')
    .where('file_id', '=', fileId)
    .executeTakeFirst();
  return row?.document;
}

/** The files of an index with a provenance whose address does not begin with `url`, and are not removed. */
export async function provenancesElsewhere(
  db: Executor,
  indexId: number,
  url: string,
): Promise<readonly { id: number; project_id: number; provenance_url: string | null }[]> {
  const rows = await db
    .selectFrom('files')
    .select(['id', 'project_id', 'provenance_url'])
    .where('index_id', '=', indexId)
    .where('provenance_url', 'is not', null)
    .where('removed_at', 'is', null)
    .orderBy('id')
    .execute();
  return rows.filter(({ provenance_url }) => provenance_url?.startsWith(`${url}integrity/`) !== true);
}

export async function setProvenanceUrl(tx: Executor, fileId: number, url: string): Promise<void> {
  await tx.updateTable('files').set({ provenance_url: url }).where('id', '=', fileId).execute();
}
