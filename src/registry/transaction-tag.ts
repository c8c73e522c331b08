import { createHash } from 'node:crypto';
import type { SignedTransaction } from '../claims/transaction-form.ts';
import { Metadata } from '../tuf/metadata.ts';

/** Names what a transaction would do, whoever has signed it: lower-case hex. Throws MalformedMetadataError. */
export function transactionTag({ base, roles, files, changes }: SignedTransaction): string {
  const signed = [...roles].map(([role, bytes]) => {
    const { signedBytes } = Metadata.fromBytes(bytes, 'targets', { role });
    return `${role} ${createHash('sha256').update(signedBytes).digest('hex')}`;
  });
  const versions = [...base].map(([role, version]) => `${role} ${version}`);
  const parts = [versions.toSorted(), signed.toSorted(), files, changes];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}
