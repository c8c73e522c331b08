import { isSameOwners, withThresholdOne, type Owners } from '../claims/owners.ts';
import { parseOwnersText } from '../claims/owners-text.ts';
import type { SignedTarget } from '../claims/project-role.ts';
import type { PageState } from '../db/files.ts';
import type { TargetChange } from '../db/publications.ts';
import { findRoleVersion } from '../db/roles.ts';
import type { ClaimRow, Executor, RoleRow, SignedRoleRow } from '../db/schema.ts';
import type { PlacedTarget } from '../db/targets.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { readSignedProject, signedTargets } from './claimed-project.ts';
import { PublicationError } from './errors.ts';
import { projectTargets, type ProjectTargets } from './project-targets.ts';
import type { PublishedClaims } from './published-claims.ts';
import type { ServedTree } from './served-tree.ts';
import { signedRole, type SignedRole } from './signed-role.ts';

/** Where a project is published, and what is public there. */
export interface ProjectPlace {
  readonly db: Executor;
  readonly store: ObjectStore;
  readonly tree: ServedTree;
  readonly indexId: number;
  readonly claims: PublishedClaims;
  readonly roles: ReadonlyMap<string, RoleRow>;
  readonly now: Date;
}

/** What the database knows of a project. */
export interface ProjectRows {
  readonly state: PageState;
  /** Every target path that the project has or ever had. */
  readonly paths: Iterable<string>;
  /** Those of the paths that are public. */
  readonly current: ReadonlyMap<string, PlacedTarget>;
  readonly claim: ClaimRow | undefined;
  /** The newest version of each role that its developers signed. */
  readonly signed: readonly SignedRoleRow[];
}

/** What a publication changes for a project. */
export interface ProjectChange {
  readonly targetChanges: readonly TargetChange[];
  readonly pages: ReadonlyMap<string, Uint8Array>;
  /** The plain-named copies that new files need. */
  readonly copies: readonly Copy[];
  /** Metadata that its developers signed and that is not public yet. */
  readonly signed: readonly SignedRole[];
  /** Set when recently-claimed is to delegate the project otherwise; `owners` undefined: no more. */
  readonly claim?: { readonly owners: Owners | undefined };
}

interface Copy {
  readonly from: string;
  readonly to: string;
}

/**
 * The rows of a project, turned into what changes. The targets of a claimed project are those that its developers signed, and stand in no bin.
 * Throws when the project cannot be published as it is.
 */
export async function changeOfProject(rows: ProjectRows, place: ProjectPlace): Promise<ProjectChange> {
  const { state, paths, current } = rows;
  const targets = projectTargets(state);
  const claimed = await claimedChange(rows, targets, place);
  const listed = claimed.targets ?? targets.targets;
  const isClaimed = claimed.targets !== undefined;
  const targetChanges = changesOf(listed, new Set([...paths, ...listed.keys()]), current, isClaimed);
  return {
    targetChanges,
    pages: targets.pages,
    copies: await copiesOf(targets, targetChanges, place),
    signed: claimed.signed,
    ...(claimed.claim === undefined ? {} : { claim: claimed.claim }),
  };
}

interface ClaimedChange extends Pick<ProjectChange, 'signed' | 'claim'> {
  /** Undefined: the bins list the project. */
  readonly targets: ReadonlyMap<string, SignedTarget> | undefined;
}

async function claimedChange(
  { state, claim, signed }: ProjectRows,
  { targets }: ProjectTargets,
  place: ProjectPlace,
): Promise<ClaimedChange> {
  const { name } = state.project;
  const published = place.claims.of(name);
  if (claim === undefined) {
    if (published?.list === 'claimed')
      throw new PublicationError(
        'UNUSABLE_METADATA',
        `The administrators' claimed list delegates ${name}, but this database knows no claim of it; restore the claim, or take the project out of claimed in a signing event.`,
      );
    return {
      targets: undefined,
      signed: [],
      ...(published === undefined ? {} : { claim: { owners: undefined } }),
    };
  }
  const owners =
    published?.list === 'claimed' ? published.owners : withThresholdOne(parseOwnersText(claim.owners));
  const project = await readSignedProject(name, owners, signed);
  const isNews = published === undefined || !isSameOwners(published.owners, owners);
  return {
    targets: signedTargets(project, targets),
    signed: await newRoles(
      [...project.roles].map(([role, metadata]) => signedRole(role, metadata)),
      place,
    ),
    ...(isNews ? { claim: { owners } } : {}),
  };
}

/** Those that are not public yet. Throws when one of them can never be. */
async function newRoles(signed: readonly SignedRole[], place: ProjectPlace): Promise<readonly SignedRole[]> {
  const fresh = signed.filter(({ role, sha256 }) => place.roles.get(role)?.sha256 !== sha256);
  for (const { role, version, sha256, expires } of fresh) {
    const reserved = await findRoleVersion(place.db, place.indexId, role, version);
    const isTaken = reserved !== undefined && reserved.sha256 !== sha256;
    const current = place.roles.get(role)?.version ?? 0;
    const problem =
      isTaken || version <= current
        ? `is not above version ${Math.max(current, isTaken ? version : 0)}, which was published or reserved`
        : expires <= place.now
          ? `expired at ${expires.toISOString()}`
          : undefined;
    if (problem === undefined) continue;
    throw new PublicationError(
      'UNUSABLE_METADATA',
      `Version ${version} of ${role} ${problem}; sign it again.`,
      {
        role,
        version,
      },
    );
  }
  return fresh;
}

function changesOf(
  targets: ReadonlyMap<string, SignedTarget>,
  paths: Iterable<string>,
  current: ReadonlyMap<string, PlacedTarget>,
  isClaimed: boolean,
): readonly TargetChange[] {
  const changes: TargetChange[] = [];
  const place = (claimed: boolean) => (claimed ? { isClaimed: true } : {});
  for (const path of paths) {
    const target = targets.get(path);
    const old = current.get(path);
    const stays = target !== undefined && old?.isClaimed === isClaimed;
    if (old !== undefined && !stays) changes.push({ path, target: undefined, ...place(old.isClaimed) });
    if (target === undefined) continue;
    if (!stays || target.sha256 !== old.sha256 || target.length !== old.length)
      changes.push({ path, target: { length: target.length, sha256: target.sha256 }, ...place(isClaimed) });
  }
  return changes;
}

/** The plain-named copies that new files need. Throws when a file that would be listed is not in the store: what is listed must be there. */
async function copiesOf(
  { pages, sidecars }: ProjectTargets,
  changes: readonly TargetChange[],
  { store, tree }: ProjectPlace,
): Promise<readonly Copy[]> {
  const copies: Copy[] = [];
  for (const { path, target } of changes) {
    if (target === undefined || pages.has(path)) continue;
    const from = tree.hashed(path, target.sha256);
    const stat = await store.stat(from);
    if (stat?.length !== target.length) {
      throw new PublicationError(
        'FOREIGN_OBJECT',
        `${from} should be in the store with ${target.length} bytes, but ${stat === undefined ? 'is absent' : `has ${stat.length}`}; its project waits until it is restored.`,
      );
    }
    copies.push({ from, to: tree.plain(path) });
    const sidecar = sidecars.get(path);
    if (sidecar === undefined) continue;
    const hashed = tree.hashed(sidecar, target.sha256);
    if ((await store.stat(hashed)) === undefined) {
      throw new PublicationError(
        'FOREIGN_OBJECT',
        `${hashed} is absent; its project waits until it is restored.`,
      );
    }
    copies.push({ from: hashed, to: tree.plain(sidecar) });
  }
  return copies;
}
