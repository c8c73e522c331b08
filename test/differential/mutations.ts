import { createHash } from 'node:crypto';
import { LooseNumber, LooseObject, cloneLoose, loose } from './loose-json.ts';
import type { Loose } from './loose-json.ts';
import type { Random } from './random.ts';

/** Integers at every edge, and everything that some reader takes for a number. */
const NUMBERS = [
  '0', '1', '2', '3', '7', '-1', '-0', '0.0', '-0.0', '1.0', '2.0', '1.5', '1e2', '2E0', '20e-1', '1e400', '-1e400', '1e-400',
  '2147483648', '4294967296', '9007199254740991', '9007199254740992', '9007199254740993', '-9007199254740993',
  '18446744073709551616', '1000000000000000000000', '123456789012345678901234567890', 'NaN', 'Infinity', '-Infinity',
  '01', '+1', '0x10', '.5', '1.', '1_000',
]; // prettier-ignore

/** Names that mean something to some language, or look like others. */
const NAMES = [
  '__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'valueOf', 'length', '', '0', '1', '10', '2', '-1', '01', '1e3',
  '4294967295', 'x-note', 'signed', 'signatures', '_type', 'version', 'root', 'targets', 'snapshot.json', 'mirrors', 'é', 'e\u0301',
  '\ud800', '\udc00x', '\uffff', '\u{1f9c0}', '\ue000', '\u0000', '\n', '\u2028', ' ', 'a.b', 'keyids ', 'KEYIDS',
]; // prettier-ignore

const TEXTS = [
  ...NAMES, 'a', 'abc', 'true', 'null', '1', '00', 'ed25519', 'targets', '\u0001', '\\', '"', 'A'.repeat(300), '\ufeff', '\u202e', 'ﬁ', '１',
]; // prettier-ignore

const POOLS: Readonly<Record<string, readonly unknown[]>> = {
  spec_version: [
    '1.0', '1', '1.0.0', '1.0.34', '1.99', '2.0.0', '0.9', '1.0.0.0', '1.', '1..0', '.1.0', '1.0.x', '1.²', '1.٣.0', '１.0', ' 1.0', '1.0 ', '1.0\n',
    '01.0', '1.01', '1.1e5', '1.0x10', '1.-3', '1.Infinity', '1. 0', '', '1.99999999999999999999', '1.0.31-draft', 1, '1.0.0+x',
  ],
  expires: [
    '2030-01-01T00:00:00Z', '2026-06-01T12:00:00Z', '2026-06-01T12:00:01Z', '2026-06-01T11:59:59Z', '2020-01-01T00:00:00Z', '2030-1-1T0:0:0Z',
    '2030-02-30T00:00:00Z', '2028-02-29T00:00:00Z', '2030-02-29T00:00:00Z', '2030-01-01T24:00:00Z', '2030-06-30T23:59:60Z', '2030-06-30T23:59:61Z',
    '2030-01-01T00:00:00+00:00', '2030-01-01T00:00:00.000Z', '2030-01-01t00:00:00z', '2030-01-01 00:00:00Z', '2030-01-01T00:00:00', '2030', 'Jan 1 2030',
    '9999-12-31T23:59:59Z', '10000-01-01T00:00:00Z', '0000-01-01T00:00:00Z', '0001-01-01T00:00:00Z', '0999-01-01T00:00:00Z', '+002030-01-01T00:00:00Z',
    '２０３０-01-01T00:00:00Z', '2030-٠1-01T00:00:00Z', '2030-01-01T00:00:00Z\n', ' 2030-01-01T00:00:00Z', '', 'never', '2030-13-01T00:00:00Z', '2030-00-01T00:00:00Z', 1893456000,
  ],
  threshold: [0, 1, 2, 3, -1, 1000, true, '1', 1.5, null, []],
  version: [0, 1, 2, 3, 4, 5, 6, 7, 8, -1, true, '2', null, 1.5],
  length: [0, 1, -1, 100, true, '1', null, 4294967296, 1.5],
  bit_length: [0, 1, 2, 3, 4, 5, 8, 16, 31, 32, 33, -1, true, '2', null],
  name_prefix: ['bin', 'bins', '', '-', 'bin-', '__proto__', 'é', 'a/b', '..', 1, null],
  name: ['a', 'b', 'c', 'bin-0', 'bin-1', 'root', 'targets', 'snapshot', '', '1', '10', 'constructor', '__proto__', 'a/b', '../x', 'é', 'e\u0301', 5, null],
  terminating: [true, false, null, 0, 1, 'false', []],
  consistent_snapshot: [true, false, null, 0, 1, 'true'],
  keytype: ['ed25519', 'ecdsa', 'ecdsa-sha2-nistp256', 'rsa', 'ml-dsa', 'unknown', 'ED25519', '', null],
  scheme: ['ed25519', 'ecdsa-sha2-nistp256', 'ecdsa-sha2-nistp384', 'rsassa-pss-sha256', 'ml-dsa-44/1', 'unknown', '', null],
  paths: [[], ['*'], ['*/*'], ['a.txt'], ['[a-c].txt'], ['?.txt'], [''], [1], 'a.txt', null, { '*': 1 }],
  path_hash_prefixes: [[], [''], ['0'], ['a', 'b'], ['A'], ['xyz'], ['0'.repeat(64)], ['0'.repeat(65)], [0], 'ab', null],
  keyids: [[], ['unknown'], ['a', 'a'], [1], 'abc', null, {}, [[]]],
  hashes: [{}, { sha256: 'xyz' }, { sha256: 'AB' }, { sha256: 1 }, { unknown: 'ab' }, null, [], 'ab', { __sha256: 'ab' }],
  meta: [{}, null, [], { 'targets.json': { version: 1 } }, { 'snapshot.json': { version: 4 } }],
  roles: [null, [], {}],
  keys: [null, [], {}],
  targets: [null, [], {}],
  delegations: [null, [], {}, { keys: {}, roles: [] }, { keys: {} }, { keys: {}, roles: [], succinct_roles: null }],
  public: ['', 'zz', '00'.repeat(32), '-----BEGIN PUBLIC KEY-----', 'AB'.repeat(32), 1, null],
  _type: ['root', 'timestamp', 'snapshot', 'targets', 'Root', 'mirrors', '', null, 1],
}; // prettier-ignore

