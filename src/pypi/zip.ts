/**
 * A reader for the zip archives that every program reads alike (APPNOTE 6.3, and what PyPI accepts): local records
 * without gap from the first byte up to the central directory, which ends the file; both say the same about
 * each entry; no comment, no data descriptor, no encryption, only STORED and DEFLATE.
 */
import {
  ARCHIVE_LIMITS,
  checkBomb,
  checkEntryName,
  readExactly,
  UnsafeArchiveError,
  type RandomAccessReader,
} from './archive.ts';
import { quote } from './errors.ts';
import { readExtraFields, type Zip64Sizes } from './zip-extra.ts';

/** One file or directory of a zip archive. */
export interface ZipEntry {
  /** As in the archive; a directory's ends with `/`. */
  readonly name: string;
  readonly isDirectory: boolean;
  readonly isDeflated: boolean;
  readonly crc32: number;
  readonly compressedSize: number;
  readonly size: number;
  /** Where the compressed bytes begin in the archive. */
  readonly dataStart: number;
}

interface CentralEntry extends Omit<ZipEntry, 'dataStart'> {
  readonly rawName: Uint8Array;
  readonly flags: number;
  readonly headerStart: number;
}

interface CentralDirectory {
  readonly count: number;
  readonly start: number;
  readonly size: number;
}

const END = 0x06054b50;
const END_LENGTH = 22;
const END_64 = 0x06064b50;
const END_64_LENGTH = 56;
const END_64_LOCATOR = 0x07064b50;
const END_64_LOCATOR_LENGTH = 20;
const CENTRAL_HEADER = 0x02014b50;
const CENTRAL_HEADER_LENGTH = 46;
const LOCAL_HEADER = 0x04034b50;
const LOCAL_HEADER_LENGTH = 30;
const FLAG_UTF8 = 0x0800;
/** UTF-8 names and the two bits in which encoders note their effort. */
const ALLOWED_FLAGS = FLAG_UTF8 | 0x0006;
const STORED = 0;
const DEFLATED = 8;
const MODE_TYPE = 0o170000;
const MODE_DIRECTORY = 0o040000;
const MODE_REGULAR = 0o100000;
const UNIX = 3;
const WINDOW = 256 * 1024;

/**
 * Reads the directory of a zip archive and holds it against the local headers.
 *
 * @returns the entries in the order of their data
 * @throws UnsafeArchiveError
 */
export async function readZipEntries(reader: RandomAccessReader): Promise<readonly ZipEntry[]> {
  const directory = await readEnd(reader);
  const bytes = await readExactly(reader, directory.start, directory.size);
  const entries = parseCentralDirectory(bytes, directory.count);
  checkNames(entries);
  checkBomb(
    entries.reduce((sum, entry) => sum + entry.size, 0),
    reader.size,
  );
  return readLocalHeaders(reader, entries, directory.start);
}

async function readEnd(reader: RandomAccessReader): Promise<CentralDirectory> {
  if (reader.size < END_LENGTH) throw malformed('it is no zip archive.');
  const position = reader.size - END_LENGTH;
  const end = viewOf(await readExactly(reader, position, END_LENGTH));
  if (end.getUint32(0, true) !== END || end.getUint16(20, true) !== 0) {
    throw ambiguous(
      'it does not end with the end of a zip directory: it is cut, or has a comment or trailing data.',
    );
  }
  const [disk, startDisk, diskCount] = [
    end.getUint16(4, true),
    end.getUint16(6, true),
    end.getUint16(8, true),
  ];
  const count = end.getUint16(10, true);
  const size = end.getUint32(12, true);
  const start = end.getUint32(16, true);
  const big = await readEnd64(reader, position);
  if (disk !== 0 || startDisk !== 0 || diskCount !== count) throw malformed('its zip directory is split.');
  if (big === undefined) return checkedDirectory({ count, start, size }, position);
  const agrees =
    (count === 0xffff || count === big.count) &&
    (size === 0xffffffff || size === big.size) &&
    (start === 0xffffffff || start === big.start);
  if (!agrees) throw ambiguous('its two ends of the zip directory differ.');
  return checkedDirectory(big, position - END_64_LOCATOR_LENGTH - END_64_LENGTH);
}

