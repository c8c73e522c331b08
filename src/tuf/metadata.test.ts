import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { generateSigner, rootOf } from '../../test/tools/tuf-signers.ts';
import { canonicalJsonText } from './canonical-json.ts';
import { DelegatedRole } from './delegated-role.ts';
import { Delegations } from './delegations.ts';
import { MalformedMetadataError, RepositoryError } from './errors.ts';
import { MetaFile, TargetFile } from './file.ts';
import { parseJson } from './json.ts';
import type { JsonObject, JsonValue } from './json.ts';
import { Metadata, addSignature, encodeEnvelope, signMetadata } from './metadata.ts';
import { Role } from './role.ts';
import { Root } from './root.ts';
import { Signature } from './signature.ts';
import type { Signed, SignedType } from './signed.ts';
import { Snapshot } from './snapshot.ts';
import { SuccinctRoles } from './succinct-roles.ts';
import { Targets } from './targets.ts';
import { Timestamp } from './timestamp.ts';

const bytesOf = (text: string) => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const signer = generateSigner();
const keyId = signer.key.keyId;
const HASH = 'ab'.repeat(32);

const KEY = `{"keytype":"ed25519","keyval":{"public":"${signer.key.public}","x-keyval":1},"scheme":"ed25519","x-key":1}`;
const ROLE = `{"keyids":["${keyId}"],"threshold":1,"x-role":[1]}`;
const COMMON = (type: string) => `"_type":"${type}","expires":"2030-01-01T00:00:00Z"`;
const TAIL = '"spec_version":"1.0.31","version":1,"x-field":{"a":[null,true]}}';

/** One valid signed part of each type, canonical, with unknown fields at every level. */
const VALID: Readonly<Record<SignedType, string>> = {
  root: `{"_type":"root","consistent_snapshot":true,"expires":"2030-01-01T00:00:00Z","keys":{"${keyId}":${KEY}},"roles":{"root":${ROLE},"snapshot":${ROLE},"targets":${ROLE},"timestamp":${ROLE}},${TAIL}`,
  timestamp: `{${COMMON('timestamp')},"meta":{"other.json":{"x":1},"snapshot.json":{"hashes":{"sha256":"${HASH}"},"length":5,"version":3,"x-meta":1}},${TAIL}`,
  snapshot: `{${COMMON('snapshot')},"meta":{"1.json":{"version":1},"10.json":{"version":1,"x-meta":{}},"2.json":{"version":2},"targets.json":{"hashes":{"sha512":"${HASH}"},"length":0,"version":3}},${TAIL}`,
  targets: `{"_type":"targets","delegations":{"keys":{"${keyId}":${KEY}},"roles":[{"keyids":["${keyId}"],"name":"b","paths":["simple/*/*"],"terminating":true,"threshold":1,"x-role":1},{"keyids":[],"name":"1","path_hash_prefixes":["0a"],"terminating":false,"threshold":2}],"x-delegations":1},"expires":"2030-01-01T00:00:00Z","spec_version":"1.0.31","targets":{"a/b":{"custom":{"x":1},"hashes":{"sha256":"${HASH}"},"length":7}},"version":1,"x-field":{"a":[null,true]}}`,
};
const TYPES = Object.keys(VALID) as SignedType[];
const envelope = (signed: string, signatures = '[]') =>
  bytesOf(`{"signatures":${signatures},"signed":${signed}}`);
const read = (type: SignedType, signed: string) => Metadata.fromBytes(envelope(signed), type);

/** Replaces once; fails when there was nothing to replace, so that no case tests nothing. */
function edit(type: SignedType, from: string, to: string): string {
  expect(VALID[type]).toContain(from);
  return VALID[type].replace(from, () => to);
}

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

