import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { generatePrivateKey, KeySigner } from '../keys/key-signer.ts';
import { Metadata } from '../tuf/metadata.ts';
import { Signature } from '../tuf/signature.ts';
import type { Signer } from '../tuf/signer.ts';
import { encodeBin } from './bins.ts';
import { signInParts } from './sign-in-parts.ts';
import { signEncoded, type SignedRole } from './signed-role.ts';

const expires = new Date('2027-01-01T00:00:00Z');
const roleOf = (number: number): SignedRole => ({
  role: `bin-${number}`,
  version: 1,
  expires,
  bytes: new Uint8Array(number % 7),
  sha256: '',
  keyIds: [],
});
const numbers = Array.from({ length: 5000 }, (_, number) => number);

describe('signInParts', () => {
  it('writes everything in order, in parts that never overlap', async () => {
    const written: string[] = [];
    let writing = 0;
    let parts = 0;
    const roles = await signInParts(
      numbers,
      async (number) => roleOf(number),
      async (part) => {
        expect((writing += 1)).toBe(1);
        parts += 1;
        await new Promise((resolve) => setImmediate(resolve));
        for (const { role } of part) written.push(role);
        writing -= 1;
      },
    );
    expect(parts).toBeGreaterThan(1);
    expect(written).toEqual(numbers.map((number) => `bin-${number}`));
    expect(roles.map(({ role, length }) => [role, length])).toEqual(numbers.map((number) => [`bin-${number}`, number % 7])); // prettier-ignore
  });

  it('ends with the first failure, of signing or of writing, when nothing is written any more', async () => {
    let writing = 0;
    const write = async () => {
      writing += 1;
      await new Promise((resolve) => setImmediate(resolve));
      writing -= 1;
    };
    const refuse = async (number: number) => {
      if (number === 4000) throw new Error('no signature');
      return roleOf(number);
    };
    await expect(signInParts(numbers, refuse, write)).rejects.toThrow('no signature');
    expect(writing).toBe(0);
    const full = async () => Promise.reject(new Error('disk full'));
    await expect(signInParts(numbers, async (number) => roleOf(number), full)).rejects.toThrow('disk full');
  });
});

describe('signEncoded', () => {
  const targets = ['packages/a/\u{10000}', 'packages/a/\ufffd', 'packages/a/é"\\', 'packages/a/b'].map(
    (path) => ({
      path,
      length: 1,
      sha256: 'ab'.repeat(32),
    }),
  );
  const bin = { role: 'bin-0', version: 1, expires };

  it('makes the bytes that a reader verifies and would encode itself, whatever the paths', async () => {
    const signers = await Promise.all([
      generatePrivateKey('ed25519'),
      generatePrivateKey('ecdsa-sha2-nistp256'),
    ]);
    const made = await signEncoded(bin, encodeBin({ ...bin, targets }), signers.map((key) => KeySigner.fromPrivateKey(key))); // prettier-ignore
    const read = Metadata.fromBytes(made.bytes, 'targets');
    expect(Buffer.from(read.toBytes())).toEqual(Buffer.from(made.bytes));
    expect(read.signatures).toHaveLength(2);
    expect([...read.signed.targets.keys()]).toEqual(['packages/a/b', 'packages/a/é"\\', 'packages/a/\ufffd', 'packages/a/\u{10000}']); // prettier-ignore
    expect(made.sha256).toBe(createHash('sha256').update(made.bytes).digest('hex'));
  });

  it('makes room for a signature of any length, and refuses what UTF-8 cannot say', async () => {
    const { key } = KeySigner.fromPrivateKey(await generatePrivateKey('ed25519'));
    const long: Signer = { key, sign: async () => new Signature(key.keyId, 'ab'.repeat(5000)) };
    const made = await signEncoded(bin, encodeBin({ ...bin, targets: [] }), [long]);
    expect(Metadata.fromBytes(made.bytes, 'targets').signatures[0]?.sig).toHaveLength(10_000);
    await expect(signEncoded(bin, '{"\ud800":1}', [long])).rejects.toThrow(/lone surrogate/);
  });
});
