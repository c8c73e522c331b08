import { LeaseLostError } from './errors.ts';
import type { Executor } from './schema.ts';

/** Takes the lease of an index, whoever holds it, and returns the new epoch. The store lock must be held: it keeps a living publisher from being robbed. */
export async function acquireLease(
  db: Executor,
  indexId: number,
  holder: string,
  now: Date,
): Promise<number> {
  const row = await db
    .insertInto('leases')
    .values({ index_id: indexId, holder, epoch: 1, acquired_at: now.toISOString() })
    .onConflict((conflict) =>
      conflict.column('index_id').doUpdateSet((eb) => ({
        holder,
        epoch: eb('leases.epoch', '+', 1),
        acquired_at: now.toISOString(),
      })),
    )
    .returning('epoch')
    .executeTakeFirstOrThrow();
  return row.epoch;
}

/** Throws LeaseLostError unless `epoch` is the current one. Inside a write transaction it stays true until the commit. */
export async function requireLease(db: Executor, indexId: number, epoch: number): Promise<void> {
  const row = await db
    .selectFrom('leases')
    .select(['epoch', 'holder'])
    .where('index_id', '=', indexId)
    .executeTakeFirst();
  if (row?.epoch === epoch) return;
  const current = row === undefined ? 'nobody' : `${row.holder} with epoch ${row.epoch}`;
  throw new LeaseLostError(
    `The lease of index ${indexId} with epoch ${epoch} is lost, ${current} holds it now.`,
  );
}
