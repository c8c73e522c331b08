import { SignerError } from './signer-error.ts';

/** The fields of a token that can choose it; the names are those of PKCS #11, as in securesystemslib. */
export const TOKEN_FIELDS = ['label', 'manufacturerID', 'model', 'serialNumber'] as const;

/** `hsm:KEYID?label=TOKEN&module=PATH` taken apart. */
export interface HsmUri {
  readonly uri: string;
  /** CKA_ID of the key, undefined when the URI names the token only. */
  readonly keyId: Buffer | undefined;
  readonly module: string;
  readonly token: ReadonlyMap<(typeof TOKEN_FIELDS)[number], string>;
}

/**
 * Reads an `hsm:` URI. KEYID is a number as in securesystemslib, or `0x` and hex digits where zeros in front count. Without `module` the
 * library is that of $RIND_PKCS11_MODULE or $PYKCS11LIB. Throws MALFORMED_URI.
 */
export function parseHsmUri(uri: string): HsmUri {
  const [head = '', ...rest] = uri.slice(uri.indexOf(':') + 1).split('?');
  const malformed = (reason: string) =>
    new SignerError('MALFORMED_URI', `The hsm: URI ${reason}; write hsm:KEYID?label=TOKEN&module=PATH.`);
  let module = process.env['RIND_PKCS11_MODULE'] ?? process.env['PYKCS11LIB'];
  const token = new Map<(typeof TOKEN_FIELDS)[number], string>();
  for (const [name, value] of new URLSearchParams(rest.join('?'))) {
    const field = TOKEN_FIELDS.find((known) => known === name);
    // Not quoted: it may be a PIN.
    if (/pin/i.test(name)) throw malformed('must not hold a PIN: PINs come from the terminal or a file');
    if (field !== undefined) token.set(field, value);
    else if (name === 'module') module = value;
    else throw malformed(`has the unknown part "${name}"`);
  }
  if (module === undefined || module === '') throw malformed('names no PKCS #11 library');
  return { uri, keyId: head === '' ? undefined : readKeyId(head, malformed), module, token };
}

function readKeyId(text: string, malformed: (reason: string) => SignerError): Buffer {
  const hex = /^0x((?:[0-9a-fA-F]{2}){1,64})$/.exec(text)?.[1];
  if (hex !== undefined) return Buffer.from(hex, 'hex');
  if (!/^\d{1,9}$/.test(text)) throw malformed(`has the key id "${text}", which is no number and no 0x…`);
  const digits = Number(text).toString(16);
  return Buffer.from(digits.padStart(digits.length + (digits.length % 2), '0'), 'hex');
}
