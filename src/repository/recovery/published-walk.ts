import { RepositoryError } from '../../tuf/errors.ts';
import { metadataFileName } from '../../tuf/layout.ts';
import type { Signed } from '../../tuf/signed.ts';
import type { Targets } from '../../tuf/targets.ts';
import { TrustedMetadataSet } from '../../tuf/trusted-metadata-set.ts';
import { sha256Hex } from '../project-targets.ts';
import { RecoveryError } from './errors.ts';
import { readSource, type PublishedSource } from './published-source.ts';

/** One role as a source publishes it, verified. `sha256` of its file, lower-case hex; `length` in bytes. */
export interface PublishedRole {
  readonly role: string;
  readonly version: number;
  readonly sha256: string;
  readonly length: number;
  readonly expires: Date;
  readonly bytes: Uint8Array;
}

/** What a walk tells about each role that may list targets, in a client's search order. */
export type TargetsVisitor = (role: PublishedRole, targets: Targets, delegator: string) => Promise<void>;

/** What is published, beside the targets. */
export interface PublishedState {
  /** Every root from the pinned one on, by version. */
  readonly roots: ReadonlyMap<number, PublishedRole>;
  readonly timestamp: PublishedRole;
  readonly snapshot: PublishedRole;
  /** The top-level targets. */
  readonly targets: PublishedRole;
  /** Every role the snapshot lists, with its version: also those that nobody delegates to any more. */
  readonly listed: ReadonlyMap<string, number>;
}

/** Nothing expires before this: what is compared with may be old. */
const BEFORE_ALL_EXPIRY = new Date(0);
const MAX_TIMESTAMP = 64 << 10;
const MAX_ROOT = 1 << 20;
const MAX_METADATA = 256 << 20;
const MAX_ROOTS = 4096;

/**
 * Verifies a published tree as a client does that begins with `pinnedRoot` and reads everything; expiry alone does not count. Throws
 * UNVERIFIED_SOURCE and INCOMPLETE_SOURCE with what a client would refuse.
 */
export async function walkPublished(
  source: PublishedSource,
  pinnedRoot: Uint8Array,
  visit: TargetsVisitor = async () => undefined,
): Promise<PublishedState> {
  return explained(source, async () => {
    const set = await TrustedMetadataSet.create(pinnedRoot, { referenceTime: BEFORE_ALL_EXPIRY });
    const roots = await walkRoots(source, set, pinnedRoot);
    const timestampBytes = await load(source, 'timestamp', undefined, MAX_TIMESTAMP);
    const timestamp = await set.updateTimestamp(timestampBytes);
    const { version } = timestamp.snapshotMeta;
    const snapshotBytes = await load(source, 'snapshot', version, MAX_METADATA);
    const snapshot = await set.updateSnapshot(snapshotBytes);
    let top: PublishedRole | undefined;
    const visitAll: TargetsVisitor = async (role, targets, delegator) => {
      if (delegator === 'root') top = role;
      await visit(role, targets, delegator);
    };
    await walkTargets({ source, set, visit: visitAll, seen: new Set() }, 'targets', 'root');
    if (top === undefined) throw new RecoveryError('INCOMPLETE_SOURCE', `${source.name} has no targets.`);
    return {
      roots,
      timestamp: published('timestamp', timestamp, timestampBytes),
      snapshot: published('snapshot', snapshot, snapshotBytes),
      targets: top,
      listed: new Map([...snapshot.meta].map(([name, meta]) => [name.replace(/\.json$/, ''), meta.version])),
    };
  });
}

interface TargetsWalk {
  readonly source: PublishedSource;
  readonly set: TrustedMetadataSet;
  readonly visit: TargetsVisitor;
  readonly seen: Set<string>;
}

async function walkTargets(walk: TargetsWalk, role: string, delegator: string): Promise<void> {
  walk.seen.add(role);
  const { version } = walk.set.snapshotEntry(role);
  const bytes = await load(walk.source, role, version, MAX_METADATA);
  const targets = await walk.set.updateDelegatedTargets(bytes, role, delegator);
  await walk.visit(published(role, targets, bytes), targets, delegator);
  const { roles, succinctRoles } = targets.delegations ?? {};
  for (const name of roles?.keys() ?? succinctRoles?.roleNames() ?? []) {
    if (!walk.seen.has(name)) await walkTargets(walk, name, role);
  }
}

async function walkRoots(
  source: PublishedSource,
  set: TrustedMetadataSet,
  pinned: Uint8Array,
): Promise<ReadonlyMap<number, PublishedRole>> {
  const roots = new Map([[set.root.version, published('root', set.root, pinned)]]);
  while (roots.size < MAX_ROOTS) {
    const path = `metadata/${metadataFileName('root', set.root.version + 1)}`;
    const bytes = await readSource(source, path, MAX_ROOT);
    if (bytes === undefined) break;
    const root = await set.updateRoot(bytes);
    roots.set(root.version, published('root', root, bytes));
  }
  return roots;
}

async function load(
  source: PublishedSource,
  role: string,
  version: number | undefined,
  maxLength: number,
): Promise<Uint8Array> {
  const path = `metadata/${metadataFileName(role, version)}`;
  const bytes = await readSource(source, path, maxLength);
  if (bytes !== undefined) return bytes;
  throw new RecoveryError('INCOMPLETE_SOURCE', `${source.name} has no ${path}, so it is no whole snapshot.`, {
    path,
  });
}

async function explained<T>(source: PublishedSource, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (!(cause instanceof RepositoryError)) throw cause;
    throw new RecoveryError(
      'UNVERIFIED_SOURCE',
      `${source.name} does not verify from the trusted root on: ${cause.message}.`,
      { cause },
    );
  }
}

function published(role: string, { version, expires }: Signed, bytes: Uint8Array): PublishedRole {
  return { role, version, expires, bytes, length: bytes.length, sha256: sha256Hex(bytes) };
}
