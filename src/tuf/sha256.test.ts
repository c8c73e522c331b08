import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeHex, encodeHex } from './hex.ts';
import { sha256, targetPathHash } from './sha256.ts';

describe('sha256', () => {
  it('agrees with OpenSSL for every length around the block size and for random bytes', () => {
    const reference = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
    for (let length = 0; length <= 260; length++) {
      const bytes = new Uint8Array(length).fill(length & 0xff);
      expect(encodeHex(sha256(bytes))).toBe(reference(bytes));
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 500 }), (bytes) => {
        expect(encodeHex(sha256(bytes))).toBe(reference(bytes));
      }),
    );
  });

  it('hashes a target path in UTF-8, to hexadecimal and not to base64', () => {
    expect(targetPathHash('')).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
    expect(targetPathHash('simple/é/index.json')).toBe(
      createHash('sha256').update('simple/é/index.json', 'utf8').digest('hex'),
    );
  });
});

describe('hexadecimal', () => {
  it('decodes what it encoded', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(decodeHex(encodeHex(bytes))).toEqual(bytes);
      }),
    );
  });

  it.each(['a', '0g', 'zz', '0x', ' 0', '١٢'])('takes %j for no hexadecimal', (text) => {
    expect(decodeHex(text)).toBeUndefined();
  });

  it('reads both cases', () => {
    expect(decodeHex('aBFf')).toEqual(Uint8Array.of(0xab, 0xff));
  });
});
