import { UnsafeArchiveError } from './archive.ts';
import { quote } from './errors.ts';

/** The numbers of a zip header that may be too large for it. */
export interface Zip64Sizes {
  readonly size: number;
  readonly compressedSize: number;
  /** Only in the central directory. */
  readonly headerStart?: number;
}

const ZIP64 = 0x0001;
const UNICODE_PATH = 0x7075;
const TOO_LARGE = 0xffffffff;

/**
 * Reads the extra fields of a zip header: the ZIP64 sizes where the header holds placeholders. A second name (Unicode
 * path), a repeated ZIP64 field, and one that contradicts the header are refused.
 */
export function readExtraFields(name: string, extra: Uint8Array, header: Zip64Sizes): Zip64Sizes {
  const view = new DataView(extra.buffer, extra.byteOffset, extra.byteLength);
  let zip64: DataView | undefined;
  let position = 0;
  while (position < extra.length) {
    if (position + 4 > extra.length) throw broken(name);
    const id = view.getUint16(position, true);
    const start = position + 4;
    position = start + view.getUint16(position + 2, true);
    if (position > extra.length) throw broken(name);
    if (id === UNICODE_PATH || (id === ZIP64 && zip64 !== undefined)) {
      throw new UnsafeArchiveError(
        'ambiguous-archive',
        `the entry ${quote(name)} has a second name or size.`,
        name,
      );
    }
    if (id === ZIP64) zip64 = new DataView(extra.buffer, extra.byteOffset + start, position - start);
  }
  return resolve(name, zip64, header);
}

// The field holds the numbers whose place in the header holds the placeholder, in this order; some programs write all.
function resolve(name: string, zip64: DataView | undefined, header: Zip64Sizes): Zip64Sizes {
  const numbers = [
    header.size,
    header.compressedSize,
    ...(header.headerStart === undefined ? [] : [header.headerStart]),
  ];
  const isMinimal = zip64?.byteLength === 8 * numbers.filter((number) => number === TOO_LARGE).length;
  let position = 0;
  const resolved = numbers.map((number) => {
    const isInField = zip64 !== undefined && (isMinimal ? number === TOO_LARGE : position < zip64.byteLength);
    if (!isInField) {
      if (number === TOO_LARGE) throw broken(name);
      return number;
    }
    if (position + 8 > zip64.byteLength) throw broken(name);
    const large = Number(zip64.getBigUint64(position, true));
    position += 8;
    if (!Number.isSafeInteger(large) || (number !== TOO_LARGE && number !== large)) throw broken(name);
    return large;
  });
  if (zip64 !== undefined && position !== zip64.byteLength) throw broken(name);
  const [size = 0, compressedSize = 0, headerStart] = resolved;
  return { size, compressedSize, ...(headerStart === undefined ? {} : { headerStart }) };
}

function broken(name: string): UnsafeArchiveError {
  return new UnsafeArchiveError('malformed-archive', `the extra fields of ${quote(name)} are broken.`, name);
}
