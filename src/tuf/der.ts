/** Reads DER (X.690), strictly: definite minimal lengths only, so that one value has one encoding. */
export class DerReader {
  readonly #bytes: Uint8Array;
  #position = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** The content of the next element, which must have this tag; undefined when it has not. */
  take(tag: number): Uint8Array | undefined {
    if (this.#bytes[this.#position] !== tag) return undefined;
    const length = this.#length();
    if (length === undefined || this.#position + length > this.#bytes.length) return undefined;
    const content = this.#bytes.subarray(this.#position, this.#position + length);
    this.#position += length;
    return content;
  }

  get isAtEnd(): boolean {
    return this.#position === this.#bytes.length;
  }

  #length(): number | undefined {
    const first = this.#bytes[this.#position + 1];
    this.#position += 2;
    if (first === undefined || first < 0x80) return first;
    const count = first & 0x7f;
    if (count < 1 || count > 3) return undefined;
    let length = 0;
    for (const byte of this.#bytes.subarray(this.#position, this.#position + count))
      length = length * 256 + byte;
    this.#position += count;
    const isMinimal = length >= (count === 1 ? 0x80 : 2 ** (8 * (count - 1)));
    return isMinimal ? length : undefined;
  }
}

export const DER_INTEGER = 0x02;
export const DER_BIT_STRING = 0x03;
export const DER_SEQUENCE = 0x30;

/** The magnitude of a positive, minimally encoded INTEGER without its sign byte, or undefined. */
export function positiveInteger(content: Uint8Array | undefined): Uint8Array | undefined {
  const first = content?.[0];
  if (content === undefined || first === undefined || first >= 0x80) return undefined;
  if (first !== 0) return content;
  const second = content[1];
  return second === undefined || second < 0x80 ? undefined : content.subarray(1);
}
