import { claimListRole } from '../claims/claim-lists.ts';
import { highestVersions } from '../db/roles.ts';
import type { TargetChange } from '../db/publications.ts';
import type { RoleRow } from '../db/schema.ts';
import { targetPathPrefix, targetsOfRange } from '../db/targets.ts';
import type { RoleTree } from '../transparency/role-tree.ts';
import { canonicalJsonText } from '../tuf/canonical-json.ts';
import type { Delegations } from '../tuf/delegations.ts';
import { encodeBin, type BinTarget } from './bins.ts';
import { expiryFrom } from './expiry.ts';
import { windowOf, type ExpirySettings } from './expiry-settings.ts';
import type { OfflineRoles } from './offline-roles.ts';
import type { OnlineKeys } from './online-keys.ts';
import type { PublicLog } from './public-log.ts';
import { writeRolesEarly, type PublicationContext, type PublicationDraft } from './publication.ts';
import type { PublishedClaims } from './published-claims.ts';
import { withOtherHashes } from './other-hashes.ts';
import { signEncoded, type SignedRole, type WrittenRole } from './signed-role.ts';
import { signInParts } from './sign-in-parts.ts';
import { encodeTimestamp, SnapshotEntries, type SnapshotEntry } from './snapshot.ts';

/** What is public now; a draft is made on top of it. */
export interface PublishedState {
  readonly offline: OfflineRoles;
  /** What claimed and recently-claimed delegate. */
  readonly claims: PublishedClaims;
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
  /** Roles that were signed elsewhere and become public with it: by developers, or in a ceremony. */
  readonly alongside?: readonly SignedRole[];
  /** What the lists of claimed projects delegate from then on; the changed parts of recently-claimed are among those due. */
  readonly claims?: PublishedClaims | undefined;
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
  readonly claims: PublishedClaims;
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
  const claims = content.claims ?? state.claims;
  const parts = [...claims.parts].filter(([role]) => due.has(role));
  const alongside = content.alongside ?? [];
  const names = [...changesByBin.keys(), ...parts.map(([role]) => role), 'snapshot', 'timestamp'];
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
  const signPart = ([role, delegations]: readonly [string, Delegations]) =>
    signEncoded(
      next(role),
      canonicalJsonText(claimListRole(role, delegations, next(role)).toJson()),
      signing.keys.signersFor(role, state.offline.keysOf(role)),
    );
  for (const part of await inGroups(parts, SIGNED_TOGETHER, signPart)) signed.push(part);

  const elsewhere = alongside.filter(({ role }) => role !== 'root');
  const listed = [...(written?.roles ?? []), ...signed, ...elsewhere];
  const entries = state.entries.with(listed.map((role) => snapshotEntry(role, state.offline)));
  // With every key: a client that knows only the root before or after this one verifies them too.
  const signers = (role: string) => signing.keys.allSignersFor(role, state.offline.keysOf(role));
  let snapshot = publishedSnapshot(state);
  if (listed.length > 0 || due.has('snapshot') || snapshot === undefined) {
    const made = await signEncoded(next('snapshot'), entries.encode(next('snapshot')), signers('snapshot'));
    signed.push(made);
    snapshot = { version: made.version, length: made.bytes.length, sha256: made.sha256 };
  }
  const roleTree = state.roleTree.with([...listed, ...alongside.filter(({ role }) => role === 'root')]);
  const log = { ...state.log.head, roles: roleTree.root };
  const timestampText = encodeTimestamp({ ...next('timestamp'), snapshot, log });
  const timestamp = await signEncoded(next('timestamp'), timestampText, signers('timestamp'));
  const { journalIds, targetChanges, pages, copies } = content;
  const draft = {
    roles: [...elsewhere, ...signed],
    root: alongside.find(({ role }) => role === 'root'),
    offlineRoles: alongside,
    written,
    timestamp,
    snapshotVersion: snapshot.version,
    log: state.log,
  };
  return { draft: { ...draft, journalIds, targetChanges, pages, copies }, claims, entries, roleTree };
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
    if (change.isClaimed === true) continue;
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
