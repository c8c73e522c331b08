const SQLITE_BUSY = 5;
const SQLITE_IOERR = 10;
const SQLITE_CONSTRAINT_PRIMARYKEY = 1555;
const SQLITE_CONSTRAINT_UNIQUE = 2067;

/** @photostructure/sqlite leaves the code out of errors of statements that return rows; SQLite's own messages are as stable. */
const CODE_BY_MESSAGE: readonly (readonly [string, number])[] = [
  ['UNIQUE constraint failed', SQLITE_CONSTRAINT_UNIQUE],
  ['database is locked', SQLITE_BUSY],
  ['disk I/O error', SQLITE_IOERR],
];

/** The extended result code of SQLite in an error of the driver, undefined for any other error. */
export function sqliteResultCode(error: unknown): number | undefined {
  if (!(error instanceof Error)) return undefined;
  if ('errcode' in error && typeof error.errcode === 'number') return error.errcode;
  if (!('code' in error) || error.code !== 'ERR_SQLITE_ERROR') return undefined;
  return CODE_BY_MESSAGE.find(([message]) => error.message.startsWith(message))?.[1];
}

/** Another connection writes; the statement did nothing and may be tried again. */
export function isBusy(error: unknown): boolean {
  const code = sqliteResultCode(error);
  return code !== undefined && (code & 0xff) === SQLITE_BUSY;
}

/** The medium failed in the middle: whether the last transaction is durable is unknown. */
export function isInputOutputError(error: unknown): boolean {
  const code = sqliteResultCode(error);
  return code !== undefined && (code & 0xff) === SQLITE_IOERR;
}

/** A row with the same unique columns is there already, be it that somebody else was faster. */
export function isUniqueViolation(error: unknown): boolean {
  const code = sqliteResultCode(error);
  return code === SQLITE_CONSTRAINT_PRIMARYKEY || code === SQLITE_CONSTRAINT_UNIQUE;
}
