import { documentOf } from './comparison.ts';
import type { Difference } from './comparison.ts';
import { LooseNumber, LooseObject, byCodePoint, byCodeUnit, textOf, walkLoose } from './loose-json.ts';
import type { Loose } from './loose-json.ts';
import { isEqualVersion } from './verdict.ts';

/** A class of differences that is understood. Whatever none of these explains fails the tests and the fuzz command. */
export interface KnownDifference {
  readonly name: string;
  readonly judges: readonly Difference['judge'][];
  readonly stricter: 'rind' | 'the other';
  readonly reason: string;
  /** Why nobody gains anything by it. */
  readonly safe: string;
  readonly explains: (difference: Difference) => boolean;
}

const BOTH = ['python-tuf', 'tuf-js'] as const;
const REFUSED = 'Rind refuses what the other accepts; nothing is trusted that was not before.';

/** Rind refuses with such a message, the other accepts. */
function refusedBy(difference: Difference, message: RegExp): boolean {
  const { rind, theirs } = difference;
  return !rind.accepted && (theirs.accepted || isEqualVersion(theirs)) && message.test(rind.message);
}

/** Rind accepts, the other refuses with such an error and message. */
function acceptedAgainst(difference: Difference, refusal: RegExp): boolean {
  const { rind, theirs } = difference;
  const isAccepted = rind.accepted || isEqualVersion(rind);
  return isAccepted && !theirs.accepted && refusal.test(`${theirs.error}: ${theirs.message}`);
}

function holds(bytes: Uint8Array | undefined, predicate: (value: Loose, depth: number) => boolean): boolean {
  const document = documentOf(bytes);
  if (document === undefined) return false;
  for (const { value, depth } of walkLoose(document)) if (predicate(value, depth)) return true;
  return false;
}

const holdsNumber = (bytes: Uint8Array | undefined, pattern: (text: string) => boolean): boolean =>
  holds(bytes, (value) => value instanceof LooseNumber && pattern(value.text));

/** JSON itself: what one reader takes and another does not. */
const JSON_DIFFERENCES: readonly KnownDifference[] = [
  {
    name: 'a name twice in one object',
    judges: BOTH,
    stricter: 'rind',
    reason:
      'The other readers keep the last of equal names. Two readers of the same signed bytes could see two things.',
    safe: REFUSED,
    explains: (difference) =>
      refusedBy(difference, /stands twice in one object/) &&
      holds(
        difference.bytes,
        (value) =>
          value instanceof LooseObject &&
          new Set(value.members.map(([name]) => name)).size < value.members.length,
      ),
  },
  {
    name: 'an integer outside ±(2^53-1)',
    judges: BOTH,
    stricter: 'rind',
    reason:
      'Python keeps integers of any size, JavaScript rounds them silently; only within these bounds do all readers agree.',
    safe: REFUSED,
    explains: (difference) =>
      refusedBy(difference, /a number is outside/) &&
      holdsNumber(difference.bytes, (text) => /^-?\d+$/.test(text) && !Number.isSafeInteger(Number(text))),
  },
  {
    name: 'minus zero',
    judges: BOTH,
    stricter: 'rind',
    reason: 'It has two spellings in canonical JSON: -0 as written, 0 as the others encode it.',
    safe: REFUSED,
    explains: (difference) =>
      refusedBy(difference, /a number is -0/) && holdsNumber(difference.bytes, (text) => text === '-0'),
  },
  {
    name: 'a number with fraction or exponent',
    judges: BOTH,
    stricter: 'rind',
    reason:
      'Canonical JSON knows integers only. JavaScript reads 2.0 as 2; Python lets a float stand where it signs nothing.',
    safe: REFUSED,
    explains: (difference) =>
      refusedBy(difference, /a number is no integer/) &&
      holdsNumber(difference.bytes, (text) => /\d[.eE]/.test(text)),
  },
  {
    name: 'NaN and Infinity',
    judges: ['python-tuf'],
    stricter: 'rind',
    reason: 'Python reads these words as numbers, and keeps them where it signs nothing. They are not JSON.',
    safe: REFUSED,
    explains: (difference) =>
      refusedBy(difference, /a value is missing|a digit is missing/) &&
      holdsNumber(difference.bytes, (text) => /[NI]/.test(text)),
  },
  {
    name: 'a lone surrogate',
    judges: BOTH,
    stricter: 'rind',
    reason:
      'It has no UTF-8 form: JavaScript signs U+FFFD in its place, Python accepts it where it signs nothing.',
    safe: REFUSED,
    explains: (difference) =>
      refusedBy(difference, /a surrogate stands alone/) &&
      holds(difference.bytes, (value) => typeof value === 'string' && /\p{Surrogate}/u.test(value)),
  },
  {
    name: 'bytes that are not UTF-8',
    judges: ['tuf-js'],
    stricter: 'rind',
    reason:
      'tuf-js replaces them by U+FFFD before it verifies, so that different bytes have the same signature.',
    safe: REFUSED,
    explains: ({ bytes, ...difference }) =>
      refusedBy({ ...difference, bytes }, /not valid UTF-8/) &&
      bytes !== undefined &&
      Buffer.compare(Buffer.from(Buffer.from(bytes).toString('utf8')), bytes) !== 0,
  },
  {
    name: 'more than 32 levels',
    judges: BOTH,
    stricter: 'rind',
    reason: 'TUF metadata has six; the limit keeps a hostile document from using up the stack.',
    safe: REFUSED,
    explains: (difference) =>
      refusedBy(difference, /more than 32 levels/) && holds(difference.bytes, (_value, depth) => depth >= 32),
  },
  {
    name: 'names beyond the basic plane in the order of UTF-16 units',
    judges: ['tuf-js'],
    stricter: 'the other',
    reason:
      'tuf-js sorts names as JavaScript does, TUF by code point; they differ when one name is astral and another above U+D7FF.',
    safe: 'Both verify a signature over all of the content; only the order of the names in the signed bytes differs.',
    explains: (difference) => {
      const { rind, theirs } = difference;
      const isOrder =
        (rind.accepted && theirs.accepted) ||
        acceptedAgainst(difference, /^UnsignedMetadata/) ||
        refusedBy(difference, /is signed by 0|is signed by \d of/);
      return (
        isOrder && [difference.bytes, ...difference.earlier].some((bytes) => holds(bytes, isSortedOtherwise))
      );
    },
  },
];

