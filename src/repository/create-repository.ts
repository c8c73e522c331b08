import { hostname } from 'node:os';
import { acquireLease } from '../db/leases.ts';
import { lastPublication } from '../db/publications.ts';
import { highestVersions } from '../db/roles.ts';
import type { Executor, IndexRow } from '../db/schema.ts';
import { writeTransaction } from '../db/transactions.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { Metadata, signMetadata } from '../tuf/metadata.ts';
import type { Root } from '../tuf/root.ts';
import type { Signer } from '../tuf/signer.ts';
import { ROLE_NAME_FIELD, Targets } from '../tuf/targets.ts';
import { prepareDraft, snapshotEntry } from './draft.ts';
import { PublicationError } from './errors.ts';
import { expiryFrom } from './expiry.ts';
import { firstBins, firstRoot, firstTargets, type OfflineSigners } from './first-roles.ts';
import { OfflineRoles } from './offline-roles.ts';
import { OnlineKeys } from './online-keys.ts';
import { profileNamed, type Profile } from './profile.ts';
import { publish, recoverPublication, type PublicationContext } from './publication.ts';
import { sha256Hex } from './project-targets.ts';
import { ServedTree } from './served-tree.ts';
import { signedRole, type SignedRole } from './signed-role.ts';
import { SnapshotEntries } from './snapshot.ts';

export interface CreateRepositoryOptions {
  readonly db: Executor;
  readonly store: ObjectStore;
  readonly index: IndexRow;
  readonly offline: OfflineSigners;
  /** Signs timestamp, snapshot, recently-claimed and every bin. */
  readonly online: Signer;
  readonly clock?: () => Date;
}

export interface CreatedRepository {
  readonly root: Metadata<Root>;
  /** sha256 of the canonical signed part of root version 1, lower-case hex: what people compare. */
  readonly fingerprint: string;
}

/**
 * Makes the first metadata of an index in PEP 458's form and publishes it: root, targets, claimed and bins with the offline keys;
 * recently-claimed, every bin-n (with the targets that the index already has), snapshot and timestamp with the online one.
 * The store lock must be held. After a crash the same call with the same keys goes on: root version 1 is adopted as it stands in the store,
 * the other roles skip the versions that were reserved. Throws REPOSITORY_EXISTS once it was finished, FOREIGN_OBJECT when the store has
 * a root of other keys.
 */
export async function createRepository(options: CreateRepositoryOptions): Promise<CreatedRepository> {
  const { db, store, index } = options;
  const clock = options.clock ?? (() => new Date());
  const profile = requireProfile(index);
  const tree = new ServedTree(index.name);
  const epoch = await writeTransaction(db, (tx) =>
    acquireLease(tx, index.id, `${hostname()}:${process.pid}`, clock()),
  );
  const context = { db, store, tree, indexId: index.id, epoch, clock };
  if ((await lastPublication(db, index.id)) !== undefined) {
    throw new PublicationError(
      'REPOSITORY_EXISTS',
      `The index "${index.name}" has a repository already; it is never made twice.`,
    );
  }
  const recovery = await recoverPublication(context);
  const root = await ensureRoot(context, options, profile);
  if (recovery?.outcome !== 'finished') await publishFirst(context, options, profile, root);
  return { root, fingerprint: sha256Hex(root.signedBytes) };
}

/** Root version 1: made, or as an interrupted attempt left it. Its create-only object is its reservation, for there is only one first root. */
async function ensureRoot(
  { store, tree, clock }: PublicationContext,
  { offline, online }: CreateRepositoryOptions,
  profile: Profile,
): Promise<Metadata<Root>> {
  const key = tree.metadata('root', 1);
  const wanted = firstRoot(offline, online, expiryFrom(clock(), profile.offlineLifetime));
  const signed = await signMetadata(wanted, offline.root.signers);
  const stored = (await store.create(key, signed.toBytes())) === 'exists' ? await store.read(key) : undefined;
  if (stored === undefined) return signed;
  const root = Metadata.fromBytes(stored, 'root');
  const { expires } = root.signed;
  const sameKeys =
    sha256Hex(root.signedBytes) === sha256Hex(Metadata.unsigned(wanted.with({ expires })).signedBytes);
  if (sameKeys && (await root.signed.verifyDelegate('root', root)).verified) return root;
  throw new PublicationError(
    'FOREIGN_OBJECT',
    `${key} exists with other keys than these; go on with the keys of the first attempt, or begin with an empty store.`,
    { role: 'root', version: 1 },
  );
}

async function publishFirst(
  context: PublicationContext,
  { offline, online }: CreateRepositoryOptions,
  profile: Profile,
  root: Metadata<Root>,
): Promise<void> {
  const now = context.clock();
  const versions = await highestVersions(context.db, context.indexId, [
    'targets',
    'claimed',
    'recently-claimed',
    'bins',
  ]);
  const common = (role: string, lifetime: number) => ({
    version: (versions.get(role) ?? 0) + 1,
    expires: expiryFrom(now, lifetime),
  });
  const { offlineLifetime, onlineLifetime } = profile;
  const targets = await signMetadata(
    firstTargets(offline, online, common('targets', offlineLifetime)),
    offline.targets.signers,
  );
  const bins = await signMetadata(
    firstBins(online, profile.bins, common('bins', offlineLifetime)),
    offline.bins.signers,
    'bins',
  );
  const empty = (role: string, lifetime: number, signers: readonly Signer[]) =>
    signMetadata(
      new Targets({
        ...common(role, lifetime),
        targets: new Map(),
        unrecognizedFields: new Map([[ROLE_NAME_FIELD, role]]),
      }),
      signers,
      role,
    );
  const claimed = await empty('claimed', offlineLifetime, offline.claimed.signers);
  const recentlyClaimed = await empty('recently-claimed', onlineLifetime, [online]);
  const delegators = [
    signedRole('targets', targets),
    signedRole('claimed', claimed),
    signedRole('recently-claimed', recentlyClaimed),
    signedRole('bins', bins),
  ];
  const roles = new OfflineRoles(root, targets, bins);
  await publishWithBins(context, roles, signedRole('root', root), delegators, { online, profile, now });
}

/** The bins, snapshot and timestamp on top of the roles that were just signed, all in one publication. */
async function publishWithBins(
  context: PublicationContext,
  offline: OfflineRoles,
  root: SignedRole,
  delegators: readonly SignedRole[],
  signing: { readonly online: Signer; readonly profile: Profile; readonly now: Date },
): Promise<void> {
  const { draft } = await prepareDraft(
    context,
    {
      offline,
      roles: new Map(),
      entries: SnapshotEntries.of(delegators.map((role) => snapshotEntry(role, offline))),
    },
    {
      journalIds: [],
      targetChanges: [],
      pages: new Map(),
      copies: [],
      due: offline.layout.names,
    },
    { keys: new OnlineKeys([signing.online]), profile: signing.profile, now: signing.now },
  );
  await publish(context, {
    ...draft,
    roles: [...delegators, ...draft.roles, root],
    offlineRoles: [root],
  });
}

function requireProfile(index: IndexRow): Profile {
  const profile = profileNamed(index.profile);
  if (profile !== undefined) return profile;
  throw new PublicationError(
    'UNKNOWN_PROFILE',
    `The index has the profile "${index.profile}", which this version of Rind does not know.`,
  );
}
