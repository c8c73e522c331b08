import { crc32 } from 'node:zlib';

/** A file of an archive. */
export interface ArchiveMember {
  /** ASCII, with `/`. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

const LOCAL = 0x04_03_4b_50;
const CENTRAL = 0x02_01_4b_50;
const END = 0x06_05_4b_50;
/** 1980-01-01, the first day there is: the same members make the same bytes. */
const DATE = 0x21;
/** A regular file that everybody may read, made on Unix. */
const ATTRIBUTES = 0o100644 * 0x1_00_00;
const UNIX = 3 << 8;

/** A ZIP archive (APPNOTE 6.3) of few small files, not compressed. */
export function storedZip(members: readonly ArchiveMember[]): Uint8Array {
  const parts: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let offset = 0;
  for (const { name, bytes } of members) {
    const common = commonFields(name, bytes);
    const title = Buffer.from(name, 'ascii');
    const local = Buffer.concat([words([4, LOCAL]), common, words([2, 0]), title, bytes]);
    directory.push(
      words([4, CENTRAL], [2, UNIX | 20]),
      common,
      words([2, 0], [2, 0], [2, 0], [2, 0], [4, ATTRIBUTES], [4, offset]),
      title,
    );
    parts.push(local);
    offset += local.length;
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
function commonFields(name: string, bytes: Uint8Array): Uint8Array {
  const { length } = bytes;
  return words(
    [2, 20],
    [2, 0],
    [2, 0],
    [2, 0],
    [2, DATE],
    [4, crc32(bytes)],
    [4, length],
    [4, length],
    [2, name.length],
  );
}

function words(...fields: readonly (readonly [size: 2 | 4, value: number])[]): Buffer {
  const buffer = Buffer.alloc(fields.reduce((sum, [size]) => sum + size, 0));
  let position = 0;
  for (const [size, value] of fields) position = buffer.writeUIntLE(value, position, size);
  return buffer;
}
