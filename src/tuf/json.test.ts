import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJsonText, encodeCanonicalJson } from './canonical-json.ts';
import { JsonError, parseJson, parseJsonDocument } from './json.ts';
import type { JsonValue } from './json.ts';

const bytesOf = (text: string) => new TextEncoder().encode(text);
const parse = (text: string) => parseJson(bytesOf(text));

/** Our Maps as plain values, with the order of names kept. */
function plain(value: JsonValue): unknown {
  if (value instanceof Map) return { entries: [...value].map(([name, member]) => [name, plain(member)]) };
  return Array.isArray(value) ? value.map(plain) : value;
}

/** JSON.parse's result in the same form. JSON.parse moves integer-like names to the front, so names are sorted. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== 'object') return value;
  const entries: [string, unknown][] = value instanceof Map ? [...value] : Object.entries(value);
  return {
    entries: entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, member]) => [name, sorted(member)]),
  };
}

const tricky = fc.constantFrom(
  '__proto__',
  'constructor',
  'toString',
  '1',
  '10',
  '',
  '\u{10000}',
  '\ue000',
  '"',
  '\\',
  '\n',
);
const text = fc.oneof(tricky, fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' }));
const json = fc.letrec<{ value: JsonValue }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom(null, true, false),
    fc.maxSafeInteger().map((number) => (number === 0 ? 0 : number)),
    text,
    fc.array(tie('value'), { maxLength: 5 }),
    fc
      .uniqueArray(fc.tuple(text, tie('value')), { selector: ([name]) => name, maxLength: 5 })
      .map((all) => new Map(all)),
  ),
})).value;

/** JSON.stringify for our values, in their own order. */
function stringify(value: JsonValue, space: string): string {
  if (value instanceof Map) {
    const members = [...value].map(
      ([name, member]) => `${JSON.stringify(name)}${space}:${space}${stringify(member, space)}`,
    );
    return `{${space}${members.join(`${space},${space}`)}${space}}`;
  }
  if (Array.isArray(value))
    return `[${space}${value.map((one) => stringify(one as JsonValue, space)).join(`${space},`)}]`;
  return JSON.stringify(value);
}

