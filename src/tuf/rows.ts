import { DelegatedRole } from './delegated-role.ts';
import { MetaFile, TargetFile } from './file.ts';
import type { RowReader } from './json.ts';
import { TOP_LEVEL_ROLE_NAMES } from './role.ts';
import type { SignedType } from './signed.ts';

const QUOTE = 0x22;
const ZERO = 0x30;

/** The reader of the long rows in metadata of this type; each is about the form that our publisher and most others write. */
export function rowReaderOf(type: SignedType): ((text: string) => RowReader) | undefined {
  if (type === 'snapshot') return () => new MetaRows();
  if (type === 'targets')
    return (text) => (text.includes('"delegations":') ? new RoleRows() : new TargetRows());
  return undefined;
}

/** `{"hashes":{"sha256":"…"},"length":123}` */
class TargetRows implements RowReader {
  readonly place = ['signed', 'targets'];
  readonly levels = 2;
  readonly values = 4;
  row!: TargetFile;

  read(text: string, position: number, name: string): number {
    TARGET.lastIndex = position;
    if (!TARGET.test(text)) return -1;
    const digest = position + TARGET_HEAD.length;
    const length = text.slice(digest + 64 + TARGET_MIDDLE.length, TARGET.lastIndex - 1);
    this.row = TargetFile.withSha256(name, Number(length), text.slice(digest, digest + 64));
    return TARGET.lastIndex;
  }
}

/** Fifteen digits are a safe integer always. */
const TARGET = /\{"hashes":\{"sha256":"[0-9a-f]{64}"\},"length":(?:0|[1-9][0-9]{0,14})\}/y;
const TARGET_HEAD = '{"hashes":{"sha256":"';
const TARGET_MIDDLE = '"},"length":';

/** `{"version":123}` */
class MetaRows implements RowReader {
  readonly place = ['signed', 'meta'];
  readonly levels = 1;
  readonly values = 2;
  row!: MetaFile;

  read(text: string, position: number): number {
    META.lastIndex = position;
    if (!META.test(text)) return -1;
    const version = text.slice(position + META_HEAD.length, META.lastIndex - 1);
    this.row = new MetaFile({ version: Number(version) });
    return META.lastIndex;
  }
}

const META = /\{"version":[1-9][0-9]{0,14}\}/y;
const META_HEAD = '{"version":';

/** `{"keyids":["…"],"name":"bin-0a3f","path_hash_prefixes":["0a3f"],"terminating":false,"threshold":1}` */
class RoleRows implements RowReader {
  readonly place = ['signed', 'delegations', 'roles'];
  readonly levels = 2;
  readonly values = 6;
  row!: DelegatedRole;
  /** What the rows begin with, up to the name: the same key signs them all. */
  #head = ROLE_HEAD;
  #keyIds: readonly string[] = [];

  read(text: string, position: number): number {
    if (this.#keyIds.length === 0 && !this.#readHead(text, position)) return -1;
    if (!text.startsWith(this.#head, position)) return -1;
    const start = position + this.#head.length;
    const end = nameEnd(text, start);
    const name = text.slice(start, end);
    if (end === start || TOP_LEVEL_ROLE_NAMES.has(name) || !text.startsWith(ROLE_MIDDLE, end)) return -1;
    const pathHashPrefixes: string[] = [];
    const tail = readPrefixes(text, end + ROLE_MIDDLE.length, pathHashPrefixes);
    if (tail === -1 || !text.startsWith(ROLE_TAIL, tail)) return -1;
    this.row = new DelegatedRole({
      name,
      keyIds: this.#keyIds,
      threshold: 1,
      terminating: false,
      pathHashPrefixes,
    });
    return tail + ROLE_TAIL.length;
  }

  #readHead(text: string, position: number): boolean {
    const start = position + ROLE_HEAD.length;
    const end = hexEnd(text, start);
    if (end === start || !text.startsWith(ROLE_HEAD, position) || !text.startsWith(ROLE_NAME, end))
      return false;
    this.#head = text.slice(position, end + ROLE_NAME.length);
    this.#keyIds = [text.slice(start, end)];
    return true;
  }
}

const ROLE_HEAD = '{"keyids":["';
const ROLE_NAME = '"],"name":"';
const ROLE_MIDDLE = '","path_hash_prefixes":["';
const ROLE_TAIL = '],"terminating":false,"threshold":1}';

/** Prefixes up to the bracket behind them; -1 for one that is none. */
function readPrefixes(text: string, position: number, prefixes: string[]): number {
  for (let start = position; ;) {
    const end = hexEnd(text, start);
    if (end === start || end - start > 64 || text.charCodeAt(end) !== QUOTE) return -1;
    prefixes.push(text.slice(start, end));
    if (!text.startsWith(',"', end + 1)) return end + 1;
    start = end + 3;
  }
}

/** The end of the lower-case hexadecimal digits that begin here. */
function hexEnd(text: string, position: number): number {
  for (let index = position; ; index++) {
    const unit = text.charCodeAt(index);
    if (!((unit >= ZERO && unit <= 0x39) || (unit >= 0x61 && unit <= 0x66))) return index;
  }
}

/** The end of the letters, digits, `-`, `.` and `_` that begin here. */
function nameEnd(text: string, position: number): number {
  for (let index = position; ; index++) {
    const unit = text.charCodeAt(index);
    const isPlain =
      (unit >= 0x61 && unit <= 0x7a) ||
      (unit >= ZERO && unit <= 0x39) ||
      unit === 0x2d ||
      unit === 0x2e ||
      unit === 0x5f;
    if (!isPlain) return index;
  }
}
