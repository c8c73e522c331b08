import type { RoleRow } from '../db/schema.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { RepositoryError } from '../tuf/errors.ts';
import type { Signed } from '../tuf/signed.ts';
import type { Targets } from '../tuf/targets.ts';
import { TrustedMetadataSet } from '../tuf/trusted-metadata-set.ts';
import type { Findings } from './finding.ts';
import { sha256Hex } from './project-targets.ts';
import type { ServedTree } from './served-tree.ts';

/** What a walk over the metadata needs, and where it tells. */
export interface MetadataWalk {
  readonly store: Pick<ObjectStore, 'read'>;
  readonly tree: ServedTree;
  readonly now: Date;
  /** What the database holds for public, by role. */
  readonly rows: ReadonlyMap<string, RoleRow>;
  readonly findings: Findings;
  /** Called for each targets role, in a client's search order; only one role is in memory at a time besides those that delegate. */
  readonly visit: (role: string, targets: Targets, delegators: readonly Delegator[]) => Promise<void>;
}

/** A role on the way to another. */
export interface Delegator {
  readonly role: string;
  readonly targets: Targets;
}

/** Nothing expires before this: expiry is reported, but does not end the walk. */
const BEFORE_ALL_EXPIRY = new Date(0);

/**
 * Walks all metadata as a client does that reads everything: the chain of roots from the first, timestamp, snapshot, targets and every
 * delegation. Each signature, version, length, hash and expiry is checked. Returns how many roles it saw.
 */
export async function walkMetadata(walk: MetadataWalk): Promise<number> {
  const root = await read(walk, 'root', 1);
  if (root === undefined) return 0;
  const set = await accept(walk, 'root', 1, () =>
    TrustedMetadataSet.create(root, { referenceTime: BEFORE_ALL_EXPIRY }),
  );
  if (set === undefined) return 0;
  const rootBytes = await walkRoots(walk, set, root);
  checkPublic(walk, 'root', set.root, rootBytes);
  const timestamp = await load(walk, 'timestamp', undefined, (bytes) => set.updateTimestamp(bytes));
  if (timestamp === undefined) return 1;
  const { version } = timestamp.snapshotMeta;
  if ((await load(walk, 'snapshot', version, (bytes) => set.updateSnapshot(bytes))) === undefined) return 2;
  return 3 + (await walkTargets(walk, set, 'targets', [], new Set()));
}

async function walkRoots(
  walk: MetadataWalk,
  set: TrustedMetadataSet,
  first: Uint8Array,
): Promise<Uint8Array> {
  let last = first;
  for (let version = 2; ; version++) {
    const bytes = await walk.store.read(walk.tree.metadata('root', version));
    if (bytes === undefined) return last;
    if ((await accept(walk, 'root', version, () => set.updateRoot(bytes))) === undefined) return last;
    last = bytes;
  }
}

async function walkTargets(
  walk: MetadataWalk,
  set: TrustedMetadataSet,
  role: string,
  delegators: readonly Delegator[],
  seen: Set<string>,
): Promise<number> {
  seen.add(role);
  const entry = await accept(walk, role, undefined, async () => set.snapshotEntry(role));
  if (entry === undefined) return 0;
  const targets = await load(walk, role, entry.version, (bytes) =>
    set.updateDelegatedTargets(bytes, role, delegators.at(-1)?.role ?? 'root'),
  );
  if (targets === undefined) return 0;
  await walk.visit(role, targets, delegators);
  const next = [...delegators, { role, targets }];
  const { roles, succinctRoles } = targets.delegations ?? {};
  let count = 1;
  for (const name of roles?.keys() ?? succinctRoles?.roleNames() ?? []) {
    if (!seen.has(name)) count += await walkTargets(walk, set, name, next, seen);
  }
  return count;
}

/** Reads one role and has it verified; undefined after a finding. */
async function load<T extends Signed>(
  walk: MetadataWalk,
  role: string,
  version: number | undefined,
  verify: (bytes: Uint8Array) => Promise<T>,
): Promise<T | undefined> {
  const bytes = await read(walk, role, version);
  if (bytes === undefined) return undefined;
  const signed = await accept(walk, role, version, () => verify(bytes));
  if (signed !== undefined) checkPublic(walk, role, signed, bytes);
  return signed;
}

async function read(
  { store, tree, findings }: MetadataWalk,
  role: string,
  version: number | undefined,
): Promise<Uint8Array | undefined> {
  const key = tree.metadata(role, version);
  const bytes = await store.read(key);
  if (bytes === undefined) {
    findings.add('METADATA_MISSING', `${key} is not in the store, so no client can verify ${role}.`, {
      role,
      path: key,
      ...(version === undefined ? {} : { version }),
    });
  }
  return bytes;
}

async function accept<T>(
  { findings }: MetadataWalk,
  role: string,
  version: number | undefined,
  verify: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await verify();
  } catch (error) {
    if (!(error instanceof RepositoryError)) throw error;
    findings.add('METADATA_INVALID', `A client refuses ${role}: ${error.message}.`, {
      role,
      ...(version === undefined ? {} : { version }),
    });
    return undefined;
  }
}

/** Expiry, and that the database means the same bytes. */
function checkPublic(
  { rows, now, findings }: MetadataWalk,
  role: string,
  signed: Signed,
  bytes: Uint8Array,
): void {
  const { version } = signed;
  if (signed.isExpired(now)) {
    findings.add(
      'METADATA_EXPIRED',
      `${role} version ${version} expired at ${signed.expires.toISOString()}.`,
      {
        role,
        version,
      },
    );
  }
  const row = rows.get(role);
  if (row?.version === version && row.sha256 === sha256Hex(bytes)) return;
  const known = row === undefined ? 'no version of it' : `version ${row.version}`;
  findings.add(
    'METADATA_DIFFERS',
    `${role} version ${version} is public, but the database knows ${known}${row?.version === version ? ' with other bytes' : ''}.`,
    { role, version },
  );
}
