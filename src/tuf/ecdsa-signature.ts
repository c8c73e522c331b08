import { DER_INTEGER, DER_SEQUENCE, DerReader, positiveInteger } from './der.ts';

/**
 * An ECDSA signature as WebCrypto wants it, r ‖ s with `length` bytes each (IEEE P1363), from the DER that TUF carries.
 * Undefined when it is not strict DER of two positive numbers of that size.
 */
export function ecdsaSignatureFromDer(signature: Uint8Array, length: number): Uint8Array | undefined {
  const outer = new DerReader(signature);
  const content = outer.take(DER_SEQUENCE);
  if (content === undefined || !outer.isAtEnd) return undefined;
  const inner = new DerReader(content);
  const r = positiveInteger(inner.take(DER_INTEGER));
  const s = positiveInteger(inner.take(DER_INTEGER));
  if (r === undefined || s === undefined || !inner.isAtEnd) return undefined;
  if (r.length > length || s.length > length) return undefined;
  const raw = new Uint8Array(2 * length);
  raw.set(r, length - r.length);
  raw.set(s, 2 * length - s.length);
  return raw;
}
