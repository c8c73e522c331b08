/** The few parts of the tar format (POSIX pax) that a backup in one file needs: regular files with long names, nothing else. */
import { RecoveryError } from './errors.ts';

const BLOCK = 512;
/** Longer than any path of a backup. */
const MAX_PAX = 16 << 10;
const encoder = new TextEncoder();

/** What comes before the bytes of a file: mode 0600, no owner, no time. */
export function tarHeader(name: string, length: number): Uint8Array {
  const records = paxRecord('path', name) + paxRecord('size', String(length));
  const pax = encoder.encode(records);
  return Buffer.concat([
    block('pax', pax.length, 'x'),
    pax,
    tarPadding(pax.length),
    // The name that readers without pax see; ours takes the record's.
    block(name.slice(-99), Math.min(length, 0o77777777777), '0'),
  ]);
}

/** What comes after them. */
export function tarPadding(length: number): Uint8Array {
  return new Uint8Array((BLOCK - (length % BLOCK)) % BLOCK);
}

/** What comes after the last file. */
export const TAR_END = new Uint8Array(2 * BLOCK);

/** A file of a tar: its bytes must be read to their end before the next file is asked for. */
export interface TarFile {
  readonly name: string;
  readonly length: number;
  readonly bytes: AsyncIterable<Uint8Array>;
}

/** Reads what {@link tarHeader} writes, in order. Throws DAMAGED_BACKUP for everything else, and when the end is missing. */
export async function* readTar(chunks: AsyncIterable<Uint8Array>, path: string): AsyncGenerator<TarFile> {
  const input = new BlockReader(chunks, path);
  for (;;) {
    const first = await input.exactly(BLOCK);
    if (first.every((byte) => byte === 0)) return input.requireEnd();
    const pax = header(first, path);
    if (pax.type !== 'x' || pax.length > MAX_PAX) throw damaged(path, 'it holds what no backup holds');
    const records = paxRecords(await input.exactly(pax.length), path);
    await input.padding(pax.length);
    const file = header(await input.exactly(BLOCK), path);
    const length = Number(records.get('size'));
    const name = records.get('path');
    if (file.type !== '0' || name === undefined || !Number.isSafeInteger(length) || length < 0)
      throw damaged(path, 'it holds what no backup holds');
    yield { name, length, bytes: input.stream(length) };
    await input.padding(length);
  }
}

class BlockReader {
  readonly #chunks: AsyncIterator<Uint8Array>;
  readonly #path: string;
  #rest: Uint8Array = new Uint8Array();

  constructor(chunks: AsyncIterable<Uint8Array>, path: string) {
    this.#chunks = chunks[Symbol.asyncIterator]();
    this.#path = path;
  }

  async exactly(length: number): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    for await (const part of this.stream(length)) parts.push(part);
    return Buffer.concat(parts, length);
  }

  async *stream(length: number): AsyncGenerator<Uint8Array> {
    for (let left = length; left > 0;) {
      if (this.#rest.length === 0) {
        const next = await this.#chunks.next();
        if (next.done === true) throw damaged(this.#path, 'its end is missing');
        this.#rest = next.value;
      }
      const part = this.#rest.subarray(0, left);
      this.#rest = this.#rest.subarray(part.length);
      left -= part.length;
      yield part;
    }
  }

  async padding(length: number): Promise<void> {
    const bytes = await this.exactly(tarPadding(length).length);
    if (bytes.some((byte) => byte !== 0)) throw damaged(this.#path, 'it was changed');
  }

  async requireEnd(): Promise<void> {
    const last = await this.exactly(BLOCK);
    const more = this.#rest.length > 0 || (await this.#chunks.next()).done !== true;
    if (more || last.some((byte) => byte !== 0)) throw damaged(this.#path, 'something follows its end');
  }
}

function block(name: string, length: number, type: string): Uint8Array {
  const bytes = new Uint8Array(BLOCK);
  const put = (text: string, at: number) => bytes.set(encoder.encode(text), at);
  put(name.replace(/[^\x20-\x7e]/g, '_'), 0);
  put('0000600\0', 100);
  put('0000000\0', 108);
  put('0000000\0', 116);
  put(`${length.toString(8).padStart(11, '0')}\0`, 124);
  put('00000000000\0', 136);
  put('        ', 148);
  put(type, 156);
  put('ustar\0', 257);
  put('00', 263);
  put(`${checksum(bytes).toString(8).padStart(6, '0')}\0 `, 148);
  return bytes;
}

function header(bytes: Uint8Array, path: string): { readonly type: string; readonly length: number } {
  const text = (from: number, to: number) => new TextDecoder('latin1').decode(bytes.subarray(from, to));
  const stated = Number.parseInt(text(148, 154), 8);
  const blank = Uint8Array.from(bytes);
  blank.fill(32, 148, 156);
  if (stated !== checksum(blank)) throw damaged(path, 'it was changed');
  return { type: text(156, 157), length: Number.parseInt(text(124, 135), 8) };
}

function checksum(bytes: Uint8Array): number {
  return bytes.reduce((sum, byte) => sum + byte, 0);
}

/** `LENGTH key=value\n`, where LENGTH counts the whole record. */
function paxRecord(key: string, value: string): string {
  const rest = encoder.encode(` ${key}=${value}\n`).length;
  let length = rest + String(rest).length;
  length = rest + String(length).length;
  return `${length} ${key}=${value}\n`;
}

function paxRecords(bytes: Uint8Array, path: string): ReadonlyMap<string, string> {
  const records = new Map<string, string>();
  for (let at = 0; at < bytes.length;) {
    const space = bytes.indexOf(32, at);
    const length = Number(new TextDecoder('latin1').decode(bytes.subarray(at, Math.min(space, at + 6))));
    if (space < 0 || !Number.isSafeInteger(length) || length <= space - at || at + length > bytes.length)
      throw damaged(path, 'it was changed');
    const record = new TextDecoder().decode(bytes.subarray(space + 1, at + length - 1));
    const equals = record.indexOf('=');
    records.set(record.slice(0, equals), record.slice(equals + 1));
    at += length;
  }
  return records;
}

function damaged(path: string, reason: string): RecoveryError {
  return new RecoveryError(
    'DAMAGED_BACKUP',
    `${path} is no whole backup (${reason}); nothing was restored, use another backup.`,
    { path },
  );
}
