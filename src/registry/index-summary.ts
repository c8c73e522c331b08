import { sql } from 'kysely';
import type { Executor } from '../db/schema.ts';
import { currentRoles } from '../db/roles.ts';

/** The state of one index for people: what is public, and until when it verifies. */
export interface IndexSummary {
  readonly projects: number;
  readonly files: number;
  /** Undefined before the first publication. */
  readonly snapshotVersion: number | undefined;
  readonly bins: number;
  /** One line per kind of role: the bin-n share one, with their earliest expiry. */
  readonly roles: readonly { readonly role: string; readonly version: number; readonly expires: Date }[];
}

const BIN = /^bin-[0-9a-f]+$/;
const ORDER = ['root', 'targets', 'bins', 'claimed', 'recently-claimed', 'bin-n', 'snapshot', 'timestamp'];

/** Reads the summary; a few queries, so callers keep it for a moment. */
export async function summarizeIndex(db: Executor, indexId: number): Promise<IndexSummary> {
  const [roles, projects, files] = await Promise.all([
    currentRoles(db, indexId),
    count(db, 'projects', indexId),
    count(db, 'files', indexId),
  ]);
  const byName = new Map<string, { role: string; version: number; expires: Date }>();
  let bins = 0;
  for (const { role, version, expires_at } of roles) {
    const isBin = BIN.test(role);
    if (isBin) bins += 1;
    const name = isBin ? 'bin-n' : role;
    const expires = new Date(expires_at);
    const known = byName.get(name);
    if (known === undefined || expires < known.expires) byName.set(name, { role: name, version, expires });
  }
  return {
    projects,
    files,
    bins,
    snapshotVersion: byName.get('snapshot')?.version,
    roles: ORDER.flatMap((name) => byName.get(name) ?? []),
  };
}

async function count(db: Executor, table: 'projects' | 'files', indexId: number): Promise<number> {
  const rows = sql<number>`count(*)`.as('rows');
  const row =
    table === 'projects'
      ? await db.selectFrom('projects').select(rows).where('index_id', '=', indexId).executeTakeFirst()
      : await db
          .selectFrom('files')
          .select(rows)
          .where('index_id', '=', indexId)
          .where('removed_at', 'is', null)
          .executeTakeFirst();
  return Number(row?.rows ?? 0);
}
