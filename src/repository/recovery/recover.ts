import type { AuditDetail } from '../../db/audit.ts';
import { claimedProjectsOf } from '../../claims/claim-lists.ts';
import { appendAudit } from '../../db/audit.ts';
import { deleteClaim, listClaims } from '../../db/claims.ts';
import { appendJournal } from '../../db/journal.ts';
import { findOfflineBundle, submitOfflineBundle, type BundleRole } from '../../db/offline-bundles.ts';
import { holdPublication, releaseHold } from '../../db/publication-holds.ts';
import { currentRoles } from '../../db/roles.ts';
import type { Executor, IndexRow } from '../../db/schema.ts';
import { writeTransaction } from '../../db/transactions.ts';
import type { ObjectStore } from '../../storage/object-store.ts';
import type { Signer } from '../../tuf/signer.ts';
import { metadataFileName } from '../../tuf/layout.ts';
import { lastLogEntry } from '../../db/log-entries.ts';
import { entryOfTimestamp } from '../../transparency/log-entry.ts';
import { Metadata } from '../../tuf/metadata.ts';
import type { Targets } from '../../tuf/targets.ts';
import { fsck, type FsckReport } from '../fsck.ts';
import { OfflineRoles, readOfflineRoles } from '../offline-roles.ts';
import { Publisher } from '../publisher.ts';
import { sha256Hex } from '../project-targets.ts';
import { listKeys } from '../published-claims.ts';
import { ServedTree } from '../served-tree.ts';
import type { SignedOfflineRoles } from '../create-repository.ts';
import { compareWithGood, type Comparison } from './comparison.ts';
import { RecoveryError } from './errors.ts';
import { removeForeignLog } from './foreign-log.ts';
import { findForeignMetadata, removeForeignMetadata, type ForeignObject } from './foreign-metadata.ts';
import { applyGoodState } from './good-state.ts';
import type { RestoredProject } from './good-project.ts';
import { readSource, type PublishedSource } from './published-source.ts';
import { requireReplacedKeys, type StolenRole } from './stolen-keys.ts';

const MAX_TIMESTAMP = 64 << 10;

/** The offline roles of a bundle, with the parts of claimed. */
export type RecoveredRoles = SignedOfflineRoles & {
  readonly claimedParts?: ReadonlyMap<string, Metadata<Targets>>;
};

export interface RecoverOptions {
  readonly db: Executor;
  readonly store: ObjectStore;
  readonly index: IndexRow;
  /** What was stolen. */
  readonly stolen: readonly StolenRole[];
  /** The last known good state, and the root from which it is verified. */
  readonly source: PublishedSource;
  readonly pinnedRoot: Uint8Array;
  /** Files that the good state does not know and somebody vouches for (target paths). */
  readonly keep: ReadonlySet<string>;
  /** What the offline keys signed after the theft. */
  readonly bundle: { readonly event: string; readonly roles: RecoveredRoles };
  /** The new online keys. */
  readonly signers: readonly Signer[];
  /** Puts aside what the attacker left. */
  readonly keepEvidence: (key: string, bytes: Uint8Array) => Promise<void>;
  readonly actor: string;
  readonly clock?: () => Date;
}

export interface RecoverReport {
  readonly foreign: readonly ForeignObject[];
  /** Keys of entries and tiles of the public log that were taken out. */
  readonly foreignLog: readonly string[];
  readonly comparison: Comparison;
  readonly restored: readonly RestoredProject[];
  /** Projects whose claims are gone: their owners claim them again. */
  readonly unclaimed: readonly string[];
  readonly fsck: FsckReport;
}

/**
 * Brings an index back after keys were stolen (PEP 458, "In the Event of a Key Compromise"): foreign metadata is put aside, every target is
 * compared with the last known good state and restored or dropped, then the bundle with the new keys, every bin signed anew with them, a new
 * snapshot and a new timestamp are published together. Clients forget the attacker's versions because timestamp and snapshot have other keys.
 * The store lock must be held. Each step can be repeated: after any failure the same call goes on. Throws RecoveryError, PublicationError.
 */
export async function recoverIndex(options: RecoverOptions): Promise<RecoverReport> {
  const { db, store, index, source, keep, actor } = options;
  const clock = options.clock ?? (() => new Date());
  const tree = new ServedTree(index.name);
  await hold(options, clock());
  await requireWholeHistory(options);
  const foreign = await findForeignMetadata(options);
  await removeForeignMetadata(options, foreign, options.keepEvidence, clock());
  const foreignLog = await removeForeignLog({ db, store, tree, indexId: index.id }, options.keepEvidence);
  await restoreOwnMetadata(options, tree);
  const isPublished = (await findOfflineBundle(db, index.id, options.bundle.event))?.state === 'published';
  if (!isPublished) await requireNewKeys(options, tree);
  const comparison = await compareWithGood(options);
  const context = { db, store, tree, indexId: index.id, source, now: clock() };
  const unclaimed = await dropUntrustedClaims(options, clock());
  const { targets } = options.bundle.roles;
  const restored = await applyGoodState(context, comparison, keep, (claims) =>
    claims.withClaimed(claimedListsOf(options.bundle.roles), listKeys(targets, 'recently-claimed')),
  );
  const detail = {
    stolen: options.stolen.join(','),
    foreign: foreign.length + foreignLog.length,
    differences: comparison.differences.length,
    projects: restored.length,
  };
  await submit(options, actor, detail, clock());
  await publishAll(options, clock);
  return {
    foreign,
    foreignLog,
    comparison,
    restored,
    unclaimed,
    fsck: await fsck({ db, store, index, clock }),
  };
}

