/** Distinguished Encoding Rules (X.690), as far as a certificate needs them. */

const SEQUENCE = 0x30;
const SET = 0x31;

/** One value: tag, length, content. */
export function der(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const content = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([tag]), lengthOf(content.length), content]);
}

export function sequence(...parts: readonly Uint8Array[]): Uint8Array {
  return der(SEQUENCE, ...parts);
}

export function setOf(...parts: readonly Uint8Array[]): Uint8Array {
  return der(SET, ...parts);
}

/** A non-negative number of any size, big-endian. */
export function integer(bytes: Uint8Array): Uint8Array {
  const start = bytes.findIndex((byte) => byte !== 0);
  const digits = start < 0 ? Buffer.from([0]) : bytes.subarray(start);
  const sign = (digits[0] ?? 0) >= 0x80 ? Buffer.from([0]) : Buffer.alloc(0);
  return der(0x02, sign, digits);
}

export function boolean(value: boolean): Uint8Array {
  return der(0x01, Buffer.from([value ? 0xff : 0]));
}

export function octetString(...parts: readonly Uint8Array[]): Uint8Array {
  return der(0x04, ...parts);
}

/** @param unused bits at the end that do not count */
export function bitString(bytes: Uint8Array, unused = 0): Uint8Array {
  return der(0x03, Buffer.from([unused]), bytes);
}

export function utf8String(text: string): Uint8Array {
  return der(0x0c, Buffer.from(text, 'utf8'));
}

/** UTC to the second; X.509 wants the short form up to 2049. */
export function time(moment: Date): Uint8Array {
  const digits = moment.toISOString().replace(/[-:T]|\..*/g, '');
  return moment.getUTCFullYear() < 2050
    ? der(0x17, Buffer.from(`${digits.slice(2)}Z`, 'ascii'))
    : der(0x18, Buffer.from(`${digits}Z`, 'ascii'));
}

/** @param dotted e.g. `2.5.29.17` */
export function objectIdentifier(dotted: string): Uint8Array {
  const [first = 0, second = 0, ...others] = dotted.split('.').map(Number);
  return der(0x06, Buffer.from([first * 40 + second, ...others.flatMap(base128)]));
}

/** `[number]` with other values in it. */
export function explicit(number: number, ...parts: readonly Uint8Array[]): Uint8Array {
  return der(0xa0 + number, ...parts);
}

/** `[number]` in the place of a primitive type's own tag. */
export function implicit(number: number, content: Uint8Array): Uint8Array {
  return der(0x80 + number, content);
}

function lengthOf(length: number): Uint8Array {
  if (length < 0x80) return Buffer.from([length]);
  const bytes: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return Buffer.from([0x80 + bytes.length, ...bytes]);
}

function base128(value: number): number[] {
  const bytes = [value % 128];
  for (let rest = Math.floor(value / 128); rest > 0; rest = Math.floor(rest / 128)) {
    bytes.unshift((rest % 128) + 128);
  }
  return bytes;
}