describe('parseJson', () => {
  it.each([
    ['{"a":[1,-2,true,false,null,"x"]}', new Map([['a', [1, -2, true, false, null, 'x']]])],
    [' \n\r\t{ } ', new Map()],
    ['[]', []],
    ['0', 0],
    ['9007199254740991', 9007199254740991],
    ['-9007199254740991', -9007199254740991],
    ['"\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\ud83d\\ude00"', '"\\/\b\f\n\r\tA😀'],
    ['"é😀"', 'é😀'],
    ['"\\ud800\\udc00\\udbff\\udfff\\ud7ff\\ue000"', '\u{10000}\u{10ffff}\ud7ff\ue000'],
  ])('reads %s', (source, value) => {
    expect(parse(source)).toEqual(value);
  });

  it('agrees with JSON.parse on everything that both accept, white space or not', () => {
    fc.assert(
      fc.property(json, fc.constantFrom('', ' ', '\n\t'), (value, space) => {
        const source = stringify(value, space);
        expect(plain(parse(source))).toEqual(plain(value));
        expect(sorted(parse(source))).toEqual(sorted(JSON.parse(source)));
      }),
    );
  });

  it('reads rows of objects whose names almost repeat, however they are spelt', () => {
    const name = fc.constantFrom(
      'a',
      'ab',
      'a\\',
      '\\',
      '"',
      'a"',
      'n',
      '\n',
      '\\n',
      'é',
      'a'.repeat(20),
      '',
    );
    const row = fc.uniqueArray(name, { maxLength: 10 });
    const spell = (text: string, escape: boolean) =>
      escape
        ? `"${Array.from(text, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`).join('')}"`
        : JSON.stringify(text);
    fc.assert(
      fc.property(fc.array(fc.tuple(row, fc.boolean()), { maxLength: 8 }), (rows) => {
        const objects = rows.map(
          ([names, escape]) => `{${names.map((one) => `${spell(one, escape)}:1`).join(',')}}`,
        );
        const parsed = parse(`[${objects.join(',')}]`) as readonly ReadonlyMap<string, JsonValue>[];
        expect(parsed.map((object) => [...object.keys()])).toEqual(rows.map(([names]) => names));
      }),
      { numRuns: 1000 },
    );
    expect(() => parse('[{"a":1,"b":2},{"a":1,"a":2}]')).toThrow('twice');
    const again = parse('[{"a":1,",":2},{"a":1,"b":2},{"a":1,"":3},{"a":1,"":4}]');
    expect(plain(again)).toEqual(plain([
      new Map([['a', 1], [',', 2]]),
      new Map([['a', 1], ['b', 2]]),
      new Map([['a', 1], ['', 3]]),
      new Map([['a', 1], ['', 4]]),
    ])); // prettier-ignore
    expect(parse('{"undefined":1}')).toEqual(new Map([['undefined', 1]]));
    expect(() => parse('[{"a":1},{"a')).toThrow(JsonError);
    expect(() => parse('[{"a":1},{"a"')).toThrow(JsonError);
  });

  it('refuses with a JsonError whatever JSON.parse refuses, and never anything else', () => {
    const fragment = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"',
      '\\',
      'a',
      '1',
      '-',
      '.',
      'e',
      'true',
      'null',
      '\\u',
      'd800',
      ' ',
      '\u0001',
    );
    fc.assert(
      fc.property(fc.array(fragment, { maxLength: 12 }), (fragments) => {
        const source = fragments.join('');
        let accepted: unknown;
        try {
          accepted = JSON.parse(source);
        } catch {
          expect(() => parse(source)).toThrow(JsonError);
          return;
        }
        try {
          expect(sorted(parse(source))).toEqual(sorted(accepted));
        } catch (error) {
          if (!(error instanceof JsonError)) throw error;
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('refuses arbitrary bytes with a JsonError only', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        try {
          parseJson(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(JsonError);
        }
      }),
    );
  });

  it('refuses every truncation of a document', () => {
    const source = '{"a":[1,{"b":"\\u0041\\n"},true],"c":null}';
    for (let length = 0; length < source.length; length++) {
      expect(() => parse(source.slice(0, length))).toThrow(JsonError);
    }
  });

  it.each([
    ['a name twice in an object', '{"a":1,"b":2,"a":1}', 'twice'],
    ['a name twice, once escaped', '{"a":1,"\\u0061":1}', 'twice'],
    ['a name twice that is a property of objects', '{"__proto__":1,"__proto__":1}', 'twice'],
    ['a lone high surrogate', '"\\ud800"', 'surrogate'],
    ['a lone low surrogate', '"\\udc00"', 'surrogate'],
    ['a high surrogate before another letter', '"\\ud800\\u0041"', 'surrogate'],
    ['a high surrogate before a plain letter', '"\\ud800A"', 'surrogate'],
    ['a float', '1.0', 'no integer'],
    ['an exponent', '1e3', 'no integer'],
    ['-0', '-0', '-0'],
    ['2^53', '9007199254740992', 'outside'],
    ['-2^53', '-9007199254740992', 'outside'],
    ['an enormous number', '1'.repeat(100_000), 'outside'],
    ['a leading zero', '01', 'starts with zero'],
    ['a lone minus', '-', 'digit'],
    ['a plus sign', '+1', 'missing'],
    ['NaN', 'NaN', 'missing'],
    ['a raw control character in a string', '"\n"', 'control'],
    ['a raw control character after an escape', '"\\n\n"', 'control'],
    ['an unknown escape', '"\\x41"', 'escape'],
    ['an escape with blanks', '"\\u 041"', 'hexadecimal'],
    ['a comma at the end of an object', '{"a":1,}', 'name'],
    ['a comma at the end of an array', '[1,]', 'missing'],
    ['a missing comma', '[1 2]', 'comma'],
    ['a name without quotes', '{a:1}', 'name'],
    ['a missing colon', '{"a" 1}', 'colon'],
    ['a comment', '/* */1', 'missing'],
    ['something behind the document', '{} {}', 'follow'],
    ['a byte order mark', '\ufeff{}', 'missing'],
    ['a misspelt literal', 'trUe', 'missing'],
    ['an empty document', '', 'missing'],
    ['a form feed as white space', '\f1', 'missing'],
    ['a no-break space as white space', '\u00a01', 'missing'],
  ])('refuses %s', (_, source, reason) => {
    expect(() => parse(source)).toThrow(reason);
    expect(() => parse(source)).toThrow(JsonError);
  });

  it.each([
    ['overlong', [0xc0, 0xaf]],
    ['a surrogate in UTF-8', [0xed, 0xa0, 0x80]],
    ['a cut sequence', [0xe2, 0x82]],
    ['Latin-1', [0xe9]],
    ['above U+10FFFF', [0xf4, 0x90, 0x80, 0x80]],
  ])('refuses bytes that are no UTF-8: %s', (_, middle) => {
    expect(() => parseJson(Uint8Array.of(0x22, ...middle, 0x22))).toThrow('UTF-8');
  });

  it('ends at the limits of length, depth and number of values instead of using memory or stack', () => {
    expect(() => parseJson(bytesOf('[1]'), { maxLength: 2 })).toThrow('more than the allowed 2');
    expect(parseJson(bytesOf('[1]'), { maxLength: 3 })).toEqual([1]);
    expect(() => parse('['.repeat(1_000_000))).toThrow('levels');
    expect(() => parse('{"a":'.repeat(1_000_000))).toThrow('levels');
    expect(parseJson(bytesOf('[[[]]]'), { maxDepth: 3 })).toEqual([[[]]]);
    expect(() => parseJson(bytesOf('[[[]]]'), { maxDepth: 2 })).toThrow('levels');
    expect(parseJson(bytesOf('[1,2]'), { maxValues: 3 })).toEqual([1, 2]);
    expect(() => parseJson(bytesOf('[1,2]'), { maxValues: 2 })).toThrow('values');
  });

  it('keeps `__proto__`, `constructor` and integer-like names as they stand', () => {
    const value = parse('{"10":1,"__proto__":{"x":1},"constructor":2,"1":3}');
    expect([...(value as ReadonlyMap<string, JsonValue>).keys()]).toEqual([
      '10',
      '__proto__',
      'constructor',
      '1',
    ]);
    expect(({} as Record<string, unknown>)['x']).toBeUndefined();
  });
});

