import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { quote } from './errors.ts';

describe('quote', () => {
  it('leaves plain text readable', () => {
    expect(quote('a-1.0.tar.gz')).toBe("'a-1.0.tar.gz'");
  });

  it('lets nothing through that could end a header or mislead a terminal', () => {
    expect(quote("a\r\nSet-Cookie: x'\u202e\\é💥")).toBe(
      "'a\\u{d}\\u{a}Set-Cookie: x\\u{27}\\u{202e}\\u{5c}\\u{e9}\\u{1f4a5}'",
    );
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(quote(text)).toMatch(/^'[ -&(-~]*'$/);
      }),
    );
  });

  it('cuts long text', () => {
    expect(quote('x'.repeat(1_000_000))).toBe(`'${'x'.repeat(100)}...'`);
  });
});
