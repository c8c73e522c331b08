import { printable } from './printable.ts';

/** Every code a {@link RepositoryError} can carry. */
export type RepositoryErrorCode =
  | 'MALFORMED_METADATA'
  | 'UNSIGNED_METADATA'
  | 'BAD_VERSION_NUMBER'
  | 'EQUAL_VERSION_NUMBER'
  | 'EXPIRED_METADATA'
  | 'LENGTH_OR_HASH_MISMATCH'
  | 'ROLE_NOT_FOUND'
  | 'EQUIVOCATION';

/** What a {@link RepositoryError} knows about the metadata or target it refuses. */
export interface RepositoryErrorDetails {
  /** The role whose metadata is refused. */
  readonly role?: string | undefined;
  /** The version of the refused metadata, where it is known. */
  readonly version?: number | undefined;
  /** A target path, or the place inside the metadata ("signed.roles.root"). */
  readonly path?: string | undefined;
  readonly cause?: unknown;
}

/** The repository (or whoever stands between it and us) delivered something that must not be trusted. */
export class RepositoryError extends Error {
  override readonly name: string = 'RepositoryError';
  readonly code: RepositoryErrorCode;
  readonly role: string | undefined;
  readonly version: number | undefined;
  readonly path: string | undefined;

  constructor(code: RepositoryErrorCode, reason: string, details: RepositoryErrorDetails = {}) {
    const subject = [details.role, details.path].filter((part) => part !== undefined).join(': ');
    super(printable(subject === '' ? reason : `${subject}: ${reason}`), { cause: details.cause });
    this.code = code;
    this.role = details.role;
    this.version = details.version;
    this.path = details.path;
  }
}

/** The bytes are no TUF metadata of the expected type: bad JSON, wrong types, values outside their range. */
export class MalformedMetadataError extends RepositoryError {
  override readonly name = 'MalformedMetadataError';
  readonly reason: string;

  constructor(reason: string, details: RepositoryErrorDetails = {}) {
    super('MALFORMED_METADATA', reason, details);
    this.reason = reason;
  }
}

/** Fewer distinct keys of the role signed the metadata than its threshold asks for. */
export class UnsignedMetadataError extends RepositoryError {
  override readonly name = 'UnsignedMetadataError';

  constructor(reason: string, details: RepositoryErrorDetails = {}) {
    super('UNSIGNED_METADATA', reason, details);
  }
}

/** The version is not the one that has to come: a rollback, a gap, or not what snapshot lists. */
export class BadVersionNumberError extends RepositoryError {
  override readonly name: string = 'BadVersionNumberError';

  constructor(
    reason: string,
    details: RepositoryErrorDetails = {},
    code: 'BAD_VERSION_NUMBER' | 'EQUAL_VERSION_NUMBER' = 'BAD_VERSION_NUMBER',
  ) {
    super(code, reason, details);
  }
}

/** The timestamp has the version already trusted: nothing new, keep the trusted one (spec 5.4.3.1). */
export class EqualVersionNumberError extends BadVersionNumberError {
  override readonly name = 'EqualVersionNumberError';

  constructor(reason: string, details: RepositoryErrorDetails = {}) {
    super(reason, details, 'EQUAL_VERSION_NUMBER');
  }
}

/** The metadata's lifetime has ended at the reference time. */
export class ExpiredMetadataError extends RepositoryError {
  override readonly name = 'ExpiredMetadataError';

  constructor(reason: string, details: RepositoryErrorDetails = {}) {
    super('EXPIRED_METADATA', reason, details);
  }
}

/** A file is longer, shorter or other than the metadata that lists it says. */
export class LengthOrHashMismatchError extends RepositoryError {
  override readonly name = 'LengthOrHashMismatchError';

  constructor(reason: string, details: RepositoryErrorDetails = {}) {
    super('LENGTH_OR_HASH_MISMATCH', reason, details);
  }
}

/** The role is not delegated by the named delegator, or no snapshot entry exists for it. */
export class RoleNotFoundError extends RepositoryError {
  override readonly name = 'RoleNotFoundError';

  constructor(reason: string, details: RepositoryErrorDetails = {}) {
    super('ROLE_NOT_FOUND', reason, details);
  }
}

/**
 * The repository has two histories: what it shows now does not go on from what it showed before. Rightly signed, so either its online keys
 * are in other hands, or it was restored from a copy that lacks what was published since.
 */
export class EquivocationError extends RepositoryError {
  override readonly name = 'EquivocationError';

  constructor(reason: string, details: RepositoryErrorDetails = {}) {
    super('EQUIVOCATION', reason, details);
  }
}

/** The caller fed a `TrustedMetadataSet` in the wrong order; a bug of the caller, never of the repository. */
export class WorkflowOrderError extends Error {
  override readonly name = 'WorkflowOrderError';
  readonly code = 'WORKFLOW_ORDER';
}

/** Why a public key cannot be used. */
export type KeyErrorCode = 'UNSUPPORTED_SCHEME' | 'MALFORMED_KEY';

/** A public key that cannot verify anything here. */
export class KeyError extends Error {
  override readonly name = 'KeyError';
  readonly code: KeyErrorCode;
  readonly scheme: string;

  constructor(code: KeyErrorCode, reason: string, scheme: string, cause?: unknown) {
    super(printable(reason), { cause });
    this.code = code;
    this.scheme = scheme;
  }
}
