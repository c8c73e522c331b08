import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { acceptsGzip, matchesEtag, parseRange } from './conditional.ts';
import { reasonPhrase } from './problem.ts';

describe('acceptsGzip', () => {
  it.each([
    [undefined, false],
    ['', false],
    ['identity', false],
    ['gzip', true],
    ['gzip, deflate', true],
    ['br;q=1.0, gzip;q=0.5', true],
    ['gzip;q=0', false],
    ['gzip; q=0.000', false],
    ['gzip;q=0, br', false],
    ['br;q=0, gzip', true],
    ['gzip;q=0.001', true],
  ])('reads %j as %s', (header, accepts) => expect(acceptsGzip(header)).toBe(accepts));
});

describe('matchesEtag', () => {
  it.each([
    ['"a"', true],
    ['W/"a"', true],
    ['"b", "a"', true],
    ['*', true],
    ['"b"', false],
    ['a', false],
    ['"a', false],
    ['', false],
  ])('reads %j as %s', (header, matches) => expect(matchesEtag(header, '"a"')).toBe(matches));
});

describe('parseRange', () => {
  it('gives a part inside the object, the whole, or a refusal, for any header', () => {
    const header = fc.oneof(
      fc.string(),
      fc.tuple(fc.nat(), fc.nat()).map(([a, b]) => `bytes=${a}-${b}`),
      fc.nat().map((a) => `bytes=-${a}`),
      fc.nat().map((a) => `bytes=${a}-`),
    );
    fc.assert(
      fc.property(header, fc.nat(), (text, length) => {
        const range = parseRange(text, length);
        if (typeof range === 'string') return;
        expect(range.start).toBeGreaterThanOrEqual(0);
        expect(range.end).toBeGreaterThanOrEqual(range.start);
        expect(range.end).toBeLessThan(length);
      }),
    );
  });

  it('satisfies nothing of an empty file', () => {
    expect(parseRange('bytes=0-', 0)).toBe('not-satisfiable');
    expect(parseRange('bytes=-5', 0)).toBe('not-satisfiable');
  });
});

describe('reasonPhrase', () => {
  it('is one line of printable ASCII of bounded length, whatever it is made of', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 2000 }), (text) => {
        expect(reasonPhrase(text)).toMatch(/^[ -~]{0,400}$/);
      }),
    );
    expect(reasonPhrase('caf\u00e9\r\nX: y \u{1f9c0}')).toBe('cafe X: y ??');
  });
});
