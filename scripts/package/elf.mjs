// As much of ELF-64 (little-endian) as is needed to cut a program and to put a note into it.
export const PT_LOAD = 1;
export const PT_NOTE = 4;
export const PT_PHDR = 6;
const TABLE = 64;
const ENTRY = 56;

/** The program headers, of which the table follows the file header. */
export function programHeaders(bytes) {
  if (bytes.readUInt32BE(0) !== 0x7f_45_4c_46 || bytes[4] !== 2 || bytes[5] !== 1)
    throw new Error('this is no ELF-64 program');
  if (bytes.readBigUInt64LE(0x20) !== BigInt(TABLE) || bytes.readUInt16LE(0x36) !== ENTRY)
    throw new Error('the program headers are not where they are expected');
  const count = bytes.readUInt16LE(0x38);
  return Array.from({ length: count }, (_, index) => {
    const at = TABLE + index * ENTRY;
    return {
      type: bytes.readUInt32LE(at),
      flags: bytes.readUInt32LE(at + 4),
      offset: bytes.readBigUInt64LE(at + 8),
      address: bytes.readBigUInt64LE(at + 16),
      fileSize: bytes.readBigUInt64LE(at + 32),
      memorySize: bytes.readBigUInt64LE(at + 40),
      alignment: bytes.readBigUInt64LE(at + 48),
    };
  });
}

function writeProgramHeaders(bytes, headers) {
  for (const [index, header] of headers.entries()) {
    const at = TABLE + index * ENTRY;
    bytes.writeUInt32LE(header.type, at);
    bytes.writeUInt32LE(header.flags, at + 4);
    bytes.writeBigUInt64LE(header.offset, at + 8);
    bytes.writeBigUInt64LE(header.address, at + 16);
    bytes.writeBigUInt64LE(header.address, at + 24);
    bytes.writeBigUInt64LE(header.fileSize, at + 32);
    bytes.writeBigUInt64LE(header.memorySize, at + 40);
    bytes.writeBigUInt64LE(header.alignment, at + 48);
  }
}

const PAGE = 0x1000;
const roundUp = (value, unit) => Math.ceil(value / unit) * unit;

/**
 * The program with one more note, which is loaded with it. There is no room for two more headers: the note takes the place of
 * the other notes (build id), and its segment the place of the header that describes the table itself, which a program at
 * fixed addresses does not need.
 */
export function withNote(bytes, name, content) {
  const ET_EXEC = 2;
  if (bytes.readUInt16LE(0x10) !== ET_EXEC) throw new Error('the program is not one at fixed addresses');
  const note = noteOf(name, content);
  const offset = roundUp(bytes.length, PAGE);
  const headers = programHeaders(bytes).filter(({ type }) => type !== PT_PHDR);
  const loads = headers.filter(({ type }) => type === PT_LOAD);
  const end = Math.max(...loads.map(({ address, memorySize }) => Number(address + memorySize)));
  const place = {
    flags: 4,
    offset: BigInt(offset),
    address: BigInt(roundUp(end, PAGE) + PAGE),
    fileSize: BigInt(note.length),
    memorySize: BigInt(note.length),
  };
  headers.splice(headers.indexOf(loads.at(-1)) + 1, 0, { ...place, type: PT_LOAD, alignment: BigInt(PAGE) });
  const old = headers.findIndex(({ type }) => type === PT_NOTE);
  headers[old] = { ...place, type: PT_NOTE, alignment: 4n };
  const result = Buffer.concat([bytes, Buffer.alloc(offset - bytes.length), note]);
  writeProgramHeaders(result, headers);
  return result;
}

function noteOf(name, content) {
  const title = Buffer.from(`${name}\0`, 'ascii');
  const head = Buffer.alloc(12 + roundUp(title.length, 4));
  head.writeUInt32LE(title.length, 0);
  head.writeUInt32LE(content.length, 4);
  head.writeUInt32LE(1, 8);
  title.copy(head, 12);
  return Buffer.concat([head, content, Buffer.alloc(roundUp(content.length, 4) - content.length)]);
}