interface Place {
  readonly name: string | undefined;
  readonly value: Loose;
  readonly parent: LooseObject | Loose[] | undefined;
  replace(value: Loose): void;
  remove(): void;
}

/** Changes the document at one place; returns the changed document. What is handed over is not touched. */
export function mutate(document: Loose, random: Random): Loose {
  const holder: Loose[] = [cloneLoose(document)];
  const place = pickPlace(holder, random);
  const pool = place.name === undefined ? undefined : POOLS[place.name];
  if (pool !== undefined && Object.hasOwn(POOLS, place.name ?? '') && random.chance(0.6)) {
    place.replace(loose(random.pick(pool)));
    return holder[0] ?? null;
  }
  random.weighted(MUTATORS)(place, random);
  return holder[0] ?? null;
}

type Mutator = (place: Place, random: Random) => void;

const MUTATORS: readonly (readonly [number, Mutator])[] = [
  [10, (place, random) => place.replace(anything(random, 2))],
  [6, (place, random) => place.replace(new LooseNumber(random.pick(NUMBERS)))],
  [6, (place) => place.remove()],
  [8, addMember],
  [6, duplicateMember],
  [5, renameMember],
  [4, reorder],
  [4, duplicateItem],
  [6, changeText],
  [5, changeNumber],
  [2, (place, random) => place.replace(nested(place.value, random))],
  [5, aliasKey],
  [3, swapWithCopy],
  [4, realHashes],
];

function pickPlace(holder: Loose[], random: Random): Place {
  let place = placesIn(holder)[0] as Place;
  // Deeper places are many, shallow ones matter as much: the way down stops by chance.
  while (!random.chance(0.22)) {
    const inner = placesIn(place.value);
    if (inner.length === 0) break;
    place = random.pick(inner);
  }
  return place;
}

function placesIn(value: Loose): Place[] {
  if (Array.isArray(value)) {
    return value.map((item, index) => ({
      name: undefined,
      value: item,
      parent: value,
      replace: (next) => void (value[index] = next),
      remove: () => void value.splice(index, 1),
    }));
  }
  if (!(value instanceof LooseObject)) return [];
  return value.members.map((member) => ({
    name: member[0],
    value: member[1],
    parent: value,
    replace: (next) => void (member[1] = next),
    remove: () => void value.members.splice(value.members.indexOf(member), 1),
  }));
}

