import { FormatError, quote } from './errors.ts';
import { isValidVersion, parseVersion } from './version.ts';

/** A version specifier outside the version specifiers specification (PEP 440). */
export class InvalidSpecifierError extends FormatError<'invalid-specifier'> {
  constructor(text: string) {
    super('invalid-specifier', `Invalid version specifier ${quote(text)}.`);
  }
}

/** Longest set of specifiers, characters. */
export const MAX_SPECIFIER_LENGTH = 2048;

const CLAUSE = /^(===|~=|==|!=|<=|>=|<|>)[ \t]*([^ \t;)]*)$/;
const ONLY_RELEASE = /^v?(?:[0-9]+!)?[0-9]+(?:\.[0-9]+)*$/i;

/**
 * The clauses of a version specifier such as `>=3.8, !=3.9.*`, each as operator and version without white space, in the
 * order written. Nothing between two commas is ignored, as pip does.
 *
 * @throws InvalidSpecifierError
 */
export function parseSpecifier(text: string): readonly string[] {
  if (text.length > MAX_SPECIFIER_LENGTH) throw new InvalidSpecifierError(text);
  const clauses: string[] = [];
  for (const part of text.split(',')) {
    const clause = part.trim();
    if (clause === '') continue;
    const match = CLAUSE.exec(clause);
    const [, operator = '', version = ''] = match ?? [];
    if (match === null || !isAllowed(operator, version)) throw new InvalidSpecifierError(text);
    clauses.push(operator + version);
  }
  return clauses;
}

/** The same string for the same clauses in any order and spacing. */
export function specifierKey(text: string): string {
  return [...new Set(parseSpecifier(text))].toSorted().join(',');
}

function isAllowed(operator: string, version: string): boolean {
  if (operator === '===') return true;
  if ((operator === '==' || operator === '!=') && version.endsWith('.*')) {
    return ONLY_RELEASE.test(version.slice(0, -2)) && isValidVersion(version.slice(0, -2));
  }
  if (!isValidVersion(version)) return false;
  const { release, local } = parseVersion(version);
  if (operator === '==' || operator === '!=') return true;
  return local === undefined && (operator !== '~=' || release.length > 1);
}
