import { hostname } from 'node:os';
import { acquireLease } from '../db/leases.ts';
import { lastPublication } from '../db/publications.ts';
import { findRoleVersion, highestVersions } from '../db/roles.ts';
import type { Executor, IndexRow } from '../db/schema.ts';
import { writeTransaction } from '../db/transactions.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { RoleTree } from '../transparency/role-tree.ts';
import { Metadata, signMetadata } from '../tuf/metadata.ts';
import type { Root } from '../tuf/root.ts';
import type { Signer } from '../tuf/signer.ts';
import { ROLE_NAME_FIELD, Targets } from '../tuf/targets.ts';
import { prepareDraft, snapshotEntry } from './draft.ts';
import { PublicationError } from './errors.ts';
import { expiryFrom } from './expiry.ts';
import { expirySettingsOf, type ExpirySettings } from './expiry-settings.ts';
import { OfflineRoles, requireSignedRoles } from './offline-roles.ts';
import { OnlineKeys } from './online-keys.ts';
import { profileNamed, type Profile } from './profile.ts';
import { nodeSha256, PublicLog } from './public-log.ts';
import { PublishedClaims } from './published-claims.ts';
import { publish, recoverPublication, type PublicationContext } from './publication.ts';
import { sha256Hex } from './project-targets.ts';
import { ServedTree } from './served-tree.ts';
import { signedRole, type SignedRole } from './signed-role.ts';
import { SnapshotEntries } from './snapshot.ts';

/** What the offline keys signed, in a ceremony. */
export interface SignedOfflineRoles {
  readonly root: Metadata<Root>;
  readonly targets: Metadata<Targets>;
  readonly claimed: Metadata<Targets>;
  readonly bins: Metadata<Targets>;
}

export interface CreateRepositoryOptions {
  readonly db: Executor;
  readonly store: ObjectStore;
  readonly index: IndexRow;
  readonly offline: SignedOfflineRoles;
  /** Sign timestamp, snapshot, recently-claimed and every bin. */
  readonly online: readonly Signer[];
  readonly clock?: () => Date;
}

export interface CreatedRepository {
  readonly root: Metadata<Root>;
  /** sha256 of the canonical signed part of root, lower-case hex: what people compare. */
  readonly fingerprint: string;
}

/**
 * Makes the first metadata of an index in PEP 458's form and publishes it: root, targets, claimed and bins as a ceremony signed them;
 * recently-claimed, every bin-n (with the targets that the index already has: the one-time online initialisation), snapshot and timestamp with
 * the online keys. The store lock must be held. After a crash the same call with the same signed roles goes on; the others skip the versions
 * that were reserved. Throws REPOSITORY_EXISTS once it was finished, FOREIGN_OBJECT when the store has a root of other keys or the database
 * has reserved the versions for other bytes, UNUSABLE_METADATA when a signature is missing, MISSING_SIGNER.
 */
export async function createRepository(options: CreateRepositoryOptions): Promise<CreatedRepository> {
  const { db, store, index } = options;
  const clock = options.clock ?? (() => new Date());
  const profile = requireProfile(index);
  const tree = new ServedTree(index.name);
  const { root, targets, claimed, bins } = options.offline;
  const offline = new OfflineRoles(root, targets, bins);
  await requireSignedRoles(offline, claimed);
  const keys = new OnlineKeys(options.online);
  await keys.readSignedVersions();
  for (const role of ['timestamp', 'snapshot', 'recently-claimed'])
    keys.signersFor(role, offline.keysOf(role));
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
  const stored = await ensureRoot(context, root);
  if (recovery?.outcome !== 'finished') {
    const roles = new OfflineRoles(stored, targets, bins);
    await publishFirst(
      context,
      { roles, claimed },
      { keys, expiry: expirySettingsOf(profile), now: clock() },
    );
  }
  return { root: stored, fingerprint: sha256Hex(stored.signedBytes) };
}