/**
 * Whoever has the online key could have claimed any project: recently-claimed is emptied, its projects stand in the bins as the good state has
 * them, and their owners are asked to claim them again (PEP 480). The same for what claimed of the bundle delegates no more, after its keys were
 * stolen. The metadata that owners signed stays public as it was.
 */
async function dropUntrustedClaims(
  { db, index, bundle, actor }: RecoverOptions,
  now: Date,
): Promise<readonly string[]> {
  const lists = claimedListsOf(bundle.roles).values();
  const trusted = new Set(claimedProjectsOf(lists).map(({ project }) => project));
  return writeTransaction(db, async (tx) => {
    const claims = await listClaims(tx, index.id);
    const dropped = claims.filter(({ state, project }) => state !== 'claimed' || !trusted.has(project));
    for (const { project, project_id } of dropped) {
      await deleteClaim(tx, project_id);
      await appendJournal(tx, { indexId: index.id, projectId: project_id, kind: 'unclaim', detail: {}, now });
      await appendAudit(tx, {
        indexId: index.id,
        at: now,
        actor,
        action: 'claim.empty',
        subject: project,
        detail: {},
      });
    }
    return dropped.map(({ project }) => project);
  });
}

/** claimed and its parts, by name. */
function claimedListsOf({ claimed, claimedParts }: RecoveredRoles): ReadonlyMap<string, Targets> {
  const all = [['claimed', claimed] as const, ...(claimedParts ?? [])];
  return new Map(all.map(([role, { signed }]) => [role, signed]));
}

async function hold({ db, index }: RecoverOptions, now: Date): Promise<void> {
  await writeTransaction(db, (tx) =>
    holdPublication(tx, {
      indexId: index.id,
      kind: 'recovery',
      reason:
        'Keys of this index were stolen and a recovery was begun; nothing is published until it is complete: go on with rind recover.',
      now,
    }),
  );
}

/**
 * That the database knows every publication of the good state: one that was restored from an older backup would make another history of the
 * public log, and take honest publications for the thief's.
 */
async function requireWholeHistory({ db, index, source }: RecoverOptions): Promise<void> {
  const bytes = await readSource(
    source,
    `metadata/${metadataFileName('timestamp', undefined)}`,
    MAX_TIMESTAMP,
  );
  if (bytes === undefined) return;
  const { signed, signedBytes } = Metadata.fromBytes(bytes, 'timestamp');
  const good = entryOfTimestamp(signed, signedBytes)?.seq ?? 0;
  const own = (await lastLogEntry(db, index.id))?.seq ?? 0;
  if (good <= own) return;
  throw new RecoveryError(
    'CANNOT_PROCEED',
    `The last known good state is publication ${good} of the public log, but the database knows ${own} only: it was restored from an older backup; bring it up with rind recover --published MIRROR, then run the recovery again.`,
  );
}

/** Own metadata that the attacker replaced or removed, as far as the good state still has it. */
async function restoreOwnMetadata(
  { db, store, index, source }: RecoverOptions,
  tree: ServedTree,
): Promise<void> {
  for (const { role, version, sha256, length } of await currentRoles(db, index.id)) {
    if (role === 'timestamp') continue;
    const key = tree.metadata(role, version);
    const stored = await store.read(key);
    if (stored !== undefined && sha256Hex(stored) === sha256) continue;
    const bytes = await readSource(source, `metadata/${metadataFileName(role, version)}`, length);
    if (bytes !== undefined && sha256Hex(bytes) === sha256) await store.put(key, bytes);
  }
}

async function requireNewKeys(options: RecoverOptions, tree: ServedTree): Promise<void> {
  const rows = await currentRoles(options.db, options.index.id);
  const old = await readOfflineRoles(options.store, tree, new Map(rows.map((row) => [row.role, row])));
  const { root, targets, bins } = options.bundle.roles;
  requireReplacedKeys(old, new OfflineRoles(root, targets, bins), options.stolen);
}

/** The signed metadata of a bundle as its rows have it. */
export function bundleRoles(roles: RecoveredRoles): readonly BundleRole[] {
  const four = (['root', 'targets', 'claimed', 'bins'] as const).map((role) => [role, roles[role]] as const);
  return [...four, ...(roles.claimedParts ?? [])].map(([role, metadata]) => ({
    role,
    version: metadata.signed.version,
    bytes: metadata.toBytes(),
  }));
}

/** From here on a crash is finished by whatever publisher starts next: it adopts the bundle before anything else. */
async function submit(
  { db, index, bundle }: RecoverOptions,
  actor: string,
  detail: AuditDetail,
  now: Date,
): Promise<void> {
  const roles = bundleRoles(bundle.roles);
  await writeTransaction(db, async (tx) => {
    await releaseHold(tx, index.id);
    await submitOfflineBundle(tx, { indexId: index.id, event: bundle.event, roles, now });
    const subject = `event ${bundle.event.slice(0, 12)}`;
    await appendAudit(tx, { indexId: index.id, at: now, actor, action: 'recover', subject, detail });
  });
}

async function publishAll(options: RecoverOptions, clock: () => Date): Promise<void> {
  const { db, store, index, signers, bundle } = options;
  const publisher = new Publisher({ db, store, index, signers, clock, rootGrace: 0 });
  try {
    await publisher.start();
    while ((await publisher.publishOnce()) !== undefined);
  } finally {
    await publisher.close();
  }
  const row = await findOfflineBundle(db, index.id, bundle.event);
  if (row?.state === 'published') return;
  throw new RecoveryError(
    'CANNOT_PROCEED',
    `The publisher refused the bundle: ${row?.reason ?? 'it waits'}; mend the reason and run the recovery again.`,
  );
}
