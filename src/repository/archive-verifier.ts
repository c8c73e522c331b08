import { createHash } from 'node:crypto';
import { GrowingTree, hashOf } from '../transparency/growing-tree.ts';
import { encodeLogEntry, entryOfTimestamp } from '../transparency/log-entry.ts';
import { leafHash } from '../transparency/merkle.ts';
import { RoleTree } from '../transparency/role-tree.ts';
import { decodeHex } from '../tuf/hex.ts';
import { Metadata } from '../tuf/metadata.ts';
import { readArchive, type Archive, type ArchivedRole } from './archive.ts';
import { listingLines } from './archive-writer.ts';
import { ArchiveError } from './errors.ts';
import { Findings } from './finding.ts';
import { walkMetadata } from './fsck-metadata.ts';
import { nodeSha256 } from './public-log.ts';
import { ServedTree } from './served-tree.ts';

/**
 * Verifies one state of an archive without anything else: every checksum, every signature as a client would that reads everything, the listing
 * of the targets against what the roles signed, and the head of the public log against the timestamp.
 * @throws {ArchiveError} ARCHIVE_DAMAGED with a sentence
 */
export async function verifyArchive(folder: string, timestampVersion?: number): Promise<Archive> {
  const archive = await readArchive(folder, timestampVersion);
  const { manifest } = archive;
  const files = new Map(manifest.roles.map((role) => [pathOf(role), role]));
  const hash = createHash('sha256');
  const findings = new Findings();
  await walkMetadata({
    store: {
      read: async (key) => {
        const role = files.get(key);
        return role === undefined ? undefined : archive.readRole(role);
      },
    },
    tree: new ServedTree(''),
    now: new Date(manifest.archivedAt),
    rows: new Map(),
    findings,
    visit: async (role, { targets }) => {
      for (const line of listingLines(role, targets)) hash.update(line);
    },
  });
  const finding = findings.list.find(
    ({ code }) => code === 'METADATA_MISSING' || code === 'METADATA_INVALID',
  );
  if (finding !== undefined) throw damaged(folder, `a client would refuse it: ${finding.message}`);
  if (hash.digest('hex') !== manifest.targets.sha256)
    throw damaged(folder, 'its listing of the targets is not what its roles signed.');
  for await (const target of archive.targets()) void target;
  await checkHead(folder, archive);
  return archive;
}

async function checkHead(folder: string, archive: Archive): Promise<void> {
  const { manifest } = archive;
  const timestamp = manifest.roles.find(({ role }) => role === 'timestamp');
  if (timestamp === undefined) throw damaged(folder, 'it has no timestamp.');
  const metadata = Metadata.fromBytes(await archive.readRole(timestamp), 'timestamp');
  const entry = entryOfTimestamp(metadata.signed, metadata.signedBytes);
  if (entry === undefined && manifest.log === undefined) return;
  if (entry === undefined || manifest.log === undefined)
    throw damaged(folder, 'it does not match its head: one of timestamp and archive knows no public log.');
  const { edge, head } = manifest.log;
  const tree = await GrowingTree.read(
    entry.previous.size,
    async ({ level }) => decodeHex(edge[level] ?? '') ?? new Uint8Array(),
    nodeSha256,
  );
  const next = tree.append(leafHash(encodeLogEntry(entry), nodeSha256)).tree;
  if (tree.head.root !== entry.previous.root || next.head.root !== head.root || next.size !== head.size)
    throw damaged(
      folder,
      'it does not match its head: the log that its timestamp commits to is another one.',
    );
  const roots = manifest.roles.filter(({ role }) => role === 'root');
  const newest = Math.max(...roots.map(({ version }) => version));
  const roles = manifest.roles.filter(({ role, version }) => role !== 'root' || version === newest);
  if (
    manifest.retiredRoles === 0 &&
    hashOf(RoleTree.of(roles, nodeSha256).root).some((byte, at) => byte !== hashOf(entry.roles)[at])
  )
    throw damaged(
      folder,
      'it does not match its head: its roles are not those that were published together.',
    );
}

function pathOf({ role, version }: ArchivedRole): string {
  return new ServedTree('').metadata(role, role === 'timestamp' ? undefined : version);
}

function damaged(folder: string, reason: string): ArchiveError {
  return new ArchiveError('ARCHIVE_DAMAGED', `The archive in ${folder} is not to be relied on: ${reason}`);
}
