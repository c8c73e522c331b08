import { DatabaseError } from './errors.ts';
import type { Executor, OfflineBundleRow, OfflineBundleState } from './schema.ts';

/** Metadata of one role of a bundle. */
export interface BundleRole {
  readonly role: string;
  readonly version: number;
  readonly bytes: Uint8Array;
}

/**
 * Hands a bundle to the publisher; to be called in one write transaction. The same event again is no second bundle: a refused one waits again,
 * any other stays as it is. Throws WRONG_STATE while another bundle is on its way.
 */
export async function submitOfflineBundle(
  tx: Executor,
  bundle: {
    readonly indexId: number;
    readonly event: string;
    readonly roles: readonly BundleRole[];
    readonly now: Date;
  },
): Promise<OfflineBundleRow> {
  const known = await findOfflineBundle(tx, bundle.indexId, bundle.event);
  if (known !== undefined && known.state !== 'refused') return known;
  const other = await nextOfflineBundle(tx, bundle.indexId);
  if (other !== undefined) {
    throw new DatabaseError(
      'WRONG_STATE',
      `The bundle of event ${other.event.slice(0, 12)} is still on its way to the public; wait until it is there.`,
    );
  }
  if (known !== undefined) return setBundleState(tx, known.id, 'waiting', bundle.now);
  const row = await tx
    .insertInto('offline_bundles')
    .values({
      index_id: bundle.indexId,
      event: bundle.event,
      state: 'waiting',
      reason: null,
      created_at: bundle.now.toISOString(),
      root_published_at: null,
      finished_at: null,
    })
    .returningAll()
    .executeTakeFirstOrThrow();
  const roles = bundle.roles.map((role) => ({ bundle_id: row.id, ...role }));
  if (roles.length > 0) await tx.insertInto('offline_bundle_roles').values(roles).execute();
  return row;
}

export async function findOfflineBundle(
  db: Executor,
  indexId: number,
  event: string,
): Promise<OfflineBundleRow | undefined> {
  return db
    .selectFrom('offline_bundles')
    .selectAll()
    .where('index_id', '=', indexId)
    .where('event', '=', event)
    .executeTakeFirst();
}

/** The bundle that is not finished yet, if any. */
export async function nextOfflineBundle(
  db: Executor,
  indexId: number,
): Promise<OfflineBundleRow | undefined> {
  return db
    .selectFrom('offline_bundles')
    .selectAll()
    .where('index_id', '=', indexId)
    .where('state', 'in', ['waiting', 'root-published'])
    .orderBy('id')
    .executeTakeFirst();
}

export async function offlineBundleRoles(db: Executor, bundleId: number): Promise<readonly BundleRole[]> {
  return db
    .selectFrom('offline_bundle_roles')
    .select(['role', 'version', 'bytes'])
    .where('bundle_id', '=', bundleId)
    .execute();
}

/** Notes what became of a bundle. */
export async function setBundleState(
  tx: Executor,
  id: number,
  state: OfflineBundleState,
  now: Date,
  reason: string | null = null,
): Promise<OfflineBundleRow> {
  const time = now.toISOString();
  const times =
    state === 'root-published'
      ? { root_published_at: time }
      : state === 'waiting'
        ? {}
        : { finished_at: time };
  return tx
    .updateTable('offline_bundles')
    .set({ state, reason, ...times })
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirstOrThrow();
}
