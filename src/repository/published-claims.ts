import {
  claimedProjectsOf,
  claimListOf,
  claimLists,
  isSameDelegations,
  shardNames,
  type ClaimedProject,
  type ClaimList,
} from '../claims/claim-lists.ts';
import { withThresholdOne, type Owners } from '../claims/owners.ts';
import { delegatedOwners } from '../claims/project-role.ts';
import type { RoleRow } from '../db/schema.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { Delegations } from '../tuf/delegations.ts';
import { Metadata } from '../tuf/metadata.ts';
import type { Targets } from '../tuf/targets.ts';
import { PublicationError } from './errors.ts';
import { sha256Hex } from './project-targets.ts';
import type { ServedTree } from './served-tree.ts';

const NO_DELEGATIONS = new Delegations({ keys: new Map(), roles: [] });

/** The list that delegates a project, and to whom. */
export interface ProjectClaim {
  readonly list: ClaimList;
  readonly owners: Owners;
}

/** Projects whose delegation changes; undefined: it goes. */
export type ClaimChanges = ReadonlyMap<string, Owners | undefined>;

/** The projects that claimed and recently-claimed delegate (PEP 480), and the parts of these lists. Immutable. */
export class PublishedClaims {
  /** By project. */
  readonly claimed: ReadonlyMap<string, Owners>;
  readonly recentlyClaimed: ReadonlyMap<string, Owners>;
  /** What recently-claimed and each of its parts delegate, by role. */
  readonly parts: ReadonlyMap<string, Delegations>;
  /** claimed and its parts. */
  readonly claimedParts: ReadonlySet<string>;

  constructor(fields: {
    readonly claimed: ReadonlyMap<string, Owners>;
    readonly recentlyClaimed: ReadonlyMap<string, Owners>;
    readonly parts: ReadonlyMap<string, Delegations>;
    readonly claimedParts: ReadonlySet<string>;
  }) {
    this.claimed = fields.claimed;
    this.recentlyClaimed = fields.recentlyClaimed;
    this.parts = fields.parts;
    this.claimedParts = fields.claimedParts;
  }

  static empty(): PublishedClaims {
    const none = new Map<string, Owners>();
    return new PublishedClaims({
      claimed: none,
      recentlyClaimed: none,
      parts: new Map(),
      claimedParts: new Set(['claimed']),
    });
  }

  /** Who is responsible for a project: claimed comes first, as for clients. */
  of(project: string): ProjectClaim | undefined {
    const claimed = this.claimed.get(project);
    if (claimed !== undefined) return { list: 'claimed', owners: claimed };
    const owners = this.recentlyClaimed.get(project);
    return owners === undefined ? undefined : { list: 'recently-claimed', owners };
  }

  /** Whether clients still reach a list or a part of one. */
  hasPart(role: string): boolean {
    return this.parts.has(role) || this.claimedParts.has(role);
  }

  /** With other projects in recently-claimed, parted anew. `signedBy`: the keys of the list. */
  withRecentlyClaimed(changes: ClaimChanges, signedBy: Owners): PublishedClaims {
    const recentlyClaimed = new Map(this.recentlyClaimed);
    for (const [project, owners] of changes) {
      if (owners === undefined || this.claimed.has(project)) recentlyClaimed.delete(project);
      else recentlyClaimed.set(project, withThresholdOne(owners));
    }
    const projects = [...recentlyClaimed].map(([project, owners]) => ({ project, owners }));
    const parts = claimLists('recently-claimed', projects, signedBy);
    return new PublishedClaims({ ...this.#fields(), recentlyClaimed, parts });
  }

  /** With another claimed list: what it delegates leaves recently-claimed. `lists`: claimed and its parts. */
  withClaimed(lists: ReadonlyMap<string, Targets>, signedBy: Owners): PublishedClaims {
    const claimed = byProject(claimedProjectsOf(lists.values()));
    const moved = new Map<string, undefined>();
    for (const project of claimed.keys()) moved.set(project, undefined);
    const next = new PublishedClaims({
      ...this.#fields(),
      claimed,
      claimedParts: new Set(lists.keys()),
    });
    return next.withRecentlyClaimed(moved, signedBy);
  }

  /** The parts of recently-claimed that delegate otherwise than `before`. */
  changedParts(before: PublishedClaims): readonly string[] {
    if (this.parts === before.parts) return [];
    return [...this.parts].flatMap(([role, delegations]) =>
      isSameDelegations(before.parts.get(role), delegations) && before.parts.has(role) ? [] : [role],
    );
  }

  #fields() {
    const { claimed, recentlyClaimed, parts, claimedParts } = this;
    return { claimed, recentlyClaimed, parts, claimedParts };
  }
}

/** Reads both lists and their parts as they are public. Throws UNUSABLE_METADATA when the store holds others than the database says. */
export async function readPublishedClaims(
  store: Pick<ObjectStore, 'read'>,
  tree: ServedTree,
  roles: ReadonlyMap<string, RoleRow>,
): Promise<PublishedClaims> {
  const claimed = await readList(store, tree, roles, 'claimed');
  const recently = await readList(store, tree, roles, 'recently-claimed');
  const parts = new Map<string, Delegations>();
  for (const [role, { delegations }] of recently) parts.set(role, delegations ?? NO_DELEGATIONS);
  return new PublishedClaims({
    claimed: byProject(claimedProjectsOf(claimed.values())),
    recentlyClaimed: byProject(claimedProjectsOf(recently.values())),
    parts,
    claimedParts: new Set(claimed.keys()),
  });
}

/** The keys that a list and its parts are signed with. */
export function listKeys(targets: Metadata<Targets>, list: ClaimList): Owners {
  const owners = delegatedOwners(targets.signed, list);
  if (owners !== undefined) return owners;
  throw new PublicationError('UNUSABLE_METADATA', `targets does not delegate to ${list}.`, { role: list });
}

async function readList(
  store: Pick<ObjectStore, 'read'>,
  tree: ServedTree,
  roles: ReadonlyMap<string, RoleRow>,
  list: ClaimList,
): Promise<ReadonlyMap<string, Targets>> {
  const read = async (role: string) => {
    const row = roles.get(role);
    const key = tree.metadata(role, row?.version ?? 0);
    const bytes = row === undefined ? undefined : await store.read(key);
    if (bytes !== undefined && sha256Hex(bytes) === row?.sha256)
      return Metadata.fromBytes(bytes, 'targets', { role }).signed;
    const problem = bytes === undefined ? 'missing from' : 'not what was published any more in';
    throw new PublicationError(
      'UNUSABLE_METADATA',
      `${key} is ${problem} the store; restore it from a backup or a mirror.`,
      { role },
    );
  };
  const whole = await read(list);
  const lists = new Map([[list as string, whole]]);
  for (const role of shardNames(whole)) if (claimListOf(role) === list) lists.set(role, await read(role));
  return lists;
}

function byProject(projects: readonly ClaimedProject[]): ReadonlyMap<string, Owners> {
  return new Map(projects.map(({ project, owners }) => [project, owners]));
}
