import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { generateSigner } from '../../test/tools/tuf-signers.ts';
import { KeyError } from './errors.ts';
import { Key } from './key.ts';
import { decodePublicKey } from './public-key.ts';

const pemOf = (der: Uint8Array) =>
  `-----BEGIN PUBLIC KEY-----\n${Buffer.from(der).toString('base64')}\n-----END PUBLIC KEY-----\n`;
const derOf = (pem: string) => createPublicKey(pem).export({ format: 'der', type: 'spki' }) as Buffer;

describe('decodePublicKey', () => {
  let rsa: Key;
  let p256: Key;
  let p384: Key;
  let ed25519: Key;
  beforeAll(() => {
    rsa = generateSigner('rsassa-pss-sha256').key;
    p256 = generateSigner('ecdsa-sha2-nistp256').key;
    p384 = generateSigner('ecdsa-sha2-nistp384').key;
    ed25519 = generateSigner('ed25519').key;
  });

  it('binds every scheme to one algorithm, curve and digest', () => {
    expect(ed25519.publicKey.algorithm).toEqual({ name: 'ed25519' });
    expect(p256.publicKey.algorithm).toEqual({ name: 'ecdsa', curve: 'P-256', digest: 'sha256' });
    expect(p384.publicKey.algorithm).toEqual({ name: 'ecdsa', curve: 'P-384', digest: 'sha384' });
    for (const digest of ['sha256', 'sha384', 'sha512']) {
      expect(decodePublicKey('rsa', `rsassa-pss-${digest}`, rsa.public).algorithm).toEqual({
        name: 'rsa-pss',
        digest,
      });
    }
    expect(decodePublicKey('ecdsa-sha2-nistp256', 'ecdsa-sha2-nistp256', p256.public)).toEqual(
      p256.publicKey,
    );
    expect(Buffer.from(p256.publicKey.spki)).toEqual(derOf(p256.public));
  });

  it('gives one material to one key, however it is written', () => {
    const pem = pemOf(ed25519.publicKey.spki);
    expect(decodePublicKey('ed25519', 'ed25519', pem).material).toBe(ed25519.publicKey.material);
    expect(decodePublicKey('ed25519', 'ed25519', ed25519.public.toUpperCase()).material).toBe(
      ed25519.publicKey.material,
    );
    expect(decodePublicKey('rsa', 'rsassa-pss-sha512', rsa.public).material).toBe(rsa.publicKey.material);
    const rewrapped = `\n${p256.public.replaceAll('\n', '\r\n')} `;
    expect(decodePublicKey('ecdsa', 'ecdsa-sha2-nistp256', rewrapped).material).toBe(p256.publicKey.material);
    expect(new Set([rsa, p256, p384, ed25519].map((key) => key.publicKey.material)).size).toBe(4);
  });

  it.each([
    ['an unknown scheme', 'ed25519', 'ed448'],
    ['a scheme of another key type', 'rsa', 'ed25519'],
    ['PKCS #1 v1.5', 'rsa', 'rsa-pkcs1v15-sha256'],
    ['a scheme named like a property', 'constructor', 'constructor'],
    ['no scheme', '', ''],
  ])('names %s as unsupported', (_, keyType, scheme) => {
    expect(() => decodePublicKey(keyType, scheme, '')).toThrow(
      expect.objectContaining({
        code: 'UNSUPPORTED_SCHEME',
        message: expect.stringContaining('unsupported scheme'),
      }),
    );
  });

  const malformed = (keyType: string, scheme: string, text: string) =>
    expect(() => decodePublicKey(keyType, scheme, text), text).toThrow(
      expect.objectContaining({ code: 'MALFORMED_KEY' }),
    );

  it('refuses keys of another type or curve than the scheme names', () => {
    malformed('ecdsa', 'ecdsa-sha2-nistp256', p384.public);
    malformed('ecdsa', 'ecdsa-sha2-nistp384', p256.public);
    malformed('ecdsa', 'ecdsa-sha2-nistp256', rsa.public);
    malformed('rsa', 'rsassa-pss-sha256', p256.public);
    malformed('ed25519', 'ed25519', p256.public);
    malformed('rsa', 'rsassa-pss-sha256', ed25519.public);
    const secp256k1 = generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).publicKey;
    malformed('ecdsa', 'ecdsa-sha2-nistp256', secp256k1.export({ format: 'pem', type: 'spki' }) as string);
    const restricted = generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).publicKey;
    malformed('rsa', 'rsassa-pss-sha256', restricted.export({ format: 'pem', type: 'spki' }) as string);
  });

  it.each(['', '00', 'ff'.repeat(31), 'ff'.repeat(33), 'zz'.repeat(32), '٠'.repeat(64), ' '.repeat(64)])(
    'refuses the ed25519 key %j',
    (text) => malformed('ed25519', 'ed25519', text),
  );

  it('refuses RSA keys below 2048 bits and public exponents that sign nothing', () => {
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 1024 });
    malformed('rsa', 'rsassa-pss-sha256', publicKey.export({ format: 'pem', type: 'spki' }) as string);
    const der = Buffer.from(derOf(rsa.public));
    for (const exponent of ['000001', '010000', '800001']) {
      // The exponent 65537 (02 03 010001) is the last element.
      malformed(
        'rsa',
        'rsassa-pss-sha256',
        pemOf(Buffer.concat([der.subarray(0, -3), Buffer.from(exponent, 'hex')])),
      );
    }
    const one = Buffer.concat([der.subarray(0, -5), Buffer.from('0203000001', 'hex')]);
    malformed('rsa', 'rsassa-pss-sha256', pemOf(one));
    const noSequence = Buffer.from('3015300d06092a864886f70d0101010500030400020100', 'hex');
    malformed('rsa', 'rsassa-pss-sha256', pemOf(noSequence));
  });

  it('refuses compressed points, which would be one key in two forms', () => {
    const point = derOf(p256.public).subarray(-65);
    const compressed = Buffer.concat([
      Buffer.from('3039301306072a8648ce3d020106082a8648ce3d030107032200', 'hex'),
      Buffer.of(0x02 + ((point[64] ?? 0) & 1)),
      point.subarray(1, 33),
    ]);
    expect(createPublicKey({ key: compressed, format: 'der', type: 'spki' }).asymmetricKeyType).toBe('ec');
    malformed('ecdsa', 'ecdsa-sha2-nistp256', pemOf(compressed));
    const wrongForm = Buffer.from(derOf(p256.public));
    wrongForm[wrongForm.length - 65] = 0x06;
    malformed('ecdsa', 'ecdsa-sha2-nistp256', pemOf(wrongForm));
  });

  it('refuses DER that is cut, continued, padded or wrapped differently', () => {
    const der = derOf(p256.public);
    for (let length = 0; length < der.length; length++) {
      malformed('ecdsa', 'ecdsa-sha2-nistp256', pemOf(der.subarray(0, length)));
    }
    malformed('ecdsa', 'ecdsa-sha2-nistp256', pemOf(Buffer.concat([der, Buffer.of(0)])));
    const longLength = Buffer.concat([Buffer.of(0x30, 0x81), der.subarray(1)]);
    malformed('ecdsa', 'ecdsa-sha2-nistp256', pemOf(longLength));
    for (const length of ['80', '8400000059', '820059', '83000059']) {
      const other = Buffer.concat([Buffer.of(0x30), Buffer.from(length, 'hex'), der.subarray(2)]);
      malformed('ecdsa', 'ecdsa-sha2-nistp256', pemOf(other));
    }
    malformed('ecdsa', 'ecdsa-sha2-nistp256', derOf(p256.public).toString('hex'));
    malformed('ecdsa', 'ecdsa-sha2-nistp256', p256.public.replace('PUBLIC', 'PRIVATE'));
    malformed('ecdsa', 'ecdsa-sha2-nistp256', `${p256.public}${p256.public}`);
    malformed('ecdsa', 'ecdsa-sha2-nistp256', '-----BEGIN PUBLIC KEY-----A=A-----END PUBLIC KEY-----');
    malformed(
      'ecdsa',
      'ecdsa-sha2-nistp256',
      `-----BEGIN PUBLIC KEY-----${'A'.repeat(10_000)}-----END PUBLIC KEY-----`,
    );
  });

  it('refuses base64 without its padding, or with bits that belong to no byte', () => {
    const padded = /^(.*[^=])(={1,2})\n(-----END.*)$/ms;
    expect(p256.public).toMatch(padded);
    malformed('ecdsa', 'ecdsa-sha2-nistp256', p256.public.replace(padded, '$1\n$3'));
    const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
    const other = p256.public.replace(/([^=])(={1,2}\n-----END)/, (_, last: string, rest: string) => {
      return `${digits[digits.indexOf(last) ^ 1]}${rest}`;
    });
    expect(other).not.toBe(p256.public);
    malformed('ecdsa', 'ecdsa-sha2-nistp256', other);
  });

  it('never accepts a changed bit as the same key, and fails with a KeyError only', () => {
    const check = (key: Key) =>
      fc.assert(
        fc.property(fc.nat(key.publicKey.spki.length * 8 - 1), (bit) => {
          const der = Uint8Array.from(key.publicKey.spki);
          der[bit >> 3] = (der[bit >> 3] ?? 0) ^ (1 << (bit & 7));
          try {
            expect(decodePublicKey(key.keyType, key.scheme, pemOf(der)).material).not.toBe(
              key.publicKey.material,
            );
          } catch (error) {
            if (!(error instanceof KeyError)) throw error;
          }
        }),
      );
    check(p256);
    check(ed25519);
  });

  it.each([
    [44, 1312, '11'],
    [65, 1952, '12'],
    [87, 2592, '13'],
  ])('takes an ML-DSA-%i key of %i bytes, and of no other length (FIPS 204)', (parameterSet, length, arc) => {
    const read = (bytes: number) => {
      const algorithm = Buffer.from(`300b06096086480165030403${arc}`, 'hex');
      const head = Buffer.from([0x03, 0x82, (bytes + 1) >> 8, (bytes + 1) & 0xff, 0]);
      const rest = algorithm.length + head.length + bytes;
      const outer = Buffer.from([0x30, 0x82, rest >> 8, rest & 0xff]);
      const der = Buffer.concat([outer, algorithm, head, Buffer.alloc(bytes, 7)]);
      return decodePublicKey('ml-dsa', `ml-dsa-${parameterSet}/1`, pemOf(der)).algorithm;
    };
    expect(read(length)).toEqual({ name: 'ml-dsa', parameterSet });
    for (const other of [length - 1, length + 1]) expect(() => read(other)).toThrow(`must have ${length}`);
  });

  it('does not decode what is longer than any key', () => {
    const padded = (length: number) => rsa.public.padEnd(length, '\n');
    expect(decodePublicKey('rsa', 'rsassa-pss-sha256', padded(8192))).toEqual(rsa.publicKey);
    expect(() => decodePublicKey('rsa', 'rsassa-pss-sha256', padded(8193))).toThrow('is too long');
  });

  /** An element of DER, its length written minimally. */
  const der = (tag: number, ...parts: readonly Uint8Array[]): Buffer => {
    const content = Buffer.concat(parts);
    const { length } = content;
    const bytes =
      length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
    return Buffer.concat([Buffer.of(tag, ...bytes), content]);
  };
  const rsaIdentifier = der(0x30, Buffer.from('06092a864886f70d0101010500', 'hex'));
  const rsaPem = (...parts: readonly Uint8Array[]) =>
    pemOf(der(0x30, rsaIdentifier, der(0x03, Buffer.of(0), ...parts)));
  const integer = (bits: number) => {
    const bytes = Buffer.alloc(Math.ceil(bits / 8), 0x55);
    bytes[0] = 1 << ((bits - 1) % 8);
    bytes[bytes.length - 1] = 0x55;
    return der(0x02, ...(bits % 8 === 0 ? [Buffer.of(0)] : []), bytes);
  };
  const exponent = (value: number) => der(0x02, Buffer.of(value));

  it('takes RSA keys of 2048 to 16384 bits with an odd exponent above 1', () => {
    const read = (bits: number, e: number) =>
      decodePublicKey('rsa', 'rsassa-pss-sha256', rsaPem(der(0x30, integer(bits), exponent(e))));
    expect(read(2048, 3).signatureLength).toBe(256);
    expect(read(16384, 3).signatureLength).toBe(2048);
    const refused = expect.objectContaining({ code: 'MALFORMED_KEY' });
    for (const bits of [2047, 16385]) expect(() => read(bits, 3)).toThrow(refused);
    for (const e of [0, 1, 2]) expect(() => read(2048, e)).toThrow(refused);
  });

  it('refuses keys with elements missing or added on any level', () => {
    const [modulus, e, extra] = [integer(2048), exponent(3), Buffer.of(0x05, 0)];
    const key = der(0x30, modulus, e);
    const bits = der(0x03, Buffer.of(0), key);
    for (const pem of [
      rsaPem(key, extra),
      rsaPem(),
      rsaPem(der(0x30, modulus)),
      rsaPem(der(0x30, der(0x02, Buffer.of(0x80, 1)), e)),
      rsaPem(der(0x30)),
      rsaPem(der(0x30, modulus, e, extra)),
      pemOf(der(0x30, rsaIdentifier)),
      pemOf(der(0x30)),
      pemOf(der(0x30, bits)),
      pemOf(der(0x30, rsaIdentifier, bits, extra)),
    ])
      malformed('rsa', 'rsassa-pss-sha256', pem);
    malformed('rsa', 'rsassa-pss-sha256', 'no PEM at all');
    malformed('ecdsa', 'ecdsa-sha2-nistp256', ed25519.public);
  });

  it('reads ML-DSA keys of the right length even where they cannot be used', () => {
    const head = '308207b2300b0609608648016503040312038207a100';
    const key = decodePublicKey(
      'ml-dsa',
      'ml-dsa-65/1',
      pemOf(Buffer.concat([Buffer.from(head, 'hex'), Buffer.alloc(1952, 7)])),
    );
    expect(key.algorithm).toEqual({ name: 'ml-dsa', parameterSet: 65 });
    malformed(
      'ml-dsa',
      'ml-dsa-44/1',
      pemOf(Buffer.concat([Buffer.from(head, 'hex'), Buffer.alloc(1952, 7)])),
    );
  });
});

