/** Why the registry refused. Which HTTP status each has is decided in server/problem.ts only. */
export type RegistryErrorCode =
  | 'NOT_AUTHENTICATED'
  | 'NOT_PERMITTED'
  | 'UNSUPPORTED_ACTION'
  | 'INVALID_FORM'
  | 'INVALID_FILENAME'
  | 'NAME_MISMATCH'
  | 'VERSION_MISMATCH'
  | 'METADATA_MISMATCH'
  | 'DIGEST_MISMATCH'
  | 'INVALID_ARCHIVE'
  | 'INVALID_METADATA'
  | 'FILE_EXISTS'
  | 'FILENAME_RETIRED'
  | 'PROJECT_CLOSED'
  | 'CLAIMED_PROJECT'
  | 'NOT_FOUND'
  | 'CONFLICT'
  | 'NAME_REFUSED'
  | 'AGAINST_POLICY'
  | 'QUOTA_EXCEEDED'
  | 'INVALID_REQUEST'
  | 'FILE_TOO_LARGE'
  | 'BUSY'
  | 'RATE_LIMITED'
  | 'NOT_YET_SIGNED';

export interface RegistryErrorFields {
  readonly cause?: unknown;
  /** The distribution file it is about. */
  readonly filename?: string;
  /** The normalized project name it is about. */
  readonly project?: string;
  /** Seconds after which the same request has a better chance. */
  readonly retryAfter?: number;
}

/** A use case refused what it was asked. The message is one sentence fit for the person who asked: it holds no secret. */
export class RegistryError extends Error {
  override readonly name = 'RegistryError';
  readonly code: RegistryErrorCode;
  readonly filename: string | undefined;
  readonly project: string | undefined;
  readonly retryAfter: number | undefined;

  constructor(code: RegistryErrorCode, message: string, fields: RegistryErrorFields = {}) {
    super(message, fields.cause === undefined ? undefined : { cause: fields.cause });
    this.code = code;
    this.filename = fields.filename;
    this.project = fields.project;
    this.retryAfter = fields.retryAfter;
  }
}
