import { crc32, deflateRawSync } from 'node:zlib';

/** One entry of a zip archive built by hand; every field can lie. */
export interface ZipSpec {
  name: string | Uint8Array;
  content?: Uint8Array | string;
  /** Default: DEFLATE. */
  method?: number;
  flags?: number;
  crc?: number;
  size?: number;
  compressedSize?: number;
  extra?: Uint8Array;
  comment?: string;
  /** Unix mode in the external attributes. */
  mode?: number;
  /** What the local header says when it differs. */
  local?: Partial<Pick<ZipSpec, 'name' | 'method' | 'flags' | 'crc' | 'size' | 'compressedSize' | 'extra'>>;
  /** The compressed bytes as they are, instead of the content compressed. */
  raw?: Uint8Array;
  /** Bytes put before the local header. */
  gap?: Uint8Array;
  /** Left out of the central directory. */
  hidden?: boolean;
}

/** What surrounds the entries. */
export interface ZipShape {
  prefix?: Uint8Array;
  beforeDirectory?: Uint8Array;
  comment?: string;
  suffix?: Uint8Array;
  count?: number;
  directoryStart?: number;
  directorySize?: number;
  /** Put a ZIP64 end before the end; its fields, by default the true ones. */
  zip64?: { count?: number; start?: number; size?: number; position?: number };
  disk?: number;
}

/** The bytes of a zip archive. */
export function zipBytes(entries: readonly ZipSpec[], shape: ZipShape = {}): Buffer {
  const parts: Buffer[] = [Buffer.from(shape.prefix ?? [])];
  const central: Buffer[] = [];
  let position = parts[0]!.length;
  const push = (bytes: Uint8Array): void => {
    parts.push(Buffer.from(bytes));
    position += bytes.length;
  };
  for (const spec of entries) {
    push(spec.gap ?? new Uint8Array(0));
    const headerStart = position;
    const content = Buffer.from(spec.content ?? '');
    const method = spec.method ?? 8;
    const data = spec.raw ?? (method === 8 ? deflateRawSync(content) : content);
    const truth = {
      name: spec.name,
      method,
      flags: spec.flags ?? (typeof spec.name === 'string' && /[^\0-\x7f]/.test(spec.name) ? 0x800 : 0),
      crc: spec.crc ?? crc32(content),
      size: spec.size ?? content.length,
      compressedSize: spec.compressedSize ?? data.length,
      extra: spec.extra ?? new Uint8Array(0),
    };
    push(localHeader({ ...truth, extra: new Uint8Array(0), ...spec.local }));
    push(data);
    if (spec.hidden !== true) {
      central.push(centralHeader(truth, spec.mode ?? 0o100644, spec.comment ?? '', headerStart));
    }
  }
  push(shape.beforeDirectory ?? new Uint8Array(0));
  const start = position;
  for (const header of central) push(header);
  const size = position - start;
  if (shape.zip64 !== undefined) push(end64(shape.zip64, central.length, start, size, position));
  push(end(shape, central.length, start, size));
  push(shape.suffix ?? new Uint8Array(0));
  return Buffer.concat(parts);
}

interface HeaderTruth {
  name: string | Uint8Array;
  method: number;
  flags: number;
  crc: number;
  size: number;
  compressedSize: number;
  extra: Uint8Array;
}

function localHeader(truth: HeaderTruth): Buffer {
  const name = Buffer.from(truth.name);
  const header = Buffer.alloc(30);
  header.writeUInt32LE(0x04034b50, 0);
  header.writeUInt16LE(20, 4);
  writeCommon(header, 6, truth);
  header.writeUInt16LE(name.length, 26);
  header.writeUInt16LE(truth.extra.length, 28);
  return Buffer.concat([header, name, truth.extra]);
}

function centralHeader(truth: HeaderTruth, mode: number, comment: string, headerStart: number): Buffer {
  const name = Buffer.from(truth.name);
  const header = Buffer.alloc(46);
  header.writeUInt32LE(0x02014b50, 0);
  header.writeUInt16LE((3 << 8) | 20, 4);
  header.writeUInt16LE(20, 6);
  writeCommon(header, 8, truth);
  header.writeUInt16LE(name.length, 28);
  header.writeUInt16LE(truth.extra.length, 30);
  header.writeUInt16LE(comment.length, 32);
  header.writeUInt32LE((mode << 16) >>> 0, 38);
  header.writeUInt32LE(headerStart, 42);
  return Buffer.concat([header, name, truth.extra, Buffer.from(comment)]);
}

function writeCommon(header: Buffer, at: number, truth: HeaderTruth): void {
  header.writeUInt16LE(truth.flags, at);
  header.writeUInt16LE(truth.method, at + 2);
  header.writeUInt32LE(0x00210000, at + 4);
  header.writeUInt32LE(truth.crc >>> 0, at + 8);
  header.writeUInt32LE(truth.compressedSize, at + 12);
  header.writeUInt32LE(truth.size, at + 16);
}

function end(shape: ZipShape, count: number, start: number, size: number): Buffer {
  const comment = Buffer.from(shape.comment ?? '');
  const bytes = Buffer.alloc(22);
  bytes.writeUInt32LE(0x06054b50, 0);
  bytes.writeUInt16LE(shape.disk ?? 0, 4);
  bytes.writeUInt16LE(shape.count ?? count, 8);
  bytes.writeUInt16LE(shape.count ?? count, 10);
  bytes.writeUInt32LE(shape.directorySize ?? size, 12);
  bytes.writeUInt32LE(shape.directoryStart ?? start, 16);
  bytes.writeUInt16LE(comment.length, 20);
  return Buffer.concat([bytes, comment]);
}

function end64(
  fields: NonNullable<ZipShape['zip64']>,
  count: number,
  start: number,
  size: number,
  position: number,
): Buffer {
  const bytes = Buffer.alloc(76);
  bytes.writeUInt32LE(0x06064b50, 0);
  bytes.writeBigUInt64LE(44n, 4);
  bytes.writeUInt16LE(45, 12);
  bytes.writeUInt16LE(45, 14);
  bytes.writeBigUInt64LE(BigInt(fields.count ?? count), 24);
  bytes.writeBigUInt64LE(BigInt(fields.count ?? count), 32);
  bytes.writeBigUInt64LE(BigInt(fields.size ?? size), 40);
  bytes.writeBigUInt64LE(BigInt(fields.start ?? start), 48);
  bytes.writeUInt32LE(0x07064b50, 56);
  bytes.writeBigUInt64LE(BigInt(fields.position ?? position), 64);
  bytes.writeUInt32LE(1, 72);
  return bytes;
}
