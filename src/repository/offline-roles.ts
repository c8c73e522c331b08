import { claimListOf } from '../claims/claim-lists.ts';
import { parseProjectRoleName } from '../claims/names.ts';
import type { RoleRow } from '../db/schema.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import type { Delegations } from '../tuf/delegations.ts';
import { Metadata } from '../tuf/metadata.ts';
import type { Root } from '../tuf/root.ts';
import type { Targets } from '../tuf/targets.ts';
import { BinLayout } from './bins.ts';
import { PublicationError } from './errors.ts';
import { sha256Hex } from './project-targets.ts';
import type { ServedTree } from './served-tree.ts';

/** Whose signatures a role needs. */
export interface RoleKeys {
  readonly keyIds: readonly string[];
  readonly threshold: number;
}

/** What the public root, targets and bins say about everybody else: keys, thresholds, bins. Verified. */
export class OfflineRoles {
  readonly root: Metadata<Root>;
  readonly targets: Metadata<Targets>;
  readonly bins: Metadata<Targets>;
  readonly layout: BinLayout;

  constructor(root: Metadata<Root>, targets: Metadata<Targets>, bins: Metadata<Targets>) {
    this.root = root;
    this.targets = targets;
    this.bins = bins;
    this.layout = BinLayout.fromDelegations(delegationsOf(bins, 'bins'));
  }

  /** Throws UNUSABLE_METADATA for a role that nobody delegates to. */
  keysOf(role: string): RoleKeys {
    const keys = this.#find(role);
    if (keys === undefined) {
      throw new PublicationError(
        'UNUSABLE_METADATA',
        `Neither root nor targets nor bins delegates to ${role}.`,
        { role },
      );
    }
    return keys;
  }

  /** Whether a role is one that clients still reach; the others stay in the snapshot as tombstones. */
  isDelegated(role: string): boolean {
    return this.#find(role) !== undefined;
  }

  /**
   * Whether the snapshot lists length and hash of a role: unless a key that can sign the role can sign the snapshot too (ADR 7).
   * While an online key is replaced by another, both roles have a key in common, and the snapshot stays short.
   */
  isListedWithContent(role: string): boolean {
    const own = this.#find(role);
    // The keys of developers are never the index's.
    if (own === undefined) return parseProjectRoleName(role) !== undefined;
    const snapshot = this.keysOf('snapshot');
    const isShared = own.keyIds.some((keyId) => snapshot.keyIds.includes(keyId));
    return !isShared || own.threshold < snapshot.threshold;
  }

  #find(role: string): RoleKeys | undefined {
    return (
      this.root.signed.roles.get(role) ??
      // Parts of the lists of claimed projects have the keys of their list.
      this.targets.signed.delegations?.role(claimListOf(role) ?? role) ??
      this.bins.signed.delegations?.role(role)
    );
  }
}

/** Reads root, targets and bins as they are public now. Throws UNUSABLE_METADATA when the store holds others than the database says. */
export async function readOfflineRoles(
  store: ObjectStore,
  tree: ServedTree,
  roles: ReadonlyMap<string, RoleRow>,
): Promise<OfflineRoles> {
  const read = async (role: string) => {
    const row = roles.get(role);
    const key = tree.metadata(role, row?.version ?? 0);
    const bytes = row === undefined ? undefined : await store.read(key);
    if (bytes !== undefined && sha256Hex(bytes) === row?.sha256) return bytes;
    const problem = bytes === undefined ? 'missing from' : 'not what was published any more in';
    throw new PublicationError(
      'UNUSABLE_METADATA',
      `${key} is ${problem} the store; restore it from a backup or a mirror.`,
      { role },
    );
  };
  const root = Metadata.fromBytes(await read('root'), 'root');
  const targets = Metadata.fromBytes(await read('targets'), 'targets');
  const bins = Metadata.fromBytes(await read('bins'), 'targets');
  const offline = new OfflineRoles(root, targets, bins);
  await requireSignedRoles(offline);
  return offline;
}

/** Throws UNUSABLE_METADATA unless every one of the roles is signed by a threshold of the keys that the others name. */
export async function requireSignedRoles(
  { root, targets, bins }: OfflineRoles,
  claimed?: Metadata<Targets>,
): Promise<void> {
  await requireSigned('root', root.signed.verifyDelegate('root', root));
  await requireSigned('targets', root.signed.verifyDelegate('targets', targets));
  await requireSigned('bins', targets.signed.verifyDelegate('bins', bins));
  if (claimed !== undefined)
    await requireSigned('claimed', targets.signed.verifyDelegate('claimed', claimed));
}

async function requireSigned(role: string, result: Promise<{ readonly verified: boolean }>): Promise<void> {
  if ((await result).verified) return;
  throw new PublicationError('UNUSABLE_METADATA', `${role} is not signed by a threshold of its keys.`, {
    role,
  });
}

function delegationsOf(metadata: Metadata<Targets>, role: string): Delegations {
  const { delegations } = metadata.signed;
  if (delegations !== undefined) return delegations;
  throw new PublicationError('UNUSABLE_METADATA', `${role} delegates to nobody.`, { role });
}
