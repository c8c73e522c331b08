export type PrivateKeyErrorCode =
  | 'FILE_EXISTS'
  | 'FILE_MISSING'
  | 'FILE_UNUSABLE'
  | 'INSECURE_PERMISSIONS'
  | 'MALFORMED_KEY_FILE'
  | 'WRONG_PASSPHRASE'
  | 'EMPTY_PASSPHRASE'
  | 'WEAK_PASSPHRASE'
  | 'UNSUPPORTED_KEY';

/** A private key, or the file of a secret, cannot be used. The message never holds secret text. */
export class PrivateKeyError extends Error {
  override readonly name = 'PrivateKeyError';
  readonly code: PrivateKeyErrorCode;
  readonly path: string | undefined;

  constructor(
    code: PrivateKeyErrorCode,
    message: string,
    details: { readonly path?: string | undefined; readonly cause?: unknown } = {},
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.path = details.path;
  }
}