function isSortedOtherwise(value: Loose): boolean {
  if (!(value instanceof LooseObject)) return false;
  const names = value.members.map(([name]) => name);
  return JSON.stringify(names.toSorted(byCodePoint)) !== JSON.stringify(names.toSorted(byCodeUnit));
}

/** The value at a place that one of our errors names, as far as the place can be followed. */
function valueAt(document: Loose | undefined, path: string): Loose | undefined {
  let value = document;
  let rest = path;
  while (rest !== '' && value !== undefined) {
    const item = /^\[?(\d+)\]\.?/.exec(rest);
    if (Array.isArray(value)) {
      if (item === null) return value;
      value = value[Number(item[1])];
      rest = rest.slice(item[0].length);
      continue;
    }
    if (!(value instanceof LooseObject)) return value;
    const found = value.members.filter(
      ([name]) => rest === name || rest.startsWith(`${name}.`) || rest.startsWith(`${name}[`),
    );
    const name = found.map(([each]) => each).toSorted((a, b) => b.length - a.length)[0];
    // Words of ours such as "entry" stand for the value itself.
    if (name === undefined)
      return /^(?:entry|value|key|role|signature|envelope|[\w-]+)$/.test(rest) && !isMember(rest)
        ? value
        : undefined;
    value = value.get(name);
    rest = rest.slice(name.length).replace(/^\./, '');
  }
  return value;
}

const MEMBERS = new Set([
  'keytype',
  'scheme',
  'keyval',
  'public',
  'keyids',
  'threshold',
  'version',
  'length',
  'hashes',
  'expires',
  'name',
]);
const isMember = (name: string): boolean => MEMBERS.has(name);

const isInteger = (value: Loose | undefined): boolean =>
  value instanceof LooseNumber && /^-?\d+$/.test(value.text);

/** For each of our messages about types: whether the value is of that type after all. */
const TYPES: readonly (readonly [RegExp, (value: Loose | undefined) => boolean])[] = [
  [/must be an integer$/, isInteger],
  [/must be true or false$/, (value) => typeof value === 'boolean'],
  [/must be a string$/, (value) => typeof value === 'string'],
  [/must be an object$/, (value) => value instanceof LooseObject],
  [/must be an array$/, (value) => Array.isArray(value)],
  [
    /must hold strings only$/,
    (value) =>
      (Array.isArray(value) && value.every((item) => typeof item === 'string')) ||
      (value instanceof LooseObject && value.members.every(([, member]) => typeof member === 'string')),
  ],
];

/** We refuse a value for its type, and it is indeed of another. */
function isOfWrongType(difference: Difference): boolean {
  const { rind } = difference;
  if (rind.accepted || !refusedBy(difference, /must/)) return false;
  const type = TYPES.find(([message]) => message.test(rind.message));
  return type !== undefined && !type[1](valueAt(documentOf(difference.bytes), rind.path ?? ''));
}

