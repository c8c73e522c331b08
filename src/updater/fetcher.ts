/** What one download may cost and how it is ended early. */
export interface FetchOptions {
  /** Bytes after decompression; one more is a `DownloadLengthMismatchError`. */
  readonly maxLength: number;
  /** Ends the download; the iteration then throws the signal's reason. */
  readonly signal?: AbortSignal;
  /** The content compresses well (metadata, pages): the transfer may be compressed. Otherwise the bytes are taken as they are stored. */
  readonly compressible?: boolean;
}

/**
 * How the client reaches a repository. Implementations know nothing of TUF: they hand over untrusted bytes, in order.
 * Every failure is a `DownloadError`; a status other than 200 is a `DownloadHttpError`.
 */
export interface Fetcher {
  fetch(url: string, options: FetchOptions): AsyncIterable<Uint8Array>;
}
