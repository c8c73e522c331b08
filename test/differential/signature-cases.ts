import { constants, createHash, generateKeyPairSync, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { wellFormed } from './loose-json.ts';
import { anyText } from './mutations.ts';
import type { Random } from './random.ts';

/** A key as metadata has it, a signature as metadata has it, and canonical JSON that may have been signed. */
export interface SignatureCase {
  readonly kind: 'signature';
  readonly key: {
    readonly keytype: string;
    readonly scheme: string;
    readonly keyval: { readonly public: string };
  };
  readonly sig: string;
  readonly message: string;
}

interface Pair {
  readonly keytype: string;
  readonly schemes: readonly string[];
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

/** Made anew by every process: a failure prints key and signature, which is all that is needed. */
let pairs: readonly Pair[] | undefined;

function keyPairs(): readonly Pair[] {
  const rsa = ['rsassa-pss-sha256', 'rsassa-pss-sha384', 'rsassa-pss-sha512'];
  pairs ??= [
    { keytype: 'ed25519', schemes: ['ed25519'], ...generateKeyPairSync('ed25519') },
    { keytype: 'ed25519', schemes: ['ed25519'], ...generateKeyPairSync('ed448') },
    {
      keytype: 'ecdsa',
      schemes: ['ecdsa-sha2-nistp256'],
      ...generateKeyPairSync('ec', { namedCurve: 'P-256' }),
    },
    {
      keytype: 'ecdsa',
      schemes: ['ecdsa-sha2-nistp384'],
      ...generateKeyPairSync('ec', { namedCurve: 'P-384' }),
    },
    {
      keytype: 'ecdsa',
      schemes: ['ecdsa-sha2-nistp256'],
      ...generateKeyPairSync('ec', { namedCurve: 'secp256k1' }),
    },
    { keytype: 'rsa', schemes: rsa, ...generateKeyPairSync('rsa', { modulusLength: 2048 }) },
    { keytype: 'rsa', schemes: rsa, ...generateKeyPairSync('rsa', { modulusLength: 1024 }) },
    { keytype: 'rsa', schemes: rsa, ...generateKeyPairSync('rsa-pss', { modulusLength: 2048 }) },
  ];
  return pairs;
}

const KEY_TYPES = [
  'ed25519',
  'ecdsa',
  'rsa',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ml-dsa',
  'ED25519',
  'unknown',
];
const SCHEMES = [
  'ed25519',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'rsassa-pss-sha256',
  'rsassa-pss-sha384',
  'rsassa-pss-sha512',
  'ml-dsa-44/1',
  'unknown',
];

/** A right signature more often than not, then something about it changed. */
export function signatureCase(random: Random): SignatureCase {
  const pair = random.weighted([
    [4, 0],
    [1, 1],
    [4, 2],
    [3, 3],
    [1, 4],
    [2, 5],
    [1, 6],
    [1, 7],
  ] as const);
  const { keytype, schemes, publicKey, privateKey } = keyPairs()[pair] as Pair;
  const scheme = random.pick(schemes);
  const message = `{"m":"${random.below(1000)}"}`;
  const bytes = Buffer.from(random.chance(0.95) ? message : `${message} `);
  let sig = signed(scheme, privateKey, bytes, random).toString('hex');
  let text = publicText(publicKey, random);
  if (random.chance(0.35)) sig = changedSignature(sig, random);
  if (random.chance(0.35)) text = changedKey(text, random);
  const key = {
    keytype: random.chance(0.9) ? keytype : random.pick(KEY_TYPES),
    scheme: random.chance(0.9) ? scheme : random.pick(SCHEMES),
    keyval: { public: text },
  };
  return { kind: 'signature', key, sig, message };
}

function signed(scheme: string, key: KeyObject, bytes: Uint8Array, random: Random): Buffer {
  if (key.asymmetricKeyType === 'ed25519' || key.asymmetricKeyType === 'ed448') return sign(null, bytes, key);
  const digest = random.chance(0.95) ? digestOf(scheme) : random.pick(['sha1', 'sha256', 'sha384', 'sha512']);
  if (key.asymmetricKeyType === 'ec') return sign(digest, bytes, key);
  const length = createHash(digest).digest().length;
  const saltLength = Math.min(
    key.asymmetricKeyDetails?.modulusLength === 1024 ? 62 : 64,
    random.pick([length, length, length, 0, 20, 32, 11]),
  );
  const isPss = key.asymmetricKeyType === 'rsa-pss' || random.chance(0.95);
  const padding = isPss ? constants.RSA_PKCS1_PSS_PADDING : constants.RSA_PKCS1_PADDING;
  return sign(digest, bytes, isPss ? { key, padding, saltLength } : { key, padding });
}

function digestOf(scheme: string): string {
  return scheme.startsWith('rsassa') ? scheme.slice(-6) : scheme.endsWith('384') ? 'sha384' : 'sha256';
}

function publicText(key: KeyObject, random: Random): string {
  const pem = key.export({ format: 'pem', type: 'spki' }).toString();
  const isRaw = key.asymmetricKeyType === 'ed25519' && random.chance(0.85);
  return isRaw ? key.export({ format: 'der', type: 'spki' }).subarray(-32).toString('hex') : pem;
}

function changedSignature(sig: string, random: Random): string {
  const at = 2 * random.below(sig.length / 2);
  const digit = random.pick('0123456789abcdef'.split(''));
  return random.pick([
    () => sig.toUpperCase(),
    () => `${sig.slice(0, at)} ${sig.slice(at)}`,
    () => sig.slice(0, at),
    () => sig.slice(0, -1),
    () => `${sig}00`,
    () => `00${sig}`,
    () => `0x${sig}`,
    () => `${sig}zz`,
    () => `${sig}\n`,
    () => '',
    () => wellFormed(anyText(random)),
    () => sig.slice(0, at) + digit + sig.slice(at + 1),
    () => '00'.repeat(sig.length / 2),
    () => withDer(sig, random),
    () => withDer(sig, random),
    () => otherScalar(sig),
  ])();
}

/** Other spellings of the DER of an ECDSA signature, none of them DER. */
function withDer(sig: string, random: Random): string {
  const bytes = Buffer.from(sig, 'hex');
  if (bytes[0] !== 0x30) return sig;
  const body = bytes.subarray(2);
  const padded = Buffer.concat([Buffer.from([body[0] ?? 2, (body[1] ?? 0) + 1, 0]), body.subarray(2)]);
  return random
    .pick([
      () => Buffer.concat([Buffer.from([0x30, 0x81, body.length]), body]),
      () => Buffer.concat([Buffer.from([0x30, 0x80]), body, Buffer.from([0, 0])]),
      () => Buffer.concat([Buffer.from([0x30, padded.length]), padded]),
      () => Buffer.concat([Buffer.from([0x30, body.length + 2]), body, Buffer.from([5, 0])]),
      () => Buffer.concat([bytes, Buffer.from([0])]),
      () => Buffer.concat([Buffer.from([0x31]), bytes.subarray(1)]),
      () => Buffer.from('3006020100020100', 'hex'),
      () => Buffer.from('3006020101020101', 'hex'),
    ])()
    .toString('hex');
}

/** S + L of an Ed25519 signature: the same point, forbidden by RFC 8032. */
function otherScalar(sig: string): string {
  const bytes = Buffer.from(sig, 'hex');
  if (bytes.length !== 64) return sig;
  const order = 2n ** 252n + 27742317777372353535851937790883648493n;
  const scalar = BigInt(`0x${Buffer.from(bytes.subarray(32)).reverse().toString('hex')}`) + order;
  const next = Buffer.from(scalar.toString(16).padStart(64, '0'), 'hex').reverse();
  return Buffer.concat([bytes.subarray(0, 32), next]).toString('hex');
}

const ENCODED_KEYS: readonly string[] = [
  // The identity and other points of small order, with which some signatures verify for every message.
  `01${'00'.repeat(31)}`,
  '00'.repeat(32),
  `ecff${'ff'.repeat(29)}7f`,
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'ff'.repeat(32),
];

function changedKey(text: string, random: Random): string {
  const at = random.below(text.length);
  return random.pick([
    () => text.toUpperCase(),
    () => text.trimEnd(),
    () => `${text}\n\n`,
    () => ` ${text}`,
    () => `comment\n${text}`,
    () => `${text}comment`,
    () => text + text,
    () => text.replaceAll('\n', '\r\n'),
    () => text.replaceAll('\n', ''),
    () => text.replaceAll('\n', ' '),
    () => text.replace('-----BEGIN', '----BEGIN'),
    () => text.replaceAll('PUBLIC KEY', 'RSA PUBLIC KEY'),
    () => text.replaceAll('PUBLIC KEY', 'CERTIFICATE'),
    () => text.replace('KEY-----\n', 'KEY-----\nA'),
    () => text.replace('KEY-----\n', 'KEY-----\nProc-Type: 4\n\n'),
    () => text.replace('=', ''),
    () => text.replace('-----END', '====\n-----END'),
    () => `${text.slice(0, at)} ${text.slice(at)}`,
    () => text.slice(0, at) + text.slice(at + 1),
    () => text.slice(0, at),
    () => text.slice(0, at) + random.pick('0aZ+/='.split('')) + text.slice(at + 1),
    () => random.pick(ENCODED_KEYS),
    () => changedDer(text, random),
    () => changedDer(text, random),
    () => wellFormed(anyText(random)),
  ])();
}

/** The same or nearly the same key in another encoding. */
function changedDer(text: string, random: Random): string {
  const body = /-----BEGIN PUBLIC KEY-----\n([^-]*)-----END/.exec(text)?.[1];
  if (body === undefined)
    return text.length === 64 ? pem(Buffer.from(`302a300506032b6570032100${text}`, 'hex')) : text;
  const der = Buffer.from(body, 'base64');
  return pem(
    random.pick([
      () => Buffer.concat([der, Buffer.from([0])]),
      () => compressed(der),
      () => longForm(der),
      () => Buffer.concat([der.subarray(0, -1), Buffer.from([(der.at(-1) ?? 0) ^ 1])]),
      () => flipped(der, random),
      () => flipped(der, random),
    ])(),
  );
}

function flipped(der: Buffer, random: Random): Buffer {
  const copy = Buffer.from(der);
  const at = random.below(Math.min(copy.length, 40));
  copy[at] = (copy[at] ?? 0) ^ (1 << random.below(8));
  return copy;
}

function compressed(der: Buffer): Buffer {
  const size = der.length === 91 ? 32 : der.length === 120 ? 48 : 0;
  if (size === 0) return der;
  const point = der.subarray(der.length - 2 * size);
  const short = Buffer.concat([Buffer.from([0, 2 + ((point.at(-1) ?? 0) & 1)]), point.subarray(0, size)]);
  const identifier = der.subarray(2, der.length - 2 * size - 4);
  const content = Buffer.concat([identifier, Buffer.from([3, short.length]), short]);
  return Buffer.concat([Buffer.from([0x30, content.length]), content]);
}

function longForm(der: Buffer): Buffer {
  return (der[1] ?? 0) < 0x80 ? Buffer.concat([Buffer.from([0x30, 0x81]), der.subarray(1)]) : der;
}

function pem(der: Uint8Array): string {
  const lines = Buffer.from(der).toString('base64').replace(/.{64}/g, '$&\n').trimEnd();
  return `-----BEGIN PUBLIC KEY-----\n${lines}\n-----END PUBLIC KEY-----\n`;
}