describe('expires', () => {
  const refused = [
    '2030',
    'Jan 1 2030',
    '2030-01-01',
    '2030-01-01T00:00:00',
    '2030-01-01T00:00:00+00:00',
    '2030-01-01T00:00:00.000Z',
    '2030-01-01t00:00:00z',
    '2030-02-30T00:00:00Z',
    '2030-13-01T00:00:00Z',
    '2030-01-01T24:00:00Z',
    '2030-12-31T23:59:60Z',
    '+002030-01-01T00:00:00Z',
    ' 2030-01-01T00:00:00Z',
    'never',
    '',
  ];
  it.each(refused)('refuses %j, which other implementations read as never, or as something', (text) => {
    expect(() => read('timestamp', edit('timestamp', '2030-01-01T00:00:00Z', text))).toThrow(
      MalformedMetadataError,
    );
  });

  it('is over at the very second', () => {
    const { signed } = read('timestamp', VALID.timestamp);
    expect(signed.isExpired(new Date('2029-12-31T23:59:59.999Z'))).toBe(false);
    expect(signed.isExpired(new Date('2030-01-01T00:00:00.000Z'))).toBe(true);
    expect(signed.isExpired(new Date(Number.NaN))).toBe(true);
  });

  it('reads what it wrote, to the second', () => {
    const range = {
      min: new Date('0001-01-01T00:00:00Z'),
      max: new Date('9999-12-31T23:59:59Z'),
      noInvalidDate: true,
    };
    fc.assert(
      fc.property(fc.date(range), (date) => {
        const timestamp = new Timestamp({
          version: 1,
          expires: date,
          snapshotMeta: new MetaFile({ version: 1 }),
        });
        const again = Metadata.fromBytes(Metadata.unsigned(timestamp).toBytes(), 'timestamp').signed.expires;
        expect(again.getTime()).toBe(Math.floor(date.getTime() / 1000) * 1000);
      }),
    );
  });
});

