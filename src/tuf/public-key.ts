import { DER_BIT_STRING, DER_INTEGER, DER_SEQUENCE, DerReader, positiveInteger } from './der.ts';
import { KeyError } from './errors.ts';
import { decodeHex, encodeHex } from './hex.ts';
import type { DigestAlgorithm } from './crypto.ts';

/** A public key, decoded, with everything its scheme fixes. */
export interface PublicKey {
  readonly algorithm: Algorithm;
  /** DER SubjectPublicKeyInfo, the form every cryptographic library imports. */
  readonly spki: Uint8Array;
  /** Equal for equal keys however they are written; thresholds count these. */
  readonly material: string;
  /** Bytes; RSA signatures have exactly the length of the modulus (RFC 8017 §8.1.2), which not every library checks. */
  readonly signatureLength?: number;
}

/** What a scheme name stands for: one algorithm with one curve and one digest, nothing negotiable. */
export type Algorithm =
  | { readonly name: 'ed25519' }
  | { readonly name: 'ecdsa'; readonly curve: 'P-256' | 'P-384'; readonly digest: DigestAlgorithm }
  | { readonly name: 'rsa-pss'; readonly digest: DigestAlgorithm }
  | { readonly name: 'ml-dsa'; readonly parameterSet: 44 | 65 | 87 };

interface SchemeRow {
  readonly keyTypes: readonly string[];
  readonly algorithm: Algorithm;
  /** Hex of the DER AlgorithmIdentifier content. */
  readonly identifier: string;
  /** Length of the raw public key in bytes where it is fixed. */
  readonly length?: number;
}

const RSA_ENCRYPTION = '06092a864886f70d0101010500';
const rsa = (digest: DigestAlgorithm): SchemeRow => ({
  keyTypes: ['rsa'],
  algorithm: { name: 'rsa-pss', digest },
  identifier: RSA_ENCRYPTION,
});

const SCHEMES: ReadonlyMap<string, SchemeRow> = new Map<string, SchemeRow>([
  [
    'ed25519',
    { keyTypes: ['ed25519'], algorithm: { name: 'ed25519' }, identifier: '06032b6570', length: 32 },
  ],
  [
    'ecdsa-sha2-nistp256',
    {
      keyTypes: ['ecdsa', 'ecdsa-sha2-nistp256'],
      algorithm: { name: 'ecdsa', curve: 'P-256', digest: 'sha256' },
      identifier: '06072a8648ce3d020106082a8648ce3d030107',
      length: 65,
    },
  ],
  [
    'ecdsa-sha2-nistp384',
    {
      keyTypes: ['ecdsa', 'ecdsa-sha2-nistp384'],
      algorithm: { name: 'ecdsa', curve: 'P-384', digest: 'sha384' },
      identifier: '06072a8648ce3d020106052b81040022',
      length: 97,
    },
  ],
  ['rsassa-pss-sha256', rsa('sha256')],
  ['rsassa-pss-sha384', rsa('sha384')],
  ['rsassa-pss-sha512', rsa('sha512')],
  ['ml-dsa-44/1', mlDsa(44, '11', 1312)],
  ['ml-dsa-65/1', mlDsa(65, '12', 1952)],
  ['ml-dsa-87/1', mlDsa(87, '13', 2592)],
]);

function mlDsa(parameterSet: 44 | 65 | 87, arc: string, length: number): SchemeRow {
  return {
    keyTypes: ['ml-dsa'],
    algorithm: { name: 'ml-dsa', parameterSet },
    identifier: `06096086480165030403${arc}`,
    length,
  };
}

/** Longer than any key of a supported scheme (RSA with 16,384 bits: 2.9 KB), so that nonsense is not decoded. */
const MAX_PUBLIC_LENGTH = 8192;

/**
 * Decodes `keyval.public` as the scheme prescribes (spec 4.2, TAP 21): 64 hex digits or SPKI PEM for ed25519, SPKI
 * PEM for the others. Refuses a key of another type, curve or size than the scheme names.
 * @throws {KeyError} `UNSUPPORTED_SCHEME` or `MALFORMED_KEY`
 */
