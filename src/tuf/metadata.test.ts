import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  bytesOf,
  edit,
  envelope,
  HASH,
  keyId,
  read,
  signer,
  textOf,
  TYPES,
  VALID,
} from '../../test/tools/valid-metadata.ts';
import { canonicalJsonText } from './canonical-json.ts';
import { MalformedMetadataError, RepositoryError } from './errors.ts';
import { parseJson } from './json.ts';
import type { JsonObject, JsonValue } from './json.ts';
import { Metadata } from './metadata.ts';
import type { Root } from './root.ts';
import type { SignedType } from './signed.ts';

describe('Metadata.fromBytes', () => {
  it.each(TYPES)('reads %s and loses nothing on any level when it is written again', (type) => {
    const metadata = read(type, VALID[type]);
    expect(metadata.signed.type).toBe(type);
    expect(canonicalJsonText(metadata.signed.toJson())).toBe(VALID[type]);
    expect(textOf(metadata.signedBytes)).toBe(VALID[type]);
    expect(textOf(Metadata.unsigned(metadata.signed).signedBytes)).toBe(VALID[type]);
    expect(textOf(metadata.toBytes())).toBe(`{"signatures":[],"signed":${VALID[type]}}`);
  });

  it('keeps signatures and unknown fields of the envelope and of signatures', () => {
    const text = `{"0":1,"signatures":[{"keyid":"b","sig":"00","x":1},{"keyid":"a","sig":""}],"signed":${VALID.timestamp},"x":2}`;
    const metadata = Metadata.fromBytes(bytesOf(text), 'timestamp');
    expect(textOf(metadata.toBytes())).toBe(text);
    expect(metadata.signatures.map((signature) => signature.keyId)).toEqual(['b', 'a']);
    expect(metadata.signaturesByKeyId.get('b')?.bytes).toEqual(Uint8Array.of(0));
    expect(metadata.signaturesByKeyId.get('a')?.bytes).toBeUndefined();
  });

  it('takes the signed bytes from what was received, also when it was not canonical', () => {
    const bytes = envelope(VALID.root);
    expect(Metadata.fromBytes(bytes, 'root').signedBytes.buffer).toBe(bytes.buffer);
    const pretty = JSON.stringify(JSON.parse(VALID.root), undefined, 1);
    expect(textOf(read('root', pretty).signedBytes)).toBe(VALID.root);
    const escaped = edit('root', '"x-field"', '"\\u0078-field"');
    expect(textOf(read('root', escaped).signedBytes)).toBe(VALID.root);
  });

  it.each([
    ['an array', '[]'],
    ['a string', '"x"'],
    ['null', 'null'],
    ['an empty object', '{}'],
    ['no signatures', `{"signed":${VALID.root}}`],
    ['no signed part', '{"signatures":[]}'],
    ['signatures that are an object', `{"signatures":{},"signed":${VALID.root}}`],
    ['a signature that is null', `{"signatures":[null],"signed":${VALID.root}}`],
    ['a signature without key id', `{"signatures":[{"sig":"00"}],"signed":${VALID.root}}`],
    ['a signature that is a number', `{"signatures":[{"keyid":"a","sig":1}],"signed":${VALID.root}}`],
    ['a signed part that is an array', '{"signatures":[],"signed":[]}'],
    ['a signed part that is null', '{"signatures":[],"signed":null}'],
    ['broken JSON', '{"signatures":'],
    ['HTML', '<html><body>502 Bad Gateway</body></html>'],
    ['nothing', ''],
  ])('refuses an envelope that is %s', (_, text) => {
    expect(() => Metadata.fromBytes(bytesOf(text), 'root')).toThrow(MalformedMetadataError);
  });

  it('names the role, the place and the reason', () => {
    const text = edit('targets', '"length":7', '"length":"7"');
    expect(() => Metadata.fromBytes(envelope(text), 'targets', { role: 'bin-0a' })).toThrow(
      expect.objectContaining({
        code: 'MALFORMED_METADATA',
        role: 'bin-0a',
        path: 'signed.targets.a/b.length',
        message: 'bin-0a: signed.targets.a/b.length: must be an integer',
      }),
    );
    expect(() => Metadata.fromBytes(bytesOf('{"a":1,"a":2}'), 'root')).toThrow(
      /^root: not valid JSON at character 12/,
    );
  });

  it('obeys the limits it is given', () => {
    const bytes = envelope(VALID.root);
    expect(() => Metadata.fromBytes(bytes, 'root', { maxLength: bytes.length - 1 })).toThrow(
      MalformedMetadataError,
    );
    expect(() => Metadata.fromBytes(bytes, 'root', { maxDepth: 4 })).toThrow('levels');
    expect(() => Metadata.fromBytes(bytes, 'root', { maxValues: 10 })).toThrow('values');
  });

  it('takes a missing consistent_snapshot for false, and does not add it', () => {
    const without = edit('root', '"consistent_snapshot":true,', '');
    const { signed } = read('root', without);
    expect((signed as Root).consistentSnapshot).toBe(false);
    expect(canonicalJsonText(signed.toJson())).toBe(without);
    expect((read('root', VALID.root).signed as Root).consistentSnapshot).toBe(true);
    const no = edit('root', '"consistent_snapshot":true', '"consistent_snapshot":false');
    expect(canonicalJsonText(read('root', no).signed.toJson())).toBe(no);
  });

  it.each(['1.0', '1.0.0', '1.99', '1.0.34'])('takes spec_version %s', (version) => {
    expect(read('root', edit('root', '1.0.31', version)).signed.specVersion).toBe(version);
  });

  it('tolerates the role mirrors in root', () => {
    const text = edit('root', '"roles":{', '"roles":{"mirrors":{"keyids":[],"threshold":1},');
    expect((read('root', text).signed as Root).roles.size).toBe(5);
  });

  it.each(
    TYPES.flatMap((type) => TYPES.filter((other) => other !== type).map((other) => [type, other] as const)),
  )('refuses %s where %s is expected', (type, other) => {
    expect(() => read(other, VALID[type])).toThrow(MalformedMetadataError);
  });

  const REFUSED: readonly (readonly [SignedType, string, string])[] = [
    ['root', '"_type":"root"', '"_type":"Root"'],
    ['root', '"_type":"root"', '"_type":null'],
    ['root', '"version":1', '"version":0'],
    ['root', '"version":1', '"version":-1'],
    ['root', '"version":1', '"version":"1"'],
    ['root', '"version":1', '"version":true'],
    ['root', '"version":1', '"version":1.5'],
    ['root', '"version":1', '"version":null'],
    ['root', '"spec_version":"1.0.31"', '"spec_version":"2.0.0"'],
    ['root', '"spec_version":"1.0.31"', '"spec_version":"1"'],
    ['root', '"spec_version":"1.0.31"', '"spec_version":"1."'],
    ['root', '"spec_version":"1.0.31"', '"spec_version":"10.0"'],
    ['root', '"spec_version":"1.0.31"', '"spec_version":"1.0.31.1"'],
    ['root', '"spec_version":"1.0.31"', '"spec_version":"1.0.31-x"'],
    ['root', '"spec_version":"1.0.31"', '"spec_version":1'],
    ['root', '"consistent_snapshot":true', '"consistent_snapshot":"true"'],
    ['root', '"consistent_snapshot":true', '"consistent_snapshot":null'],
    ['root', '"snapshot":{', '"snapshots":{'],
    ['root', '"roles":{', '"roles":{"extra":{"keyids":[],"threshold":1},'],
    ['root', '"roles":{', '"roles":{"__proto__":{"keyids":[],"threshold":1},'],
    ['root', `"keyids":["${keyId}"]`, `"keyids":["${keyId}","${keyId}"]`],
    ['root', `"keyids":["${keyId}"]`, '"keyids":"a"'],
    ['root', `"keyids":["${keyId}"]`, '"keyids":[1]'],
    ['root', `"keyids":["${keyId}"]`, '"keyids":[null]'],
    ['root', '"threshold":1', '"threshold":0'],
    ['root', '"threshold":1', '"threshold":-1'],
    ['root', '"threshold":1', '"threshold":"1"'],
    ['root', '"keytype":"ed25519"', '"keytype":1'],
    ['root', '"scheme":"ed25519"', '"scheme":null'],
    ['root', '"keyval":{', '"keyval":1,"y":{'],
    ['root', `"public":"${signer.key.public}"`, '"public":1'],
    ['timestamp', '"snapshot.json"', '"snapshots.json"'],
    ['timestamp', '"version":3', '"version":0'],
    ['timestamp', '"version":3,', ''],
    ['timestamp', '"length":5', '"length":-1'],
    ['timestamp', '"length":5', '"length":null'],
    ['timestamp', `{"sha256":"${HASH}"}`, '{}'],
    ['timestamp', `{"sha256":"${HASH}"}`, 'null'],
    ['timestamp', `{"sha256":"${HASH}"}`, '[]'],
    ['timestamp', `"${HASH}"`, '1'],
    ['timestamp', `"${HASH}"`, '"../../x"'],
    ['timestamp', `"${HASH}"`, `"${HASH.toUpperCase()}"`],
    ['timestamp', `"${HASH}"`, '""'],
    ['snapshot', '"1.json":{"version":1}', '"1.json":null'],
    ['snapshot', '"1.json":{"version":1}', '"1.json":1'],
    ['snapshot', '"1.json":{"version":1}', '"1.json":{}'],
    ['snapshot', '"meta":{', '"meta":{"x":[],'],
    ['targets', '"length":7', '"length":7.5'],
    ['targets', '"length":7', '"length":-7'],
    ['targets', ',"length":7', ''],
    ['targets', `"hashes":{"sha256":"${HASH}"}`, '"hashes":{}'],
    ['targets', `"hashes":{"sha256":"${HASH}"},`, ''],
    ['targets', '"targets":{"a/b":{', '"targets":{"x":null,"a/b":{'],
    ['targets', '"delegations":{', '"delegations":null,"x":{'],
    ['targets', '"delegations":{', '"delegations":[],"x":{'],
    ['targets', '"name":"b"', '"name":"1"'],
    ['targets', '"name":"b"', '"name":""'],
    ['targets', '"name":"b"', '"name":"root"'],
    ['targets', '"name":"b"', '"name":"targets"'],
    ['targets', '"name":"b"', '"name":null'],
    ['targets', '"terminating":true', '"terminating":1'],
    ['targets', '"terminating":true,', ''],
    ['targets', '"paths":["simple/*/*"]', '"paths":"simple/*/*"'],
    ['targets', '"paths":["simple/*/*"]', '"paths":[1]'],
    ['targets', '"paths":["simple/*/*"]', '"paths":["a"],"path_hash_prefixes":["0a"]'],
    ['targets', '"paths":["simple/*/*"],', ''],
    ['targets', '"path_hash_prefixes":["0a"]', '"path_hash_prefixes":[""]'],
    ['targets', '"path_hash_prefixes":["0a"]', '"path_hash_prefixes":["0A"]'],
    ['targets', '"path_hash_prefixes":["0a"]', '"path_hash_prefixes":["Cg=="]'],
    ['targets', '"path_hash_prefixes":["0a"]', `"path_hash_prefixes":["${'0'.repeat(65)}"]`],
    ['targets', '"roles":[', '"x-roles":['],
    [
      'targets',
      '"roles":[',
      '"succinct_roles":{"keyids":[],"threshold":1,"bit_length":8,"name_prefix":"bin"},"roles":[',
    ],
    [
      'targets',
      '"roles":[',
      '"succinct_roles":{"keyids":[],"threshold":1,"bit_length":0,"name_prefix":"bin"},"x":[',
    ],
    [
      'targets',
      '"roles":[',
      '"succinct_roles":{"keyids":[],"threshold":1,"bit_length":33,"name_prefix":"bin"},"x":[',
    ],
    [
      'targets',
      '"roles":[',
      '"succinct_roles":{"keyids":[],"threshold":1,"bit_length":"8","name_prefix":"bin"},"x":[',
    ],
    [
      'targets',
      '"roles":[',
      '"succinct_roles":{"keyids":[],"threshold":1,"bit_length":8,"name_prefix":1},"x":[',
    ],
    [
      'targets',
      '"roles":[',
      '"succinct_roles":{"keyids":[],"threshold":0,"bit_length":8,"name_prefix":"bin"},"x":[',
    ],
    ['targets', '"roles":[', '"succinct_roles":null,"x":['],
    ['targets', '"roles":[', '"roles":[null,'],
    ['targets', '"roles":[', '"roles":{},"x":['],
  ];

  it.each(REFUSED)('refuses %s with %s changed to %s', (type, from, to) => {
    expect(() => read(type, edit(type, from, to))).toThrow(MalformedMetadataError);
  });

  it.each(
    TYPES.flatMap((type) =>
      ['_type', 'spec_version', 'version', 'expires'].map((name) => [type, name] as const),
    ),
  )('refuses %s without %s', (type, name) => {
    expect(() => read(type, edit(type, `"${name}":`, `"x-${name}":`))).toThrow(MalformedMetadataError);
  });

  it('refuses wrong types anywhere with a RepositoryError, never with anything else (CVE-2026-23991)', () => {
    const nonsense = fc.constantFrom<JsonValue>(
      null,
      true,
      0,
      -1,
      '',
      'x',
      [],
      [null],
      new Map(),
      new Map([['x', null]]),
    );
    fc.assert(
      fc.property(fc.constantFrom(...TYPES), fc.nat(), nonsense, (type, index, replacement) => {
        const paths = pathsOf(parseJson(bytesOf(VALID[type])));
        const path = paths[index % paths.length] ?? [];
        const changed = replaceAt(parseJson(bytesOf(VALID[type])), path, replacement);
        try {
          expect(canonicalJsonText(read(type, canonicalJsonText(changed)).signed.toJson())).toBe(
            canonicalJsonText(changed),
          );
        } catch (error) {
          if (!(error instanceof RepositoryError)) throw error;
          expect(error.message).toMatch(/^\w+: signed/);
        }
      }),
      { numRuns: 1000 },
    );
  });
});

function pathsOf(
  value: JsonValue,
  path: readonly (string | number)[] = [],
): readonly (readonly (string | number)[])[] {
  const members: [string | number, JsonValue][] =
    value instanceof Map
      ? [...value]
      : Array.isArray(value)
        ? value.map((one, index) => [index, one as JsonValue])
        : [];
  return [path, ...members.flatMap(([name, member]) => pathsOf(member, [...path, name]))];
}

function replaceAt(value: JsonValue, path: readonly (string | number)[], replacement: JsonValue): JsonValue {
  const [name, ...rest] = path;
  if (name === undefined) return replacement;
  if (typeof name === 'number') {
    return (value as readonly JsonValue[]).map((one, index) =>
      index === name ? replaceAt(one, rest, replacement) : one,
    );
  }
  const object = value as JsonObject;
  return new Map(object).set(name, replaceAt(object.get(name) ?? null, rest, replacement));
}

describe('a mistake of the caller', () => {
  it('is not blamed on the repository', () => {
    const error: unknown = (() => {
      try {
        return Metadata.fromBytes(undefined as unknown as Uint8Array, 'root');
      } catch (caught) {
        return caught;
      }
    })();
    expect(error).toBeInstanceOf(TypeError);
  });
});
