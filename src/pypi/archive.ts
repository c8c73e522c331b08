import { FormatError, quote } from './errors.ts';

/** A file read at random positions; who opens it closes it. */
export interface RandomAccessReader {
  /** Bytes. */
  readonly size: number;
  /** Exactly `length` bytes from `position`; fewer only beyond the end. */
  read(position: number, length: number): Promise<Uint8Array>;
}

/** An archive that is broken, that two programs could read differently, or that does harm when unpacked. */
export class UnsafeArchiveError extends FormatError<
  | 'malformed-archive'
  | 'ambiguous-archive'
  | 'unsafe-name'
  | 'duplicate-name'
  | 'unsupported-feature'
  | 'archive-bomb'
  | 'corrupt-content'
  | 'wrong-content'
> {
  /** The entry concerned. */
  readonly entry: string | undefined;

  constructor(code: UnsafeArchiveError['code'], message: string, entry?: string, options?: ErrorOptions) {
    super(code, `Invalid distribution: ${message}`, options);
    this.entry = entry;
  }
}

/** The limits of archives. */
export const ARCHIVE_LIMITS = {
  /** Entries of one archive. */
  entries: 200_000,
  /** Unpacked bytes that are never too much. */
  unpackedBytes: 64 * 1024 * 1024,
  /** Above them, how many times larger than the archive the unpacked bytes may be. */
  ratio: 50,
  /** Characters of a name in an archive, and of one segment. */
  nameLength: 4096,
  segmentLength: 255,
  /** Bytes of a file that is read into memory: METADATA, PKG-INFO, WHEEL. */
  metadataBytes: 4 * 1024 * 1024,
  /** Bytes of RECORD and of a zip's central directory. */
  listBytes: 64 * 1024 * 1024,
} as const;

/**
 * Checks the name of an archive's entry: relative, `/` between the segments, none of them empty, `.` or `..`, no
 * control characters, no drive letter. A directory's name may end with one `/`.
 *
 * @throws UnsafeArchiveError `unsafe-name`
 */
export function checkEntryName(name: string): void {
  const path = name.endsWith('/') ? name.slice(0, -1) : name;
  const isSafe =
    name.length <= ARCHIVE_LIMITS.nameLength &&
    !/[\p{Cc}\p{Surrogate}\p{Noncharacter_Code_Point}\\\u2028\u2029]/u.test(name) &&
    !/^[A-Za-z]:/.test(name) &&
    path.split('/').every(isSafeSegment);
  if (!isSafe) throw new UnsafeArchiveError('unsafe-name', `the name ${quote(name)} in it is unsafe.`, name);
}

/** Refuses an archive whose content is far larger than itself. */
export function checkBomb(unpackedBytes: number, archiveBytes: number): void {
  if (unpackedBytes > ARCHIVE_LIMITS.unpackedBytes && unpackedBytes > archiveBytes * ARCHIVE_LIMITS.ratio) {
    throw new UnsafeArchiveError(
      'archive-bomb',
      `it unpacks to more than ${ARCHIVE_LIMITS.ratio} times its size.`,
    );
  }
}

/** `reader.read`, but fewer bytes than asked for are an error. */
export async function readExactly(
  reader: RandomAccessReader,
  position: number,
  length: number,
): Promise<Uint8Array> {
  const bytes = position + length <= reader.size ? await reader.read(position, length) : undefined;
  if (bytes?.length !== length) throw new UnsafeArchiveError('malformed-archive', 'it is cut short.');
  return bytes;
}

function isSafeSegment(segment: string): boolean {
  return (
    segment !== '' && segment !== '.' && segment !== '..' && segment.length <= ARCHIVE_LIMITS.segmentLength
  );
}
