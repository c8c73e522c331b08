import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJsonText, canonicalString, encodeCanonicalJson, encodeUtf8 } from './canonical-json.ts';
import { compareCodePoints } from './code-points.ts';
import type { JsonValue } from './json.ts';

describe('canonicalJsonText', () => {
  it('writes names in code point order, without white space', () => {
    const value = new Map<string, JsonValue>([['b', [1, true, null]], ['\u{10000}', 1], ['\ue000', 2], ['a', new Map()], ['', 'x'], ['10', 1], ['9', 1]]); // prettier-ignore
    expect(canonicalJsonText(value)).toBe(
      '{"":"x","10":1,"9":1,"a":{},"b":[1,true,null],"\ue000":2,"\u{10000}":1}',
    );
  });

  it('escapes backslash and quote, and leaves control characters, slashes and everything else raw', () => {
    expect(canonicalJsonText('a"b\\c\n\u0000/\u007f\u2028é')).toBe('"a\\"b\\\\c\n\u0000/\u007f\u2028é"');
    expect(canonicalString('\\"')).toBe('"\\\\\\""');
  });

  it.each([1.5, 2 ** 53, -(2 ** 53), Number.NaN, Infinity, -0, 1e21])('refuses %d', (number) => {
    expect(() => canonicalJsonText([number])).toThrow(TypeError);
  });

  it('refuses lone surrogates, which TextEncoder would replace silently', () => {
    expect(() => encodeCanonicalJson('\ud800')).toThrow(TypeError);
    expect(() => encodeUtf8('x\udc00')).toThrow(TypeError);
    expect(encodeCanonicalJson('😀')).toEqual(new TextEncoder().encode('"😀"'));
  });

  it('does not depend on the order in which names were added', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.string({ unit: 'binary' }), { maxLength: 20 }), (names) => {
        const forwards = new Map(names.map((name) => [name, name]));
        const backwards = new Map(names.toReversed().map((name) => [name, name]));
        expect(canonicalJsonText(forwards)).toBe(canonicalJsonText(backwards));
      }),
    );
  });
});

describe('compareCodePoints', () => {
  it('orders as comparing the lists of code points does', () => {
    const points = (text: string) => Array.from(text, (character) => character.codePointAt(0) ?? 0);
    const reference = (a: string, b: string) => {
      const [left, right] = [points(a), points(b)];
      const index = left.findIndex((point, at) => point !== right[at]);
      return index === -1 ? left.length - right.length : (left[index] ?? 0) - (right[index] ?? -1);
    };
    const unit = fc.constantFrom('a', 'b', '\ud7ff', '\ue000', '\uffff', '\u{10000}', '\u{10ffff}');
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 4 }), fc.string({ unit, maxLength: 4 }), (a, b) => {
        expect(Math.sign(compareCodePoints(a, b))).toBe(Math.sign(reference(a, b)));
      }),
    );
  });
});
