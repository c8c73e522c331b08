import { compareCodePoints } from './code-points.ts';
import { decodeUtf8 } from './utf8.ts';

/** A JSON object; a Map, so that `__proto__`, `constructor` and `10` are names like any other and keep their order. */
export type JsonObject = ReadonlyMap<string, JsonValue>;
/** What {@link parseJson} returns: numbers are always safe integers. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;

/** Bounds on what is parsed before anything about it is known to be trustworthy. */
export interface JsonLimits {
  /** Bytes. */
  readonly maxLength: number;
  /** Levels of arrays and objects. */
  readonly maxDepth: number;
  /** Values in all, because a byte of JSON can cost a hundred of memory. */
  readonly maxValues: number;
}

/** Generous for every TUF file: 16,384 delegated bins are 3 MB, 6 levels and 200,000 values. */
export const DEFAULT_JSON_LIMITS: JsonLimits = { maxLength: 32 << 20, maxDepth: 32, maxValues: 2_000_000 };

/** One member of the outermost object as it was received. */
export interface JsonMember {
  readonly bytes: Uint8Array;
  /** Whether these very bytes are OLPC canonical JSON. */
  readonly canonical: boolean;
}

/** A parsed document. */
export interface JsonDocument {
  readonly value: JsonValue;
  /** The members of the outermost object; empty when the document is no object. */
  readonly members: ReadonlyMap<string, JsonMember>;
  /** Rows by the name of their reader; in `value` something empty stands in their place. */
  readonly rows: ReadonlyMap<string, JsonRows>;
}

/**
 * Metadata is long rows of one form. A row reader looks through them in the text, and makes what they stand for when
 * somebody asks for it: a client wants one row of ten thousand. It takes nothing that the parser would not take, and
 * only canonical JSON; all else it leaves to the parser.
 */
export interface RowReader {
  readonly name: string;
  /** Levels of arrays and objects, that of the rows included. */
  readonly levels: number;
  /** Reads the object or array at this position of a text that is ASCII. Undefined: it has another form. */
  read(text: string, position: number): RowsRead | undefined;
}

/** What a {@link RowReader} has read. */
export interface RowsRead {
  readonly rows: JsonRows;
  /** The position behind them. */
  readonly end: number;
  /** Values in them, at most. */
  readonly values: number;
}

/** Rows by name, in order of appearance. */
export type JsonRows = ReadonlyMap<string, unknown>;

/** Where rows stand in a document: the names on the way from the outermost object, then their reader. */
export type RowPlaces = ReadonlyMap<string, RowPlaces | RowReader>;

/** The bytes are not JSON as this project reads it; the message names the reason and the place. */
export class JsonError extends Error {
  override readonly name = 'JsonError';
  readonly code = 'MALFORMED_JSON';
}

const EMPTY_OBJECT: JsonObject = new Map();
const EMPTY_ARRAY: readonly JsonValue[] = Object.freeze([]);

/**
 * Parses JSON strictly: valid UTF-8 without byte order mark, no duplicate names, no lone surrogates, and only
 * integers within ±(2^53-1), because other numbers have no canonical form. One linear pass.
 * @throws {JsonError}
 */
export function parseJson(bytes: Uint8Array, limits: Partial<JsonLimits> = {}): JsonValue {
  return parseJsonDocument(bytes, limits).value;
}

/**
 * As {@link parseJson}, and keeps the span of each member of the outermost object. With places of rows it may throw
 * where without them it would not: rows count as more values than they have.
 * @throws {JsonError}
 */
