/**
 * A reader for the tar archives that every program reads alike: POSIX ustar and pax, and GNU with long names. What
 * makes readers disagree is refused: sparse files, a name given twice, numbers in base 256, data after the end.
 */
import { ARCHIVE_LIMITS, checkEntryName, UnsafeArchiveError } from './archive.ts';
import { quote } from './errors.ts';
import { parsePaxRecords } from './pax.ts';

/** One member of a tar archive. */
export interface TarEntry {
  readonly name: string;
  readonly kind: 'file' | 'directory' | 'symlink' | 'hardlink';
  /** Bytes of content. */
  readonly size: number;
  /** Where a link points, as written. */
  readonly linkName?: string;
}

/** What is asked of the reader for each member: `true` to get its content. */
export type WantsContent = (entry: TarEntry) => boolean;

/** A member, with its content if it was asked for. */
export interface TarMember {
  readonly entry: TarEntry;
  readonly content?: Uint8Array;
}

const BLOCK = 512;
const MAX_EXTENSION = 64 * 1024;
const KINDS: ReadonlyMap<string, TarEntry['kind']> = new Map([
  ['0', 'file'],
  ['\0', 'file'],
  ['1', 'hardlink'],
  ['2', 'symlink'],
  ['5', 'directory'],
]);

/** Mode, user, group, time of change, device. */
const OTHER_NUMBERS: readonly (readonly [start: number, length: number])[] = [
  [100, 8],
  [108, 8],
  [116, 8],
  [136, 12],
  [329, 8],
  [337, 8],
];

interface Header {
  readonly name: string;
  readonly type: string;
  readonly size: number;
  readonly linkName: string;
}

/** Names for the next member out of extension members. */
interface Extension {
  readonly path?: string;
  readonly linkPath?: string;
  readonly size?: number;
}

/**
 * Reads the members of a tar archive one after another.
 *
 * @throws UnsafeArchiveError
 */
export async function* readTar(
  chunks: AsyncIterable<Uint8Array>,
  wantsContent: WantsContent,
): AsyncGenerator<TarMember> {
  const source = new BlockSource(chunks);
  let extension: Extension | undefined;
  let count = 0;
  for (;;) {
    const block = await source.take(BLOCK);
    if (block === undefined) throw malformed('it ends without an end mark.');
    if (block.every((byte) => byte === 0)) break;
    if (++count > ARCHIVE_LIMITS.entries) {
      throw new UnsafeArchiveError('archive-bomb', `it has more than ${ARCHIVE_LIMITS.entries} members.`);
    }
    const header = parseHeader(block);
    if (isExtension(header.type)) {
      const read = await readExtension(source, header);
      if (extension !== undefined && read !== undefined)
        throw ambiguous('a member has two extension headers.');
      extension = read ?? extension;
      continue;
    }
    const entry = entryOf(header, extension);
    extension = undefined;
    if (wantsContent(entry)) {
      yield { entry, content: await source.content(entry.size) };
    } else {
      await source.skip(padded(entry.size));
      yield { entry };
    }
  }
  if (extension !== undefined) throw malformed('it ends after an extension header.');
  await source.expectZeros();
}

function entryOf(header: Header, extension: Extension | undefined): TarEntry {
  const kind = KINDS.get(header.type);
  const name = extension?.path ?? header.name;
  if (kind === undefined) {
    throw new UnsafeArchiveError(
      'unsupported-feature',
      `the member ${quote(name)} is neither file, directory nor link.`,
      name,
    );
  }
  if (extension?.size !== undefined && extension.size !== header.size)
    throw ambiguous(`${quote(name)} has two sizes.`);
  checkEntryName(name);
  if (kind !== 'file' && header.size !== 0) throw ambiguous(`${quote(name)} is no file but has content.`);
  if (kind === 'file' && name.endsWith('/'))
    throw ambiguous(`${quote(name)} is a file with the name of a directory.`);
  const linkName = extension?.linkPath ?? header.linkName;
  const isLink = kind === 'symlink' || kind === 'hardlink';
  return {
    name: name.endsWith('/') ? name.slice(0, -1) : name,
    kind,
    size: header.size,
    ...(isLink ? { linkName } : {}),
  };
}

function isExtension(type: string): boolean {
  return type === 'x' || type === 'g' || type === 'L' || type === 'K';
}

async function readExtension(source: BlockSource, header: Header): Promise<Extension | undefined> {
  if (header.size > MAX_EXTENSION)
    throw new UnsafeArchiveError('archive-bomb', 'an extension header of it is too large.');
  const bytes = await source.content(header.size);
  if (header.type === 'L' || header.type === 'K') {
    const text = decodeText(bytes.at(-1) === 0 ? bytes.subarray(0, -1) : bytes);
    return header.type === 'L' ? { path: text } : { linkPath: text };
  }
  const records = parsePaxRecords(bytes);
  const path = records.get('path');
  const linkPath = records.get('linkpath');
  const size = records.get('size');
  if ([...records.keys()].some((key) => key.startsWith('GNU.sparse.') || key === 'hdrcharset')) {
    throw new UnsafeArchiveError('unsupported-feature', 'it has sparse files or names in another charset.');
  }
  if (header.type === 'g') {
    if (path ?? linkPath ?? size) throw ambiguous('a global header names one member.');
    return undefined;
  }
  return {
    ...(path === undefined ? {} : { path }),
    ...(linkPath === undefined ? {} : { linkPath }),
    ...(size === undefined ? {} : { size: decimal(size) }),
  };
}

