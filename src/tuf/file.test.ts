import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LengthOrHashMismatchError } from './errors.ts';
import { MetaFile, TargetFile } from './file.ts';
import type { JsonValue } from './json.ts';

const bytes = new TextEncoder().encode('the file');
const hex = (algorithm: string) => createHash(algorithm).update(bytes).digest('hex');
const targetOf = (hashes: Readonly<Record<string, string>>, length = bytes.length) =>
  new TargetFile({ path: 'a/b', length, hashes: new Map(Object.entries(hashes)) });
const refused = (file: TargetFile, received: Uint8Array = bytes) =>
  expect(file.verify(received)).rejects.toThrow(
    expect.objectContaining({ code: 'LENGTH_OR_HASH_MISMATCH', path: 'a/b' }),
  );

describe('TargetFile.verify', () => {
  it('passes the listed bytes', async () => {
    await targetOf({ sha256: hex('sha256'), sha384: hex('sha384'), sha512: hex('sha512') }).verify(bytes);
  });

  it('refuses when any of several hashes differs', async () => {
    await refused(targetOf({ sha256: hex('sha256'), sha512: hex('sha384') }));
    await refused(targetOf({ sha512: hex('sha512'), sha256: 'ab'.repeat(32) }));
    await refused(targetOf({ sha256: hex('sha256').slice(0, 10) }));
  });

  it('refuses when the only hash, or any other, is of an unknown or weak algorithm', async () => {
    await refused(targetOf({ md5: hex('md5') }));
    await refused(targetOf({ sha256: hex('sha256'), 'blake2b-256': 'ab'.repeat(32) }));
    await refused(targetOf({ constructor: 'ab' }));
    await refused(targetOf({ SHA256: hex('sha256') }));
  });

  it('refuses another length, and every changed byte', async () => {
    await refused(targetOf({ sha256: hex('sha256') }, bytes.length + 1));
    await refused(targetOf({ sha256: hex('sha256') }, 0));
    const file = targetOf({ sha256: hex('sha256') });
    await fc.assert(
      fc.asyncProperty(
        fc.nat(bytes.length - 1),
        fc.integer({ min: 1, max: 255 }),
        async (position, difference) => {
          const changed = Uint8Array.from(bytes);
          changed[position] = (changed[position] ?? 0) ^ difference;
          await refused(file, changed);
        },
      ),
    );
  });
});

describe('TargetFile.custom', () => {
  it('is an object, or nothing', () => {
    const withCustom = (custom: JsonValue) =>
      TargetFile.fromJson(
        'a',
        new Map<string, JsonValue>([
          ['length', 1],
          ['hashes', new Map([['sha256', 'ab']])],
          ['custom', custom],
        ]),
      ).custom;
    expect(withCustom(new Map([['a', 1]]))).toEqual(new Map([['a', 1]]));
    for (const other of ['text', 1, null, true, [1]]) expect(withCustom(other)).toBeUndefined();
  });
});

describe('MetaFile.verify', () => {
  it('checks what is listed, and nothing when nothing is', async () => {
    await new MetaFile({ version: 1 }).verify(bytes, 'snapshot');
    await new MetaFile({ version: 1, length: bytes.length }).verify(bytes, 'snapshot');
    await new MetaFile({ version: 1, hashes: new Map([['sha512', hex('sha512')]]) }).verify(
      bytes,
      'snapshot',
    );
    await expect(new MetaFile({ version: 3, length: 1 }).verify(bytes, 'bin-0a')).rejects.toThrow(
      expect.objectContaining({ name: 'LengthOrHashMismatchError', role: 'bin-0a', version: 3 }),
    );
    const hashes = new Map([['sha256', 'ff']]);
    await expect(new MetaFile({ version: 1, hashes }).verify(bytes, 'x')).rejects.toThrow(
      LengthOrHashMismatchError,
    );
  });
});
