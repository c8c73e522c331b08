export type StorageErrorCode =
  | 'INVALID_KEY'
  | 'OBJECT_NOT_FOUND'
  | 'OBJECT_TOO_LARGE'
  | 'NO_SPACE'
  | 'SYNC_FAILED'
  | 'UNSUITABLE_FILE_SYSTEM'
  | 'INPUT_OUTPUT';

/** A store could not do what it was asked. `SYNC_FAILED` is final: what is on the medium is unknown, the process must stop and start again. */
export class StorageError extends Error {
  override readonly name = 'StorageError';
  readonly code: StorageErrorCode;
  readonly key: string | undefined;

  constructor(
    code: StorageErrorCode,
    message: string,
    options: { readonly key?: string; readonly cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.key = options.key;
  }
}
