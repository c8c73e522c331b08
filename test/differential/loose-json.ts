import type { Random } from './random.ts';

/**
 * JSON as the most careless reader could meet it: names twice, numbers as they are spelled, `NaN`, lone surrogates.
 * Mutations happen here, and the known differences are recognised here.
 */
export type Loose = null | boolean | string | LooseNumber | Loose[] | LooseObject;

export class LooseNumber {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export class LooseObject {
  readonly members: [name: string, value: Loose][];

  constructor(members: [name: string, value: Loose][] = []) {
    this.members = members;
  }

  /** The value of the last member of that name, as readers of duplicate names take it. */
  get(name: string): Loose | undefined {
    return this.members.findLast(([each]) => each === name)?.[1];
  }

  /** Replaces the value of every member of that name, or adds one. */
  set(name: string, value: Loose): void {
    let isThere = false;
    for (const member of this.members) {
      if (member[0] === name) {
        member[1] = value;
        isThere = true;
      }
    }
    if (!isThere) this.members.push([name, value]);
  }

  delete(name: string): void {
    for (let index = this.members.length - 1; index >= 0; index--) {
      if (this.members[index]?.[0] === name) this.members.splice(index, 1);
    }
  }
}

/** Plain values (objects, arrays, numbers) as loose ones. */
export function loose(value: unknown): Loose {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return value;
  if (typeof value === 'number') return new LooseNumber(String(value));
  if (Array.isArray(value)) return value.map(loose);
  return new LooseObject(
    Object.entries(value as object)
      .filter(([, member]) => member !== undefined)
      .map(([name, member]) => [name, loose(member)]),
  );
}

export function cloneLoose(value: Loose): Loose {
  if (Array.isArray(value)) return value.map(cloneLoose);
  if (value instanceof LooseObject) {
    return new LooseObject(value.members.map(([name, member]) => [name, cloneLoose(member)]));
  }
  return value;
}

/** A value as a text; empty for objects and arrays. */
export function textOf(value: Loose | undefined): string {
  if (value instanceof LooseNumber) return value.text;
  return typeof value === 'string' || typeof value === 'boolean' || value === null ? String(value) : '';
}

/** Every value in the tree with its depth, and every name as a value of its own. */
export function* walkLoose(root: Loose): Generator<{ readonly value: Loose; readonly depth: number }> {
  const waiting: { readonly value: Loose; readonly depth: number }[] = [{ value: root, depth: 0 }];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    yield next;
    const { value } = next;
    const depth = next.depth + 1;
    if (Array.isArray(value)) for (const item of value) waiting.push({ value: item, depth });
    if (value instanceof LooseObject) {
      for (const [name, member] of value.members)
        waiting.push({ value: name, depth }, { value: member, depth });
    }
  }
}

/** As `String.prototype.toWellFormed`: U+FFFD in the place of every lone surrogate. */
export function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, '\ufffd');
}

/** How a document is spelled. */
export interface Spelling {
  /** Spaces and line ends between tokens. */
  readonly space: string;
  /** Escape more than JSON asks for. */
  readonly escapes: Random | undefined;
}

export const PLAIN_SPELLING: Spelling = { space: '', escapes: undefined };

export function looseText(value: Loose, spelling: Spelling = PLAIN_SPELLING): string {
  const { space } = spelling;
  if (typeof value === 'string') return spellString(value, spelling.escapes);
  if (value instanceof LooseNumber) return value.text;
  if (value === null || typeof value === 'boolean') return String(value);
  if (Array.isArray(value)) {
    return `[${space}${value.map((item) => looseText(item, spelling)).join(`,${space}`)}${space}]`;
  }
  const members = value.members.map(
    ([name, member]) => `${spellString(name, spelling.escapes)}:${space}${looseText(member, spelling)}`,
  );
  return `{${space}${members.join(`,${space}`)}${space}}`;
}

function spellString(text: string, escapes: Random | undefined): string {
  const quoted = JSON.stringify(text);
  if (escapes === undefined || !escapes.chance(0.2)) return quoted;
  return quoted.includes('/') && escapes.chance(0.3)
    ? quoted.replaceAll('/', '\\/')
    : escapeOne(quoted, escapes);
}

