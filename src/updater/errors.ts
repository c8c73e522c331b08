import {
  DownloadError,
  DownloadHttpError,
  DownloadLengthMismatchError,
  SlowRetrievalError,
} from '../tuf/download-error.ts';
import type { DownloadErrorCode } from '../tuf/download-error.ts';

/** A download that failed for another reason than those with a class of their own. */
export function downloadFailed(
  code: DownloadErrorCode,
  url: string | undefined,
  reason: string,
  cause?: unknown,
): DownloadError {
  const printable = url === undefined ? undefined : printableUrl(url);
  return new DownloadError(printable === undefined ? reason : `${printable}: ${reason}`, {
    code,
    url: printable,
    cause,
  });
}

/** The repository answered with another status than 200. */
export function unexpectedStatus(url: string, statusCode: number): DownloadHttpError {
  const reason = `${printableUrl(url)}: the repository answered with status ${statusCode}`;
  return new DownloadHttpError(reason, statusCode, { url: printableUrl(url) });
}

/** More bytes came than the signed metadata or the client's own limits allow: an endless data attack, or a damaged mirror. */
export function tooLong(url: string, maxLength: number): DownloadLengthMismatchError {
  const reason = `${printableUrl(url)}: the answer is longer than the ${maxLength} bytes that are allowed for it`;
  return new DownloadLengthMismatchError(reason, { url: printableUrl(url) });
}

/** Signed metadata lists a file that is longer than this client accepts. */
export function listedTooLong(url: string, length: number, maxLength: number): DownloadLengthMismatchError {
  const reason = `${printableUrl(url)}: ${length} bytes are listed, more than the ${maxLength} this client accepts`;
  return new DownloadLengthMismatchError(reason, { url: printableUrl(url) });
}

/** Data came too slowly or not at all: a slow retrieval attack, or a bad line. */
export function tooSlow(url: string, reason: string): SlowRetrievalError {
  return new SlowRetrievalError(`${printableUrl(url)}: ${reason}`, { url: printableUrl(url) });
}

/**
 * Why a {@link LocalFileError} was thrown: other processes hold the folder's lock, others may write to the folder, the
 * operating system refused, or there is no root to start from.
 */
export type LocalFileErrorCode = 'LOCKED' | 'INSECURE' | 'INPUT_OUTPUT' | 'NO_TRUSTED_ROOT';

/** A file or folder of the client cannot be used. */
export class LocalFileError extends Error {
  override readonly name = 'LocalFileError';
  readonly code: LocalFileErrorCode;
  readonly path: string;

  constructor(code: LocalFileErrorCode, path: string, reason: string, options?: ErrorOptions) {
    super(`${path}: ${reason}`, options);
    this.code = code;
    this.path = path;
  }
}

/** Runs `action`; what the operating system refuses becomes a `LocalFileError`, any other error passes. */
export async function withLocalFile<T>(path: string, action: () => T | Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    const { code, syscall } = error as NodeJS.ErrnoException;
    if (code === undefined || syscall === undefined) {
      throw error;
    }
    throw new LocalFileError('INPUT_OUTPUT', path, `cannot be used (${syscall}: ${code})`, { cause: error });
  }
}

/** Whether nobody could be reached: no name, no route, no answer. An answer of any kind is not that. */
export function isNetworkAway(error: unknown): boolean {
  if (error instanceof SlowRetrievalError) return true;
  return error instanceof DownloadError && error.code === 'CONNECTION_FAILED';
}

/** A URL for messages: without user name, password, query and fragment, at most 300 characters. */
export function printableUrl(url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  const text =
    parsed === undefined ? '(invalid URL)' : `${parsed.protocol}//${parsed.host}${parsed.pathname}`;
  return text.length > 300 ? `${text.slice(0, 300)}…` : text;
}