function parseHeader(block: Uint8Array): Header {
  checkChecksum(block);
  const magic = latin1(block.subarray(257, 265));
  const isPosix = magic === 'ustar\x0000';
  if (!isPosix && magic !== 'ustar  \0') throw malformed('it is no ustar, pax or GNU tar archive.');
  for (const [start, length] of OTHER_NUMBERS) checkNumber(block, start, length);
  const name = textField(block, 0, 100);
  const prefix = isPosix ? textField(block, 345, 155) : '';
  return {
    name: prefix === '' ? name : `${prefix}/${name}`,
    type: String.fromCharCode(block[156] ?? 0),
    size: octalField(block, 124, 12),
    linkName: textField(block, 157, 100),
  };
}

function checkChecksum(block: Uint8Array): void {
  let sum = 0;
  for (const [index, byte] of block.entries()) sum += index >= 148 && index < 156 ? 0x20 : byte;
  if (octalField(block, 148, 8) !== sum) throw malformed('the checksum of a tar header is wrong.');
}

function octalField(block: Uint8Array, start: number, length: number): number {
  const text = latin1(block.subarray(start, start + length));
  const digits = /^ *([0-7]+)[ \0]*$/.exec(text)?.[1];
  if (digits === undefined) throw malformed('a number in a tar header is not octal.');
  return Number.parseInt(digits, 8);
}

// Numbers we do not need, but over which Python's tarfile would stumble.
function checkNumber(block: Uint8Array, start: number, length: number): void {
  const text = latin1(block.subarray(start, start + length));
  if (!/^ *[0-7]*[ \0]*$|^[\x80\xff]/.test(text)) throw malformed('a number in a tar header is not octal.');
}

function textField(block: Uint8Array, start: number, length: number): string {
  const field = block.subarray(start, start + length);
  const end = field.indexOf(0);
  return decodeText(end < 0 ? field : field.subarray(0, end));
}

function decimal(text: string): number {
  if (!/^[0-9]{1,15}$/.test(text)) throw malformed('a number in a pax header is not decimal.');
  return Number(text);
}

function decodeText(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new UnsafeArchiveError('unsafe-name', 'a name in it is not UTF-8.', undefined, { cause });
  }
}

function latin1(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}

function padded(size: number): number {
  return Math.ceil(size / BLOCK) * BLOCK;
}

/** Gives the bytes of an async iterable in pieces of wished length. */
class BlockSource {
  readonly #iterator: AsyncIterator<Uint8Array>;
  #chunk: Uint8Array = new Uint8Array(0);

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#iterator = chunks[Symbol.asyncIterator]();
  }

  /** `length` bytes, or `undefined` at the end. */
  async take(length: number): Promise<Uint8Array | undefined> {
    if (this.#chunk.length === 0 && !(await this.#next())) return undefined;
    if (this.#chunk.length >= length) return this.#advance(length);
    const bytes = new Uint8Array(length);
    let filled = 0;
    while (filled < length) {
      if (this.#chunk.length === 0 && !(await this.#next())) throw malformed('it is cut short.');
      const piece = this.#advance(Math.min(length - filled, this.#chunk.length));
      bytes.set(piece, filled);
      filled += piece.length;
    }
    return bytes;
  }

  /** A member's content, without the padding behind it. */
  async content(size: number): Promise<Uint8Array> {
    if (size > ARCHIVE_LIMITS.metadataBytes) {
      throw new UnsafeArchiveError(
        'archive-bomb',
        `a member is larger than ${ARCHIVE_LIMITS.metadataBytes} bytes.`,
      );
    }
    if (size === 0) return new Uint8Array(0);
    const bytes = await this.take(padded(size));
    if (bytes === undefined) throw malformed('it is cut short.');
    return bytes.slice(0, size);
  }

  async skip(length: number): Promise<void> {
    let left = length;
    while (left > 0) {
      if (this.#chunk.length === 0 && !(await this.#next())) throw malformed('it is cut short.');
      left -= this.#advance(Math.min(left, this.#chunk.length)).length;
    }
  }

  async expectZeros(): Promise<void> {
    do {
      if (this.#chunk.some((byte) => byte !== 0)) throw ambiguous('there are bytes after its end mark.');
    } while (await this.#next());
  }

  #advance(length: number): Uint8Array {
    const piece = this.#chunk.subarray(0, length);
    this.#chunk = this.#chunk.subarray(length);
    return piece;
  }

  async #next(): Promise<boolean> {
    const { value, done } = await this.#iterator.next();
    if (done === true) return false;
    this.#chunk = value;
    return true;
  }
}

function malformed(message: string): UnsafeArchiveError {
  return new UnsafeArchiveError('malformed-archive', message);
}

function ambiguous(message: string): UnsafeArchiveError {
  return new UnsafeArchiveError('ambiguous-archive', message);
}