/** We refuse a string (or the strings in an object or array) at the named place, and the check says rightly so. */
function refusedText(difference: Difference, message: RegExp, isWrong: (text: string) => boolean): boolean {
  if (!refusedBy(difference, message) || difference.rind.accepted) return false;
  const value = valueAt(documentOf(difference.bytes), difference.rind.path ?? '');
  const texts =
    value instanceof LooseObject
      ? value.members.map(([, member]) => member)
      : Array.isArray(value)
        ? value
        : [value];
  return texts.some((text) => typeof text === 'string' && isWrong(text));
}

/** What metadata may say. */
const MODEL_DIFFERENCES: readonly KnownDifference[] = [
  {
    name: 'a value of another type',
    judges: BOTH,
    stricter: 'rind',
    reason:
      'The others check few types: Python takes true for 1, a string for a list of its letters, anything for a flag; tuf-js takes arrays for objects.',
    safe: REFUSED,
    explains: isOfWrongType,
  },
  {
    name: 'expires that is no existing moment, or written otherwise',
    judges: BOTH,
    stricter: 'rind',
    reason:
      'tuf-js takes any string, and what is no date never expires; Python signs its own spelling of the same moment.',
    safe: REFUSED,
    explains: (difference) =>
      refusedText(
        difference,
        /expires: must be an existing moment/,
        (text) => !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(text) || !isMoment(text),
      ),
  },
  {
    name: 'a year before 1000',
    judges: ['python-tuf'],
    stricter: 'the other',
    reason: 'Python cannot write such years with four digits and fails to verify, or knows no year 0.',
    safe: 'It has expired for a thousand years and counts for intermediate roots only, where no expiry counts.',
    explains: (difference) =>
      acceptedAgainst(difference, /^UnsignedMetadata|year 0 is out of range|does not match format/) &&
      [difference.bytes, ...difference.earlier].some((bytes) =>
        (textAt(bytes, 'signed', 'expires') ?? '').startsWith('0'),
      ),
  },
  {
    name: 'a spec_version with other than ASCII digits',
    judges: BOTH,
    stricter: 'rind',
    reason:
      'Python takes digits of every script, tuf-js everything that JavaScript converts to a number: "", " 0", "0x10", "1e5".',
    safe: REFUSED,
    explains: (difference) =>
      refusedText(difference, /is not 1\.x or 1\.x\.y/, (text) => !/^\d+(?:\.\d+){1,2}$/.test(text)),
  },
  {
    name: 'a version below 1',
    judges: ['tuf-js'],
    stricter: 'rind',
    reason: 'tuf-js does not check the version of a signed part.',
    safe: REFUSED,
    explains: (difference) =>
      refusedBy(difference, /version: must be an integer of at least 1/) &&
      Number(textAt(difference.bytes, 'signed', 'version')) < 1,
  },
  {
    name: 'no hashes',
    judges: ['tuf-js'],
    stricter: 'rind',
    reason: 'tuf-js takes a target without any hash: every content of the right length would do.',
    safe: REFUSED,
    explains: (difference) =>
      refusedBy(difference, /hashes: must not be empty/) &&
      holds(
        difference.bytes,
        (value) =>
          value instanceof LooseObject &&
          value.get('hashes') instanceof LooseObject &&
          (value.get('hashes') as LooseObject).members.length === 0,
      ),
  },
  {
    name: 'a hash that is not lower-case hexadecimal',
    judges: BOTH,
    stricter: 'rind',
    reason:
      'The others keep the string and compare it when the file comes, where it never matches; before that it becomes part of a URL.',
    safe: REFUSED,
    explains: (difference) =>
      refusedText(difference, /hashes: must be lower-case hexadecimal/, (text) => !/^[0-9a-f]+$/.test(text)),
  },
  {
    name: 'path_hash_prefixes that are not 1 to 64 lower-case hexadecimal digits',
    judges: BOTH,
    stricter: 'rind',
    reason: 'The others compare any string; an empty one delegates everything, others nothing.',
    safe: REFUSED,
    explains: (difference) =>
      refusedText(
        difference,
        /path_hash_prefixes: must be 1 to 64/,
        (text) => !/^[0-9a-f]{1,64}$/.test(text),
      ),
  },
  {
    name: 'an empty role name or key id',
    judges: BOTH,
    stricter: 'rind',
    reason: 'Python takes an empty key id, tuf-js both. An empty name would be the file ".json".',
    safe: REFUSED,
    explains: (difference) =>
      refusedBy(difference, /name: must be neither empty|keyid: must not be empty/) &&
      holds(difference.bytes, (value) => value === ''),
  },
  {
    name: 'a delegation without, or with both kinds of, paths or roles',
    judges: ['tuf-js'],
    stricter: 'rind',
    reason: 'The specification asks for exactly one; tuf-js takes none, or one of the two.',
    safe: REFUSED,
    explains: (difference) =>
      refusedBy(difference, /exactly one of/) &&
      holds(
        difference.bytes,
        (value) =>
          value instanceof LooseObject &&
          (isAmbiguous(value, 'paths', 'path_hash_prefixes') ||
            isAmbiguous(value, 'roles', 'succinct_roles')),
      ),
  },
  {
    name: 'a delegated role twice',
    judges: ['tuf-js'],
    stricter: 'rind',
    reason: 'tuf-js keeps the last of equal names, in the place of the first.',
    safe: REFUSED,
    explains: (difference) => refusedBy(difference, /roles: the role .* stands twice/),
  },
  {
    name: 'bit_length that is no integer, or true',
    judges: BOTH,
    stricter: 'rind',
    reason: 'The others compare only with 0 and 32.',
    safe: REFUSED,
    explains: (difference) => refusedBy(difference, /bit_length: must be an integer from 1 to 32/),
  },
  {
    name: 'a key of a scheme that python-tuf does not know',
    judges: ['python-tuf'],
    stricter: 'the other',
    reason:
      'Python refuses the whole document; the specification lets clients ignore such keys, and a repository that adds a new scheme must not lock out old clients.',
    safe: 'A key that cannot verify counts for no threshold: who signed is decided by the other keys alone.',
    explains: (difference) =>
      acceptedAgainst(difference, /Unsupported public key|public key string required|unhashable type/) &&
      [difference.bytes, ...difference.earlier].some((bytes) => holds(bytes, isUnknownToPython)),
  },
  {
    name: 'the role "mirrors" in root',
    judges: ['python-tuf'],
    stricter: 'the other',
    reason: 'The specification names it as optional; Python knows the four roles only.',
    safe: 'Nothing is ever verified by its keys.',
    explains: (difference) =>
      acceptedAgainst(difference, /Role names must be the top-level metadata roles/) &&
      rolesOfRoot(difference.bytes).includes('mirrors'),
  },
  {
    name: 'a root role that nobody knows',
    judges: ['tuf-js'],
    stricter: 'rind',
    reason: 'tuf-js keeps roles of any name in root; the specification names four and mirrors.',
    safe: REFUSED,
    explains: (difference) =>
      refusedBy(difference, /is no top-level role/) &&
      rolesOfRoot(difference.bytes).some(
        (name) => !['root', 'timestamp', 'snapshot', 'targets', 'mirrors'].includes(name),
      ),
  },
  {
    name: 'a root without consistent_snapshot',
    judges: ['tuf-js'],
    stricter: 'the other',
    reason: 'The field is optional in the specification; tuf-js requires it.',
    safe: 'Missing means false: files are asked for by their plain names, and verified all the same.',
    explains: (difference) =>
      acceptedAgainst(difference, /consistent_snapshot must be a boolean/) &&
      textAt(difference.bytes, 'signed', 'consistent_snapshot') === undefined,
  },
  {
    name: 'more than the public key in keyval',
    judges: ['tuf-js'],
    stricter: 'the other',
    reason:
      'tuf-js wants strings only in keyval; unknown fields of other types are allowed by the specification.',
    safe: 'Unknown fields mean nothing to the verification, and are signed.',
    explains: (difference) =>
      acceptedAgainst(difference, /keyval must be a string record/) &&
      holds(
        difference.bytes,
        (value) =>
          value instanceof LooseObject &&
          value.members.some(
            ([name, member]) =>
              name === 'keyval' &&
              member instanceof LooseObject &&
              member.members.some(([, inner]) => typeof inner !== 'string'),
          ),
      ),
  },
  {
    name: 'further entries in the meta of timestamp',
    judges: BOTH,
    stricter: 'the other',
    reason:
      'The specification knows snapshot.json only; the others drop the rest before they verify, so that the right signature fails and one over less succeeds.',
    safe: 'What is signed is what was received: an entry that was added later makes us refuse, one that was signed changes nothing.',
    explains: ({ bytes, ...difference }) => {
      const meta = memberAt(bytes, 'signed', 'meta');
      const isOther =
        acceptedAgainst({ bytes, ...difference }, /^UnsignedMetadata|^SerializationError/) ||
        refusedBy({ bytes, ...difference }, /is signed by|must/);
      return (
        isOther &&
        difference.asked === 'timestamp' &&
        meta instanceof LooseObject &&
        meta.members.some(([name]) => name !== 'snapshot.json')
      );
    },
  },
];

