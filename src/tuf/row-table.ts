const QUOTE = 0x22;

/** What makes one row: of its text, its name, and the position behind the name's closing quote. */
export type RowModel<T> = (text: string, name: string, position: number) => T;

/**
 * Rows as they stand in a text, by name, in order of appearance, which is ascending. Nothing but their places is kept:
 * a model is made each time that it is asked for.
 */
export class RowTable<T> implements ReadonlyMap<string, T> {
  readonly #text: string;
  /** Where the name of each row begins. */
  readonly #starts: readonly number[];
  readonly #model: RowModel<T>;
  /** The row after the one asked for last: whoever compares two tables asks in order. */
  #next = 0;

  /** @param starts of names that ascend strictly, and have neither an escape nor a character below `#` */
  constructor(text: string, starts: readonly number[], model: RowModel<T>) {
    this.#text = text;
    this.#starts = starts;
    this.#model = model;
  }

  get size(): number {
    return this.#starts.length;
  }

  get(name: string): T | undefined {
    const index = this.#nameAt(this.#next) === name ? this.#next : this.#search(name);
    if (index === -1) return undefined;
    this.#next = index + 1;
    return this.at(index);
  }

  has(name: string): boolean {
    return this.#search(name) !== -1;
  }

  /** The row with this number, from 0 on. */
  at(index: number): T | undefined {
    const start = this.#starts[index];
    if (start === undefined) return undefined;
    const end = this.#text.indexOf('"', start);
    return this.#model(this.#text, this.#text.slice(start, end), end + 1);
  }

  *entries(): Generator<[string, T], undefined> {
    for (const start of this.#starts) {
      const end = this.#text.indexOf('"', start);
      const name = this.#text.slice(start, end);
      yield [name, this.#model(this.#text, name, end + 1)];
    }
  }

  *keys(): Generator<string, undefined> {
    for (const start of this.#starts) yield this.#text.slice(start, this.#text.indexOf('"', start));
  }

  *values(): Generator<T, undefined> {
    for (const [, row] of this.entries()) yield row;
  }

  [Symbol.iterator](): Generator<[string, T], undefined> {
    return this.entries();
  }

  forEach(callback: (row: T, name: string, rows: ReadonlyMap<string, T>) => void): void {
    for (const [name, row] of this.entries()) callback(row, name, this);
  }

  #nameAt(index: number): string | undefined {
    const start = this.#starts[index];
    return start === undefined ? undefined : this.#text.slice(start, this.#text.indexOf('"', start));
  }

  /** The number of the row of this name, or -1. */
  #search(name: string): number {
    let low = 0;
    let high = this.#starts.length - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const found = this.#nameAt(middle) ?? '';
      if (found === name) return middle;
      if (found < name) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }
}

/** How rows stand in a text: between which brackets, in what form, and how far behind its beginning each has its name. */
export interface RowForm {
  readonly open: string;
  readonly close: string;
  /** Sticky. The names in it have {@link ROW_NAME}. */
  readonly row: RegExp;
  readonly nameOffset: number;
}

/** Printable ASCII above the quote and without backslash, so that the closing quote is the lowest character of all. */
export const ROW_NAME = '[#-\\[\\]-~]+';

/** Where the names of the rows at this position begin, and the position behind all; undefined if some have another form, or do not ascend. */
export function findRows(
  text: string,
  position: number,
  { open, close, row, nameOffset }: RowForm,
): { readonly starts: readonly number[]; readonly end: number } | undefined {
  if (text[position] !== open) return undefined;
  const starts: number[] = [];
  let before = -1;
  for (let at = position + 1; ;) {
    row.lastIndex = at;
    if (!row.test(text)) return undefined;
    const start = at + nameOffset;
    if (before !== -1 && !ascends(text, before, start)) return undefined;
    starts.push(start);
    before = start;
    const next = text[row.lastIndex];
    at = row.lastIndex + 1;
    if (next === close) return { starts, end: at };
    if (next !== ',') return undefined;
  }
}

/** Whether the name at `after` comes behind that at `before`. */
function ascends(text: string, before: number, after: number): boolean {
  for (let offset = 0; ; offset++) {
    const unit = text.charCodeAt(before + offset);
    const other = text.charCodeAt(after + offset);
    if (unit !== other) return unit < other;
    if (unit === QUOTE) return false;
  }
}
