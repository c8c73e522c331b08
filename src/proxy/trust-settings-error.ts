export type TrustSettingsErrorCode = 'unreadable' | 'malformed' | 'foreign' | 'conflict';

/** Settings about trust that cannot be followed; the message names the file and says why. */
export class TrustSettingsError extends Error {
  override readonly name = 'TrustSettingsError';
  readonly code: TrustSettingsErrorCode;
  /** The file they stand in. */
  readonly path: string;

  constructor(code: TrustSettingsErrorCode, path: string, reason: string, options?: ErrorOptions) {
    super(`${path}: ${reason}.`, options);
    this.code = code;
    this.path = path;
  }
}
