import { canonicalJsonText, encodeCanonicalJson } from './canonical-json.ts';
import { NO_FIELDS, check, readObject, readString, unrecognized } from './fields.ts';
import { encodeHex } from './hex.ts';
import type { JsonObject, JsonValue } from './json.ts';
import { decodePublicKey } from './public-key.ts';
import type { PublicKey } from './public-key.ts';
import { sha256 } from './sha256.ts';

const KNOWN: ReadonlySet<string> = new Set(['keytype', 'scheme', 'keyval']);
const KNOWN_KEYVAL: ReadonlySet<string> = new Set(['public']);

/**
 * A public key as metadata carries it (spec 4.2). Keys of unknown schemes are read too: they only never verify.
 * The declared key id is authoritative (TAP 12); what a threshold counts is {@link Key.publicKey}'s material.
 */
export class Key {
  readonly keyId: string;
  readonly keyType: string;
  readonly scheme: string;
  /** `keyval.public`: hex for ed25519, SPKI PEM for the other supported schemes. */
  readonly public: string;
  readonly unrecognizedFields: JsonObject;
  readonly #unrecognizedKeyval: JsonObject;
  #decoded: PublicKey | undefined;

  private constructor(
    keyId: string,
    keyType: string,
    scheme: string,
    publicText: string,
    unrecognizedFields: JsonObject,
    unrecognizedKeyval: JsonObject,
  ) {
    check(keyId !== '', 'keyid', 'must not be empty');
    this.keyId = keyId;
    this.keyType = keyType;
    this.scheme = scheme;
    this.public = publicText;
    this.unrecognizedFields = unrecognizedFields;
    this.#unrecognizedKeyval = unrecognizedKeyval;
  }

  /**
   * A key of ours: its id is sha256(canonical {keytype, keyval, scheme}), as securesystemslib and the specification
   * agree on.
   * @throws {KeyError} when the scheme is unknown or the key malformed
   */
  static fromPublicKey(keyType: string, scheme: string, publicText: string): Key {
    decodePublicKey(keyType, scheme, publicText);
    const keyval: JsonValue = new Map([['public', publicText]]);
    const fields = new Map<string, JsonValue>([['keytype', keyType], ['keyval', keyval], ['scheme', scheme]]); // prettier-ignore
    const keyId = encodeHex(sha256(encodeCanonicalJson(fields)));
    return new Key(keyId, keyType, scheme, publicText, NO_FIELDS, NO_FIELDS);
  }

  /** @throws {MalformedMetadataError} */
  static fromJson(keyId: string, json: JsonObject): Key {
    const keyval = readObject(json, 'keyval');
    return new Key(
      keyId,
      readString(json, 'keytype'),
      readString(json, 'scheme'),
      readString(keyval, 'public'),
      unrecognized(json, KNOWN),
      unrecognized(keyval, KNOWN_KEYVAL),
    );
  }

  toJson(): JsonObject {
    const keyval = new Map(this.#unrecognizedKeyval).set('public', this.public);
    return new Map(this.unrecognizedFields)
      .set('keytype', this.keyType)
      .set('keyval', keyval)
      .set('scheme', this.scheme);
  }

  /**
   * The key decoded.
   * @throws {KeyError} when this key cannot verify anything
   */
  get publicKey(): PublicKey {
    this.#decoded ??= decodePublicKey(this.keyType, this.scheme, this.public);
    return this.#decoded;
  }

  /** Whether both say the same, id included. */
  equals(other: Key): boolean {
    return (
      this.keyId === other.keyId && canonicalJsonText(this.toJson()) === canonicalJsonText(other.toJson())
    );
  }
}
