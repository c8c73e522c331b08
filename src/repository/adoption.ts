import { claimListOf } from '../claims/claim-lists.ts';
import { parseProjectRoleName } from '../claims/names.ts';
import { offlineBundleRoles, type BundleRole } from '../db/offline-bundles.ts';
import type { TargetChange } from '../db/publications.ts';
import type { OfflineBundleRow } from '../db/schema.ts';
import { RepositoryError } from '../tuf/errors.ts';
import { Metadata } from '../tuf/metadata.ts';
import type { Root } from '../tuf/root.ts';
import type { Signed } from '../tuf/signed.ts';
import type { Targets } from '../tuf/targets.ts';
import { adoptClaims, type PublicTree } from './claims-adoption.ts';
import type { PublishedState } from './draft.ts';
import { PublicationError } from './errors.ts';
import { OfflineRoles, requireSignedRoles, type RoleKeys } from './offline-roles.ts';
import type { OnlineKeys } from './online-keys.ts';
import { sha256Hex } from './project-targets.ts';
import type { PublishedClaims } from './published-claims.ts';
import { signedRole, type SignedRole } from './signed-role.ts';

/** What a bundle changes, and what the publisher must do for it. */
export interface Adoption {
  /**
   * `root`: its root alone, with everything else as it is; clients that know either root verify all of it. Then, after a while, `rest`.
   * `all`: both at once, because old and new roles do not go together; a client in the middle of it retries.
   */
  readonly step: 'root' | 'rest' | 'all' | 'none';
  /** The roles as they are after this step. */
  readonly offline: OfflineRoles;
  readonly root: SignedRole | undefined;
  /** targets, claimed with its parts and bins, where they change. */
  readonly roles: readonly SignedRole[];
  /** Online roles to sign anew with it. */
  readonly due: readonly string[];
  /** What claimed and recently-claimed delegate after this step. */
  readonly claims: PublishedClaims;
  /** The targets of projects that are claimed no more. */
  readonly targetChanges: readonly TargetChange[];
  /** Roles that leave the snapshot: nobody trusts a snapshot any more that listed them. */
  readonly forgotten: readonly string[];
}

/**
 * Reads a bundle and decides what comes next: pure but for the database and verification. Throws PublicationError with a sentence when it
 * does not go on top of what is public, or needs an online key that is not here.
 */
export async function planAdoption(
  place: PublicTree,
  bundle: OfflineBundleRow,
  state: PublishedState,
  keys: OnlineKeys,
): Promise<Adoption> {
  const metadata = await readBundle(await offlineBundleRoles(place.db, bundle.id));
  const old = state.offline;
  const isPublic = (role: string, one: Metadata<Signed>) =>
    state.roles.get(role)?.sha256 === sha256Hex(one.toBytes());
  const fresh = new Map([...metadata].filter(([role, one]) => !isPublic(role, one)));
  const root = (fresh.get('root') as Metadata<Root> | undefined) ?? old.root;
  const targets = (fresh.get('targets') as Metadata<Targets> | undefined) ?? old.targets;
  const bins = (fresh.get('bins') as Metadata<Targets> | undefined) ?? old.bins;
  const next = new OfflineRoles(root, targets, bins);
  requireVersions(fresh, state);
  await requireFollows(old, next, fresh.get('claimed') as Metadata<Targets> | undefined);
  requireSigners(next, keys);
  const { claims, parts, due, targetChanges } = await adoptClaims(place, fresh, state, next);
  const whole = ['targets', 'claimed', 'bins'].flatMap((role) => {
    const one = fresh.get(role);
    return one === undefined ? [] : [signedRole(role, one)];
  });
  const roles = [...whole, ...parts];
  const newRoot = fresh.has('root') ? signedRole('root', root) : undefined;
  const nothing = { roles: [], due: [], claims: state.claims, targetChanges: [], forgotten: [] };
  if (newRoot === undefined && roles.length === 0)
    return { ...nothing, step: 'none', offline: old, root: undefined };
  if (newRoot !== undefined && roles.length > 0 && (await goesBesideOld(old, next))) {
    const offline = new OfflineRoles(root, old.targets, old.bins);
    return { ...nothing, step: 'root', offline, root: newRoot, due: ['snapshot'] };
  }
  return {
    step: newRoot === undefined ? 'rest' : 'all',
    offline: next,
    root: newRoot,
    roles,
    due: ['snapshot', ...due, ...dueWith(old, next, claims)],
    claims,
    targetChanges,
    forgotten: forgottenRoles(state, next, claims),
  };
}

