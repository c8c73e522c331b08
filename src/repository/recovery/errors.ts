export type RecoveryErrorCode =
  /** What was given to compare with, or to build from, does not verify. */
  | 'UNVERIFIED_SOURCE'
  /** It lacks something that is needed. */
  | 'INCOMPLETE_SOURCE'
  | 'DAMAGED_BACKUP'
  | 'FOLDER_EXISTS'
  | 'WRONG_PLAN'
  /** The bundle leaves keys in force that were stolen. */
  | 'STOLEN_KEY_STAYS'
  | 'CANNOT_PROCEED';

/** A recovery cannot go on; what was done so far stays valid and the same command goes on from there. */
export class RecoveryError extends Error {
  override readonly name = 'RecoveryError';
  readonly code: RecoveryErrorCode;
  readonly path: string | undefined;

  constructor(
    code: RecoveryErrorCode,
    message: string,
    options: { readonly path?: string; readonly cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.path = options.path;
  }
}