function isMoment(text: string): boolean {
  const date = new Date(text);
  return !Number.isNaN(date.getTime()) && date.toISOString().slice(0, 19) === text.slice(0, 19);
}

function memberAt(bytes: Uint8Array | undefined, ...path: readonly string[]): Loose | undefined {
  let value = documentOf(bytes);
  for (const name of path) value = value instanceof LooseObject ? value.get(name) : undefined;
  return value;
}

function textAt(bytes: Uint8Array | undefined, ...path: readonly string[]): string | undefined {
  const value = memberAt(bytes, ...path);
  return value === undefined ? undefined : textOf(value);
}

function rolesOfRoot(bytes: Uint8Array | undefined): readonly string[] {
  const roles = memberAt(bytes, 'signed', 'roles');
  return roles instanceof LooseObject ? roles.members.map(([name]) => name) : [];
}

function isAmbiguous(object: LooseObject, first: string, second: string): boolean {
  const isRelevant =
    first === 'paths' ? object.get('terminating') !== undefined : object.get('keys') !== undefined;
  return isRelevant && (object.get(first) === undefined) === (object.get(second) === undefined);
}

const PYTHON_SCHEMES: ReadonlySet<string> = new Set([
  'ed25519 ed25519', 'ecdsa ecdsa-sha2-nistp256', 'ecdsa ecdsa-sha2-nistp384', 'ecdsa ecdsa-sha2-nistp521', 'ecdsa-sha2-nistp256 ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384 ecdsa-sha2-nistp384', 'rsa rsassa-pss-sha256', 'rsa rsassa-pss-sha384', 'rsa rsassa-pss-sha512', 'ml-dsa ml-dsa-44/1', 'ml-dsa ml-dsa-65/1', 'ml-dsa ml-dsa-87/1',
]); // prettier-ignore

