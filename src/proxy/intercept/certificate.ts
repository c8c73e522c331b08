import { createHash, randomBytes, sign, type KeyObject } from 'node:crypto';
import { isIP, isIPv4 } from 'node:net';
import {
  bitString,
  boolean,
  explicit,
  implicit,
  integer,
  objectIdentifier,
  octetString,
  sequence,
  setOf,
  time,
  utf8String,
} from './der.ts';

/** A pair of ECDSA P-256. */
export interface KeyPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

/** What a certificate says beside its extensions. */
export interface CertificateTerms {
  /** Common names. */
  readonly issuer: string;
  readonly subject: string;
  readonly subjectKey: KeyObject;
  readonly issuerKeys: KeyPair;
  readonly notBefore: Date;
  readonly notAfter: Date;
}

const ECDSA_WITH_SHA256 = sequence(objectIdentifier('1.2.840.10045.4.3.2'));

/** A certificate authority that may speak for these hosts (names or addresses) and no others, RFC 5280; PEM. */
export function authorityCertificate(terms: CertificateTerms, hosts: readonly string[]): string {
  return certificate(terms, [
    extension('2.5.29.19', true, sequence(boolean(true), integer(Buffer.from([0])))),
    // keyCertSign and nothing else
    extension('2.5.29.15', true, bitString(Buffer.from([0x04]), 2)),
    extension('2.5.29.30', true, nameConstraints(hosts)),
    extension('2.5.29.14', false, octetString(keyIdentifier(terms.subjectKey))),
  ]);
}

/** The certificate of one host (a name or an address) for a TLS server; PEM. */
export function serverCertificate(terms: CertificateTerms, host: string): string {
  return certificate(terms, [
    extension('2.5.29.19', true, sequence()),
    // digitalSignature
    extension('2.5.29.15', true, bitString(Buffer.from([0x80]), 7)),
    // serverAuth
    extension('2.5.29.37', false, sequence(objectIdentifier('1.3.6.1.5.5.7.3.1'))),
    extension('2.5.29.17', false, sequence(generalName(host))),
    extension('2.5.29.14', false, octetString(keyIdentifier(terms.subjectKey))),
    extension('2.5.29.35', false, sequence(implicit(0, keyIdentifier(terms.issuerKeys.publicKey)))),
  ]);
}

function certificate(terms: CertificateTerms, extensions: readonly Uint8Array[]): string {
  const serial = Buffer.concat([Buffer.from([0x4d]), randomBytes(15)]);
  const signed = sequence(
    explicit(0, integer(Buffer.from([2]))),
    integer(serial),
    ECDSA_WITH_SHA256,
    name(terms.issuer),
    sequence(time(terms.notBefore), time(terms.notAfter)),
    name(terms.subject),
    terms.subjectKey.export({ type: 'spki', format: 'der' }),
    explicit(3, sequence(...extensions)),
  );
  const signature = sign('sha256', signed, terms.issuerKeys.privateKey);
  return pem(sequence(signed, ECDSA_WITH_SHA256, bitString(signature)));
}

function extension(identifier: string, isCritical: boolean, value: Uint8Array): Uint8Array {
  const critical = isCritical ? [boolean(true)] : [];
  return sequence(objectIdentifier(identifier), ...critical, octetString(value));
}

/** A kind of name that is not mentioned would be free: where no host is of a kind, all names of that kind are excluded. */
function nameConstraints(hosts: readonly string[]): Uint8Array {
  const permitted = hosts.map((host) => sequence(isIP(host) > 0 ? addressTree(host) : generalName(host)));
  const excluded = [
    ...(hosts.some((host) => isIP(host) === 0) ? [] : [sequence(implicit(2, Buffer.alloc(0)))]),
    ...(hosts.some((host) => isIP(host) > 0)
      ? []
      : [sequence(implicit(7, Buffer.alloc(8))), sequence(implicit(7, Buffer.alloc(32)))]),
  ];
  return sequence(explicit(0, ...permitted), ...(excluded.length > 0 ? [explicit(1, ...excluded)] : []));
}

function addressTree(host: string): Uint8Array {
  const address = addressBytes(host);
  return implicit(7, Buffer.concat([address, Buffer.alloc(address.length, 0xff)]));
}

function generalName(host: string): Uint8Array {
  return isIP(host) > 0 ? implicit(7, addressBytes(host)) : implicit(2, Buffer.from(host, 'ascii'));
}

function addressBytes(host: string): Uint8Array {
  if (isIPv4(host)) return Buffer.from(host.split('.').map(Number));
  const [head = '', tail] = host.split('::');
  const groups = (part: string): number[] =>
    part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16));
  const [first, last] = [groups(head), groups(tail ?? '')];
  const missing = tail === undefined ? 0 : 8 - first.length - last.length;
  const all = [...first, ...Array.from({ length: missing }, () => 0), ...last];
  return Buffer.from(all.flatMap((group) => [group >> 8, group & 0xff]));
}

function name(commonName: string): Uint8Array {
  return sequence(setOf(sequence(objectIdentifier('2.5.4.3'), utf8String(commonName))));
}

function keyIdentifier(key: KeyObject): Uint8Array {
  return createHash('sha256')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest()
    .subarray(0, 20);
}

function pem(bytes: Uint8Array): string {
  const lines =
    Buffer.from(bytes)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}