describe('parseJsonDocument', () => {
  const member = (source: string, name = 'signed') => parseJsonDocument(bytesOf(source)).members.get(name);

  it('keeps the received bytes of the members of the outermost object only', () => {
    const source = '{"é": {"b":1} , "signed" : [1,{"x":"😀"}] }';
    expect(new TextDecoder().decode(member(source)?.bytes)).toBe('[1,{"x":"😀"}]');
    expect(new TextDecoder().decode(member(source, 'é')?.bytes)).toBe('{"b":1}');
    expect(member(source, 'b')).toBeUndefined();
  });

  it.each([
    ['{"signed":{"a":1,"b":"\\"\\\\"}}', true],
    [' { "signed" : {"a":1} } ', true],
    ['{"other":{"b":1, "a":2},"signed":{"a":1}}', true],
    ['{"signed":{"a":1},"other":{"b":1, "a":2}}', true],
    ['{"signed":{"a": 1}}', false],
    ['{"signed":{"b":1,"a":1}}', false],
    ['{"signed":{"a":"\\/"}}', false],
    ['{"signed":{"a":"\\n"}}', false],
    ['{"signed":{"a":"\\u0041"}}', false],
    ['{"signed":{"\ue000":1,"\u{10000}":1}}', true],
    ['{"signed":{"\u{10000}":1,"\ue000":1}}', false],
  ])('knows whether %s holds canonical bytes', (source, canonical) => {
    expect(member(source)?.canonical).toBe(canonical);
  });

  it('says canonical exactly when the bytes are what the encoder writes', () => {
    fc.assert(
      fc.property(json, fc.constantFrom('', ' '), fc.boolean(), (value, space, useCanonical) => {
        // Control characters stand raw in canonical JSON, so that such text is no JSON.
        const canonical = canonicalJsonText(value);
        // oxlint-disable-next-line no-control-regex
        fc.pre(!useCanonical || !/[\u0000-\u001f]/.test(canonical));
        const written = useCanonical ? canonical : stringify(value, space);
        const found = member(`{"signed":${written}}`);
        expect(found?.canonical).toBe(written === canonical);
        expect(found?.bytes).toEqual(bytesOf(written));
      }),
    );
  });

  it('decodes what the encoder encoded', () => {
    fc.assert(
      fc.property(json, (value) => {
        const canonical = canonicalJsonText(value);
        // oxlint-disable-next-line no-control-regex
        fc.pre(!/[\u0000-\u001f]/.test(canonical));
        expect(sorted(parseJson(encodeCanonicalJson(value)))).toEqual(sorted(value));
      }),
    );
  });
});

it('knows no escapes but those of JSON', () => {
  for (const text of ['"\\x0041"', '"\\0"', '"\\U0041"', '"\\\'"', '"\\a0041"', '"\\'])
    expect(() => parse(text), text).toThrow(JsonError);
});

describe('the limits where nothing else is said', () => {
  const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
  const values = (count: number) => `[${'1,'.repeat(count - 2)}1]`;

  it('are 32 levels', () => {
    expect(parse(nested(32))).toBeDefined();
    expect(() => parse(nested(33))).toThrow(JsonError);
    const objects = (depth: number) => '{"a":'.repeat(depth - 1) + '{}' + '}'.repeat(depth - 1);
    expect(parse(objects(32))).toBeDefined();
    expect(() => parse(objects(33))).toThrow(JsonError);
  });

  it('are two million values', () => {
    expect(parse(values(2_000_000))).toHaveLength(1_999_999);
    expect(() => parse(values(2_000_001))).toThrow(JsonError);
  });

  it('are 32 MiB', () => {
    const bytes = new Uint8Array(32 * 1024 * 1024 + 1).fill(0x20);
    bytes[0] = 0x31;
    expect(() => parseJson(bytes)).toThrow('33554433 bytes, more than the allowed 33554432');
    expect(parseJson(bytes.subarray(1).fill(0x31, 0, 1))).toBe(1);
  });
});
