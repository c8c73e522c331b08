import { highestVersions } from '../db/roles.ts';
import type { TargetChange } from '../db/publications.ts';
import type { RoleRow } from '../db/schema.ts';
import { targetPathPrefix, targetsOfRange } from '../db/targets.ts';
import type { RoleTree } from '../transparency/role-tree.ts';
import { Metadata, signMetadata } from '../tuf/metadata.ts';
import { encodeBin, type BinTarget } from './bins.ts';
import { PublicationError } from './errors.ts';
import { expiryFrom } from './expiry.ts';
import { windowOf, type ExpirySettings } from './expiry-settings.ts';
import type { OfflineRoles } from './offline-roles.ts';
import type { OnlineKeys } from './online-keys.ts';
import type { PublicLog } from './public-log.ts';
import { writeRolesEarly, type PublicationContext, type PublicationDraft } from './publication.ts';
import { sha256Hex } from './project-targets.ts';
import { withOtherHashes } from './other-hashes.ts';
import { signedRole, signEncoded, type SignedRole, type WrittenRole } from './signed-role.ts';
import { signInParts } from './sign-in-parts.ts';
import { encodeTimestamp, SnapshotEntries, type SnapshotEntry } from './snapshot.ts';

/** What is public now; a draft is made on top of it. */
export interface PublishedState {
  readonly offline: OfflineRoles;
  /** Every public role, offline ones included. Those of a publication are put in when it is public: a copy would cost more with each bin. */
  readonly roles: Map<string, RoleRow>;
  readonly entries: SnapshotEntries;
  /** Every publication up to now. */
  readonly log: PublicLog;
  /** Over every public role. */
  readonly roleTree: RoleTree;
}

/** What a draft is to contain beside snapshot and timestamp. */
export interface DraftContent {
  readonly journalIds: readonly number[];
  readonly targetChanges: readonly TargetChange[];
  readonly pages: ReadonlyMap<string, Uint8Array>;
  readonly copies: readonly { readonly from: string; readonly to: string }[];
  /** Roles whose signatures have become old. */
  readonly due: readonly string[];
  /** Roles that were signed elsewhere and become public with it. */
  readonly alongside?: readonly SignedRole[];
}

/** What signing needs. */
export interface Signing {
  readonly keys: OnlineKeys;
  readonly expiry: ExpirySettings;
  /** Hashes to list beside sha256 where they are known. */
  readonly hashes?: readonly string[];
  readonly now: Date;
}

/** Bins encoded and signed at the same time: enough to keep a remote signer busy, few enough for the memory. */
const SIGNED_TOGETHER = 32;
/** More bins than this are signed and written part by part. */
const SIGNED_AT_ONCE = 512;

/** A draft and the state that will be public with it. */
export interface PreparedDraft {
  readonly draft: PublicationDraft;
  readonly entries: SnapshotEntries;
  readonly roleTree: RoleTree;
}

/**
 * Encodes and signs everything that a publication needs: the bins that its changes touch, what is due, snapshot and timestamp.
 * Only the touched bins are read. Nothing is written and no transaction is open meanwhile. Throws MISSING_SIGNER, UNUSABLE_METADATA.
 */
export async function prepareDraft(
  context: PublicationContext,
  state: PublishedState,
  content: DraftContent,
  signing: Signing,
): Promise<PreparedDraft> {
  const changesByBin = groupByBin(content.targetChanges, state.offline);
  const due = new Set(content.due);
  for (const role of due)
    if (state.offline.layout.has(role) && !changesByBin.has(role)) changesByBin.set(role, []);
  const others = due.has('recently-claimed') ? ['recently-claimed'] : [];
  const names = [...changesByBin.keys(), ...others, 'snapshot', 'timestamp'];
  const highest = await highestVersions(context.db, context.indexId, names);
  const next = (role: string) => ({
    role,
    version: signing.keys.versionAfter(role, highest.get(role)),
    expires: expiryFrom(signing.now, windowOf(signing.expiry, role).lifetime),
  });

  const signBin = async ([role, changes]: readonly [string, readonly TargetChange[]]) =>
    signEncoded(
      next(role),
      encodeBin({
        ...next(role),
        targets: await targetsOfBin(context, state.offline, role, changes, signing.hashes),
      }),
      signing.keys.signersFor(role, state.offline.keysOf(role)),
    );
  const written =
    changesByBin.size > SIGNED_AT_ONCE ? await signAndWrite(context, [...changesByBin], signBin) : undefined;
  const signed = written === undefined ? await inGroups([...changesByBin], SIGNED_TOGETHER, signBin) : [];
  for (const role of others) signed.push(await renewed(context, state, signing, next(role)));

  const listed = [...(written?.roles ?? []), ...signed];
  const entries = state.entries.with(listed.map((role) => snapshotEntry(role, state.offline)));
  // With every key: a client that knows only the root before or after this one verifies them too.
  const signers = (role: string) => signing.keys.allSignersFor(role, state.offline.keysOf(role));
  let snapshot = publishedSnapshot(state);
  if (listed.length > 0 || due.has('snapshot') || snapshot === undefined) {
    const made = await signEncoded(next('snapshot'), entries.encode(next('snapshot')), signers('snapshot'));
    signed.push(made);
    snapshot = { version: made.version, length: made.bytes.length, sha256: made.sha256 };
  }
  const roleTree = state.roleTree.with([...listed, ...(content.alongside ?? [])]);
  const log = { ...state.log.head, roles: roleTree.root };
  const timestampText = encodeTimestamp({ ...next('timestamp'), snapshot, log });
  const timestamp = await signEncoded(next('timestamp'), timestampText, signers('timestamp'));
  const { journalIds, targetChanges, pages, copies } = content;
  const snapshotVersion = snapshot.version;
  const roles = { roles: signed, written, timestamp, snapshotVersion };
  return {
    draft: { ...roles, log: state.log, journalIds, targetChanges, pages, copies },
    entries,
    roleTree,
  };
}

