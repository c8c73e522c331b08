import { compareCodePoints } from './code-points.ts';
import type { JsonObject, JsonValue } from './json.ts';

/**
 * OLPC canonical JSON as TUF signs it: no white space, names in code point order, only `\` and `"` escaped (control
 * characters stand raw, so the result is not always JSON), integers only.
 * @throws {TypeError} for a number that is no safe integer and for lone surrogates: neither can be written.
 */
export function encodeCanonicalJson(value: JsonValue): Uint8Array {
  return encodeUtf8(canonicalJsonText(value));
}

/** The same as a string. */
export function canonicalJsonText(value: JsonValue): string {
  if (typeof value === 'string') return canonicalString(value);
  if (typeof value === 'number') return canonicalInteger(value);
  if (value === null || typeof value === 'boolean') return String(value);
  if (isArray(value)) return `[${value.map(canonicalJsonText).join(',')}]`;
  let text = '{';
  for (const [name, member] of sortedMembers(value)) {
    if (text.length > 1) text += ',';
    text += canonicalString(name) + ':' + canonicalJsonText(member);
  }
  return text + '}';
}

/** One string in canonical JSON, quotes included. */
export function canonicalString(text: string): string {
  const needsEscape = text.includes('"') || text.includes('\\');
  return needsEscape ? `"${text.replace(/["\\]/g, '\\$&')}"` : `"${text}"`;
}

/**
 * UTF-8 for a string that must survive the way unchanged.
 * @throws {TypeError} for lone surrogates, which `TextEncoder` would silently replace.
 */
export function encodeUtf8(text: string): Uint8Array {
  const bytes = new TextEncoder().encode(text);
  if (bytes.length !== text.length && /\p{Surrogate}/u.test(text)) {
    throw new TypeError('a string holds a lone surrogate, which UTF-8 cannot express');
  }
  return bytes;
}

function canonicalInteger(value: number): string {
  if (!Number.isSafeInteger(value) || Object.is(value, -0)) {
    throw new TypeError(
      `${Object.is(value, -0) ? '-0' : value} has no canonical form: only integers within ±(2^53-1)`,
    );
  }
  return String(value);
}

function sortedMembers(object: JsonObject): readonly (readonly [string, JsonValue])[] {
  const members = [...object];
  let previous = '';
  for (const [name] of members) {
    if (compareCodePoints(previous, name) > 0) return members.sort(([a], [b]) => compareCodePoints(a, b));
    previous = name;
  }
  return members;
}

function isArray(value: JsonValue): value is readonly JsonValue[] {
  return Array.isArray(value);
}
