export type SignerErrorCode =
  | 'MALFORMED_URI'
  | 'UNKNOWN_SCHEME'
  | 'MISSING_PACKAGE'
  | 'MODULE_UNUSABLE'
  | 'TOKEN_MISSING'
  | 'TOKEN_FAILED'
  | 'KEY_MISSING'
  | 'KEY_EXISTS'
  | 'UNSUPPORTED_KEY'
  | 'WRONG_KEY'
  | 'WRONG_PIN'
  | 'PIN_LOCKED'
  | 'NO_SECRET'
  | 'NO_CREDENTIALS'
  | 'SERVICE_REFUSED'
  | 'SERVICE_UNREACHABLE'
  | 'MALFORMED_ANSWER'
  | 'WRONG_SIGNATURE'
  | 'REFUSED_BY_SIGNER'
  | 'CLOSED';

/** A signer cannot be opened, or does not sign. The message is for people and never holds a secret. */
export class SignerError extends Error {
  override readonly name = 'SignerError';
  readonly code: SignerErrorCode;
  /** The key URI, where it is known. */
  readonly uri: string | undefined;

  constructor(
    code: SignerErrorCode,
    message: string,
    details: { readonly uri?: string | undefined; readonly cause?: unknown } = {},
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.uri = details.uri;
  }
}