/** The first root, or the same one under other signatures of an interrupted attempt. Its create-only object is its reservation. */
async function ensureRoot(
  { store, tree }: PublicationContext,
  root: Metadata<Root>,
): Promise<Metadata<Root>> {
  const { version } = root.signed;
  const key = tree.metadata('root', version);
  const stored = (await store.create(key, root.toBytes())) === 'exists' ? await store.read(key) : undefined;
  if (stored === undefined) return root;
  const other = Metadata.fromBytes(stored, 'root');
  const isSame = sha256Hex(other.signedBytes) === sha256Hex(root.signedBytes);
  if (isSame && (await other.signed.verifyDelegate('root', other)).verified) return other;
  throw new PublicationError(
    'FOREIGN_OBJECT',
    `${key} exists with other keys than these; go on with the bundle of the first attempt, or begin with an empty store.`,
    { role: 'root', version },
  );
}

async function publishFirst(
  context: PublicationContext,
  { roles, claimed }: { readonly roles: OfflineRoles; readonly claimed: Metadata<Targets> },
  signing: { readonly keys: OnlineKeys; readonly expiry: ExpirySettings; readonly now: Date },
): Promise<void> {
  const recentlyClaimed = await firstRecentlyClaimed(context, roles, signing);
  const root = signedRole('root', roles.root);
  const offline = [
    signedRole('targets', roles.targets),
    signedRole('claimed', claimed),
    signedRole('bins', roles.bins),
  ];
  await requireFreeVersions(context, offline);
  const delegators = [...offline, recentlyClaimed];
  const entries = SnapshotEntries.of(delegators.map((role) => snapshotEntry(role, roles)));
  const { draft } = await prepareDraft(
    context,
    {
      offline: roles,
      claims: PublishedClaims.empty(),
      roles: new Map(),
      entries,
      log: PublicLog.empty(),
      roleTree: RoleTree.of([...delegators, root], nodeSha256),
    },
    { journalIds: [], targetChanges: [], pages: new Map(), copies: [], due: roles.layout.names },
    signing,
  );
  await publish(context, {
    ...draft,
    roles: [...delegators, ...draft.roles],
    root,
    offlineRoles: [root, ...offline],
  });
}

/** recently-claimed, which the online key signs: empty, and from the first day on because adding it later would need offline keys. */
async function firstRecentlyClaimed(
  context: PublicationContext,
  roles: OfflineRoles,
  { keys, expiry, now }: { readonly keys: OnlineKeys; readonly expiry: ExpirySettings; readonly now: Date },
): Promise<SignedRole> {
  const role = 'recently-claimed';
  const versions = await highestVersions(context.db, context.indexId, [role]);
  const content = new Targets({
    version: keys.versionAfter(role, versions.get(role)),
    expires: expiryFrom(now, expiry.bins.lifetime),
    targets: new Map(),
    unrecognizedFields: new Map([[ROLE_NAME_FIELD, role]]),
  });
  return signedRole(role, await signMetadata(content, keys.signersFor(role, roles.keysOf(role)), role));
}

/** A version that was reserved for other bytes can never be theirs (I2). */
export async function requireFreeVersions(
  { db, indexId }: PublicationContext,
  roles: readonly SignedRole[],
): Promise<void> {
  for (const { role, version, sha256 } of roles) {
    const reserved = await findRoleVersion(db, indexId, role, version);
    if (reserved === undefined || reserved.sha256 === sha256) continue;
    throw new PublicationError(
      'FOREIGN_OBJECT',
      `Version ${version} of ${role} was reserved for another bundle; import that one, or make a new one on top of what is public.`,
      { role, version },
    );
  }
}

function requireProfile(index: IndexRow): Profile {
  const profile = profileNamed(index.profile);
  if (profile !== undefined) return profile;
  throw new PublicationError(
    'UNKNOWN_PROFILE',
    `The index has the profile "${index.profile}", which this version of Rind does not know.`,
  );
}
