import { claimListOf, MOST_LIST_BYTES, shardNames, type ClaimedProject } from '../claims/claim-lists.ts';
import { ClaimError } from '../claims/errors.ts';
import { parseProjectRoleName, projectRoleName, releaseRoleName, wheelsRoleName } from '../claims/names.ts';
import { isSameOwners } from '../claims/owners.ts';
import { projectDelegation } from '../claims/project-role.ts';
import { listClaims } from '../db/claims.ts';
import type { TargetChange } from '../db/publications.ts';
import type { Executor } from '../db/schema.ts';
import { claimedTargetsUnder } from '../db/targets.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { canonicalJsonText } from '../tuf/canonical-json.ts';
import { Metadata } from '../tuf/metadata.ts';
import type { Signed } from '../tuf/signed.ts';
import type { Targets } from '../tuf/targets.ts';
import { readSignedProject } from './claimed-project.ts';
import type { PublishedState } from './draft.ts';
import { PublicationError } from './errors.ts';
import type { OfflineRoles } from './offline-roles.ts';
import { listKeys, type PublishedClaims } from './published-claims.ts';
import { sha256Hex } from './project-targets.ts';
import type { ServedTree } from './served-tree.ts';
import { signedRole, type SignedRole } from './signed-role.ts';

/** Where public metadata is read. */
export interface PublicTree {
  readonly db: Executor;
  readonly store: ObjectStore;
  readonly tree: ServedTree;
  readonly indexId: number;
}

/** What a bundle changes about claimed projects. */
export interface ClaimsAdoption {
  /** As they are with it: moved projects are in recently-claimed no more. */
  readonly claims: PublishedClaims;
  /** New parts of claimed. */
  readonly parts: readonly SignedRole[];
  /** Parts of recently-claimed to sign anew. */
  readonly due: readonly string[];
  /** The targets of projects that claimed delegates no more: they go back to the bins. */
  readonly targetChanges: readonly TargetChange[];
}

/**
 * What the claimed list of a bundle, or other keys in its targets, mean for the projects (PEP 480: both lists change in one snapshot). Throws
 * UNUSABLE_METADATA when a client could not follow it: a part that is missing or too large, a delegation in another form, a project whose
 * present metadata the keys do not cover.
 */
export async function adoptClaims(
  place: PublicTree,
  fresh: ReadonlyMap<string, Metadata<Signed>>,
  state: PublishedState,
  next: OfflineRoles,
): Promise<ClaimsAdoption> {
  const before = state.claims;
  const hasNews = [...fresh.keys()].some((role) => role === 'targets' || claimListOf(role) === 'claimed');
  if (!hasNews) return { claims: before, parts: [], due: [], targetChanges: [] };
  const lists = await readLists(place, fresh, state, next);
  requireForm(lists);
  const keys = listKeys(next.targets, 'recently-claimed');
  const forgotten = await unclaimed(place, before);
  const claims = before.withClaimed(signedOf(lists), keys).withRecentlyClaimed(forgotten, keys);
  for (const [project, owners] of claims.claimed) {
    const old = before.claimed.get(project);
    if (old === undefined || !isSameOwners(old, owners))
      await requireSignedBy(place, state, { project, owners });
  }
  const parts = [...lists].flatMap(([role, metadata]) =>
    role !== 'claimed' && fresh.has(role) ? [signedRole(role, metadata)] : [],
  );
  const left = [...before.claimed.keys()].filter((project) => !claims.claimed.has(project));
  return { claims, parts, due: claims.changedParts(before), targetChanges: await backToBins(place, left) };
}

/** Projects in recently-claimed whose claims are gone and whose targets stand in the bins already: after a recovery. */
async function unclaimed(
  { db, indexId }: PublicTree,
  { recentlyClaimed }: PublishedClaims,
): Promise<ReadonlyMap<string, undefined>> {
  const known = new Set((await listClaims(db, indexId)).map(({ project }) => project));
  const gone = new Map<string, undefined>();
  for (const project of recentlyClaimed.keys()) {
    if (known.has(project)) continue;
    const isInBins = (await claimedTargetsUnder(db, indexId, `simple/${project}/`)).length === 0;
    if (isInBins) gone.set(project, undefined);
  }
  return gone;
}

/** claimed and its parts as they will be, each verified. */
async function readLists(
  place: PublicTree,
  fresh: ReadonlyMap<string, Metadata<Signed>>,
  state: PublishedState,
  next: OfflineRoles,
): Promise<ReadonlyMap<string, Metadata<Targets>>> {
  const read = async (role: string) =>
    (fresh.get(role) as Metadata<Targets> | undefined) ?? (await readPublic(place, state, role));
  const whole = await read('claimed');
  await requireVerified('claimed', whole, next.targets.signed.verifyDelegate('claimed', whole));
  const lists = new Map([['claimed', whole]]);
  for (const role of shardNames(whole.signed)) {
    const part = await read(role);
    await requireVerified(role, part, whole.signed.verifyDelegate(role, part));
    lists.set(role, part);
  }
  for (const role of fresh.keys()) {
    if (claimListOf(role) === 'claimed' && !lists.has(role))
      throw unusable(`The bundle holds ${role}, to which claimed does not delegate.`, role);
  }
  return lists;
}

