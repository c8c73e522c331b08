const DER_INTEGER = 0x02;
const DER_SEQUENCE = 0x30;

/** An ECDSA signature in DER, as TUF carries it, from r ‖ s (IEEE P1363), as tokens and some services give it. */
export function ecdsaDerFromRaw(raw: Uint8Array): Uint8Array {
  const half = raw.length / 2;
  const content = Buffer.concat([derInteger(raw.subarray(0, half)), derInteger(raw.subarray(half))]);
  return derElement(DER_SEQUENCE, content);
}

function derInteger(magnitude: Uint8Array): Buffer {
  let start = 0;
  while (start < magnitude.length - 1 && magnitude[start] === 0) start += 1;
  const digits = Buffer.from(magnitude.subarray(start));
  const isNegative = (digits[0] ?? 0) >= 0x80;
  return derElement(DER_INTEGER, isNegative ? Buffer.concat([Buffer.of(0), digits]) : digits);
}

/** Signatures of every curve up to P-521 are shorter than 256 bytes. */
function derElement(tag: number, content: Buffer): Buffer {
  const { length } = content;
  return Buffer.concat([length < 0x80 ? Buffer.of(tag, length) : Buffer.of(tag, 0x81, length), content]);
}
