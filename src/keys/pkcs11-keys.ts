import { X509Certificate } from 'node:crypto';
import type { Key } from '../tuf/key.ts';
import { parseHsmUri } from './hsm-uri.ts';
import type { SecretSource } from './opened-signer.ts';
import { loadPkcs11Module } from './pkcs11-module.ts';
import { findObjects, login, openTokenSession, wrapped, type TokenSession } from './pkcs11-token.ts';
import { RAW_LENGTH, keyOf, keyOfRaw, type Curve } from './public-keys.ts';
import { SignerError } from './signer-error.ts';

/** Attributes and object classes of PKCS #11. */
export const CKA = {
  CLASS: 0x0,
  TOKEN: 0x1,
  PRIVATE: 0x2,
  LABEL: 0x3,
  VALUE: 0x11,
  KEY_TYPE: 0x100,
  ID: 0x102,
  SENSITIVE: 0x103,
  SIGN: 0x108,
  VERIFY: 0x10a,
  EXTRACTABLE: 0x162,
  EC_PARAMS: 0x180,
  EC_POINT: 0x181,
  ALWAYS_AUTHENTICATE: 0x202,
} as const;
export const CKO = { CERTIFICATE: 1, PUBLIC_KEY: 2, PRIVATE_KEY: 3 } as const;

const CKM_EC_KEY_PAIR_GEN = 0x1040;
/** Of PKCS #11 3.0; pkcs11js does not name them. */
const CKM_EC_EDWARDS_KEY_PAIR_GEN = 0x1055;

const P256_PARAMS = '06082a8648ce3d030107';
const ED25519_PARAMS = '06032b6570';
/** Hex of CKA_EC_PARAMS: an object identifier, or the name as a PrintableString. */
const CURVES: ReadonlyMap<string, Curve> = new Map<string, Curve>([
  [P256_PARAMS, 'P-256'],
  ['06052b81040022', 'P-384'],
  [ED25519_PARAMS, 'Ed25519'],
  ['130c656477617264733235353139', 'Ed25519'],
]);

/** A key of a token, for lists. */
export interface TokenKey {
  /** CKA_ID as it is written in a URI. */
  readonly id: string;
  readonly label: string;
  /** Undefined when it is of a kind that cannot sign for us. */
  readonly key: Key | undefined;
}

/** The keys whose public half the token shows without a PIN. Throws TOKEN_MISSING, TOKEN_FAILED, MODULE_UNUSABLE, MISSING_PACKAGE. */
export async function listTokenKeys(uri: string): Promise<readonly TokenKey[]> {
  const parsed = parseHsmUri(uri);
  const token = openTokenSession(await loadPkcs11Module(parsed.module), parsed);
  const { module, session } = token;
  try {
    return wrapped(uri, token.name, () =>
      findObjects(token, [{ type: CKA.CLASS, value: CKO.PUBLIC_KEY }]).map((object) => {
        const [id, label] = module.C_GetAttributeValue(session, object, [
          { type: CKA.ID },
          { type: CKA.LABEL },
        ]);
        const key = readPublicKey(token, object);
        return { id: writeKeyId(id?.value), label: label?.value.toString('utf8') ?? '', key };
      }),
    );
  } finally {
    module.C_CloseSession(session);
  }
}

/**
 * Makes a key pair in the token that never leaves it. Throws KEY_EXISTS when the id is taken: keys are never overwritten; and as `login`.
 * Returns the public half.
 */
export async function generateTokenKey(
  uri: string,
  scheme: 'ed25519' | 'ecdsa-sha2-nistp256',
  options: { readonly secret: SecretSource; readonly label?: string },
): Promise<Key> {
  const parsed = parseHsmUri(uri);
  const { keyId } = parsed;
  if (keyId === undefined)
    throw new SignerError('MALFORMED_URI', 'A new key needs a key id: hsm:KEYID?….', { uri });
  const token = openTokenSession(await loadPkcs11Module(parsed.module), parsed, 'write');
  try {
    await login(uri, token, options.secret);
    return wrapped(uri, token.name, () => {
      if (findObjects(token, [{ type: CKA.ID, value: keyId }]).length > 0) {
        throw new SignerError(
          'KEY_EXISTS',
          `There is something with the id ${writeKeyId(keyId)} in ${token.name} already; choose another id.`,
          { uri },
        );
      }
      return generate(token, keyId, scheme, options.label ?? 'rind');
    });
  } finally {
    token.module.C_CloseSession(token.session);
  }
}

