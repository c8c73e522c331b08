import { expect, it } from 'vitest';
import { encodeHex } from './hex.ts';
import { mlDsaMessage } from './ml-dsa.ts';

it('an ML-DSA key signs "tuf", the version 1 and the SHA-512 (TAP 21)', () => {
  expect(encodeHex(mlDsaMessage(new Uint8Array(64).fill(0xab)))).toBe(`74756601${'ab'.repeat(64)}`);
});
