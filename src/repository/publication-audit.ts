import type { AuditEntry } from '../db/audit.ts';
import type { OfflineBundleRow, OfflineBundleState, PublicationRow } from '../db/schema.ts';
import type { AppendedEntry } from './public-log.ts';

/** A signature as the audit log tells of it. */
interface Signature {
  readonly role: string;
  readonly version: number;
  readonly sha256: string;
  readonly keyIds: readonly string[];
}

/** Signatures in one entry. */
const SIGNATURES_TOGETHER = 64;

/** What the publisher signed, whether it becomes public or not: `role version sha256`, parted by commas, for each set of keys. */
export function signatureEntries(
  indexId: number,
  roles: readonly Signature[],
  at: Date,
): readonly AuditEntry[] {
  const byKeys = new Map<string, Signature[]>();
  for (const role of roles) {
    const keys = role.keyIds.join(' ');
    const group = byKeys.get(keys);
    if (group === undefined) byKeys.set(keys, [role]);
    else group.push(role);
  }
  const entries: AuditEntry[] = [];
  for (const [keys, group] of byKeys) {
    for (let start = 0; start < group.length; start += SIGNATURES_TOGETHER) {
      const part = group.slice(start, start + SIGNATURES_TOGETHER);
      const signed = part.map(({ role, version, sha256 }) => `${role} ${version} ${sha256}`).join(',');
      const subject = part.length === 1 ? `${part[0]?.role} ${part[0]?.version}` : `${part.length} roles`;
      entries.push({
        indexId,
        at,
        actor: 'publisher',
        action: 'signature',
        subject,
        detail: { keys, signed },
      });
    }
  }
  return entries;
}

/** A publication is public; `roles` is the digest over all of them (transparency/role-tree.ts). */
export function publicationEntry(
  publication: PublicationRow,
  changes: number,
  appended: AppendedEntry | undefined,
  at: Date,
): AuditEntry {
  return {
    indexId: publication.index_id,
    at,
    actor: 'publisher',
    action: 'publication',
    subject: `timestamp ${publication.timestamp_version}`,
    detail: {
      publication: publication.id,
      snapshot: publication.snapshot_version,
      sha256: publication.timestamp_sha256,
      changes,
      roles: appended?.entry.roles ?? null,
      logSize: appended?.head.size ?? null,
      logRoot: appended?.head.root ?? null,
    },
  };
}

/** A publication never became public; its version numbers are not used again. */
export function abandonEntry(publication: PublicationRow, at: Date): AuditEntry {
  return {
    indexId: publication.index_id,
    at,
    actor: 'publisher',
    action: 'publication.abandon',
    subject: `timestamp ${publication.timestamp_version}`,
    detail: { publication: publication.id, sha256: publication.timestamp_sha256 },
  };
}

/** A bundle of a ceremony was published, in whole or its root first, or refused. */
export function bundleEntry(
  bundle: OfflineBundleRow,
  state: OfflineBundleState,
  reason: string | null,
  at: Date,
): AuditEntry {
  return {
    indexId: bundle.index_id,
    at,
    actor: 'publisher',
    action: state === 'refused' ? 'bundle.refuse' : 'bundle.adopt',
    subject: bundle.event,
    detail: { state, reason },
  };
}
