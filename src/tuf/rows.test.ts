import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeCanonicalJson } from './canonical-json.ts';
import { MalformedMetadataError } from './errors.ts';
import { asObject, readObject } from './fields.ts';
import { JsonError, parseJson } from './json.ts';
import { Metadata } from './metadata.ts';
import { Snapshot } from './snapshot.ts';
import { Targets } from './targets.ts';

const DIGEST = 'ab'.repeat(32);
const KEY_ID = 'cd'.repeat(32);
const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

function envelope(signed: string): Uint8Array {
  return encode(`{"signatures":[],"signed":${signed}}`);
}

function targets(rows: string, more = ''): Uint8Array {
  return envelope(
    `{"_type":"targets",${more}"expires":"2036-01-01T00:00:00Z","spec_version":"1.0.34","targets":${rows},"version":1}`,
  );
}

function bins(rows: string): Uint8Array {
  return targets('{}', `"delegations":{"keys":{},"roles":${rows}},`);
}

function snapshot(rows: string): Uint8Array {
  return envelope(
    `{"_type":"snapshot","expires":"2036-01-01T00:00:00Z","meta":${rows},"spec_version":"1.0.34","version":1}`,
  );
}

/** The canonical text of what was read, or the kind of the refusal. */
function verdict(read: () => Targets | Snapshot): string {
  try {
    return new TextDecoder().decode(encodeCanonicalJson(read().toJson()));
  } catch (error) {
    if (error instanceof MalformedMetadataError || error instanceof JsonError) return 'refused';
    throw error;
  }
}

/** Reads by generic values alone, as everything that has no common form is read. */
function generic(bytes: Uint8Array, type: 'targets' | 'snapshot'): string {
  return verdict(() => {
    const signed = readObject(asObject(parseJson(bytes), 'envelope'), 'signed');
    return type === 'targets' ? Targets.fromJson(signed) : Snapshot.fromJson(signed);
  });
}

function byRows(bytes: Uint8Array, type: 'targets' | 'snapshot'): string {
  return verdict(() => Metadata.fromBytes(bytes, type).signed);
}

const targetRow = `"packages/a/a-1.0.tar.gz":{"hashes":{"sha256":"${DIGEST}"},"length":12}`;
const roleRow = (name: string, prefixes = '"00","01"'): string =>
  `{"keyids":["${KEY_ID}"],"name":"${name}","path_hash_prefixes":[${prefixes}],"terminating":false,"threshold":1}`;

