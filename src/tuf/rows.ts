import { DelegatedRole } from './delegated-role.ts';
import { MetaFile, TargetFile } from './file.ts';
import type { JsonRows, RowPlaces, RowReader, RowsRead } from './json.ts';
import { TOP_LEVEL_ROLE_NAMES } from './role.ts';
import { ROW_NAME, RowTable, findRows } from './row-table.ts';
import type { RowForm } from './row-table.ts';
import type { SignedType } from './signed.ts';

/** The rows of metadata that were read by their form; undefined where the parser read them. */
export interface MetadataRows {
  readonly meta?: RowTable<MetaFile> | undefined;
  readonly targets?: RowTable<TargetFile> | undefined;
  readonly roles?: RoleRows | undefined;
}

/** What the readers of {@link rowPlacesOf} left. */
export function metadataRows(rows: ReadonlyMap<string, JsonRows>): MetadataRows {
  return Object.fromEntries(rows);
}

/** Where the long rows in metadata of this type stand; each reader is about the form that our publisher and most others write. */
export function rowPlacesOf(type: SignedType): RowPlaces | undefined {
  return PLACES.get(type);
}

/** `"bin-0a3f.json":{"version":123}`; fifteen digits are a safe integer always. */
const META: RowForm = {
  open: '{',
  close: '}',
  row: new RegExp(`"${ROW_NAME}":\\{"version":[1-9][0-9]{0,14}\\}`, 'y'),
  nameOffset: 1,
};
const META_HEAD = ':{"version":';

const metaReader: RowReader = {
  name: 'meta',
  levels: 2,
  read(text, position) {
    const found = findRows(text, position, META);
    if (found === undefined) return undefined;
    const rows = new RowTable(text, found.starts, metaOf);
    return { rows, end: found.end, values: 1 + 2 * rows.size };
  },
};

function metaOf(text: string, _name: string, position: number): MetaFile {
  const start = position + META_HEAD.length;
  return new MetaFile({ version: Number(text.slice(start, text.indexOf('}', start))) });
}

/** `"a/a-1.0.whl":{"hashes":{"sha256":"…"},"length":123}`, with two other hashes where they are in order. */
/** Written out: a regular expression that counts is half as fast. */
const HEX_64 = '[0-9a-f]'.repeat(64);
const HASHES = `(?:"blake2b-256":"${HEX_64}",)?"sha256":"${HEX_64}"(?:,"sha512":"${HEX_64.repeat(2)}")?`;
const LENGTH = '(?:0|[1-9][0-9]{0,14})';
const TARGET: RowForm = {
  open: '{',
  close: '}',
  row: new RegExp(`"${ROW_NAME}":\\{"hashes":\\{${HASHES}\\},"length":${LENGTH}\\}`, 'y'),
  nameOffset: 1,
};
const TARGET_PARTS = new RegExp(`:\\{"hashes":\\{(${HASHES})\\},"length":(${LENGTH})\\}`, 'y');

const targetReader: RowReader = {
  name: 'targets',
  levels: 3,
  read(text, position) {
    const found = findRows(text, position, TARGET);
    if (found === undefined) return undefined;
    const rows = new RowTable(text, found.starts, targetOf);
    return { rows, end: found.end, values: 1 + 6 * rows.size };
  },
};

function targetOf(text: string, path: string, position: number): TargetFile {
  TARGET_PARTS.lastIndex = position;
  const [, hashes = '', length] = TARGET_PARTS.exec(text) ?? [];
  const pairs = hashes.split(',').map((pair) => pair.slice(1, -1).split('":"') as [string, string]);
  return new TargetFile({ path, length: Number(length), hashes: new Map(pairs) });
}

/** `{"keyids":["…"],"name":"bin-0a3f","path_hash_prefixes":["0a3f"],"terminating":false,"threshold":1}` */
const KEY_IDS = '"[0-9a-f]{1,128}"(?:,"[0-9a-f]{1,128}"){0,15}';
/** Every repetition of a group is bounded: an unbounded one can exhaust the stack of the regular expression. */
const PREFIXES = '"[0-9a-f]{1,64}(?:","[0-9a-f]{1,64}){0,255}"';
const FIRST_ROLE = new RegExp(
  `\\[\\{"keyids":\\[(${KEY_IDS})\\],"name":"${ROW_NAME}","path_hash_prefixes":\\[${PREFIXES}\\],"terminating":(true|false),"threshold":([1-9][0-9]{0,3})\\}`,
  'y',
);
const ROLE_HEAD = '{"keyids":[';
const ROLE_NAME = '],"name":"';
const ROLE_PREFIXES = ',"path_hash_prefixes":["';
const SEPARATOR = '","';

/** What all rows of a table have in common. */
interface RoleFields {
  readonly keyIds: readonly string[];
  readonly terminating: boolean;
  readonly threshold: number;
}

