/** `"tuf"` and the version of the construction (TAP 21). */
const PREFIX = Uint8Array.of(0x74, 0x75, 0x66, 0x01);

/** What an ML-DSA key signs for metadata with this SHA-512 (TAP 21): `"tuf" ‖ 0x01 ‖ SHA-512(canonical)`. */
export function mlDsaMessage(sha512: Uint8Array): Uint8Array {
  const message = new Uint8Array(PREFIX.length + sha512.length);
  message.set(PREFIX);
  message.set(sha512, PREFIX.length);
  return message;
}
