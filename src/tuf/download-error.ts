/** Every code a {@link DownloadError} can carry. */
export type DownloadErrorCode =
  | 'DOWNLOAD_FAILED'
  | 'DOWNLOAD_HTTP'
  | 'DOWNLOAD_LENGTH_MISMATCH'
  | 'SLOW_RETRIEVAL'
  | 'CONNECTION_FAILED'
  | 'REDIRECT_REFUSED'
  | 'CONTENT_ENCODING'
  | 'INVALID_URL'
  | 'ABORTED'
  | 'OFFLINE';

/** Bytes could not be fetched; says nothing about whether they could be trusted. */
export class DownloadError extends Error {
  override readonly name: string = 'DownloadError';
  readonly code: DownloadErrorCode;
  readonly url: string | undefined;

  constructor(
    reason: string,
    details: {
      readonly url?: string | undefined;
      readonly cause?: unknown;
      readonly code?: DownloadErrorCode;
    } = {},
  ) {
    super(reason, { cause: details.cause });
    this.code = details.code ?? 'DOWNLOAD_FAILED';
    this.url = details.url;
  }
}

/** The server answered with a status other than success. */
export class DownloadHttpError extends DownloadError {
  override readonly name = 'DownloadHttpError';
  readonly statusCode: number;

  constructor(reason: string, statusCode: number, details: { readonly url?: string | undefined } = {}) {
    super(reason, { ...details, code: 'DOWNLOAD_HTTP' });
    this.statusCode = statusCode;
  }
}

/** More bytes arrived than the limit or the metadata allows. */
export class DownloadLengthMismatchError extends DownloadError {
  override readonly name = 'DownloadLengthMismatchError';

  constructor(reason: string, details: { readonly url?: string | undefined } = {}) {
    super(reason, { ...details, code: 'DOWNLOAD_LENGTH_MISMATCH' });
  }
}

/** The download was slower than the limits on idle or total time allow. */
export class SlowRetrievalError extends DownloadError {
  override readonly name = 'SlowRetrievalError';

  constructor(reason: string, details: { readonly url?: string | undefined } = {}) {
    super(reason, { ...details, code: 'SLOW_RETRIEVAL' });
  }
}