const roleReader: RowReader = {
  name: 'roles',
  levels: 3,
  /** Rows that differ in name and prefixes only, as bins do. */
  read(text, position): RowsRead | undefined {
    FIRST_ROLE.lastIndex = position;
    const [, keyIdsText = '', terminating = '', threshold = ''] = FIRST_ROLE.exec(text) ?? [];
    const keyIds = keyIdsText.slice(1, -1).split(SEPARATOR);
    if (keyIdsText === '' || new Set(keyIds).size < keyIds.length) return undefined;
    const [head, tail] = [`${ROLE_HEAD}${keyIdsText}${ROLE_NAME}`, `],"terminating":${terminating},"threshold":${threshold}}`]; // prettier-ignore
    const row = new RegExp(
      `${literal(head)}${ROW_NAME}"${literal(ROLE_PREFIXES).slice(0, -1)}${PREFIXES}${literal(tail)}`,
      'y',
    );
    const found = findRows(text, position, { open: '[', close: ']', row, nameOffset: head.length });
    if (found === undefined) return undefined;
    const fields = { keyIds, terminating: terminating === 'true', threshold: Number(threshold) };
    const rows = new RoleRows(text, found.starts, fields);
    for (const name of TOP_LEVEL_ROLE_NAMES) if (rows.has(name)) return undefined;
    // Of the text between name and tail every fourth character can begin another prefix.
    const rest = found.end - position - rows.size * (head.length + ROLE_PREFIXES.length + tail.length);
    return { rows, end: found.end, values: 1 + (6 + keyIds.length) * rows.size + Math.floor(rest / 4) };
  },
};

function literal(text: string): string {
  return text.replace(/[{}[\]]/g, '\\$&');
}

const QUOTE = 0x22;
const COMMA = 0x2c;

/** Delegations to bins. */
export class RoleRows extends RowTable<DelegatedRole> {
  readonly #text: string;
  readonly #starts: readonly number[];
  #isOrdered: boolean | undefined;

  constructor(text: string, starts: readonly number[], fields: RoleFields) {
    super(text, starts, (_text, name, position) => {
      const first = position + ROLE_PREFIXES.length;
      const pathHashPrefixes = text.slice(first, text.indexOf('"]', first)).split(SEPARATOR);
      return new DelegatedRole({ ...fields, name, pathHashPrefixes });
    });
    this.#text = text;
    this.#starts = starts;
  }

  /** Whether all prefixes ascend, and none begins another: then a hash has one of them at most. Looked for once. */
  get isOrdered(): boolean {
    this.#isOrdered ??= this.#ascend();
    return this.#isOrdered;
  }

  /** The delegation trusted with a path of this hash, if {@link isOrdered}. */
  find(pathHash: string): DelegatedRole | undefined {
    let low = 0;
    let high = this.#starts.length;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if (isAbove(pathHash, this.#text, this.#firstPrefix(middle))) high = middle;
      else low = middle;
    }
    return isPrefixedBy(pathHash, this.#text, this.#firstPrefix(low)) ? this.at(low) : undefined;
  }

  #ascend(): boolean {
    const text = this.#text;
    let before = -1;
    for (let order = 0; order < this.#starts.length; order++) {
      for (let at = this.#firstPrefix(order); ;) {
        if (before !== -1 && !isBelow(text, before, at)) return false;
        before = at;
        const end = text.indexOf('"', at) + 1;
        if (text.charCodeAt(end) !== COMMA) break;
        at = end + 2;
      }
    }
    return true;
  }

  /** Where the first prefix of this role begins. */
  #firstPrefix(order: number): number {
    return this.#text.indexOf('"', this.#starts[order]) + 1 + ROLE_PREFIXES.length;
  }
}

/** Whether the prefix at `before` comes before that at `after` and does not begin it. */
function isBelow(text: string, before: number, after: number): boolean {
  for (let offset = 0; ; offset++) {
    const unit = text.charCodeAt(before + offset);
    const other = text.charCodeAt(after + offset);
    if (unit === QUOTE) return false;
    if (unit !== other) return unit < other;
  }
}

/** Whether the prefix at this position comes behind the hash. */
function isAbove(pathHash: string, text: string, position: number): boolean {
  for (let offset = 0; ; offset++) {
    const unit = text.charCodeAt(position + offset);
    if (unit === QUOTE) return false;
    if (unit !== pathHash.charCodeAt(offset)) return unit > pathHash.charCodeAt(offset);
  }
}

/** Whether one of the prefixes whose list begins at this position begins the hash. */
function isPrefixedBy(pathHash: string, text: string, position: number): boolean {
  for (let at = position; ;) {
    let length = 0;
    while (text.charCodeAt(at + length) === pathHash.charCodeAt(length)) length++;
    if (text.charCodeAt(at + length) === QUOTE) return true;
    const end = text.indexOf('"', at + length) + 1;
    if (text.charCodeAt(end) !== COMMA) return false;
    at = end + 2;
  }
}

const PLACES: ReadonlyMap<SignedType, RowPlaces> = new Map([
  ['snapshot', new Map([['signed', new Map([['meta', metaReader]])]])],
  [
    'targets',
    new Map([
      [
        'signed',
        new Map<string, RowPlaces | RowReader>([
          ['targets', targetReader],
          ['delegations', new Map([['roles', roleReader]])],
        ]),
      ],
    ]),
  ],
]);