function isUnknownToPython(value: Loose): boolean {
  return (
    value instanceof LooseObject &&
    value.get('keytype') !== undefined &&
    value.get('scheme') !== undefined &&
    !PYTHON_SCHEMES.has(`${textOf(value.get('keytype'))} ${textOf(value.get('scheme'))}`)
  );
}

/** Signatures and who counts. */
const SIGNATURE_DIFFERENCES: readonly KnownDifference[] = [
  {
    name: 'one key under two key ids',
    judges: BOTH,
    stricter: 'rind',
    reason:
      'The others count key ids, the specification (TAP 12) counts keys: one holder could reach a threshold of two.',
    safe: REFUSED,
    explains: (difference) =>
      refusedBy(difference, /is signed by \d+ of the \d+ keys/) &&
      [difference.bytes, ...difference.earlier].some(listsKeyTwice),
  },
  {
    name: 'a key whose type and scheme do not belong together',
    judges: ['tuf-js'],
    stricter: 'rind',
    reason: 'tuf-js looks at the key type alone, except for RSA.',
    safe: REFUSED,
    explains: (difference) =>
      refusedBy(
        difference,
        /is signed by \d+ of the \d+ keys.*(?:unsupported scheme|is of another type or curve)/,
      ),
  },
  {
    name: 'a signature followed by something else',
    judges: ['tuf-js'],
    stricter: 'rind',
    reason: 'tuf-js ignores whatever follows the last hexadecimal digit.',
    safe: REFUSED,
    explains: (difference) =>
      refusedBy(difference, /is signed by \d+ of the \d+ keys/) &&
      signaturesOf(difference.bytes).some((sig) => !/^(?:[0-9a-fA-F]{2})*$/.test(sig)),
  },
  {
    name: 'white space in hexadecimal',
    judges: ['python-tuf'],
    stricter: 'rind',
    reason: 'Python skips white space between the bytes of a signature or key.',
    safe: REFUSED,
    explains: (difference) =>
      refusedBy(difference, /is signed by \d+ of the \d+ keys/) &&
      [difference.bytes, ...difference.earlier].some((bytes) =>
        holds(
          bytes,
          (value) => typeof value === 'string' && /^[0-9a-fA-F\s]{64,}$/.test(value) && /\s/.test(value),
        ),
      ),
  },
  {
    name: 'signed over what the model writes, not over what was received',
    judges: BOTH,
    stricter: 'rind',
    reason:
      'The others verify their own re-encoding, in which null, defaults and spellings they do not keep have been lost; Rind verifies the received bytes.',
    safe: REFUSED,
    explains: (difference) =>
      refusedBy(difference, /is signed by \d+ of the \d+ keys/) &&
      holds(
        difference.bytes,
        (value) => value instanceof LooseObject && value.members.some(([, member]) => member === null),
      ),
  },
  {
    name: 'key ids that are names of JavaScript objects',
    judges: ['tuf-js'],
    stricter: 'the other',
    reason:
      'tuf-js keeps signatures in an object, where "constructor" is always there and "__proto__" never.',
    safe: 'Here they are key ids like any other: each counts if its key is listed and its signature is right.',
    explains: (difference) =>
      acceptedAgainst(difference, /multiple signatures found for keyid: |^UnsignedMetadata/) &&
      [difference.bytes, ...difference.earlier].some((bytes) =>
        holds(bytes, (value) => value === 'constructor' || value === '__proto__' || value === 'toString'),
      ),
  },
];