async function requireVerified(
  role: string,
  metadata: Metadata<Targets>,
  result: Promise<{ readonly verified: boolean }>,
): Promise<void> {
  const { roleName } = metadata.signed;
  if (roleName !== undefined && roleName !== role)
    throw unusable(`${role} was signed as ${roleName}, which has the same keys.`, role);
  if (!(await result).verified) throw unusable(`${role} is not signed by a threshold of its keys.`, role);
}

/** Every delegation is one that Rind makes: projects terminating and for their own paths, in the part where a client looks for them. */
function requireForm(lists: ReadonlyMap<string, Metadata<Targets>>): void {
  const seen = new Set<string>();
  for (const [list, metadata] of lists) {
    const { length } = metadata.toBytes();
    if (length > MOST_LIST_BYTES)
      throw unusable(`${list} has ${length} bytes, and clients take ${MOST_LIST_BYTES}; part it anew.`, list);
    for (const [role, delegation] of metadata.signed.delegations?.roles ?? []) {
      if (claimListOf(role) === 'claimed' && list === 'claimed') continue;
      const parsed = parseProjectRoleName(role);
      if (parsed?.kind !== 'project')
        throw unusable(`${list} delegates to ${JSON.stringify(role)}, which is no project.`, list);
      const { project } = parsed;
      const owners = { keys: [], threshold: delegation.threshold };
      const proper = projectDelegation(project, owners).toJson();
      const form = new Map(proper).set('keyids', [...delegation.keyIds]);
      if (canonicalJsonText(form) !== canonicalJsonText(delegation.toJson()))
        throw unusable(
          `${list} delegates ${project} in another way than terminating for its own paths.`,
          list,
        );
      if (seen.has(project)) throw unusable(`claimed delegates ${project} twice.`, list);
      seen.add(project);
      if (!isReached(lists, list, project))
        throw unusable(`${list} delegates ${project}, but no client looks for it there.`, list);
    }
  }
}

function isReached(lists: ReadonlyMap<string, Metadata<Targets>>, list: string, project: string): boolean {
  if (list === 'claimed') return true;
  const matches = lists.get('claimed')?.signed.delegations?.rolesForTarget(`simple/${project}/index.json`);
  return matches?.some(({ name, terminating }) => name === list && !terminating) === true;
}

/** The present metadata of a project verifies with the keys that claimed gives it: otherwise nobody could install it until it is signed again. */
async function requireSignedBy(
  place: PublicTree,
  state: PublishedState,
  { project, owners }: ClaimedProject,
): Promise<void> {
  const names = [projectRoleName(project), releaseRoleName(project), wheelsRoleName(project)];
  const rows: { role: string; bytes: Uint8Array }[] = [];
  for (const role of names.filter((name) => state.roles.has(name)))
    rows.push({ role, bytes: await readBytes(place, state, role) });
  try {
    await readSignedProject(project, owners, rows);
  } catch (cause) {
    if (!(cause instanceof PublicationError || cause instanceof ClaimError)) throw cause;
    throw new PublicationError(
      'UNUSABLE_METADATA',
      `claimed delegates ${project} to keys that do not cover what is public of it: ${cause.message} Leave the project out of the event, or have its owners sign first.`,
      { role: projectRoleName(project), cause },
    );
  }
}

async function backToBins(
  { db, indexId }: PublicTree,
  projects: readonly string[],
): Promise<readonly TargetChange[]> {
  const changes: TargetChange[] = [];
  for (const project of projects) {
    for (const folder of [`packages/${project}/`, `simple/${project}/`]) {
      for (const { path, length, sha256 } of await claimedTargetsUnder(db, indexId, folder)) {
        changes.push({ path, target: undefined, isClaimed: true }, { path, target: { length, sha256 } });
      }
    }
  }
  return changes;
}

async function readPublic(
  place: PublicTree,
  state: PublishedState,
  role: string,
): Promise<Metadata<Targets>> {
  return Metadata.fromBytes(await readBytes(place, state, role), 'targets', { role });
}

async function readBytes(
  { store, tree }: PublicTree,
  { roles }: PublishedState,
  role: string,
): Promise<Uint8Array> {
  const row = roles.get(role);
  const bytes = row === undefined ? undefined : await store.read(tree.metadata(role, row.version));
  if (bytes !== undefined && sha256Hex(bytes) === row?.sha256) return bytes;
  throw unusable(`${role} is neither in the bundle nor in the store as it was published.`, role);
}

function signedOf(lists: ReadonlyMap<string, Metadata<Targets>>): ReadonlyMap<string, Targets> {
  return new Map([...lists].map(([role, { signed }]) => [role, signed]));
}

function unusable(message: string, role: string): PublicationError {
  return new PublicationError('UNUSABLE_METADATA', message, { role });
}
