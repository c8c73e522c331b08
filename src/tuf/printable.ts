const MAX_LENGTH = 1000;

/**
 * Text for an error message that may quote what strangers wrote: of bounded length, control characters and everything
 * else that could steer a terminal or forge a log line escaped.
 */
export function printable(text: string): string {
  const cut = text.length > MAX_LENGTH ? `${text.slice(0, MAX_LENGTH)}…` : text;
  return cut.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, escape);
}

function escape(character: string): string {
  return `\\u{${Number(character.codePointAt(0)).toString(16)}}`;
}
