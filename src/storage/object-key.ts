import { StorageError } from './errors.ts';

/** Keys that begin so are no part of what the web serves: the index alone reads them. No listing shows them unless it is asked for them. */
export const PRIVATE_PREFIX = 'private/';

const MAX_KEY_BYTES = 1024;
/** The limit of file names on the file systems that matter. */
const MAX_SEGMENT_BYTES = 255;

/**
 * Refuses whatever is not a plain relative path: segments parted by `/`, none empty, `.` or `..`, no backslash or control character,
 * at most 255 bytes a segment and 1,024 in all. Throws INVALID_KEY.
 */
export function checkObjectKey(key: string): void {
  const reason = whyNotAKey(key);
  if (reason === undefined) return;
  throw new StorageError('INVALID_KEY', `The object key ${JSON.stringify(key.slice(0, 200))} ${reason}.`, {
    key,
  });
}

/** As `checkObjectKey`, but '' and a last `/` are allowed. */
export function checkObjectPrefix(prefix: string): void {
  if (prefix === '') return;
  checkObjectKey(prefix.endsWith('/') ? prefix.slice(0, -1) : prefix);
}

function whyNotAKey(key: string): string | undefined {
  if (key.length > MAX_KEY_BYTES || Buffer.byteLength(key) > MAX_KEY_BYTES) {
    return `is longer than ${MAX_KEY_BYTES} bytes`;
  }
  if (Buffer.from(key).toString() !== key) return 'is not Unicode text';
  for (let index = 0; index < key.length; index += 1) {
    const code = key.charCodeAt(index);
    if (code < 0x20 || code === 0x7f || code === 0x5c) return 'holds a backslash or a control character';
  }
  for (const segment of key.split('/')) {
    if (segment === '' || segment === '.' || segment === '..') return 'holds an empty, "." or ".." segment';
    if (Buffer.byteLength(segment) > MAX_SEGMENT_BYTES) {
      return `has a segment longer than ${MAX_SEGMENT_BYTES} bytes`;
    }
  }
  return undefined;
}