/** How the snapshot lists a role. */
export function snapshotEntry(
  role: { readonly role: string; readonly version: number; readonly sha256: string } & (
    { readonly bytes: Uint8Array } | { readonly length: number }
  ),
  offline: OfflineRoles,
): SnapshotEntry {
  const { role: name, version, sha256 } = role;
  if (!offline.isListedWithContent(name)) return { role: name, version };
  const length = 'bytes' in role ? role.bytes.length : role.length;
  return { role: name, version, content: { length, sha256 } };
}

function publishedSnapshot(state: PublishedState) {
  const row = state.roles.get('snapshot');
  return row === undefined ? undefined : { version: row.version, length: row.length, sha256: row.sha256 };
}

function groupByBin(changes: readonly TargetChange[], offline: OfflineRoles): Map<string, TargetChange[]> {
  const groups = new Map<string, TargetChange[]>();
  for (const change of changes) {
    const bin = offline.layout.nameOf(targetPathPrefix(change.path));
    const group = groups.get(bin);
    if (group === undefined) groups.set(bin, [change]);
    else group.push(change);
  }
  return groups;
}

async function targetsOfBin(
  { db, indexId }: PublicationContext,
  offline: OfflineRoles,
  role: string,
  changes: readonly TargetChange[],
  hashes: readonly string[] = [],
): Promise<readonly BinTarget[]> {
  const { first, last } = offline.layout.rangeOf(role);
  const targets = new Map<string, BinTarget>();
  for (const target of await targetsOfRange(db, indexId, first, last)) targets.set(target.path, target);
  for (const { path, target } of changes) {
    if (target === undefined) targets.delete(path);
    else targets.set(path, { path, ...target });
  }
  return withOtherHashes(db, indexId, { first, last }, [...targets.values()], hashes);
}

/** A role signed anew with the same content: for roles that are no bins. */
async function renewed(
  { store, tree }: PublicationContext,
  { roles, offline }: PublishedState,
  { keys }: Signing,
  next: { readonly role: string; readonly version: number; readonly expires: Date },
): Promise<SignedRole> {
  const { role, version, expires } = next;
  const row = roles.get(role);
  const bytes = row === undefined ? undefined : await store.read(tree.metadata(role, row.version));
  if (bytes === undefined || sha256Hex(bytes) !== row?.sha256) {
    throw new PublicationError(
      'UNUSABLE_METADATA',
      `${role} cannot be renewed: its published version is not in the store as it was published.`,
      { role, version },
    );
  }
  const content = Metadata.fromBytes(bytes, 'targets').signed.with({ version, expires });
  return signedRole(role, await signMetadata(content, keys.signersFor(role, offline.keysOf(role)), role));
}

/** Signs, reserves and writes bins part by part. */
async function signAndWrite<T>(
  context: PublicationContext,
  values: readonly T[],
  sign: (value: T) => Promise<SignedRole>,
): Promise<{ readonly publicationId: number; readonly roles: readonly WrittenRole[] }> {
  let publicationId: number | undefined;
  const roles = await signInParts(values, sign, async (part) => {
    publicationId = await writeRolesEarly(context, publicationId, part);
  });
  return { publicationId: publicationId ?? 0, roles };
}

async function inGroups<T, R>(
  values: readonly T[],
  length: number,
  work: (value: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  for (let start = 0; start < values.length; start += length) {
    for (const result of await Promise.all(values.slice(start, start + length).map(work)))
      results.push(result);
  }
  return results;
}
