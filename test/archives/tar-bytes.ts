import { gzipSync } from 'node:zlib';

/** One member of a tar archive built by hand; every field can lie. */
export interface TarSpec {
  name: string | Uint8Array;
  content?: Uint8Array | string;
  /** Default: '0', a file. */
  type?: string;
  size?: number;
  linkName?: string;
  prefix?: string;
  /** Default: POSIX. */
  magic?: string;
  /** Overwrites the size field as it is. */
  rawSize?: string;
  checksum?: number;
}

/** The bytes of a tar archive; `ending` follows the members (default: two blocks of zeros). */
export function tarBytes(members: readonly TarSpec[], ending: Uint8Array = Buffer.alloc(1024)): Buffer {
  return Buffer.concat([...members.map(member), ending]);
}

/** A gzip file of a tar archive. */
export function tarGzBytes(members: readonly TarSpec[], ending?: Uint8Array): Buffer {
  return gzipSync(tarBytes(members, ending));
}

/** A pax extended header with these records. */
export function paxHeader(records: Readonly<Record<string, string>>, type: 'x' | 'g' = 'x'): TarSpec {
  return { name: 'PaxHeaders/x', type, content: Object.entries(records).map(paxRecord).join('') };
}

/** `<length> <key>=<value>\n` where the length counts itself. */
export function paxRecord([key, value]: readonly [string, string]): string {
  const rest = Buffer.byteLength(` ${key}=${value}\n`);
  let length = rest + 1;
  while (String(length).length + rest !== length) length = String(length).length + rest;
  return `${length} ${key}=${value}\n`;
}

function member(spec: TarSpec): Buffer {
  const content = Buffer.from(spec.content ?? '');
  const header = Buffer.alloc(512);
  Buffer.from(spec.name).copy(header, 0, 0, 100);
  header.write('0000644\0', 100);
  header.write('0000000\0', 108);
  header.write('0000000\0', 116);
  header.write(
    spec.rawSize ?? `${(spec.size ?? content.length).toString(8).padStart(11, '0')}\0`,
    124,
    'latin1',
  );
  header.write('00000000000\0', 136);
  header.write(spec.type ?? '0', 156);
  header.write(spec.linkName ?? '', 157);
  header.write(spec.magic ?? 'ustar\x0000', 257);
  header.write(spec.prefix ?? '', 345);
  header.write('        ', 148);
  const sum = spec.checksum ?? header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  const padding = Buffer.alloc((512 - (content.length % 512)) % 512);
  return Buffer.concat([header, content, padding]);
}