function generate(token: TokenSession, id: Buffer, scheme: string, label: string): Key {
  const isEd25519 = scheme === 'ed25519';
  const mechanism = isEd25519 ? CKM_EC_EDWARDS_KEY_PAIR_GEN : CKM_EC_KEY_PAIR_GEN;
  const params = Buffer.from(isEd25519 ? ED25519_PARAMS : P256_PARAMS, 'hex');
  const common = [
    { type: CKA.TOKEN, value: true },
    { type: CKA.ID, value: id },
    { type: CKA.LABEL, value: label },
  ];
  const { publicKey } = token.module.C_GenerateKeyPair(
    token.session,
    { mechanism, parameter: null },
    [...common, { type: CKA.PRIVATE, value: false }, { type: CKA.VERIFY, value: true }, { type: CKA.EC_PARAMS, value: params }], // prettier-ignore
    [...common, { type: CKA.PRIVATE, value: true }, { type: CKA.SENSITIVE, value: true }, { type: CKA.EXTRACTABLE, value: false }, { type: CKA.SIGN, value: true }], // prettier-ignore
  );
  const key = readPublicKey(token, publicKey);
  if (key === undefined)
    throw new SignerError('UNSUPPORTED_KEY', `The new key in ${token.name} cannot be read.`);
  return key;
}

/** The public half of a key by its id: from the public key object, else from a certificate (PIV). Undefined when the token has neither. */
export function findPublicKey(token: TokenSession, id: Buffer): Key | undefined {
  const { module, session } = token;
  const [object] = findObjects(token, [{ type: CKA.CLASS, value: CKO.PUBLIC_KEY }, { type: CKA.ID, value: id }]); // prettier-ignore
  if (object !== undefined) return readPublicKey(token, object);
  const [certificate] = findObjects(token, [{ type: CKA.CLASS, value: CKO.CERTIFICATE }, { type: CKA.ID, value: id }]); // prettier-ignore
  if (certificate === undefined) return undefined;
  const [der] = module.C_GetAttributeValue(session, certificate, [{ type: CKA.VALUE }]);
  return der === undefined ? undefined : keyOf(new X509Certificate(der.value).publicKey);
}

/** Undefined for RSA and unknown curves. */
function readPublicKey({ module, session }: TokenSession, object: Buffer): Key | undefined {
  try {
    const [params, point] = module.C_GetAttributeValue(session, object, [{ type: CKA.EC_PARAMS }, { type: CKA.EC_POINT }]); // prettier-ignore
    const curve = CURVES.get(params?.value.toString('hex') ?? '');
    if (curve === undefined || point === undefined) return undefined;
    return keyOfRaw(curve, unwrapPoint(point.value, RAW_LENGTH[curve]));
  } catch {
    return undefined;
  }
}

/** CKA_EC_POINT is the raw key in an OCTET STRING; some tokens leave that out, or use a BIT STRING. */
function unwrapPoint(value: Buffer, length: number): Buffer {
  const prefix = value.subarray(0, -length).toString('hex');
  const digits = length.toString(16).padStart(2, '0');
  const bits = (length + 1).toString(16).padStart(2, '0');
  return ['', `04${digits}`, `03${bits}00`].includes(prefix) ? value.subarray(-length) : value;
}

/** CKA_ID as a URI says it. */
export function writeKeyId(id: Buffer | undefined): string {
  if (id === undefined || id.length === 0) return '';
  const isNumber = id.length <= 3 && (id[0] !== 0 || id.length === 1);
  return isNumber ? String(id.readUIntBE(0, id.length)) : `0x${id.toString('hex')}`;
}
