import { FormatError, quote } from './errors.ts';
import { isValidProjectName, normalizeProjectName } from './project-name.ts';
import { InvalidSpecifierError, parseSpecifier, specifierKey } from './specifier.ts';

/** A dependency outside the dependency specifiers specification (PEP 508). */
export class InvalidRequirementError extends FormatError<'invalid-requirement'> {
  constructor(text: string, reason: string) {
    super('invalid-requirement', `Invalid requirement ${quote(text)}: ${reason}`);
  }
}

/** A dependency such as `requests[socks]>=2; python_version < "3.9"`. */
export interface Requirement {
  readonly name: string;
  readonly extras: readonly string[];
  /** Clauses of the version specifier; empty means any version. */
  readonly specifier: readonly string[];
  /** A direct reference, `name @ url`; then there is no specifier. */
  readonly url?: string;
  /** The environment marker, its parts separated by one space and its strings in double quotes where possible. */
  readonly marker?: string;
}

const MAX_REQUIREMENT_LENGTH = 16_384;
const MAX_MARKER_DEPTH = 64;

const SPACE = /[ \t]+/y;
const NAME = /[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?/y;
// A version after === may hold commas; the clauses are split and checked once more by parseSpecifier.
const CLAUSE = /===[ \t]*[^ \t;)]*|(?:~=|==|!=|<=|>=|<|>)[ \t]*[^ \t,;)]*/y;
const URL_TEXT = /[^ \t]+/y;
const STRING = /'[^']*'|"[^"]*"/y;
const COMPARISON = /===|~=|==|!=|<=|>=|<|>|in\b|not[ \t]+in\b/y;
const BOOLEAN = /(?:and|or)\b/y;
const VARIABLE =
  /(?:python_version|python_full_version|os[._]name|sys[._]platform|platform_release|platform_system|platform[._]version|platform[._]machine|platform[._]python_implementation|python_implementation|implementation_name|implementation_version|extras?|dependency_groups)\b/y;

/**
 * Parses one dependency (PEP 508), as in `Requires-Dist`.
 *
 * @throws InvalidRequirementError
 */
export function parseRequirement(text: string): Requirement {
  if (text.length > MAX_REQUIREMENT_LENGTH) throw new InvalidRequirementError(text, 'it is too long.');
  return new RequirementParser(text).parse();
}

/** The same string for requirements that differ in spelling only: spacing, quotes, order of extras and clauses. */
export function requirementKey(text: string): string {
  const { name, extras, specifier, url, marker } = parseRequirement(text);
  const extraList = [...new Set(extras.map(normalizeProjectName))].toSorted().join(',');
  return `${normalizeProjectName(name)}[${extraList}]${specifierKey(specifier.join(','))}@${url ?? ''};${marker ?? ''}`;
}

/** Recursive descent over the text; every step moves forward, so it takes linear time. */
class RequirementParser {
  readonly #text: string;
  #position = 0;

  constructor(text: string) {
    this.#text = text;
  }

  parse(): Requirement {
    this.#space();
    const name = this.#expect(NAME, 'it must begin with a project name.');
    if (!isValidProjectName(name)) this.#fail('the project name is too long.');
    this.#space();
    const extras = this.#extras();
    this.#space();
    if (this.#symbol('@')) return this.#directReference(name, extras);
    const specifier = this.#specifier();
    this.#space();
    return { name, extras, specifier, ...this.#ending() };
  }

  #directReference(name: string, extras: readonly string[]): Requirement {
    this.#space();
    const url = this.#expect(URL_TEXT, "a URL must follow '@'.");
    const hasSpace = this.#space();
    if (!hasSpace && !this.#atEnd()) this.#fail('white space must follow the URL.');
    return { name, extras, specifier: [], url, ...this.#ending() };
  }

  #ending(): { marker?: string } {
    const marker = this.#symbol(';') ? this.#marker(0) : undefined;
    if (!this.#atEnd()) this.#fail(`unexpected text at character ${this.#position + 1}.`);
    return marker === undefined ? {} : { marker };
  }

  #extras(): readonly string[] {
    if (!this.#symbol('[')) return [];
    const extras: string[] = [];
    this.#space();
    if (this.#symbol(']')) return extras;
    do {
      this.#space();
      extras.push(this.#expect(NAME, 'an extra is not a name.'));
      this.#space();
    } while (this.#symbol(','));
    if (!this.#symbol(']')) this.#fail("']' is missing after the extras.");
    return extras;
  }

  #specifier(): readonly string[] {
    const isEnclosed = this.#symbol('(');
    const clauses: string[] = [];
    do {
      this.#space();
      const clause = this.#take(CLAUSE);
      if (clause === undefined) break;
      clauses.push(clause);
      this.#space();
    } while (this.#symbol(','));
    this.#space();
    if (isEnclosed && !this.#symbol(')')) this.#fail("')' is missing after the version specifier.");
    try {
      return parseSpecifier(clauses.join(','));
    } catch (error) {
      if (error instanceof InvalidSpecifierError) this.#fail('its version specifier is invalid.');
      throw error;
    }
  }

  #marker(depth: number): string {
    if (depth > MAX_MARKER_DEPTH) this.#fail('its marker is nested too deeply.');
    const parts = [this.#markerAtom(depth)];
    for (let operator = this.#take(BOOLEAN); operator !== undefined; operator = this.#take(BOOLEAN)) {
      parts.push(operator, this.#markerAtom(depth));
    }
    return parts.join(' ');
  }

  #markerAtom(depth: number): string {
    this.#space();
    let atom: string;
    if (this.#symbol('(')) {
      atom = `(${this.#marker(depth + 1)})`;
      if (!this.#symbol(')')) this.#fail("')' is missing in the marker.");
    } else {
      const left = this.#markerValue();
      const operator = this.#expect(COMPARISON, 'a comparison is missing in the marker.');
      atom = `${left} ${operator.replace(/[ \t]+/, ' ')} ${this.#markerValue()}`;
    }
    this.#space();
    return atom;
  }

  #markerValue(): string {
    this.#space();
    const variable = this.#take(VARIABLE);
    const value = variable ?? this.#expect(STRING, 'the marker needs a variable or a quoted string here.');
    this.#space();
    return variable === undefined && !value.includes('"') ? `"${value.slice(1, -1)}"` : value;
  }

  #space(): boolean {
    return this.#take(SPACE) !== undefined;
  }

  #symbol(symbol: string): boolean {
    const found = this.#text.startsWith(symbol, this.#position);
    if (found) this.#position += symbol.length;
    return found;
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#position;
    const taken = pattern.exec(this.#text)?.[0];
    this.#position += taken?.length ?? 0;
    return taken;
  }

  #expect(pattern: RegExp, reason: string): string {
    return this.#take(pattern) ?? this.#fail(reason);
  }

  #atEnd(): boolean {
    return this.#position === this.#text.length;
  }

  #fail(reason: string): never {
    throw new InvalidRequirementError(this.#text, reason);
  }
}
