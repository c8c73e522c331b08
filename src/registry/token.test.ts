import { describe, expect, it } from 'vitest';
import { generateToken, hashToken, isWellFormedToken } from './token.ts';

describe('API tokens', () => {
  it('carry a prefix, 256 random bits and a checksum, and never repeat', () => {
    const tokens = new Set(Array.from({ length: 200 }, generateToken));
    expect(tokens.size).toBe(200);
    for (const token of tokens) {
      expect(token).toMatch(/^rind_[0-9A-Za-z]{49}$/);
      expect(isWellFormedToken(token)).toBe(true);
    }
  });

  it('refuses a token with any one character changed', () => {
    const token = generateToken();
    for (let position = 0; position < token.length; position += 1) {
      const changed = token[position] === 'x' ? 'y' : 'x';
      expect(isWellFormedToken(token.slice(0, position) + changed + token.slice(position + 1))).toBe(false);
    }
  });

  it.each(['', 'rind_', 'pypi-AgEIcHlwaS5vcmc', ' ', 'rind_' + '0'.repeat(48), 'rind_' + 'é'.repeat(49)])(
    'refuses %j as a token',
    (text) => expect(isWellFormedToken(text)).toBe(false),
  );

  it('stores a hash from which the token cannot be read', () => {
    const token = generateToken();
    expect(hashToken(token)).toMatch(/^[0-9a-f]{64}$/);
    expect(hashToken(token)).not.toContain(token.slice(5));
    expect(hashToken(generateToken())).not.toBe(hashToken(token));
  });
});
