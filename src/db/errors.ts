export type DatabaseErrorCode =
  | 'OPEN_FAILED'
  | 'DRIVER_MISSING'
  | 'MIGRATION_FAILED'
  | 'NEWER_SCHEMA'
  | 'LEASE_LOST'
  | 'WRONG_STATE'
  | 'WRITE_FAILED'
  | 'STORE_LOCKED'
  | 'THREAD_DIED';

/** The database refused, or its rows are not in the state that the caller relies on. Errors of single SQL statements come through as the driver throws them. */
export class DatabaseError extends Error {
  override readonly name: string = 'DatabaseError';
  readonly code: DatabaseErrorCode;

  constructor(code: DatabaseErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Another publisher took over: whatever this one prepared must be thrown away. */
export class LeaseLostError extends DatabaseError {
  override readonly name = 'LeaseLostError';

  constructor(message: string) {
    super('LEASE_LOST', message);
  }
}
