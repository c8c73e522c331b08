import { encodeHex } from '../tuf/hex.ts';
import { metadataFileName } from '../tuf/layout.ts';
import { sha256 } from '../tuf/sha256.ts';
import { signedHash } from './current-roles.ts';
import type { EventStatus, SigningEvent } from './signing-event.ts';

/** What is printed, read aloud and kept on paper: short enough to compare by eye, whole enough to prove what was signed. */
export function paperRecord(event: SigningEvent): readonly string[] {
  const { candidate } = event;
  const lines = [`event        ${inGroups(event.id)}`, `plan         ${inGroups(candidate.plan)}`];
  for (const role of event.roles) {
    const metadata = event.metadata(role);
    const name = metadataFileName(role, metadata.signed.version);
    if (role === 'root') lines.push(`fingerprint  ${inGroups(signedHash(metadata))}`);
    lines.push(`${name.padEnd(12)} ${inGroups(encodeHex(sha256(metadata.toBytes())))}`);
  }
  for (const [keyId, holder] of candidate.holders) lines.push(`key          ${inGroups(keyId)}  ${holder}`);
  if (candidate.oneTimeKeys.length > 0)
    lines.push(
      `${candidate.oneTimeKeys.length} one-time keys were used and discarded; nobody can ever sign with them again`,
    );
  return candidate.rehearsal ? ['REHEARSAL: nothing of this is ever imported', ...lines] : lines;
}

/** Who signed, who is missing, until when. */
export function statusLines(event: SigningEvent, status: EventStatus): readonly string[] {
  const { deadline } = event.candidate;
  const lines = status.quorums.map(({ role, by, threshold, signed, missing, met }) => {
    const whose = by === 'old' ? `${role} (keys of the present root)` : role;
    const names = (list: typeof signed) => list.map(({ name }) => name).join(', ');
    const open = met || missing.length === 0 ? '' : `; missing: ${names(missing)}`;
    return `${met ? 'done   ' : 'open   '} ${whose}: ${signed.length} of ${threshold} signed${signed.length === 0 ? '' : ` (${names(signed)})`}${open}`;
  });
  const end = deadline.toISOString().slice(0, 16).replace('T', ' ');
  if (status.complete) return [...lines, 'complete'];
  return [
    ...lines,
    status.expired ? `closed at ${end} UTC, incomplete: open a new event` : `open until ${end} UTC`,
  ];
}

function inGroups(hex: string): string {
  return (hex.match(/.{1,8}/g) ?? []).join(' ');
}