/** Where the SubjectPublicKeyInfo of each scheme begins, in hexadecimal, and how many bytes it has. */
const KEY_FORMS: Readonly<
  Record<string, { readonly types: readonly string[]; readonly start: RegExp; readonly length?: number }>
> = {
  ed25519: { types: ['ed25519'], start: /^302a300506032b6570032100/, length: 44 },
  'ecdsa-sha2-nistp256': {
    types: ['ecdsa', 'ecdsa-sha2-nistp256'],
    start: /^3059301306072a8648ce3d020106082a8648ce3d03010703420004/,
    length: 91,
  },
  'ecdsa-sha2-nistp384': {
    types: ['ecdsa', 'ecdsa-sha2-nistp384'],
    start: /^3076301006072a8648ce3d020106052b8104002203620004/,
    length: 120,
  },
  'rsassa-pss-sha256': {
    types: ['rsa'],
    start: /^30820122300d06092a864886f70d01010105000382010f00/,
    length: 294,
  },
  'rsassa-pss-sha384': {
    types: ['rsa'],
    start: /^30820122300d06092a864886f70d01010105000382010f00/,
    length: 294,
  },
  'rsassa-pss-sha512': {
    types: ['rsa'],
    start: /^30820122300d06092a864886f70d01010105000382010f00/,
    length: 294,
  },
};

const STRICT_PEM =
  /^-----BEGIN PUBLIC KEY-----\n((?:[A-Za-z0-9+/]{1,64}={0,2}\n)+)-----END PUBLIC KEY-----\n?$/;

/** Whether a key is written as its scheme prescribes, without any freedom. */
function isProperKey(keytype: string, scheme: string, text: string): boolean {
  const form = Object.hasOwn(KEY_FORMS, scheme) ? KEY_FORMS[scheme] : undefined;
  if (form === undefined || !form.types.includes(keytype)) return false;
  if (scheme === 'ed25519' && /^[0-9a-fA-F]{64}$/.test(text)) return true;
  const body = STRICT_PEM.exec(text)?.[1];
  const der = Buffer.from(body ?? '', 'base64');
  return form.start.test(der.toString('hex')) && der.length === form.length;
}

function signatureCaseOf({
  case: each,
}: Difference): { keytype: string; scheme: string; text: string; sig: string } | undefined {
  if (each.kind !== 'signature') return undefined;
  const { keytype, scheme, keyval } = each.key;
  return { keytype, scheme, text: keyval.public, sig: each.sig };
}

/** We say no to a signature, the other says yes. */
function isRefusedSignature({ rind, theirs }: Difference): boolean {
  return rind.accepted && theirs.accepted && rind.value === false && theirs.value === true;
}

function isAcceptedSignature({ rind, theirs }: Difference): boolean {
  return rind.accepted && theirs.accepted && rind.value === true && theirs.value === false;
}