async function readEnd64(
  reader: RandomAccessReader,
  endPosition: number,
): Promise<CentralDirectory | undefined> {
  const length = END_64_LENGTH + END_64_LOCATOR_LENGTH;
  if (endPosition < length) return undefined;
  const position = endPosition - length;
  const view = viewOf(await readExactly(reader, position, length));
  if (view.getUint32(END_64_LENGTH, true) !== END_64_LOCATOR) return undefined;
  const isWhole =
    view.getUint32(0, true) === END_64 &&
    view.getBigUint64(4, true) === BigInt(END_64_LENGTH - 12) &&
    view.getUint32(16, true) === 0 &&
    view.getUint32(20, true) === 0 &&
    view.getBigUint64(24, true) === view.getBigUint64(32, true) &&
    view.getUint32(END_64_LENGTH + 4, true) === 0 &&
    view.getBigUint64(END_64_LENGTH + 8, true) === BigInt(position) &&
    view.getUint32(END_64_LENGTH + 16, true) === 1;
  if (!isWhole) throw malformed('its ZIP64 directory end is broken.');
  return {
    count: Number(view.getBigUint64(32, true)),
    size: Number(view.getBigUint64(40, true)),
    start: Number(view.getBigUint64(48, true)),
  };
}

function checkedDirectory(directory: CentralDirectory, end: number): CentralDirectory {
  if (directory.count > ARCHIVE_LIMITS.entries || directory.size > ARCHIVE_LIMITS.listBytes) {
    throw new UnsafeArchiveError('archive-bomb', `it has more than ${ARCHIVE_LIMITS.entries} entries.`);
  }
  if (directory.start + directory.size !== end)
    throw ambiguous('its zip directory is not where it says it is.');
  return directory;
}

function parseCentralDirectory(bytes: Uint8Array, count: number): CentralEntry[] {
  const entries: CentralEntry[] = [];
  let position = 0;
  while (entries.length < count) {
    const view = viewOf(bytes.subarray(position, position + CENTRAL_HEADER_LENGTH));
    if (view.byteLength < CENTRAL_HEADER_LENGTH || view.getUint32(0, true) !== CENTRAL_HEADER) {
      throw malformed('its zip directory is broken.');
    }
    const nameEnd = position + CENTRAL_HEADER_LENGTH + view.getUint16(28, true);
    const end = nameEnd + view.getUint16(30, true);
    if (end > bytes.length) throw malformed('its zip directory is broken.');
    const rawName = bytes.subarray(position + CENTRAL_HEADER_LENGTH, nameEnd);
    entries.push(centralEntry(view, rawName, bytes.subarray(nameEnd, end)));
    position = end;
  }
  if (position !== bytes.length)
    throw ambiguous('its zip directory has another number of entries than it says.');
  return entries;
}

function centralEntry(view: DataView, rawName: Uint8Array, extra: Uint8Array): CentralEntry {
  const flags = view.getUint16(8, true);
  const name = decodeName(rawName, flags);
  const method = view.getUint16(10, true);
  checkFeatures(name, flags, method);
  if (view.getUint16(32, true) !== 0) throw ambiguous(`the entry ${quote(name)} has a comment.`);
  if (view.getUint16(34, true) !== 0) throw malformed('its zip directory is split.');
  const sizes = readExtraFields(name, extra, {
    size: view.getUint32(24, true),
    compressedSize: view.getUint32(20, true),
    headerStart: view.getUint32(42, true),
  });
  const isDirectory = name.endsWith('/');
  checkMode(name, isDirectory, view.getUint16(4, true) >> 8, view.getUint32(38, true) >>> 16);
  if (isDirectory && sizes.size !== 0) throw malformed(`the directory ${quote(name)} has content.`);
  if (method === STORED && sizes.size !== sizes.compressedSize) {
    throw malformed(`the entry ${quote(name)} is stored with two sizes.`);
  }
  return {
    name,
    rawName,
    flags,
    isDirectory,
    isDeflated: method === DEFLATED,
    crc32: view.getUint32(16, true),
    compressedSize: sizes.compressedSize,
    size: sizes.size,
    headerStart: sizes.headerStart ?? 0,
  };
}

function checkFeatures(name: string, flags: number, method: number): void {
  if ((flags & 0x0008) !== 0) throw unsupported(`the entry ${quote(name)} has a data descriptor.`);
  if ((flags & ~ALLOWED_FLAGS) !== 0) throw unsupported(`the entry ${quote(name)} is encrypted or patched.`);
  if (method !== STORED && method !== DEFLATED) {
    throw unsupported(`the entry ${quote(name)} is compressed by another method than DEFLATE.`);
  }
}

function checkMode(name: string, isDirectory: boolean, system: number, mode: number): void {
  const type = system === UNIX ? mode & MODE_TYPE : 0;
  if (type !== 0 && type !== (isDirectory ? MODE_DIRECTORY : MODE_REGULAR)) {
    throw unsupported(`the entry ${quote(name)} is a link or another special file.`);
  }
}

