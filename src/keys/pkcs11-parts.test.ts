import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, sign, verify } from 'node:crypto';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { ecdsaDerFromRaw } from './ecdsa-der.ts';
import { parseHsmUri } from './hsm-uri.ts';
import { writeKeyId } from './pkcs11-keys.ts';

afterEach(() => vi.unstubAllEnvs());

describe('ECDSA signatures of tokens', () => {
  it.each(['P-256', 'P-384'])('become DER that OpenSSL verifies, for %s, many times over', (namedCurve) => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve });
    for (let count = 0; count < 300; count += 1) {
      const bytes = Buffer.from(`message ${count}`);
      const raw = sign('sha256', bytes, { key: privateKey, dsaEncoding: 'ieee-p1363' });
      const key = { key: publicKey, dsaEncoding: 'der' } as const;
      expect(verify('sha256', bytes, key, ecdsaDerFromRaw(raw))).toBe(true);
    }
  });

  it('have minimal integers: no zeros in front but the one of a set top bit', () => {
    const hex = (r: string, s: string) =>
      Buffer.from(ecdsaDerFromRaw(Buffer.from(r.padStart(64, '0') + s.padStart(64, '0'), 'hex'))).toString(
        'hex',
      );
    expect(hex('01', '7f')).toBe('300602010102017f');
    expect(hex('80', 'ff00')).toBe('3009020200800203' + '00ff00');
    expect(hex('00', '01')).toBe('3006020100020101');
    expect(hex('f'.repeat(64), '1')).toBe(`3026022100${'f'.repeat(64)}020101`);
  });
});

describe('hsm: URIs', () => {
  const module = '/usr/lib/token.so';

  it('name the key by CKA_ID, the token by its fields, and the library', () => {
    const { keyId, token, ...rest } = parseHsmUri(
      'hsm:258?label=root%201&serialNumber=ab12&module=/usr/lib/token.so',
    );
    expect(keyId).toEqual(Buffer.of(1, 2));
    expect([...token]).toEqual([
      ['label', 'root 1'],
      ['serialNumber', 'ab12'],
    ]);
    expect(rest.module).toBe(module);
  });

  it('take the library from the environment, ours before that of securesystemslib', () => {
    vi.stubEnv('PYKCS11LIB', '/a.so');
    expect(parseHsmUri('hsm:2').module).toBe('/a.so');
    vi.stubEnv('RIND_PKCS11_MODULE', '/b.so');
    expect(parseHsmUri('hsm:2').module).toBe('/b.so');
    expect(parseHsmUri('hsm:2?module=/c.so').module).toBe('/c.so');
  });

  it('write every key id so that it is read as the same', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 20 }), (bytes) => {
        const id = Buffer.from(bytes);
        expect(parseHsmUri(`hsm:${writeKeyId(id)}?module=${module}`).keyId).toEqual(id);
      }),
    );
  });

  it.each(['hsm:x', 'hsm:-1', 'hsm:0x1', 'hsm:0xzz', 'hsm:1e3', 'hsm:2?slot=0', 'hsm:99999999999'])(
    'that make no sense are refused: %s',
    (uri) => {
      const whole = `${uri}${uri.includes('?') ? '&' : '?'}module=${module}`;
      expect(() => parseHsmUri(whole)).toThrow(expect.objectContaining({ code: 'MALFORMED_URI' }));
    },
  );

  it.each(['pin', 'pin-value', 'user_pin'])(
    'with a PIN in them are refused without repeating it: %s',
    (name) => {
      const read = () => parseHsmUri(`hsm:2?module=${module}&${name}=13579`);
      expect(read).toThrow(/must not hold a PIN/);
      expect(read).not.toThrow(/13579/);
    },
  );

  it('without a library are refused', () => {
    vi.stubEnv('PYKCS11LIB', undefined);
    vi.stubEnv('RIND_PKCS11_MODULE', undefined);
    expect(() => parseHsmUri('hsm:2')).toThrow(/names no PKCS #11 library/);
  });
});

describe('without pkcs11js', () => {
  it('a token is refused with the name of the package to install', () => {
    const folder = mkdtempSync(join(tmpdir(), 'rind-no-pkcs11js-'));
    try {
      for (const name of ['pkcs11-module.ts', 'signer-error.ts'])
        cpSync(join(import.meta.dirname, name), join(folder, name));
      writeFileSync(
        join(folder, 'try.mts'),
        `import { loadPkcs11Module } from './pkcs11-module.ts';
         loadPkcs11Module('/x.so').catch(({ code, message }) => console.log(code, message));`,
      );
      const tsx = join(import.meta.dirname, '..', '..', 'node_modules', 'tsx', 'dist', 'cli.mjs');
      const said = execFileSync(process.execPath, [tsx, 'try.mts'], { cwd: folder, encoding: 'utf8' });
      expect(said).toMatch(/^MISSING_PACKAGE .*npm install pkcs11js/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