/** Any JSON, and a little more. */
export function anything(random: Random, depth: number): Loose {
  const kind = random.below(depth > 0 ? 8 : 6);
  switch (kind) {
    case 0:
      return random.pick([null, true, false]);
    case 1:
    case 2:
      return new LooseNumber(random.pick(NUMBERS));
    case 3:
    case 4:
    case 5:
      return random.pick(TEXTS);
    case 6:
      return Array.from({ length: random.below(4) }, () => anything(random, depth - 1));
    default:
      return new LooseObject(
        Array.from({ length: random.below(5) }, () => [random.pick(NAMES), anything(random, depth - 1)]),
      );
  }
}

/** A text of odd characters. */
export function anyText(random: Random): string {
  return Array.from({ length: random.below(4) }, () => random.pick(TEXTS)).join('');
}

function objectAt(place: Place): LooseObject | undefined {
  if (place.value instanceof LooseObject) return place.value;
  return place.parent instanceof LooseObject ? place.parent : undefined;
}

function addMember(place: Place, random: Random): void {
  const object = objectAt(place);
  object?.members.splice(random.below(object.members.length + 1), 0, [
    random.pick(NAMES),
    anything(random, 2),
  ]);
}

function duplicateMember(place: Place, random: Random): void {
  const object = objectAt(place);
  if (object === undefined || object.members.length === 0) return;
  const [name, value] = random.pick(object.members);
  const other = random.chance(0.5) ? cloneLoose(value) : anything(random, 1);
  object.members.splice(random.below(object.members.length + 1), 0, [name, other]);
}

function renameMember(place: Place, random: Random): void {
  const object = objectAt(place);
  if (object === undefined || object.members.length === 0) return;
  const member = random.pick(object.members);
  const others = [member[0].normalize('NFD'), member[0].toUpperCase(), `${member[0]} `, ...NAMES];
  member[0] = random.pick(others);
}

function reorder(place: Place, random: Random): void {
  if (Array.isArray(place.value)) place.replace(random.shuffled(place.value));
  else if (place.value instanceof LooseObject)
    place.replace(new LooseObject(random.shuffled(place.value.members)));
}

function duplicateItem(place: Place, random: Random): void {
  const array = Array.isArray(place.value)
    ? place.value
    : Array.isArray(place.parent)
      ? place.parent
      : undefined;
  if (array === undefined || array.length === 0) return;
  array.splice(random.below(array.length + 1), 0, cloneLoose(random.pick(array)));
}

function changeText(place: Place, random: Random): void {
  if (typeof place.value !== 'string') return place.replace(anyText(random));
  const text = place.value;
  const at = random.below(text.length + 1);
  const inserted = random.pick([
    ' ',
    '\n',
    '\u0000',
    '\ud800',
    '\u{1f9c0}',
    'é',
    'e\u0301',
    '"',
    '\\',
    'x',
    '0',
    '-',
    '/',
    '*',
    '٣',
  ]);
  place.replace(
    random.pick([
      text.slice(0, at) + inserted + text.slice(at),
      text.slice(0, at) + text.slice(at + 1),
      text.toUpperCase(),
      text.normalize('NFD'),
      text.normalize('NFC'),
      `${text}${text}`,
      ` ${text}`,
      `${text}\n`,
    ]),
  );
}

function changeNumber(place: Place, random: Random): void {
  if (!(place.value instanceof LooseNumber)) return place.replace(new LooseNumber(random.pick(NUMBERS)));
  const value = Number(place.value.text);
  place.replace(
    new LooseNumber(
      random.pick([
        `${value + 1}`,
        `${value - 1}`,
        `-${value}`,
        `${value}.0`,
        `${value}e0`,
        `${value}0`,
        `${value}.5`,
        `${2 ** 53 + value}`,
      ]),
    ),
  );
}

