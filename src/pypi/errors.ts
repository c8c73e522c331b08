/**
 * Base of every refusal in pypi/: bytes or text that are not what the PyPA specifications allow.
 *
 * `code` is one of a closed set per subclass. `message` is one printable ASCII sentence, so that it can stand in an
 * HTTP reason phrase as it is.
 */
export abstract class FormatError<Code extends string = string> extends Error {
  readonly code: Code;

  constructor(code: Code, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}

const LONGEST_QUOTATION = 100;

/** Text from outside, quoted for an error sentence: printable ASCII only, everything else as `\u{hex}`, cut after 100 characters. */
export function quote(text: string): string {
  const cut = text.length > LONGEST_QUOTATION;
  let quoted = '';
  for (const character of cut ? text.slice(0, LONGEST_QUOTATION) : text) {
    const codePoint = character.codePointAt(0) ?? 0;
    const isPlain = codePoint >= 0x20 && codePoint < 0x7f && character !== "'" && character !== '\\';
    quoted += isPlain ? character : `\\u{${codePoint.toString(16)}}`;
  }
  return `'${quoted}${cut ? '...' : ''}'`;
}