describe('Key', () => {
  it('computes the key id as securesystemslib does', () => {
    const hex = 'edcd0a32a07dce33f7c7873aaffbff36d20ea30787574ead335eefd337e4dacd';
    const key = Key.fromPublicKey('ed25519', 'ed25519', hex);
    // `printf '{"keytype":"ed25519","keyval":{"public":"edcd…"},"scheme":"ed25519"}' | sha256sum`
    expect(key.keyId).toBe('2345a90ad8d76f3677f9ad6695b0ba0b5c7b7fbf27fb0ed35fbdf7b71264a679');
  });

  it('refuses to make a key that cannot verify', () => {
    expect(() => Key.fromPublicKey('ed25519', 'ed448', '00')).toThrow(KeyError);
    expect(() => Key.fromPublicKey('ed25519', 'ed25519', '00')).toThrow(KeyError);
  });

  it('reads keys of unknown schemes, keeps every field, and never decodes them', () => {
    const json = new Map<string, never>([
      ['keytype', 'sphincs'],
      ['scheme', 'sphincs-shake-128s'],
      ['x-owner', 'me'],
      [
        'keyval',
        new Map([
          ['public', 'xyz'],
          ['private', ''],
        ]),
      ],
    ] as never);
    const key = Key.fromJson('declared', json);
    expect(key.keyId).toBe('declared');
    expect(key.toJson()).toEqual(json);
    expect(() => key.publicKey).toThrow(expect.objectContaining({ code: 'UNSUPPORTED_SCHEME' }));
    expect(() => key.publicKey).toThrow(KeyError);
  });

  it('refuses an empty key id', () => {
    const { key } = generateSigner();
    expect(() => Key.fromJson('', key.toJson())).toThrow(
      expect.objectContaining({ code: 'MALFORMED_METADATA', path: 'keyid' }),
    );
  });

  it('compares id and content', () => {
    const { key } = generateSigner();
    expect(key.equals(Key.fromJson(key.keyId, key.toJson()))).toBe(true);
    expect(key.equals(Key.fromJson('other', key.toJson()))).toBe(false);
    expect(key.equals(generateSigner().key)).toBe(false);
  });
});