function escapeOne(quoted: string, random: Random): string {
  const index = 1 + random.below(Math.max(1, quoted.length - 2));
  const unit = quoted.charCodeAt(index);
  const isPlain = unit > 0x7f || /[A-Za-z0-9_.-]/.test(quoted.charAt(index));
  if (!isPlain || quoted.slice(Math.max(0, index - 5), index).includes('\\')) return quoted;
  const digits = unit.toString(16).padStart(4, '0');
  return `${quoted.slice(0, index)}\\u${random.chance(0.5) ? digits : digits.toUpperCase()}${quoted.slice(index + 1)}`;
}

/**
 * OLPC canonical JSON as the most tolerant implementation reads the document: the last of equal names, integers of any
 * size, integral floats as integers, U+FFFD for lone surrogates. What an attacker's victims would have had to sign.
 */
export function tolerantCanonical(
  value: Loose,
  order: (a: string, b: string) => number = byCodePoint,
): string {
  if (typeof value === 'string') return `"${wellFormed(value).replace(/["\\]/g, '\\$&')}"`;
  if (value instanceof LooseNumber) return canonicalNumber(value.text);
  if (value === null || typeof value === 'boolean') return String(value);
  if (Array.isArray(value)) return `[${value.map((item) => tolerantCanonical(item, order)).join(',')}]`;
  const last = new Map<string, Loose>(value.members);
  const members = [...last].sort(([a], [b]) => order(a, b));
  return `{${members.map(([name, member]) => `${tolerantCanonical(name)}:${tolerantCanonical(member, order)}`).join(',')}}`;
}

/** TUF's order of names. */
export function byCodePoint(a: string, b: string): number {
  return Buffer.compare(Buffer.from(wellFormed(a)), Buffer.from(wellFormed(b)));
}

/** JavaScript's own order, which some implementations use by mistake. */
export function byCodeUnit(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function canonicalNumber(text: string): string {
  if (/^-?\d+$/.test(text)) return BigInt(text).toString();
  const value = Number(text);
  return Number.isInteger(value) ? JSON.stringify(value) : text;
}

/** Reads what Python's and JavaScript's readers read, and keeps what they lose; undefined for what neither reads. */
export function readLoose(text: string): Loose | undefined {
  try {
    return new LooseReader(text).document();
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof RangeError) return undefined;
    throw error;
  }
}

const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|NaN|-?Infinity/y;
const STRING = /"(?:[\u0020-\u0021\u0023-\u005b\u005d-\uffff]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const SPACE = /[ \n\r\t]*/y;

class LooseReader {
  readonly #text: string;
  #position = 0;

  constructor(text: string) {
    this.#text = text;
  }

  document(): Loose {
    const value = this.#value(0);
    this.#match(SPACE);
    if (this.#position < this.#text.length) throw new SyntaxError('nothing may follow');
    return value;
  }

  #value(depth: number): Loose {
    if (depth > 3000) throw new RangeError('too deep');
    this.#match(SPACE);
    switch (this.#text[this.#position]) {
      case '"':
        return this.#string();
      case '{':
        return new LooseObject(this.#sequence('}', () => this.#member(depth)));
      case '[':
        return this.#sequence(']', () => this.#value(depth + 1));
    }
    for (const [word, value] of [
      ['true', true],
      ['false', false],
      ['null', null],
    ] as const) {
      if (this.#text.startsWith(word, this.#position)) {
        this.#position += word.length;
        return value;
      }
    }
    return new LooseNumber(this.#match(NUMBER));
  }

  #member(depth: number): [string, Loose] {
    this.#match(SPACE);
    const name = this.#string();
    this.#match(SPACE);
    if (this.#text[this.#position] !== ':') throw new SyntaxError('a colon is missing');
    this.#position++;
    return [name, this.#value(depth + 1)];
  }

  #sequence<T>(end: string, read: () => T): T[] {
    const items: T[] = [];
    this.#position++;
    this.#match(SPACE);
    if (this.#text[this.#position] === end) {
      this.#position++;
      return items;
    }
    for (;;) {
      items.push(read());
      this.#match(SPACE);
      const found = this.#text[this.#position++];
      if (found === end) return items;
      if (found !== ',') throw new SyntaxError('a comma is missing');
    }
  }

  #string(): string {
    return JSON.parse(this.#match(STRING)) as string;
  }

  #match(pattern: RegExp): string {
    pattern.lastIndex = this.#position;
    const found = pattern.exec(this.#text)?.[0];
    if (found === undefined) throw new SyntaxError('a value is missing');
    this.#position += found.length;
    return found;
  }
}