function nested(value: Loose, random: Random): Loose {
  const levels = random.pick([1, 5, 20, 27, 28, 29, 30, 31, 32, 33, 34, 100, 400]);
  let result = random.chance(0.5) ? value : null;
  for (let level = 0; level < levels; level++) {
    result = random.chance(0.5) ? [result] : new LooseObject([['a', result]]);
  }
  return result;
}

/** The same key under another id, for a role that may then count it twice. */
function aliasKey(place: Place, random: Random): void {
  const object = objectAt(place);
  const keys = object?.get('keys');
  if (!(keys instanceof LooseObject) || keys.members.length === 0) return duplicateMember(place, random);
  const [keyId, key] = random.pick(keys.members);
  const alias = random.pick(['alias', `0${keyId.slice(1)}`, 'constructor', '__proto__', keyId.toUpperCase()]);
  const copy = cloneLoose(key);
  if (copy instanceof LooseObject && random.chance(0.3)) copy.set('x-note', 'alias');
  keys.members.push([alias, copy]);
  const roles = object?.get('roles') ?? object?.get('succinct_roles') ?? null;
  const entries =
    roles instanceof LooseObject && roles.get('keyids') === undefined
      ? roles.members.map(([, role]) => role)
      : [roles].flat();
  for (const role of entries) {
    const keyids = role instanceof LooseObject ? role.get('keyids') : undefined;
    if (Array.isArray(keyids) && keyids.includes(keyId)) {
      keyids.push(alias);
      if (role instanceof LooseObject && random.chance(0.6))
        role.set('threshold', new LooseNumber(String(keyids.length)));
    }
  }
}

function swapWithCopy(place: Place, random: Random): void {
  const siblings =
    place.parent instanceof LooseObject ? place.parent.members.map(([, value]) => value) : place.parent;
  if (siblings === undefined || siblings.length === 0) return;
  place.replace(cloneLoose(random.pick(siblings)));
}

/** Hashes that are right, of algorithms that not everybody takes. */
function realHashes(place: Place, random: Random): void {
  const object = objectAt(place);
  if (object === undefined) return;
  const content = 'a';
  const algorithms = [
    'md5',
    'sha1',
    'sha224',
    'sha256',
    'sha384',
    'sha512',
    'sha3-256',
    'SHA256',
    'sha-256',
    'blake2b512',
  ];
  const chosen = random.shuffled(algorithms).slice(0, 1 + random.below(2));
  object.set('hashes', loose(Object.fromEntries(chosen.map((name) => [name, hashOrZero(name, content)]))));
}

function hashOrZero(algorithm: string, content: string): string {
  try {
    return createHash(algorithm).update(content).digest('hex');
  } catch {
    return '00';
  }
}

/** Damages the bytes of a document, as a network, an editor or an attacker does. */
export function damage(bytes: Uint8Array, random: Random): Uint8Array {
  const text = Buffer.from(bytes).toString('latin1');
  const at = random.below(text.length + 1);
  const inserted = random.pick([
    ' ', '\n', '\t', '\f', '\v', '\0', '\x7f', ',', '}', ']', '"', '\\', '/**/', '//x\n', '\xff', '\xc0\xaf', '\xed\xa0\x80', '\xf4\x90\x80\x80', '\xef\xbb\xbf', '\xc2\xa0', '\xe2\x80\xa8', '\\u0000', '\\ud800', '\\x41', '1', '-', '.', 'e5',
  ]); // prettier-ignore
  const damaged = random.pick([
    () => text.slice(0, at) + inserted + text.slice(at),
    () => text.slice(0, at) + inserted + text.slice(at + 1),
    () => text.slice(0, at) + text.slice(at + 1),
    () => text.slice(0, at),
    () => text + inserted,
    () => inserted + text,
    () => text.replaceAll('"', "'"),
    () => text.replaceAll(':', ' :\t'),
    () => text.slice(0, at) + text.slice(random.below(text.length + 1)),
    () => `[${text}]`,
    () => text + text,
    () => flipBit(text, at, random.below(8)),
    () => flipBit(text, at, random.below(8)),
  ])();
  return Buffer.from(damaged, 'latin1');
}

function flipBit(text: string, at: number, bit: number): string {
  if (at >= text.length) return text;
  return text.slice(0, at) + String.fromCharCode(text.charCodeAt(at) ^ (1 << bit)) + text.slice(at + 1);
}