// Without the flag some programs read UTF-8 and others code page 437.
function decodeName(raw: Uint8Array, flags: number): string {
  let name: string;
  try {
    name = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(raw);
  } catch (cause) {
    throw new UnsafeArchiveError('unsafe-name', 'a name in it is not UTF-8.', undefined, { cause });
  }
  if ((flags & FLAG_UTF8) === 0 && raw.some((byte) => byte > 0x7f)) {
    throw ambiguous(`the name ${quote(name)} is not marked as UTF-8.`);
  }
  checkEntryName(name);
  return name;
}

function checkNames(entries: readonly CentralEntry[]): void {
  const names = new Set<string>();
  for (const { name, isDirectory } of entries) {
    const path = isDirectory ? name.slice(0, -1) : name;
    if (names.has(path))
      throw new UnsafeArchiveError('duplicate-name', `it has two entries ${quote(path)}.`, path);
    names.add(path);
  }
}

async function readLocalHeaders(
  reader: RandomAccessReader,
  entries: readonly CentralEntry[],
  dataEnd: number,
): Promise<readonly ZipEntry[]> {
  const window = new ReadWindow(reader);
  const located: ZipEntry[] = [];
  let position = 0;
  for (const entry of entries.toSorted((a, b) => a.headerStart - b.headerStart)) {
    if (entry.headerStart !== position)
      throw ambiguous(`there are bytes before the entry ${quote(entry.name)} that belong to none.`);
    const header = viewOf(await window.read(position, LOCAL_HEADER_LENGTH));
    const nameLength = header.getUint16(26, true);
    const extraLength = header.getUint16(28, true);
    const variable = await window.read(position + LOCAL_HEADER_LENGTH, nameLength + extraLength);
    checkLocalHeader(entry, header, variable.subarray(0, nameLength), variable.subarray(nameLength));
    const dataStart = position + LOCAL_HEADER_LENGTH + nameLength + extraLength;
    position = dataStart + entry.compressedSize;
    const { name, isDirectory, isDeflated, crc32, compressedSize, size } = entry;
    located.push({ name, isDirectory, isDeflated, crc32, compressedSize, size, dataStart });
  }
  if (position !== dataEnd)
    throw ambiguous('there are bytes before its zip directory that belong to no entry.');
  return located;
}

function checkLocalHeader(
  entry: CentralEntry,
  header: DataView,
  rawName: Uint8Array,
  extra: Uint8Array,
): void {
  if (header.getUint32(0, true) !== LOCAL_HEADER)
    throw malformed(`the entry ${quote(entry.name)} is not where the directory says.`);
  const sizes: Zip64Sizes = readExtraFields(entry.name, extra, {
    size: header.getUint32(22, true),
    compressedSize: header.getUint32(18, true),
  });
  const agrees =
    header.getUint16(6, true) === entry.flags &&
    header.getUint16(8, true) === (entry.isDeflated ? DEFLATED : STORED) &&
    header.getUint32(14, true) === entry.crc32 &&
    sizes.compressedSize === entry.compressedSize &&
    sizes.size === entry.size &&
    rawName.length === entry.rawName.length &&
    rawName.every((byte, index) => byte === entry.rawName[index]);
  if (!agrees) throw ambiguous(`the directory and the local header of ${quote(entry.name)} differ.`);
}

/** Reads ahead, because an archive of many small files has its headers close together. */
class ReadWindow {
  readonly #reader: RandomAccessReader;
  #start = 0;
  #bytes: Uint8Array = new Uint8Array(0);

  constructor(reader: RandomAccessReader) {
    this.#reader = reader;
  }

  async read(position: number, length: number): Promise<Uint8Array> {
    if (position < this.#start || position + length > this.#start + this.#bytes.length) {
      const ahead = Math.min(Math.max(length, WINDOW), Math.max(this.#reader.size - position, length));
      this.#bytes = await readExactly(this.#reader, position, ahead);
      this.#start = position;
    }
    return this.#bytes.subarray(position - this.#start, position - this.#start + length);
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function malformed(message: string): UnsafeArchiveError {
  return new UnsafeArchiveError('malformed-archive', message);
}

function ambiguous(message: string): UnsafeArchiveError {
  return new UnsafeArchiveError('ambiguous-archive', message);
}

function unsupported(message: string): UnsafeArchiveError {
  return new UnsafeArchiveError('unsupported-feature', message);
}