async function readBundle(rows: readonly BundleRole[]): Promise<ReadonlyMap<string, Metadata<Signed>>> {
  try {
    return new Map(
      rows.map(({ role, bytes }) => [
        role,
        role === 'root' ? Metadata.fromBytes(bytes, 'root') : Metadata.fromBytes(bytes, 'targets', { role }),
      ]),
    );
  } catch (cause) {
    if (!(cause instanceof RepositoryError)) throw cause;
    throw new PublicationError('UNUSABLE_METADATA', `The bundle cannot be read: ${cause.message}.`, {
      cause,
    });
  }
}

function requireVersions(fresh: ReadonlyMap<string, Metadata<Signed>>, { roles }: PublishedState): void {
  for (const [role, { signed }] of fresh) {
    const current = roles.get(role)?.version ?? 0;
    const isNext = role === 'root' ? signed.version === current + 1 : signed.version > current;
    if (isNext) continue;
    throw new PublicationError(
      'UNUSABLE_METADATA',
      `The bundle holds version ${signed.version} of ${role}, but version ${current} is public; make a new bundle on top of what is public.`,
      { role, version: signed.version },
    );
  }
}

async function requireFollows(
  old: OfflineRoles,
  next: OfflineRoles,
  claimed: Metadata<Targets> | undefined,
): Promise<void> {
  await requireSignedRoles(next, claimed);
  if (next.root === old.root || (await old.root.signed.verifyDelegate('root', next.root)).verified) return;
  throw new PublicationError(
    'UNUSABLE_METADATA',
    'The new root is not signed by a threshold of the keys of the public one.',
    {
      role: 'root',
    },
  );
}

/** Before anything is written: the keys for every role that the bundle leaves to this server. */
function requireSigners(next: OfflineRoles, keys: OnlineKeys): void {
  for (const role of ['timestamp', 'snapshot', 'recently-claimed', next.layout.names[0] ?? ''])
    keys.signersFor(role, next.keysOf(role));
}

/**
 * Whether clients of the old root verify what is signed for the new one and the other way round: then the root can go first, and who is
 * between its two requests sees nothing that does not verify.
 */
async function goesBesideOld(old: OfflineRoles, next: OfflineRoles): Promise<boolean> {
  const shares = (role: string) => {
    const [before, after] = [old.keysOf(role), next.keysOf(role)];
    const common = before.keyIds.filter((id) => after.keyIds.includes(id)).length;
    return common >= Math.max(before.threshold, after.threshold);
  };
  const oldTargets = await next.root.signed.verifyDelegate('targets', old.targets);
  return shares('timestamp') && shares('snapshot') && oldTargets.verified;
}

/** What must be signed anew: bins that did not exist, and everything whose present signature the new keys do not cover. */
function dueWith(old: OfflineRoles, next: OfflineRoles, claims: PublishedClaims): readonly string[] {
  const stays = (role: string) => old.isDelegated(role) && covers(next.keysOf(role), old.keysOf(role));
  const due = next.layout.names.filter(
    (role) => !stays(role) || old.layout.names.length !== next.layout.names.length,
  );
  return stays('recently-claimed') ? due : [...due, ...claims.parts.keys()];
}

/** Whether whatever was signed for `old` verifies with `next`. */
function covers(next: RoleKeys, old: RoleKeys): boolean {
  return next.threshold <= old.threshold && old.keyIds.every((id) => next.keyIds.includes(id));
}

/**
 * Roles that are delegated no more may leave the snapshot only when no snapshot that listed them verifies any more: clients refuse a snapshot
 * that lost a role (TUF 5.5.5), but begin anew when the keys of timestamp and snapshot were replaced (5.3.11).
 */
function forgottenRoles(
  { offline: old, roles }: PublishedState,
  next: OfflineRoles,
  claims: PublishedClaims,
): readonly string[] {
  const isReplaced = (role: string) =>
    !old.keysOf(role).keyIds.some((id) => next.keysOf(role).keyIds.includes(id));
  if (!isReplaced('timestamp') || !isReplaced('snapshot')) return [];
  const isReached = (role: string) => {
    const project = parseProjectRoleName(role)?.project;
    if (project !== undefined) return claims.of(project) !== undefined;
    return claimListOf(role) === undefined ? next.isDelegated(role) : claims.hasPart(role);
  };
  return [...roles.keys()].filter(
    (role) => role !== 'root' && role !== 'snapshot' && role !== 'timestamp' && !isReached(role),
  );
}