/** Single signatures by single keys. */
const KEY_DIFFERENCES: readonly KnownDifference[] = [
  {
    name: 'a signature that is not pure hexadecimal',
    judges: BOTH,
    stricter: 'rind',
    reason: 'Python skips white space between the bytes, tuf-js ignores whatever follows the last digit.',
    safe: REFUSED,
    explains: (difference) =>
      isRefusedSignature(difference) && !/^(?:[0-9a-fA-F]{2})+$/.test(signatureCaseOf(difference)?.sig ?? ''),
  },
  {
    name: 'a key that is not exactly what its scheme prescribes',
    judges: BOTH,
    stricter: 'rind',
    reason:
      'The others take text around the PEM, PKCS #1, compressed points, RSA of 1,024 bits, RSA-PSS keys, white space in hexadecimal; tuf-js every curve and every scheme for a key type.',
    safe: REFUSED,
    explains: (difference) => {
      const found = signatureCaseOf(difference);
      return (
        found !== undefined &&
        isRefusedSignature(difference) &&
        !isProperKey(found.keytype, found.scheme, found.text)
      );
    },
  },
  {
    name: 'an Ed25519 key as PEM',
    judges: ['python-tuf'],
    stricter: 'the other',
    reason: 'Python reads 64 hexadecimal digits only; the specification says PEM, and tuf-js reads both.',
    safe: 'It is the same key in another spelling; thresholds count key material.',
    explains: (difference) => {
      const found = signatureCaseOf(difference);
      return (
        isAcceptedSignature(difference) &&
        found?.scheme === 'ed25519' &&
        found.text.includes('BEGIN PUBLIC KEY')
      );
    },
  },
  {
    name: 'P-384 and RSA-PSS with SHA-384 or SHA-512',
    judges: ['tuf-js'],
    stricter: 'the other',
    reason:
      'tuf-js 5.0.1 verifies P-384 with SHA-256 instead of SHA-384 and knows no other digest than SHA-256 for RSA.',
    safe: 'Rind verifies with exactly the digest that the scheme names, as python-tuf does.',
    explains: (difference) => {
      const { scheme = '' } = signatureCaseOf(difference) ?? {};
      // With the wrong digest, the wrong signatures are right.
      return (
        (isAcceptedSignature(difference) && /nistp384|sha384|sha512/.test(scheme)) ||
        (isRefusedSignature(difference) && scheme === 'ecdsa-sha2-nistp384')
      );
    },
  },
  {
    name: 'PEM on one line or after a blank',
    judges: ['tuf-js'],
    stricter: 'the other',
    reason:
      'tuf-js wants the header first and leaves the lines to OpenSSL, which wants them as RFC 7468 writes them.',
    safe: 'It is the same key; what lies between the two markers is base64 in any case.',
    explains: (difference) => {
      const { text = '' } = signatureCaseOf(difference) ?? {};
      return isAcceptedSignature(difference) && text.includes('BEGIN PUBLIC KEY') && !STRICT_PEM.test(text);
    },
  },
];

function listsKeyTwice(bytes: Uint8Array | undefined): boolean {
  return holds(bytes, (value) => {
    const keys = value instanceof LooseObject ? value.get('keys') : undefined;
    if (!(keys instanceof LooseObject)) return false;
    const texts = keys.members.map(([, key]) => {
      const keyval = key instanceof LooseObject ? key.get('keyval') : undefined;
      return keyval instanceof LooseObject ? textOf(keyval.get('public')).toLowerCase() : undefined;
    });
    return new Set(texts).size < texts.length;
  });
}

function signaturesOf(bytes: Uint8Array | undefined): readonly string[] {
  const signatures = memberAt(bytes, 'signatures');
  if (!Array.isArray(signatures)) return [];
  return signatures.map((entry) => (entry instanceof LooseObject ? textOf(entry.get('sig')) : ''));
}

/** The order of the workflow, and what a session remembers. */
const WORKFLOW_DIFFERENCES: readonly KnownDifference[] = [
  {
    name: 'a root after the timestamp',
    judges: ['tuf-js'],
    stricter: 'rind',
    reason: 'tuf-js does not check that root comes first.',
    safe: REFUSED,
    explains: (difference) =>
      difference.asked === 'root' && refusedBy(difference, /root cannot be updated after timestamp/),
  },
  {
    name: 'a stored snapshot that is not what the timestamp lists',
    judges: BOTH,
    stricter: 'rind',
    reason:
      'The others do not compare the hashes of a stored snapshot at all. Rind keeps such a one as the baseline against rollback and asks for the right one.',
    safe: REFUSED,
    explains: (difference) =>
      difference.asked === 'snapshot' &&
      refusedBy(difference, /bytes, \d+ are listed|has the sha\d+/) &&
      operationOf(difference)[2] === true,
  },
  {
    name: 'after a snapshot that was refused',
    judges: BOTH,
    stricter: 'the other',
    reason:
      'The others keep a correctly signed snapshot of another version than listed, or an expired one, as the baseline even when it has just been refused; the specification discards it.',
    safe: 'A mirror could only use it to make the right snapshot be refused. Rollback is checked against what was accepted before.',
    explains: (difference) =>
      hasRefusedSnapshot(difference) &&
      acceptedAgainst(
        difference,
        /BadVersion|missing info|Missing file|Expired|Repository|update timestamp after snapshot/,
      ),
  },
];

function operationOf({ case: each, index }: Difference): readonly unknown[] {
  return each.kind === 'operations' ? (each.operations[index] ?? []) : [];
}

function hasRefusedSnapshot({ case: each, before }: Difference): boolean {
  return before.some(
    (verdict, index) =>
      each.kind === 'operations' &&
      each.operations[index]?.[0] === 'snapshot' &&
      each.operations[index][2] === false &&
      !verdict.accepted &&
      /lists version|expired at/.test(verdict.message),
  );
}

