import { UnsafeArchiveError } from './archive.ts';

/**
 * The records of a pax extended header, `<length> <key>=<value>\n` each (POSIX.1-2001). Values that are not UTF-8 are
 * left out unless they are names; a key that stands twice is refused.
 *
 * @throws UnsafeArchiveError
 */
export function parsePaxRecords(bytes: Uint8Array): ReadonlyMap<string, string> {
  const records = new Map<string, string>();
  let position = 0;
  while (position < bytes.length) {
    const space = bytes.indexOf(0x20, position);
    const length = space < 0 || space - position > 6 ? 0 : decimal(bytes.subarray(position, space));
    const end = position + length;
    if (length < space - position + 4 || end > bytes.length || bytes[end - 1] !== 0x0a) throw broken();
    const equals = bytes.indexOf(0x3d, space);
    if (equals < 0 || equals >= end) throw broken();
    const key = decode(bytes.subarray(space + 1, equals));
    if (key === undefined || records.has(key)) throw broken();
    const value = decode(bytes.subarray(equals + 1, end - 1));
    if (value !== undefined) records.set(key, value);
    else if (key === 'path' || key === 'linkpath') throw broken();
    position = end;
  }
  return records;
}

function decimal(digits: Uint8Array): number {
  const text = String.fromCharCode(...digits);
  return /^[0-9]+$/.test(text) ? Number(text) : 0;
}

function decode(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

function broken(): UnsafeArchiveError {
  return new UnsafeArchiveError('malformed-archive', 'an extension header of it is broken.');
}