describe('rows read at once', () => {
  it.each([
    ['a target', 'targets', targets(`{${targetRow}}`)],
    ['no target', 'targets', targets('{}')],
    [
      'two targets of the common form',
      'targets',
      targets(`{${targetRow},${targetRow.replace('a/a', 'b/b')}}`),
    ],
    ['a target between others that has custom data', 'targets', targets(`{${targetRow},"b":{"custom":{"x":1},"hashes":{"sha256":"${DIGEST}"},"length":3},"c":{"hashes":{"sha256":"${DIGEST}"},"length":0}}`)], // prettier-ignore
    ['a target with another hash', 'targets', targets('{"b":{"hashes":{"sha512":"ab"},"length":3}}')],
    ['targets in another order', 'targets', targets(`{"z":{"hashes":{"sha256":"${DIGEST}"},"length":3},${targetRow}}`)], // prettier-ignore
    ['a path with escapes and without ASCII', 'targets', targets(`{"\\"q\\u00e9":{"hashes":{"sha256":"${DIGEST}"},"length":3},"ü":{"hashes":{"sha256":"${DIGEST}"},"length":3}}`)], // prettier-ignore
    ['white space', 'targets', targets(`{ ${targetRow} }`)],
    [
      'a long length',
      'targets',
      targets(`{"a":{"hashes":{"sha256":"${DIGEST}"},"length":9007199254740991}}`),
    ],
    ['bins', 'targets', bins(`[${roleRow('bin-00')},${roleRow('bin-01', '"02","03"')}]`)],
    [
      'a bin with another key',
      'targets',
      bins(`[${roleRow('bin-00')},${roleRow('bin-01').replace('cd', 'ce')}]`),
    ],
    ['a role with patterns between bins', 'targets', bins(`[${roleRow('bin-00')},{"keyids":[],"name":"p","paths":["a/*"],"terminating":true,"threshold":1}]`)], // prettier-ignore
    ['a role without prefixes', 'targets', bins(`[${roleRow('bin-00', '')}]`)],
    ['an empty key id', 'targets', bins(`[${roleRow('bin-00').replace(KEY_ID, '')}]`)],
    ['a snapshot', 'snapshot', snapshot('{"bin-00.json":{"version":3},"bins.json":{"hashes":{"sha256":"ab"},"version":1}}')], // prettier-ignore
    ['an empty snapshot', 'snapshot', snapshot('{}')],
  ] as const)('are what generic values say: %s', (_what, type, bytes) => {
    expect(byRows(bytes, type)).toBe(generic(bytes, type));
    expect(byRows(bytes, type)).not.toBe('refused');
  });

  it.each([
    ['a target twice', 'targets', targets(`{${targetRow},${targetRow}}`)],
    ['a length below zero', 'targets', targets(`{"a":{"hashes":{"sha256":"${DIGEST}"},"length":-1}}`)],
    [
      'a length with a leading zero',
      'targets',
      targets(`{"a":{"hashes":{"sha256":"${DIGEST}"},"length":01}}`),
    ],
    ['a length beyond 2^53', 'targets', targets(`{"a":{"hashes":{"sha256":"${DIGEST}"},"length":9007199254740993}}`)], // prettier-ignore
    [
      'a hash in capitals',
      'targets',
      targets(`{"a":{"hashes":{"sha256":"${DIGEST.toUpperCase()}"},"length":1}}`),
    ],
    [
      'a row that does not end',
      'targets',
      encode(new TextDecoder().decode(targets(`{${targetRow}`)).slice(0, -40)),
    ],
    ['targets that are no object', 'targets', targets(`[${targetRow.slice(targetRow.indexOf(':') + 1)}]`)],
    ['targets that are a number', 'targets', targets('7')],
    ['a bin of a reserved name', 'targets', bins(`[${roleRow('snapshot')}]`)],
    ['a bin twice', 'targets', bins(`[${roleRow('bin-00')},${roleRow('bin-00')}]`)],
    ['roles that are no array', 'targets', bins(`{"a":${roleRow('bin-00')}}`)],
    ['a prefix that is too long', 'targets', bins(`[${roleRow('bin-00', `"${'a'.repeat(65)}"`)}]`)],
    ['a prefix in capitals', 'targets', bins(`[${roleRow('bin-00', '"AB"')}]`)],
    ['version 0', 'snapshot', snapshot('{"a.json":{"version":0}}')],
    ['an entry twice', 'snapshot', snapshot('{"a.json":{"version":1},"a.json":{"version":2}}')],
  ] as const)('refuse what generic values refuse: %s', (_what, type, bytes) => {
    expect(generic(bytes, type)).toBe('refused');
    expect(byRows(bytes, type)).toBe('refused');
  });

  it('have the verdict of generic values about any damaged metadata', () => {
    const seeds = [
      targets(`{${targetRow},${targetRow.replace('a/a', 'b/b')}}`),
      bins(`[${roleRow('bin-00')},${roleRow('bin-01', '"02","03"')}]`),
      snapshot('{"bin-00.json":{"version":3},"bins.json":{"hashes":{"sha256":"ab"},"version":1}}'),
    ] as const;
    fc.assert(
      fc.property(
        fc.constantFrom(0, 1, 2),
        fc.array(fc.tuple(fc.nat(), fc.constantFrom(...'{}[]",:\\ 0129afgz-.é\u0001'.split(''))), {
          minLength: 1,
          maxLength: 3,
        }),
        fc.boolean(),
        (which, edits, inserts) => {
          const text = Array.from(new TextDecoder().decode(seeds[which] as Uint8Array));
          // Within the signed part: the generic reading looks at nothing else.
          const start = text.join('').indexOf('"signed":') + '"signed":'.length;
          for (const [place, character] of edits)
            text.splice(start + (place % (text.length - start - 1)), inserts ? 0 : 1, character);
          const bytes = encode(text.join(''));
          const type = which === 2 ? 'snapshot' : 'targets';
          expect(byRows(bytes, type)).toBe(generic(bytes, type));
        },
      ),
      { numRuns: 3000 },
    );
  });

  it('count against the limits of depth and of values as generic values do', () => {
    const bytes = targets(`{${targetRow},${targetRow.replace('a/a', 'b/b')}}`);
    for (const [name, most] of [
      ['maxDepth', 8],
      ['maxValues', 40],
    ] as const) {
      for (let limit = 1; limit <= most; limit++) {
        const read = (): unknown => parseJson(bytes, { [name]: limit });
        const isRefused = verdictOf(read) === 'refused';
        expect([limit, verdictOf(() => Metadata.fromBytes(bytes, 'targets', { [name]: limit }))]).toEqual([
          limit,
          isRefused ? 'refused' : 'read',
        ]);
      }
    }
  });

  it('find the bin of a hash in the text of its prefixes, and nothing between them', () => {
    const bytes = bins(`[${roleRow('bin-00', '"0a","1bc"')},${roleRow('bin-01', '"2"')}]`);
    const delegations = Metadata.fromBytes(bytes, 'targets').signed.delegations;
    const found = (hash: string): string[] =>
      [...(delegations?.roles?.values() ?? [])]
        .filter((role) => role.matches('x', hash.padEnd(64, '0')))
        .map(({ name }) => name);
    expect(found('0a5')).toEqual(['bin-00']);
    expect(found('1bc')).toEqual(['bin-00']);
    expect(found('1bd')).toEqual([]);
    expect(found('bc')).toEqual([]);
    expect(found('2ff')).toEqual(['bin-01']);
    expect(delegations?.roles?.get('bin-00')?.pathHashPrefixes).toEqual(['0a', '1bc']);
  });

  it('do not exhaust anything on a role with very many prefixes', () => {
    const prefixes = Array.from({ length: 200_000 }, () => '"ab"').join(',');
    const bytes = bins(`[${roleRow('bin-00', prefixes)}]`);
    expect(
      Metadata.fromBytes(bytes, 'targets').signed.delegations?.roles?.get('bin-00')?.pathHashPrefixes,
    ).toHaveLength(200_000);
  });
});

function verdictOf(read: () => unknown): 'read' | 'refused' {
  try {
    read();
    return 'read';
  } catch (error) {
    if (error instanceof MalformedMetadataError || error instanceof JsonError) return 'refused';
    throw error;
  }
}
