import type { Executor, PublicationHoldRow } from './schema.ts';

/** 'backup': what was published after it was made is not known here. 'recovery': keys were stolen, and the new ones are not public yet. */
export type HoldKind = 'backup' | 'recovery';

/** Nothing of this index is published until `releaseHold`; in a write transaction. A hold that is there already stays as it is. */
export async function holdPublication(
  tx: Executor,
  hold: {
    readonly indexId: number;
    readonly kind: HoldKind;
    /** One sentence: why, and the way out. */
    readonly reason: string;
    readonly now: Date;
  },
): Promise<void> {
  await tx
    .insertInto('publication_holds')
    .values({
      index_id: hold.indexId,
      kind: hold.kind,
      reason: hold.reason,
      created_at: hold.now.toISOString(),
    })
    .onConflict((conflict) => conflict.column('index_id').doNothing())
    .execute();
}

export async function findHold(db: Executor, indexId: number): Promise<PublicationHoldRow | undefined> {
  return db.selectFrom('publication_holds').selectAll().where('index_id', '=', indexId).executeTakeFirst();
}

/** Releases it whatever its kind, or only when it is of that kind. */
export async function releaseHold(tx: Executor, indexId: number, kind?: HoldKind): Promise<void> {
  const held = tx.deleteFrom('publication_holds').where('index_id', '=', indexId);
  await (kind === undefined ? held : held.where('kind', '=', kind)).execute();
}