export function parseJsonDocument(
  bytes: Uint8Array,
  limits: Partial<JsonLimits> = {},
  places?: RowPlaces,
): JsonDocument {
  const { maxLength, maxDepth, maxValues } = { ...DEFAULT_JSON_LIMITS, ...limits };
  if (bytes.length > maxLength) {
    throw new JsonError(`the document has ${bytes.length} bytes, more than the allowed ${maxLength}`);
  }
  return new JsonParser(bytes, maxDepth, maxValues, places).document();
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const MINUS = 0x2d;
const ZERO = 0x30;
const NINE = 0x39;
const COLON = 0x3a;

/** The first members of objects, per depth, whose names are remembered. */
const EXPECTED_NAMES = 8;

const SIMPLE_ESCAPES: ReadonlyMap<string, string> = new Map([
  ['"', '"'],
  ['\\', '\\'],
  ['/', '/'],
  ['b', '\b'],
  ['f', '\f'],
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
]);

class JsonParser {
  readonly #bytes: Uint8Array;
  readonly #text: string;
  readonly #isAscii: boolean;
  readonly #maxDepth: number;
  readonly #maxValues: number;
  readonly #members = new Map<string, JsonMember>();
  readonly #expectedNames: (string | undefined)[] = [];
  readonly #rows = new Map<string, JsonRows>();
  /** What is known about the members of the object that is read. */
  #places: RowPlaces | undefined;
  #position = 0;
  #values = 0;
  /** Whether everything since it was last set to true is canonical. */
  #canonical = true;

  constructor(bytes: Uint8Array, maxDepth: number, maxValues: number, places: RowPlaces | undefined) {
    this.#bytes = bytes;
    this.#text = textOf(bytes);
    this.#isAscii = this.#text.length === bytes.length;
    this.#maxDepth = maxDepth;
    this.#maxValues = maxValues;
    this.#places = places;
  }

  document(): JsonDocument {
    this.#skipSpace();
    const value = this.#value(0);
    this.#skipSpace();
    if (this.#position < this.#text.length) this.#fail('nothing may follow the document');
    return { value, members: this.#members, rows: this.#rows };
  }

  #value(depth: number): JsonValue {
    if (++this.#values > this.#maxValues) this.#fail(`more than ${this.#maxValues} values`);
    const unit = this.#text.charCodeAt(this.#position);
    switch (unit) {
      case QUOTE:
        return this.#string();
      case 0x7b:
        return this.#object(depth);
      case 0x5b:
        return this.#array(depth);
      case 0x74:
        return this.#literal('true', true);
      case 0x66:
        return this.#literal('false', false);
      case 0x6e:
        return this.#literal('null', null);
      default:
        if (unit === MINUS || (unit >= ZERO && unit <= NINE)) return this.#integer();
        return this.#fail('a value is missing');
    }
  }

  #object(depth: number): JsonObject {
    this.#open(depth);
    if (this.#closes(0x7d)) return EMPTY_OBJECT;
    const object = new Map<string, JsonValue>();
    let previous: string | undefined;
    do {
      const name = this.#nameAfter(previous, depth, object.size);
      previous = name;
      const size = object.size;
      object.set(name, this.#named(name, depth));
      if (object.size === size) this.#failTwice(name);
    } while (this.#continues(0x7d));
    return object;
  }

  /** A name with its colon; names that do not ascend have no place in canonical JSON. */
  #nameAfter(previous: string | undefined, depth: number, index: number): string {
    this.#skipSpace();
    if (this.#text.charCodeAt(this.#position) !== QUOTE) this.#fail('a name in quotes is missing');
    const name = this.#name(depth, index);
    if (previous !== undefined && this.#descends(previous, name)) this.#canonical = false;
    this.#skipSpace();
    if (this.#text.charCodeAt(this.#position) !== COLON) this.#fail('a colon is missing');
    this.#position++;
    this.#skipSpace();
    return name;
  }

  /**
   * Objects in metadata come in long rows with the same names in the same places: a name that is the one its
   * predecessor had is compared instead of cut out, which spares a string and its hash.
   */
  #name(depth: number, index: number): string {
    if (index >= EXPECTED_NAMES) return this.#string();
    const place = depth * EXPECTED_NAMES + index;
    const expected = this.#expectedNames[place];
    const start = this.#position + 1;
    if (expected !== undefined && this.#text.startsWith(expected, start)) {
      const end = start + expected.length;
      if (this.#text.charCodeAt(end) === QUOTE) {
        this.#position = end + 1;
        return expected;
      }
    }
    const name = this.#string();
    // Only a name without escapes is as long as its text, and only such a name may be compared with text.
    if (this.#position - start - 1 === name.length) this.#expectedNames[place] = name;
    return name;
  }

  /** The value of a member, with an eye on the places of rows. */
  #named(name: string, depth: number): JsonValue {
    const places = this.#places;
    if (places === undefined) return depth === 0 ? this.#member(name) : this.#value(depth + 1);
    const place = places.get(name);
    const isReader = place !== undefined && 'read' in place;
    if (isReader && this.#readRows(place, depth + 1)) return EMPTY_OBJECT;
    this.#places = isReader ? undefined : place;
    const value = depth === 0 ? this.#member(name) : this.#value(depth + 1);
    this.#places = places;
    return value;
  }

  /** Whether a reader took what stands here. */
  #readRows(reader: RowReader, depth: number): boolean {
    if (!this.#isAscii || depth + reader.levels > this.#maxDepth) return false;
    const read = reader.read(this.#text, this.#position);
    if (read === undefined) return false;
    this.#values += read.values;
    if (this.#values > this.#maxValues) this.#fail(`more than ${this.#maxValues} values`);
    this.#position = read.end;
    this.#rows.set(reader.name, read.rows);
    return true;
  }

  /** The native comparison is by UTF-16 units, which are in the order of code points while all of them are ASCII. */
  #descends(previous: string, name: string): boolean {
    return this.#isAscii ? previous > name : compareCodePoints(previous, name) > 0;
  }

  #member(name: string): JsonValue {
    const start = this.#position;
    this.#canonical = true;
    const value = this.#value(1);
    this.#members.set(name, { bytes: this.#span(start, this.#position), canonical: this.#canonical });
    return value;
  }

  #array(depth: number): readonly JsonValue[] {
    this.#open(depth);
    if (this.#closes(0x5d)) return EMPTY_ARRAY;
    const array: JsonValue[] = [];
    this.#places = undefined;
    do {
      this.#skipSpace();
      array.push(this.#value(depth + 1));
    } while (this.#continues(0x5d));
    // A copy has no room to grow, which for tens of thousands of short arrays is most of what they take.
    return array.length < 16 ? array.slice() : array;
  }

  #open(depth: number): void {
    if (depth >= this.#maxDepth) this.#fail(`more than ${this.#maxDepth} levels`);
    this.#position++;
    this.#skipSpace();
  }

  #closes(end: number): boolean {
    if (this.#text.charCodeAt(this.#position) !== end) return false;
    this.#position++;
    return true;
  }

  #continues(end: number): boolean {
    this.#skipSpace();
    const unit = this.#text.charCodeAt(this.#position);
    if (unit !== COMMA && unit !== end) this.#fail('a comma or the end of the array or object is missing');
    this.#position++;
    return unit === COMMA;
  }

  #string(): string {
    const text = this.#text;
    const start = this.#position + 1;
    for (let index = start; ; index++) {
      const unit = text.charCodeAt(index);
      if (unit === QUOTE) {
        this.#position = index + 1;
        return text.slice(start, index);
      }
      if (unit === BACKSLASH) return this.#escapedString(start, index);
      // Written this way round, NaN (the end of the text) is refused too.
      if (!(unit >= 0x20)) this.#fail('a string does not end, or holds a control character', index);
    }
  }

  #escapedString(start: number, firstEscape: number): string {
    const text = this.#text;
    const parts: string[] = [];
    let from = start;
    for (let index = firstEscape; ; index++) {
      const unit = text.charCodeAt(index);
      if (unit === QUOTE || unit === BACKSLASH) {
        parts.push(text.slice(from, index));
        this.#position = index + 1;
        if (unit === QUOTE) return parts.join('');
        parts.push(this.#escape());
        from = this.#position;
        index = from - 1;
      } else if (!(unit >= 0x20)) this.#fail('a string does not end, or holds a control character', index);
    }
  }

  #escape(): string {
    const letter = this.#text.charAt(this.#position++);
    if (letter !== '"' && letter !== '\\') this.#canonical = false;
    const simple = SIMPLE_ESCAPES.get(letter);
    if (simple !== undefined) return simple;
    if (letter !== 'u') this.#fail('an escape is unknown');
    const unit = this.#hexUnit();
    if (unit < 0xd800 || unit > 0xdfff) return String.fromCharCode(unit);
    if (unit > 0xdbff || !this.#text.startsWith('\\u', this.#position))
      this.#fail('a surrogate stands alone');
    this.#position += 2;
    const low = this.#hexUnit();
    if (low < 0xdc00 || low > 0xdfff) this.#fail('a surrogate stands alone');
    return String.fromCharCode(unit, low);
  }

  #hexUnit(): number {
    const digits = this.#text.slice(this.#position, this.#position + 4);
    if (!/^[0-9a-fA-F]{4}$/.test(digits)) this.#fail('an escape needs four hexadecimal digits');
    this.#position += 4;
    return Number.parseInt(digits, 16);
  }

  #integer(): number {
    const text = this.#text;
    const start = this.#position;
    let index = start;
    if (text.charCodeAt(index) === MINUS) index++;
    const firstDigit = index;
    while (text.charCodeAt(index) >= ZERO && text.charCodeAt(index) <= NINE) index++;
    const digits = index - firstDigit;
    if (digits === 0) this.#fail('a digit is missing');
    if (digits > 1 && text.charCodeAt(firstDigit) === ZERO) this.#fail('a number starts with zero');
    if (/[.eE]/.test(text.charAt(index))) this.#fail('a number is no integer');
    const value = Number(text.slice(start, Math.min(index, start + 18)));
    if (digits > 16 || !Number.isSafeInteger(value)) this.#fail('a number is outside ±(2^53-1)');
    if (Object.is(value, -0)) this.#fail('a number is -0');
    this.#position = index;
    return value;
  }

  #literal<T extends null | boolean>(word: string, value: T): T {
    if (!this.#text.startsWith(word, this.#position)) this.#fail('a value is missing');
    this.#position += word.length;
    return value;
  }

  #skipSpace(): void {
    for (;;) {
      const unit = this.#text.charCodeAt(this.#position);
      if (unit !== 0x20 && unit !== 0x0a && unit !== 0x0d && unit !== 0x09) return;
      this.#canonical = false;
      this.#position++;
    }
  }

  #span(start: number, end: number): Uint8Array {
    return this.#isAscii
      ? this.#bytes.subarray(start, end)
      : new TextEncoder().encode(this.#text.slice(start, end));
  }

  #failTwice(name: string): never {
    this.#fail(`the name ${JSON.stringify(name)} stands twice in one object`);
  }

  #fail(reason: string, position = this.#position): never {
    throw new JsonError(`not valid JSON at character ${position}: ${reason}`);
  }
}

function textOf(bytes: Uint8Array): string {
  try {
    return decodeUtf8(bytes);
  } catch (cause) {
    throw new JsonError('not valid UTF-8', { cause });
  }
}
