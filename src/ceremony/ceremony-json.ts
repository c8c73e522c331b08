import { canonicalJsonText, encodeUtf8 } from '../tuf/canonical-json.ts';
import type { JsonValue } from '../tuf/json.ts';

/**
 * A file of a ceremony: canonical JSON, so that everybody writes the same bytes, but with control characters escaped. Canonical JSON leaves
 * them as they are (the line feeds of a PEM key), and then it is no JSON. What is signed is the canonical form.
 */
export function encodeCeremonyJson(value: JsonValue): Uint8Array {
  const escaped = canonicalJsonText(value).replace(
    /[^\u0020-\u{10ffff}]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return encodeUtf8(escaped);
}
