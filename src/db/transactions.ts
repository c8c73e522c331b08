import type { Transaction } from 'kysely';
import type { Executor, Schema } from './schema.ts';

/**
 * Runs `work` in a read transaction: every query of it sees the same snapshot of the rows, and no writer waits for it.
 * Queries must go through the transaction that is handed in; writes in it fail.
 */
export function readTransaction<T>(db: Executor, work: (tx: Transaction<Schema>) => Promise<T>): Promise<T> {
  return db.transaction().setAccessMode('read only').execute(work);
}

/**
 * Runs `work` in a write transaction, one at a time per database file; committed (durable) when it resolves, rolled back when it throws.
 * Keep it short and never wait for files, signatures or the network inside: every other writer waits meanwhile.
 * Queries must go through the transaction that is handed in.
 */
export function writeTransaction<T>(db: Executor, work: (tx: Transaction<Schema>) => Promise<T>): Promise<T> {
  return db.transaction().execute(work);
}
