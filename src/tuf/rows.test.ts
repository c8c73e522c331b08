import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJsonText, encodeCanonicalJson } from './canonical-json.ts';
import type { Delegations } from './delegations.ts';
import { MalformedMetadataError } from './errors.ts';
import { asObject, readObject } from './fields.ts';
import { MetaFile } from './file.ts';
import { JsonError, parseJson, parseJsonDocument } from './json.ts';
import type { JsonValue, RowPlaces, RowReader } from './json.ts';
import { Metadata } from './metadata.ts';
import { RowTable } from './row-table.ts';
import { RoleRows, rowPlacesOf } from './rows.ts';
import { targetPathHash } from './sha256.ts';
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

/** The canonical text of what was read, or that it was refused; at once, for what was read makes its models later and may not fail then. */
function verdict(read: () => Targets | Snapshot): string {
  const signed: Targets | Snapshot | undefined = valueOf(read);
  return signed === undefined ? 'refused' : new TextDecoder().decode(encodeCanonicalJson(signed.toJson()));
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

/** Signatures are over canonical JSON, whoever wrote it and in whatever order; and what is listed is found. */
function expectOneMeaning(bytes: Uint8Array, type: 'targets' | 'snapshot'): void {
  const signed = readObject(asObject(parseJson(bytes), 'envelope'), 'signed');
  const metadata = Metadata.fromBytes(bytes, type);
  expect(new TextDecoder().decode(metadata.signedBytes)).toBe(canonicalJsonText(signed));
  const rows: { readonly meta?: ReadonlyMap<string, unknown>; readonly targets?: ReadonlyMap<string, unknown>; readonly delegations?: Delegations | undefined } = metadata.signed; // prettier-ignore
  for (const table of [rows.meta, rows.targets, rows.delegations?.roles])
    for (const [name, row] of table ?? []) expect([name, table?.get(name)]).toEqual([name, row]);
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
    ['bins of two keys', 'targets', bins(`[${roleRow('bin-00').replace(`"${KEY_ID}"`, '"0a","0b"')},${roleRow('bin-01').replace(`"${KEY_ID}"`, '"0a","0b"')}]`)], // prettier-ignore
    ['bins of one key twice each', 'targets', bins(`[${roleRow('bin-00').replace('false,"threshold":1', 'true,"threshold":21')}]`)], // prettier-ignore
    ['bins that do not ascend', 'targets', bins(`[${roleRow('bin-01')},${roleRow('bin-00')}]`)],
    ['a bin with another threshold', 'targets', bins(`[${roleRow('bin-00')},${roleRow('bin-01').replace('"threshold":1', '"threshold":2')}]`)], // prettier-ignore
    ['a bin with a long name', 'targets', bins(`[${roleRow('n'.repeat(100_000))}]`)],
    ['a target and bins', 'targets', targets(`{${targetRow}}`, `"delegations":{"keys":{},"roles":[${roleRow('bin-00')}]},`)], // prettier-ignore
    ['all hashes there are', 'targets', targets(`{"a":{"hashes":{"blake2b-256":"${DIGEST}","sha256":"${DIGEST}","sha512":"${DIGEST}${DIGEST}"},"length":3}}`)], // prettier-ignore
    ['hashes in another order', 'targets', targets(`{"a":{"hashes":{"sha256":"${DIGEST}","blake2b-256":"${DIGEST}"},"length":3}}`)], // prettier-ignore
    ['names with what sorts before a quote', 'targets', targets(`{"a b":{"hashes":{"sha256":"${DIGEST}"},"length":3},"a":{"hashes":{"sha256":"${DIGEST}"},"length":4}}`)], // prettier-ignore
    ['a name that begins another', 'targets', targets(`{"a":{"hashes":{"sha256":"${DIGEST}"},"length":3},"a!":{"hashes":{"sha256":"${DIGEST}"},"length":4},"ab":{"hashes":{"sha256":"${DIGEST}"},"length":4}}`)], // prettier-ignore
    ['an empty path', 'targets', targets(`{"":{"hashes":{"sha256":"${DIGEST}"},"length":3}}`)],
    ['a snapshot that does not ascend', 'snapshot', snapshot('{"b.json":{"version":3},"a.json":{"version":4}}')], // prettier-ignore
    ['a snapshot', 'snapshot', snapshot('{"bin-00.json":{"version":3},"bins.json":{"hashes":{"sha256":"ab"},"version":1}}')], // prettier-ignore
    ['an empty snapshot', 'snapshot', snapshot('{}')],
    ['a snapshot with white space outside its rows', 'snapshot', encode(new TextDecoder().decode(snapshot('{"a.json":{"version":3}}')).replace('"spec_version":', '"spec_version": '))], // prettier-ignore
    ['targets and bins with white space outside them', 'targets', targets(`{${targetRow}}`, `"delegations":{ "keys":{},"roles":[${roleRow('bin-00')}]},`)], // prettier-ignore
    ['names that descend in their first character and ascend in the next', 'snapshot', snapshot('{"ba":{"version":3},"ab":{"version":4}}')], // prettier-ignore
    ['bins that descend in their first character and ascend in the next', 'targets', bins(`[${roleRow('ba')},${roleRow('ab')}]`)], // prettier-ignore
  ] as const)('are what generic values say: %s', (_what, type, bytes) => {
    expect(byRows(bytes, type)).toBe(generic(bytes, type));
    expect(byRows(bytes, type)).not.toBe('refused');
    expectOneMeaning(bytes, type);
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
    ['a bin twice, with another between', 'targets', bins(`[${roleRow('bin-00')},${roleRow('bin-01')},${roleRow('bin-00')}]`)], // prettier-ignore
    ['a bin of a reserved name between others', 'targets', bins(`[${roleRow('bin-00')},${roleRow('root')},${roleRow('timex')}]`)], // prettier-ignore
    ['bins that name one key twice', 'targets', bins(`[${roleRow('bin-00').replace(`"${KEY_ID}"`, '"0a","0a"')}]`)], // prettier-ignore
    ['a threshold of 0', 'targets', bins(`[${roleRow('bin-00').replace('"threshold":1', '"threshold":0')}]`)],
    ['rows with a comma behind the last', 'targets', targets(`{${targetRow},}`)],
    ['rows with two commas between them', 'targets', targets(`{${targetRow},,${targetRow.replace('a/a', 'b/b')}}`)], // prettier-ignore
    ['rows that end with another bracket', 'targets', targets(`{${targetRow}]`)],
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
        fc.array(fc.tuple(fc.nat(), fc.constantFrom(...'{}[]",:\\ !0129afgz-.é\u0001'.split(''))), {
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
          if (generic(bytes, type) !== 'refused') expectOneMeaning(bytes, type);
        },
      ),
      { numRuns: 3000 },
    );
  });

  it.each([
    ['targets', 'targets', targets(`{${targetRow},${targetRow.replace('a/a', 'b/b')}}`)],
    ['targets with three hashes', 'targets', targets(`{"a":{"hashes":{"blake2b-256":"${DIGEST}","sha256":"${DIGEST}","sha512":"${DIGEST}${DIGEST}"},"length":3}}`)], // prettier-ignore
    ['bins', 'targets', bins(`[${roleRow('bin-00', '"0","1","2","3","4","5"')},${roleRow('bin-01')}]`)],
    ['bins of many keys', 'targets', bins(`[${roleRow('b').replace(`"${KEY_ID}"`, '"0","1","2","3","4","5","6"')}]`)], // prettier-ignore
    ['a snapshot', 'snapshot', snapshot('{"a.json":{"version":3},"b.json":{"version":4}}')],
  ] as const)(
    'count against the limits of depth and of values as generic values do: %s',
    (_what, type, bytes) => {
      for (const [name, most] of [
        ['maxDepth', 9],
        ['maxValues', 60],
      ] as const) {
        for (let limit = 1; limit <= most; limit++) {
          const expected = verdictOf(() => parseJson(bytes, { [name]: limit }));
          const found = verdictOf(() => Metadata.fromBytes(bytes, type, { [name]: limit }));
          expect([name, limit, found]).toEqual([name, limit, expected]);
        }
      }
    },
  );

  it('count at least as many values as they have, so that no limit is ever passed', () => {
    const prefix = fc.array(fc.constantFrom('0', '1', '9', 'a', 'f'), { minLength: 1, maxLength: 8 });
    const list = fc.array(
      prefix.map((digits) => digits.join('')),
      { minLength: 1, maxLength: 9 },
    );
    fc.assert(
      fc.property(
        fc.uniqueArray(
          list.map((ids) => ids[0] ?? ''),
          { minLength: 1, maxLength: 5 },
        ),
        fc.array(list, { minLength: 1, maxLength: 9 }),
        (keyIds, rows) => {
          // prettier-ignore
          const quoted = (texts: readonly string[]): string => texts.map((text) => `"${text}"`).join(',');
          const roles = rows.map((prefixes, index) => roleRow(`b${index}`, quoted(prefixes)).replace(`"${KEY_ID}"`, quoted(keyIds))); // prettier-ignore
          const text = `[${roles.join(',')}]`;
          const read = readerOf('roles').read(text, 0);
          expect(read?.end).toBe(text.length);
          expect(read?.values).toBeGreaterThanOrEqual(valuesIn(parseJson(encode(text))));
        },
      ),
    );
  });

  it.each([
    ['a snapshot', 'snapshot', snapshot('{"a.json":{"version":3},"b.json":{"version":4}}')],
    ['targets', 'targets', targets(`{${targetRow},${targetRow.replace('a/a', 'b/b')}}`.replaceAll(`"${DIGEST}"`, `"${DIGEST}","sha512":"${DIGEST}${DIGEST}"`).replaceAll('"sha256"', `"blake2b-256":"${DIGEST}","sha256"`))], // prettier-ignore
  ] as const)('stay in their text right up to the limits: %s', (_what, type, bytes) => {
    const lowest = (name: 'maxDepth' | 'maxValues'): number => {
      for (let limit = 1; ; limit++)
        if (verdictOf(() => parseJson(bytes, { [name]: limit })) === 'read') return limit;
    };
    for (const limits of [{ maxDepth: lowest('maxDepth') }, { maxValues: lowest('maxValues') }]) {
      const signed: { readonly meta?: unknown; readonly targets?: unknown } = Metadata.fromBytes(bytes, type, limits).signed; // prettier-ignore
      expect(signed.meta ?? signed.targets).toBeInstanceOf(RowTable);
    }
  });

  it('of bins stay in their text right up to the limit of depth', () => {
    const bytes = bins(`[${roleRow('bin-00')},${roleRow('bin-01', '"02","03"')}]`);
    const rolesAt = (maxDepth: number): unknown => Metadata.fromBytes(bytes, 'targets', { maxDepth }).signed.delegations?.roles; // prettier-ignore
    expect(rolesAt(6)).toBeInstanceOf(RoleRows);
    expect(() => rolesAt(5)).toThrow(/levels/);
  });

  it('of bins count hardly more values than they have, wherever they stand', () => {
    const digits = Array.from({ length: 100 }, () => '"0"').join(',');
    for (const prefixes of [digits, '"0"', '"00","01"']) {
      const rows = Array.from({ length: 20 }, (_, index) => roleRow(`b${index + 10}`, prefixes));
      const text = `[${rows.join(',')}]`;
      const exactly = valuesIn(parseJson(encode(text)));
      for (const position of [0, 5000]) {
        const read = readerOf('roles').read(' '.repeat(position) + text, position);
        expect(read?.values).toBeGreaterThanOrEqual(exactly);
        expect(read?.values).toBeLessThanOrEqual(exactly + 2 * rows.length);
      }
    }
  });

  it('have numbers, and none beyond the last', () => {
    const { meta } = Metadata.fromBytes(snapshot('{"a.json":{"version":3},"b.json":{"version":4}}'), 'snapshot').signed; // prettier-ignore
    const table = meta as RowTable<MetaFile>;
    expect([0, 1, 2, -1, 0.5].map((index) => table.at(index)?.version)).toEqual([3, 4, undefined, undefined, undefined]); // prettier-ignore
  });

  it('are looked for at their own place only', () => {
    const meta = '{"meta":{"a.json":{"version":1}}}';
    for (const [count, text] of [
      [1, `{"signed":${meta}}`],
      [0, `{"signed":[${meta}]}`],
      [0, `{"signed":{"x":${meta}}}`],
      [0, `[{"signed":${meta}}]`],
      [0, meta],
    ] as const)
      expect([text, parseJsonDocument(encode(text), {}, rowPlacesOf('snapshot')).rows.size]).toEqual([text, count]); // prettier-ignore
  });

  it('are found after the last one was asked for, a name that looks like the beginning of the text too', () => {
    const row = `{"hashes":{"sha256":"${DIGEST}"},"length":3}`;
    const table = Metadata.fromBytes(targets(`{"{":${row},"~":${row}}`), 'targets').signed.targets;
    expect(table).toBeInstanceOf(RowTable);
    expect(['~', '{', '~', '}'].map((path) => table.get(path)?.path)).toEqual(['~', '{', '~', undefined]);
  });

  it('are found by name, and by nothing that only looks like one in the text', () => {
    const names = Array.from(
      { length: 37 },
      (_, index) => `bin-${(index * 7).toString(16).padStart(4, '0')}`,
    );
    const bytes = snapshot(
      `{${names.map((name, index) => `"${name}.json":{"version":${index + 1}}`).join(',')}}`,
    );
    const { meta } = Metadata.fromBytes(bytes, 'snapshot').signed;
    expect(meta).toBeInstanceOf(RowTable);
    expect(meta.size).toBe(37);
    for (const order of [
      names,
      names.toReversed(),
      names.toSorted((a, b) => (a.slice(-1) < b.slice(-1) ? -1 : 1)),
    ]) {
      for (const name of order) expect(meta.get(`${name}.json`)?.version).toBe(names.indexOf(name) + 1);
    }
    const none = ['', 'bin', 'bin-0000.jso', 'bin-0001.json', 'bin-0000.json":{"version', 'bin-ffff.json', 'a', '\u00e9', '~']; // prettier-ignore
    for (const name of none) expect([name, meta.get(name), meta.has(name)]).toEqual([name, undefined, false]);
    expect(meta.has('bin-0007.json')).toBe(true);
    expect([...meta.keys()]).toEqual(names.map((name) => `${name}.json`));
    expect([...meta.values()].map(({ version }) => version)).toEqual(names.map((_, index) => index + 1));
    expect(new Map(meta)).toEqual(new Map(names.map((name, index) => [`${name}.json`, new MetaFile({ version: index + 1 })]))); // prettier-ignore
    const seen: unknown[] = [];
    meta.forEach((row, name, table) => seen.push([name, row.version, table === meta]));
    expect(seen).toEqual(names.map((name, index) => [`${name}.json`, index + 1, true]));
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

  it.each([
    [true, ['"0a"', '"1b","1c"', '"2","3"']],
    [true, ['"0"', '"1"', '"20"', '"21"', '"3","4","5"', '"ff"']],
    [true, [`"${'0'.repeat(64)}","${'0'.repeat(63)}1"`, '"1"']],
    [false, ['"1b"', '"0a"']],
    [false, ['"1b","1a"']],
    [false, ['"1"', '"1"']],
    [false, ['"1"', '"1b"']],
    [false, ['"1b"', '"1"']],
    [false, ['"0"', '"2","3"', '"2"']],
  ])('know whether their prefixes ascend and exclude each other (%s: %s)', (isOrdered, prefixes) => {
    const rows = readerOf('roles').read(
      `[${prefixes.map((each, index) => roleRow(`b${index}`, each)).join(',')}]`,
      0,
    );
    expect((rows?.rows as RoleRows | undefined)?.isOrdered).toBe(isOrdered);
  });

  it('find the bins that generic values find, whatever the prefixes', () => {
    const digit = fc.constantFrom('0', '1', 'e', 'f');
    const prefix = fc.array(digit, { minLength: 1, maxLength: 3 }).map((digits) => digits.join(''));
    const whole = fc.uniqueArray(prefix, { minLength: 1, maxLength: 8 }).map((all) => all.toSorted());
    fc.assert(
      fc.property(
        fc.oneof(
          fc.array(fc.array(prefix, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 6 }),
          whole.map((all) => all.map((one) => [one])),
        ),
        fc.array(digit, { minLength: 64, maxLength: 64 }),
        (rows, digits) => {
          // prettier-ignore
          const roles = rows.map((prefixes, index) => roleRow(`b${index}`, prefixes.map((each) => `"${each}"`).join(','))); // prettier-ignore
          const table = readerOf('roles').read(`[${roles.join(',')}]`, 0)?.rows as RoleRows;
          const hash = digits.join('');
          const expected = [...table.values()].filter((role) => role.matches('x', hash));
          if (table.isOrdered)
            expect([table.find(hash)].filter((role) => role !== undefined)).toEqual(expected);
          const { delegations } = Metadata.fromBytes(bins(`[${roles.join(',')}]`), 'targets').signed;
          for (let search = 0; search < 6; search++) {
            const pathHash = targetPathHash(`p/${search}`);
            const wanted = [...table.values()].filter((role) => role.matches('x', pathHash)).map(({ name }) => name); // prettier-ignore
            expect(delegations?.rolesForTarget(`p/${search}`).map(({ name }) => name)).toEqual(wanted);
          }
        },
      ),
      { numRuns: 400 },
    );
  });

  it('do not exhaust anything on a role with very many prefixes', () => {
    const prefixes = Array.from({ length: 200_000 }, () => '"ab"').join(',');
    const bytes = bins(`[${roleRow('bin-00', prefixes)}]`);
    expect(
      Metadata.fromBytes(bytes, 'targets').signed.delegations?.roles?.get('bin-00')?.pathHashPrefixes,
    ).toHaveLength(200_000);
  });
});

function readerOf(name: string): RowReader {
  const signed = rowPlacesOf('targets')?.get('signed') as ReadonlyMap<string, RowPlaces>;
  return (name === 'roles' ? signed.get('delegations')?.get(name) : signed.get(name)) as unknown as RowReader;
}

function valuesIn(value: JsonValue): number {
  const members =
    value instanceof Map || Array.isArray(value) ? [...(value.values() as Iterable<JsonValue>)] : [];
  return 1 + members.reduce((sum: number, member) => sum + valuesIn(member), 0);
}

function verdictOf(read: () => unknown): 'read' | 'refused' {
  return valueOf(read) === undefined ? 'refused' : 'read';
}

/** Undefined: refused. */
function valueOf<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof MalformedMetadataError || error instanceof JsonError) return undefined;
    throw error;
  }
}
