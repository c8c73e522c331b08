export type ImportErrorCode = 'INVALID_LINE' | 'CONTRADICTION' | 'UNREADABLE_SOURCE' | 'DAMAGED_STATE';

/** An import cannot go on; nothing that it was reading has become public. The message says where and why. */
export class ImportError extends Error {
  override readonly name = 'ImportError';
  readonly code: ImportErrorCode;
  /** Counted from 1, in its file. */
  readonly line: number | undefined;

  constructor(
    code: ImportErrorCode,
    message: string,
    options: { readonly line?: number; readonly cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.line = options.line;
  }
}