export function decodePublicKey(keyType: string, scheme: string, publicText: string): PublicKey {
  const row = SCHEMES.get(scheme);
  if (row === undefined || !row.keyTypes.includes(keyType)) {
    throw new KeyError(
      'UNSUPPORTED_SCHEME',
      `unsupported scheme "${scheme}" for key type "${keyType}"`,
      scheme,
    );
  }
  const malformed = (reason: string) =>
    new KeyError('MALFORMED_KEY', `the public key of scheme "${scheme}" ${reason}`, scheme);
  if (publicText.length > MAX_PUBLIC_LENGTH) throw malformed('is too long');
  const spki =
    row.algorithm.name === 'ed25519'
      ? (ed25519Spki(publicText) ?? decodePem(publicText))
      : decodePem(publicText);
  if (spki === undefined) throw malformed('is no PEM of a SubjectPublicKeyInfo');
  const raw = readSpki(spki, row.identifier);
  if (raw === undefined) throw malformed('is of another type or curve, or not strict DER');
  if (row.algorithm.name === 'rsa-pss') {
    const modulus = rsaModulus(raw);
    if (modulus === undefined) throw malformed('is no RSA key of 2048 to 16384 bits');
    const hex = modulus.toString(16);
    return {
      algorithm: row.algorithm,
      spki,
      material: `rsa:${hex}`,
      signatureLength: Math.ceil(hex.length / 2),
    };
  }
  if (raw.length !== row.length) throw malformed(`must have ${row.length} bytes, not ${raw.length}`);
  if (row.algorithm.name === 'ecdsa' && raw[0] !== 0x04) throw malformed('must be an uncompressed point');
  return { algorithm: row.algorithm, spki, material: `${row.identifier}:${encodeHex(raw)}` };
}

function ed25519Spki(publicText: string): Uint8Array | undefined {
  return publicText.length === 64 ? decodeHex(`302a300506032b6570032100${publicText}`) : undefined;
}

function decodePem(text: string): Uint8Array | undefined {
  const body = /^\s*-----BEGIN PUBLIC KEY-----([A-Za-z0-9+/=\s]+)-----END PUBLIC KEY-----\s*$/.exec(
    text,
  )?.[1];
  if (body === undefined) return undefined;
  try {
    const content = atob(body);
    // `atob` forgives missing padding and stray bits, which other readers refuse.
    if (btoa(content) !== body.replace(/\s/g, '')) return undefined;
    return Uint8Array.from(content, (character) => character.charCodeAt(0));
  } catch {
    return undefined;
  }
}

/** The key bits of SEQUENCE { SEQUENCE { identifier }, BIT STRING }. */
function readSpki(spki: Uint8Array, identifier: string): Uint8Array | undefined {
  const outer = new DerReader(spki);
  const content = outer.take(DER_SEQUENCE);
  if (content === undefined || !outer.isAtEnd) return undefined;
  const inner = new DerReader(content);
  const algorithm = inner.take(DER_SEQUENCE);
  const bits = inner.take(DER_BIT_STRING);
  if (algorithm === undefined || bits === undefined || !inner.isAtEnd || bits[0] !== 0) return undefined;
  return encodeHex(algorithm) === identifier ? bits.subarray(1) : undefined;
}

function rsaModulus(raw: Uint8Array): bigint | undefined {
  const outer = new DerReader(raw);
  const content = outer.take(DER_SEQUENCE);
  if (content === undefined || !outer.isAtEnd) return undefined;
  const inner = new DerReader(content);
  const modulus = unsigned(inner.take(DER_INTEGER));
  const exponent = unsigned(inner.take(DER_INTEGER));
  if (modulus === undefined || exponent === undefined || !inner.isAtEnd) return undefined;
  const bits = modulus.toString(2).length;
  return bits >= 2048 && bits <= 16384 && exponent > 1n && exponent % 2n === 1n ? modulus : undefined;
}

function unsigned(content: Uint8Array | undefined): bigint | undefined {
  const magnitude = positiveInteger(content);
  return magnitude === undefined ? undefined : BigInt(`0x${encodeHex(magnitude)}`);
}
