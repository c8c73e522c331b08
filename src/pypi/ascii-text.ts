/** Text for an HTML text node or a quoted attribute, in printable ASCII: the same whatever charset a reader assumes. */
export function asciiHtml(text: string): string {
  return displayText(text).replace(
    /[^ !#-%(-;=?-~]/gu,
    (character) => `&#${character.codePointAt(0) ?? 0xfffd};`,
  );
}

/**
 * Text as a page shows it: one line, well-formed Unicode. Controls, noncharacters, line and paragraph separators become spaces and the
 * ends are trimmed, halves of surrogate pairs become U+FFFD, so that JSON and HTML say the same.
 */
export function displayText(text: string): string {
  return text
    .replace(/[\p{Cc}\p{Noncharacter_Code_Point}\u2028\u2029]/gu, ' ')
    .replace(/\p{Surrogate}/gu, '\ufffd')
    .trim();
}

/** Compact JSON in printable ASCII, everything else as `\uXXXX`: the same bytes whatever the charset. */
export function asciiJson(value: unknown): Uint8Array<ArrayBuffer> {
  const text = JSON.stringify(value).replace(
    /[^ -~]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return new TextEncoder().encode(text);
}
