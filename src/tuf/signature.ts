import { MalformedMetadataError } from './errors.ts';
import { NO_FIELDS, asObject, readString, unrecognized, within } from './fields.ts';
import { decodeHex, encodeHex } from './hex.ts';
import type { JsonObject, JsonValue } from './json.ts';

const KNOWN: ReadonlySet<string> = new Set(['keyid', 'sig']);

/** One signature of an envelope (spec 4.2.1). */
export class Signature {
  readonly keyId: string;
  /** Hex as received; empty or other nonsense is kept and never verifies. */
  readonly sig: string;
  readonly unrecognizedFields: JsonObject;

  constructor(keyId: string, sig: string, unrecognizedFields: JsonObject = NO_FIELDS) {
    this.keyId = keyId;
    this.sig = sig;
    this.unrecognizedFields = unrecognizedFields;
  }

  static fromBytes(keyId: string, bytes: Uint8Array): Signature {
    return new Signature(keyId, encodeHex(bytes));
  }

  /** @throws {MalformedMetadataError} */
  static fromJson(json: JsonObject): Signature {
    return new Signature(readString(json, 'keyid'), readString(json, 'sig'), unrecognized(json, KNOWN));
  }

  toJson(): JsonObject {
    return new Map(this.unrecognizedFields).set('keyid', this.keyId).set('sig', this.sig);
  }

  /** The signature's bytes, or undefined when `sig` is not hexadecimal or empty. */
  get bytes(): Uint8Array | undefined {
    return this.sig === '' ? undefined : decodeHex(this.sig);
  }
}

/**
 * The signatures by key id, in their order.
 * @throws {MalformedMetadataError} when one key id stands twice: whoever counts entries would count it twice
 */
export function signaturesByKeyId(signatures: Iterable<Signature>): ReadonlyMap<string, Signature> {
  const byKeyId = new Map<string, Signature>();
  for (const signature of signatures) {
    if (byKeyId.has(signature.keyId)) {
      const reason = `two signatures of key ${JSON.stringify(signature.keyId)}`;
      throw new MalformedMetadataError(reason, { path: 'signatures' });
    }
    byKeyId.set(signature.keyId, signature);
  }
  return byKeyId;
}

/** @throws {MalformedMetadataError} */
export function readSignatures(values: readonly JsonValue[]): readonly Signature[] {
  return values.map((value, index) =>
    within(`signatures[${index}]`, () => Signature.fromJson(asObject(value, 'signature'))),
  );
}