function hasOddRoleName(value: Loose): boolean {
  const name = value instanceof LooseObject ? value.get('name') : undefined;
  return typeof name === 'string' && /^(?:\d+|constructor)$/.test(name);
}

/** Which role is asked for which path. */
const SEARCH_DIFFERENCES: readonly KnownDifference[] = [
  {
    name: 'patterns that are more than * and ?',
    judges: ['tuf-js'],
    stricter: 'the other',
    reason:
      'tuf-js matches with minimatch: braces, extended globs, negation, comments, no hidden files, UTF-16 units, other sets. Rind and python-tuf follow fnmatch.',
    safe: 'The writer of Rind uses literals and * only. A reader that asks another role than python-tuf would be the danger, and Rind asks the same.',
    explains: (difference) => isSearchDifference(difference) && patternsOf(difference).some(isUnusualPattern),
  },
  {
    name: 'a set that begins with an empty range, then !',
    judges: ['python-tuf'],
    stricter: 'rind',
    reason:
      'CPython takes the empty range out of "[b-a!x]" and then reads the rest, "[!x]", as a negation; ours is the set of ! and x.',
    safe: 'The pattern then matches less here. The writer of Rind uses literals and * only.',
    explains: (difference) =>
      isSearchDifference(difference) &&
      patternsOf(difference).some(([, pattern]) => startsWithEmptyRange(pattern)),
  },
  {
    name: 'a target or role named like a property of JavaScript objects, or like an integer',
    judges: ['tuf-js'],
    stricter: 'the other',
    reason:
      'tuf-js looks targets up in an object, where "constructor" is always there, and keeps roles in one, where integers come first.',
    safe: 'Here names are names: Rind and python-tuf find the same target by the same requests.',
    explains: ({ case: each, rind, theirs }) =>
      each.kind === 'client' &&
      rind.accepted &&
      theirs.accepted &&
      (each.targets.includes('constructor') ||
        [...each.files.values()].some((bytes) => holds(bytes, hasOddRoleName))),
  },
  {
    name: 'delegated roles with integer-like names',
    judges: ['tuf-js'],
    stricter: 'the other',
    reason: 'tuf-js keeps the roles in an object, which puts integer-like names first.',
    safe: 'Order is priority: Rind and python-tuf keep the order of the document.',
    explains: (difference) =>
      isSearchDifference(difference) &&
      holds(difference.bytes, (value) => typeof value === 'string' && /^(?:0|[1-9]\d*)$/.test(value)),
  },
];

function isSearchDifference({ asked, rind, theirs }: Difference): boolean {
  return (asked === 'patterns' || asked === 'delegations') && rind.accepted && theirs.accepted;
}

function patternsOf({
  case: each,
  bytes,
}: Difference): readonly (readonly [path: string, pattern: string])[] {
  if (each.kind === 'patterns') return each.pairs;
  if (each.kind !== 'delegations') return [];
  const patterns: string[] = [];
  for (const { value } of walkLoose(documentOf(bytes) ?? null))
    if (typeof value === 'string') patterns.push(value);
  return each.paths.flatMap((path) => patterns.map((pattern) => [path, pattern] as const));
}

/** CPython joins what is left and right of each empty range, so that several may stand before the mark. */
function startsWithEmptyRange(pattern: string): boolean {
  return Array.from(pattern.matchAll(/\[([^\]]+)!/gu), ([, start = '']) => start).some((start) => {
    const characters = Array.from(start);
    return characters.some((low, index) => {
      const high = characters[index + 1] === '-' ? characters[index + 2] : undefined;
      return high !== undefined && byCodePoint(low, high) > 0;
    });
  });
}

function isUnusualPattern([path, pattern]: readonly [string, string]): boolean {
  const isPlain = /^[A-Za-z0-9_*?/. -]*$/.test(pattern) && !pattern.includes('**');
  return (
    !isPlain || (/[*?]/.test(pattern) && (/(?:^|\/)(?:\.|$)/.test(path) || /[\ud800-\uffff\n]/.test(path)))
  );
}

/** Every class there is. A difference that none of them explains is an error of somebody's, to be looked at. */
export const KNOWN_DIFFERENCES: readonly KnownDifference[] = [
  ...JSON_DIFFERENCES,
  ...MODEL_DIFFERENCES,
  ...SIGNATURE_DIFFERENCES,
  ...KEY_DIFFERENCES,
  ...WORKFLOW_DIFFERENCES,
  ...SEARCH_DIFFERENCES,
];

/** The class that explains the difference, or undefined: then something is wrong. */
export function explanationOf(difference: Difference): KnownDifference | undefined {
  return KNOWN_DIFFERENCES.find(
    ({ judges, explains }) => judges.includes(difference.judge) && explains(difference),
  );
}