describe('models made by hand', () => {
  const expires = new Date('2030-01-01T00:00:00Z');

  it('refuse what reading refuses', () => {
    const snapshotMeta = new MetaFile({ version: 1 });
    expect(() => new Timestamp({ version: 0, expires, snapshotMeta })).toThrow(MalformedMetadataError);
    expect(() => new Timestamp({ version: 2 ** 53, expires, snapshotMeta })).toThrow(MalformedMetadataError);
    expect(() => new Timestamp({ version: 1, expires: new Date('x'), snapshotMeta })).toThrow(
      MalformedMetadataError,
    );
    expect(() => new Timestamp({ version: 1, expires, snapshotMeta, specVersion: '3.0' })).toThrow(
      MalformedMetadataError,
    );
    expect(() => new Role({ keyIds: ['a', 'a'], threshold: 1 })).toThrow(MalformedMetadataError);
    expect(() => new Role({ keyIds: ['a'], threshold: 0.5 })).toThrow(MalformedMetadataError);
    expect(() => new MetaFile({ version: 1, hashes: new Map() })).toThrow(MalformedMetadataError);
    expect(() => new TargetFile({ path: 'a', length: 1, hashes: new Map() })).toThrow(MalformedMetadataError);
    expect(() => new Root({ version: 1, expires, keys: new Map(), roles: new Map() })).toThrow(
      'root is missing',
    );
    expect(() => new Delegations({ keys: new Map() })).toThrow(MalformedMetadataError);
    const role = new DelegatedRole({ name: 'a', keyIds: [], threshold: 1, terminating: false, paths: [] });
    expect(() => new Delegations({ keys: new Map(), roles: [role, role] })).toThrow('twice');
    const keyIds = Array.from({ length: 1025 }, (_, index) => `${index}`);
    expect(() => new Role({ keyIds, threshold: 1 })).toThrow('more than 1024');
  });

  it('change some fields and keep the others, the unknown included', () => {
    const root = read('root', VALID.root).signed as Root;
    expect(canonicalJsonText(root.with({ version: 2 }).toJson())).toBe(
      VALID.root.replace('"version":1', '"version":2'),
    );
    const targets = read('targets', VALID.targets).signed as Targets;
    expect(canonicalJsonText(targets.with({ version: 2 }).toJson())).toBe(
      VALID.targets.replace('"version":1', '"version":2'),
    );
    const snapshot = read('snapshot', VALID.snapshot).signed as Snapshot;
    expect(snapshot.with({ version: 9 })).toMatchObject({
      version: 9,
      specVersion: '1.0.31',
      meta: snapshot.meta,
    });
    const timestamp = read('timestamp', VALID.timestamp).signed as Timestamp;
    expect(timestamp.with({ version: 9 }).toJson().get('meta')).toEqual(timestamp.toJson().get('meta'));
  });

  it('cannot overrule known fields by unknown ones', () => {
    const unrecognizedFields = new Map<string, JsonValue>([['version', 99], ['_type', 'root']]); // prettier-ignore
    const json = new Snapshot({ version: 1, expires, meta: new Map(), unrecognizedFields }).toJson();
    expect([json.get('version'), json.get('_type')]).toEqual([1, 'snapshot']);
  });

  it('write succinct roles and read them again', async () => {
    const succinctRoles = new SuccinctRoles({
      keyIds: [keyId],
      threshold: 1,
      bitLength: 14,
      namePrefix: 'bin',
    });
    const delegations = new Delegations({ keys: new Map([[keyId, signer.key]]), succinctRoles });
    const targets = new Targets({ version: 1, expires, targets: new Map(), delegations });
    const bytes = (await signMetadata(targets, [signer])).toBytes();
    const again = Metadata.fromBytes(bytes, 'targets').signed;
    expect(again.delegations?.succinctRoles).toEqual(succinctRoles);
    expect(canonicalJsonText(again.toJson())).toBe(canonicalJsonText(targets.toJson()));
  });

  it('describe a target by its bytes', async () => {
    const file = await TargetFile.fromBytes('a', bytesOf('abc'));
    expect(file.length).toBe(3);
    expect(file.hashes.get('sha256')).toBe(
      'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    );
    expect(file.custom).toBeUndefined();
    expect((read('targets', VALID.targets).signed as Targets).targets.get('a/b')?.custom).toEqual(
      new Map([['x', 1]]),
    );
  });
});

describe('signMetadata', () => {
  it('signs once per signer, and the signature verifies after a round trip', async () => {
    const second = generateSigner('ecdsa-sha2-nistp256');
    const root = rootOf([signer, second], { threshold: 2 });
    const bytes = (await signMetadata(root, [signer, second])).toBytes();
    const again = Metadata.fromBytes(bytes, 'root');
    expect(await again.signed.verifyDelegate('root', again)).toMatchObject({ verified: true, threshold: 2 });
    expect(again.toBytes()).toEqual(bytes);
  });

  it('adds a signature, and replaces an earlier one of the same key', async () => {
    const second = generateSigner();
    const metadata = await signMetadata(rootOf([signer, second], { threshold: 2 }), [signer]);
    const both = await addSignature(await addSignature(metadata, second), signer);
    expect(both.signatures.map((signature) => signature.keyId)).toEqual([second.key.keyId, keyId]);
    expect(both.signedBytes).toBe(metadata.signedBytes);
    expect(await both.signed.verifyDelegate('root', both)).toMatchObject({ verified: true });
  });

  it('refuses two signatures of one key id', async () => {
    await expect(signMetadata(rootOf([signer]), [signer, signer])).rejects.toThrow(MalformedMetadataError);
  });

  it('writes envelopes that are JSON even when signed strings hold control characters', async () => {
    const path = 'a\nb\u001f\u0000"\\';
    const file = await TargetFile.fromBytes(path, bytesOf(''));
    const targets = new Targets({
      version: 1,
      expires: new Date('2030-01-01T00:00:00Z'),
      targets: new Map([[path, file]]),
    });
    const metadata = await signMetadata<Signed>(targets, [signer]);
    const bytes = metadata.toBytes();
    expect(
      Object.keys((JSON.parse(textOf(bytes)) as { signed: { targets: object } }).signed.targets),
    ).toEqual([path]);
    const again = Metadata.fromBytes(bytes, 'targets');
    expect(again.signedBytes).toEqual(metadata.signedBytes);
    expect(textOf(again.signedBytes)).toContain('a\nb\u001f\u0000');
    expect(again.toBytes()).toEqual(bytes);
  });

  it('wraps a signed part that was encoded elsewhere', async () => {
    const metadata = await signMetadata(rootOf([signer]), [signer]);
    expect(encodeEnvelope(metadata.signatures, metadata.signedBytes)).toEqual(metadata.toBytes());
    expect(textOf(encodeEnvelope([new Signature('a', '00')], bytesOf('{}')))).toBe(
      '{"signatures":[{"keyid":"a","sig":"00"}],"signed":{}}',
    );
  });
});

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
