import { crc32, deflateRawSync } from 'node:zlib';

/** A file of an archive. */
export interface ArchiveMember {
  /** ASCII, with `/`. */
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Everybody may run it. */
  readonly isExecutable?: boolean;
  /** Compressed (DEFLATE); otherwise stored as it is. */
  readonly isDeflated?: boolean;
}

const LOCAL = 0x04_03_4b_50;
const CENTRAL = 0x02_01_4b_50;
const END = 0x06_05_4b_50;
/** 1980-01-01, the first day there is: the same members make the same bytes. */
const DATE = 0x21;
/** A regular file that everybody may read, and run, made on Unix. */
const ATTRIBUTES = 0o100644 * 0x1_00_00;
const EXECUTABLE = 0o100755 * 0x1_00_00;
const UNIX = 3 << 8;
const DEFLATE = 8;

/** A ZIP archive (APPNOTE 6.3) of fewer than 65536 files, together shorter than 4 GiB; without members of ZIP64. */
export function zipArchive(members: readonly ArchiveMember[]): Uint8Array {
  const parts: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let offset = 0;
  for (const { name, bytes, isExecutable, isDeflated } of members) {
    const data = isDeflated === true ? deflateRawSync(bytes) : bytes;
    const common = commonFields(name, bytes, data.length, isDeflated === true ? DEFLATE : 0);
    const title = Buffer.from(name, 'ascii');
    parts.push(words([4, LOCAL]), common, words([2, 0]), title, data);
    directory.push(
      words([4, CENTRAL], [2, UNIX | 20]),
      common,
      words([2, 0], [2, 0], [2, 0], [2, 0]),
      words([4, isExecutable === true ? EXECUTABLE : ATTRIBUTES], [4, offset]),
      title,
    );
    offset += 30 + title.length + data.length;
  }
  const central = Buffer.concat(directory);
  const count = members.length;
  const end = words(
    [4, END],
    [2, 0],
    [2, 0],
    [2, count],
    [2, count],
    [4, central.length],
    [4, offset],
    [2, 0],
  );
  return Buffer.concat([...parts, central, end]);
}

/** Version needed, flags, method, time, date, checksum, sizes, length of the name. */
function commonFields(name: string, bytes: Uint8Array, stored: number, method: number): Uint8Array {
  return words(
    [2, 20],
    [2, 0],
    [2, method],
    [2, 0],
    [2, DATE],
    [4, crc32(bytes)],
    [4, stored],
    [4, bytes.length],
    [2, name.length],
  );
}

function words(...fields: readonly (readonly [size: 2 | 4, value: number])[]): Buffer {
  const buffer = Buffer.alloc(fields.reduce((sum, [size]) => sum + size, 0));
  let position = 0;
  for (const [size, value] of fields) position = buffer.writeUIntLE(value, position, size);
  return buffer;
}
