/**
 * Which of the checks of a signed transaction failed (PEP 480, "signing of release files"; the six checks and what surrounds them).
 *
 * - `MALFORMED`: not the form of a transaction, or metadata that cannot be read
 * - `BASE_CHANGED`: made on top of a version that is no longer the present one
 * - `VERSION`: not exactly the next version
 * - `SIGNATURE`: a signature of a key that may not sign, or an invalid one
 * - `THRESHOLD`: too few keys signed
 * - `EXPIRY`: expired, or further ahead than the index takes
 * - `FILES`: lists other files or pages than there will be
 * - `DELEGATION`: delegates something that the project may not delegate, or to somebody in a way it may not
 * - `FOREIGN_TARGET`: signs for a path that is not the project's
 * - `UPLOAD_TIME`: an upload time too far from the index's clock
 * - `OWNERS`: a new owner key that nobody vouches for, or owners that cannot be
 */
export type ClaimErrorCode =
  | 'MALFORMED'
  | 'BASE_CHANGED'
  | 'VERSION'
  | 'SIGNATURE'
  | 'THRESHOLD'
  | 'EXPIRY'
  | 'FILES'
  | 'DELEGATION'
  | 'FOREIGN_TARGET'
  | 'UPLOAD_TIME'
  | 'OWNERS';

/** A signed transaction that the index does not take; the message is one sentence for the person who sent it. */
export class ClaimError extends Error {
  readonly code: ClaimErrorCode;
  /** The role whose metadata is meant. */
  readonly role: string | undefined;
  /** The target path or the name of the file. */
  readonly path: string | undefined;
  readonly keyId: string | undefined;

  constructor(
    code: ClaimErrorCode,
    message: string,
    details: {
      readonly role?: string | undefined;
      readonly path?: string | undefined;
      readonly keyId?: string | undefined;
      readonly cause?: unknown;
    } = {},
  ) {
    super(message, { cause: details.cause });
    this.name = 'ClaimError';
    this.code = code;
    this.role = details.role;
    this.path = details.path;
    this.keyId = details.keyId;
  }
}
