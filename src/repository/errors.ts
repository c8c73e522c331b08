export type PublicationErrorCode =
  | 'NO_REPOSITORY'
  | 'REPOSITORY_EXISTS'
  | 'FOREIGN_TIMESTAMP'
  | 'FOREIGN_OBJECT'
  | 'TIMESTAMP_CHANGED'
  | 'MISSING_SIGNER'
  | 'UNUSABLE_METADATA'
  | 'UNKNOWN_PROFILE'
  | 'UNSOUND_EXPIRY'
  | 'CLOCK_STEPPED'
  | 'ON_HOLD'
  | 'CLOSED';

/**
 * Metadata could not be published. Nothing half-made is public: what was prepared is finished or abandoned by the next attempt.
 * `FOREIGN_TIMESTAMP` and `FOREIGN_OBJECT`: the store holds what this database never signed.
 */
export class PublicationError extends Error {
  override readonly name = 'PublicationError';
  readonly code: PublicationErrorCode;
  readonly role: string | undefined;
  readonly version: number | undefined;

  constructor(
    code: PublicationErrorCode,
    message: string,
    options: { readonly role?: string; readonly version?: number; readonly cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.role = options.role;
    this.version = options.version;
  }
}

export type ArchiveErrorCode = 'ARCHIVE_EMPTY' | 'ARCHIVE_DAMAGED' | 'ARCHIVE_BUSY' | 'ARCHIVE_DIFFERS';

/** An archive cannot be read or written, does not match its own head, or contradicts what is public. */
export class ArchiveError extends Error {
  override readonly name = 'ArchiveError';
  readonly code: ArchiveErrorCode;

  constructor(code: ArchiveErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** What a log line says about an error; plain values, so that it can cross threads. */
export function errorFields(error: unknown): { readonly error: string; readonly code?: string } {
  if (!(error instanceof Error)) return { error: String(error) };
  const code = 'code' in error && typeof error.code === 'string' ? { code: error.code } : {};
  return { error: error.message, ...code };
}
