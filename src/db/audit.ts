import { createHash } from 'node:crypto';
import { canonicalJsonText } from '../tuf/canonical-json.ts';
import type { JsonValue } from '../tuf/json.ts';
import { chunked } from './chunked.ts';
import type { AuditRow, Executor } from './schema.ts';

/** What can stand in the audit log. */
export type AuditAction =
  | 'file.upload'
  | 'file.stage'
  | 'file.unstage'
  | 'file.delete'
  | 'file.yank'
  | 'file.unyank'
  | 'release.delete'
  | 'release.yank'
  | 'release.unyank'
  | 'project.create'
  | 'project.delete'
  | 'project.status'
  | 'project.transfer'
  | 'project.restore'
  | 'project.limits'
  | 'project.retention'
  | 'release.promote'
  | 'claim.add'
  | 'claim.empty'
  | 'claim.propose'
  | 'claim.publish'
  | 'claim.reset'
  | 'claim.staging'
  | 'takedown.add'
  | 'takedown.remove'
  | 'index.create'
  | 'index.change'
  | 'index.remove'
  | 'token.create'
  | 'token.revoke'
  | 'user.create'
  | 'user.change'
  | 'user.disable'
  | 'user.login'
  | 'role.grant'
  | 'role.revoke'
  | 'publisher.add'
  | 'publisher.remove'
  | 'publication'
  | 'publication.abandon'
  | 'signature'
  | 'bundle.submit'
  | 'bundle.adopt'
  | 'bundle.refuse'
  | 'event.create'
  | 'event.sign'
  | 'key.change'
  | 'gc'
  | 'fsck.repair'
  | 'backup'
  | 'restore'
  | 'recover'
  | 'import'
  | 'archive'
  | 'webhook.add'
  | 'webhook.remove'
  | 'witness.receive'
  | 'witness.conflict';

/** Facts about an entry; integers only, no secrets and no form content. */
export type AuditDetail = Readonly<Record<string, string | number | boolean | null>>;

export interface AuditEntry {
  /** NULL: about no index, or all of them. */
  readonly indexId: number | null;
  readonly at: Date;
  /** `token:<id>`, `user:<name>`, `oidc:<issuer> <subject>`, `cli:<os user>`, `publisher`. */
  readonly actor: string;
  readonly action: AuditAction;
  /** What it was done to: a filename, a project, the number of a token, `snapshot 7` … */
  readonly subject: string;
  readonly detail?: AuditDetail;
}

/** The end of the chain; `seq` 0 and {@link NO_ENTRY} while it is empty. */
export interface AuditHead {
  readonly seq: number;
  readonly sha256: string;
}

/** What the first entry names as the hash of the one before it. */
export const NO_ENTRY = '0'.repeat(64);

/**
 * Appends one entry, in the write transaction that does what it tells of: both are there or neither. Entries are for ever; nothing changes or
 * removes one. Throws what the database throws.
 */
export async function appendAudit(tx: Executor, entry: AuditEntry): Promise<void> {
  await appendAudits(tx, [entry]);
}

/** Appends several, in their order, for little more than the price of one. */
export async function appendAudits(tx: Executor, entries: readonly AuditEntry[]): Promise<void> {
  if (entries.length === 0) return;
  let { seq, sha256 } = await auditHead(tx);
  const rows: AuditRow[] = [];
  for (const entry of entries) {
    const row: Omit<AuditRow, 'sha256'> = {
      seq: ++seq,
      index_id: entry.indexId,
      at: entry.at.toISOString(),
      actor: wellFormed(entry.actor),
      action: entry.action,
      subject: wellFormed(entry.subject),
      detail: detailText(entry.detail),
      previous_sha256: sha256,
    };
    sha256 = auditHash(row);
    rows.push({ ...row, sha256 });
  }
  for (const part of chunked(rows)) await tx.insertInto('audit_log').values(part).execute();
}

/** Where the chain ends now. */
export async function auditHead(db: Executor): Promise<AuditHead> {
  const last = await db
    .selectFrom('audit_log')
    .select(['seq', 'sha256'])
    .orderBy('seq', 'desc')
    .limit(1)
    .executeTakeFirst();
  return last ?? { seq: 0, sha256: NO_ENTRY };
}

/** Entries after `afterSeq`, in order, read page by page; `until` is the last one wanted. */
export async function* auditRows(
  db: Executor,
  { afterSeq = 0, until = Number.MAX_SAFE_INTEGER }: { afterSeq?: number; until?: number } = {},
): AsyncGenerator<AuditRow> {
  for (let after = afterSeq; ;) {
    const page = await db
      .selectFrom('audit_log')
      .selectAll()
      .where('seq', '>', after)
      .where('seq', '<=', until)
      .orderBy('seq')
      .limit(PAGE)
      .execute();
    yield* page;
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return;
    after = last.seq;
  }
}

const PAGE = 1000;

/** The hash of an entry: sha256 over the canonical JSON of all its fields, the previous hash included. */
export function auditHash(row: Omit<AuditRow, 'sha256'>): string {
  const fields: readonly (readonly [string, JsonValue])[] = [
    ['action', row.action],
    ['actor', row.actor],
    ['at', row.at],
    ['detail', row.detail],
    ['index', row.index_id],
    ['previous', row.previous_sha256],
    ['seq', row.seq],
    ['subject', row.subject],
  ];
  return createHash('sha256')
    .update(canonicalJsonText(new Map(fields)))
    .digest('hex');
}

/** Kept as text and hashed as text, so that no later reader has to encode it the same way. */
function detailText(detail: AuditDetail | undefined): string {
  const fields = Object.entries(detail ?? {}).map(([name, value]): [string, JsonValue] => [
    name,
    typeof value === 'string' ? wellFormed(value) : value,
  ]);
  return canonicalJsonText(new Map(fields));
}

/** Strings of requests may hold what UTF-8 or JSON cannot: such characters are replaced, an entry is never lost for them. */
function wellFormed(text: string): string {
  return text.replace(/[\p{Surrogate}\p{Cc}]/gu, '\uFFFD');
}
