import { claimListOf } from '../../claims/claim-lists.ts';
import { parseProjectRoleName } from '../../claims/names.ts';
import { submitOfflineBundle } from '../../db/offline-bundles.ts';
import { reserveForeignVersions } from '../../db/foreign-versions.ts';
import { releaseHold } from '../../db/publication-holds.ts';
import { currentRoles } from '../../db/roles.ts';
import type { Executor, IndexRow } from '../../db/schema.ts';
import { writeTransaction } from '../../db/transactions.ts';
import type { ObjectStore } from '../../storage/object-store.ts';
import type { Signer } from '../../tuf/signer.ts';
import { OfflineRoles, readOfflineRoles } from '../offline-roles.ts';
import { Publisher } from '../publisher.ts';
import { ServedTree } from '../served-tree.ts';
import { requireReplacedKeys } from './stolen-keys.ts';
import { bundleRoles, type RecoveredRoles } from './recover.ts';

/** More publications than any index makes between two backups. */
export const RAISED_BY = 1_000_000;

/**
 * The way out for a restored backup when nobody has what was published after it: every role that is signed online skips a million numbers, and
 * timestamp and snapshot get other keys, by a bundle made for it, so that clients begin a new generation: they know no higher version and no
 * longer history of this index any more. The store lock must be held. Throws STOLEN_KEY_STAYS when the bundle keeps a key.
 */
export async function raiseVersions(options: {
  readonly db: Executor;
  readonly store: ObjectStore;
  readonly index: IndexRow;
  readonly bundle: { readonly event: string; readonly roles: RecoveredRoles };
  readonly signers: readonly Signer[];
  readonly clock?: () => Date;
}): Promise<number> {
  const { db, store, index, signers, bundle } = options;
  const clock = options.clock ?? (() => new Date());
  const now = clock();
  const rows = await currentRoles(db, index.id);
  const tree = new ServedTree(index.name);
  const old = await readOfflineRoles(store, tree, new Map(rows.map((row) => [row.role, row])));
  const { root, targets, bins } = bundle.roles;
  requireReplacedKeys(old, new OfflineRoles(root, targets, bins), []);
  const offline = new Set(['root', 'targets', 'bins']);
  const isOnline = (role: string) =>
    !offline.has(role) && claimListOf(role) !== 'claimed' && parseProjectRoleName(role) === undefined;
  const floors = rows
    .filter(({ role }) => isOnline(role))
    .map(({ role, version }) => ({
      role,
      version: version + RAISED_BY,
      sha256: '',
      length: 0,
      expires: now,
    }));
  const roles = bundleRoles(bundle.roles);
  await writeTransaction(db, async (tx) => {
    await reserveForeignVersions(tx, index.id, floors, now);
    await submitOfflineBundle(tx, { indexId: index.id, event: bundle.event, roles, now });
    await releaseHold(tx, index.id);
  });
  const publisher = new Publisher({ db, store, index, signers, clock, rootGrace: 0 });
  try {
    await publisher.start();
    while ((await publisher.publishOnce()) !== undefined);
  } finally {
    await publisher.close();
  }
  return floors.length;
}
