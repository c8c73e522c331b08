import { canonicalJsonText, canonicalString, encodeCanonicalJson, encodeUtf8 } from './canonical-json.ts';
import { compareCodePoints } from './code-points.ts';
import { MalformedMetadataError } from './errors.ts';
import { NO_FIELDS, asObject, readArray, readObject, unrecognized, within } from './fields.ts';
import { JsonError, parseJsonDocument } from './json.ts';
import type { JsonDocument, JsonLimits, JsonObject } from './json.ts';
import { Root } from './root.ts';
import { metadataRows, rowPlacesOf } from './rows.ts';
import type { MetadataRows } from './rows.ts';
import { Signature, readSignatures, signaturesByKeyId } from './signature.ts';
import type { Signed, SignedType } from './signed.ts';
import type { Signer, SigningContext } from './signer.ts';
import { Snapshot } from './snapshot.ts';
import { Targets } from './targets.ts';
import { Timestamp } from './timestamp.ts';

/** The model of each type of metadata. */
export interface SignedByType {
  root: Root;
  timestamp: Timestamp;
  snapshot: Snapshot;
  targets: Targets;
}

const READERS: { readonly [T in SignedType]: (json: JsonObject, rows: MetadataRows) => SignedByType[T] } = {
  root: (json) => Root.fromJson(json),
  timestamp: (json) => Timestamp.fromJson(json),
  snapshot: (json, rows) => Snapshot.fromJson(json, rows),
  targets: (json, rows) => Targets.fromJson(json, rows),
};

const KNOWN: ReadonlySet<string> = new Set(['signatures', 'signed']);

/** Limits of parsing, and the role's name for errors where it differs from the type. */
export interface MetadataOptions extends Partial<JsonLimits> {
  readonly role?: string;
}

/**
 * Signed metadata: the model, the signatures, and the very bytes the signatures are over (spec 4.2.1). Reading proves
 * nothing; see `verifyDelegate` of Root and Targets.
 */
export class Metadata<T extends Signed> {
  readonly signed: T;
  readonly signatures: readonly Signature[];
  /** At most one per key id. */
  readonly signaturesByKeyId: ReadonlyMap<string, Signature>;
  /** OLPC canonical JSON of the signed part as it was received, never of the model. */
  readonly signedBytes: Uint8Array;
  readonly unrecognizedFields: JsonObject;

  private constructor(
    signed: T,
    signatures: readonly Signature[],
    signedBytes: Uint8Array,
    unrecognizedFields: JsonObject,
  ) {
    this.signed = signed;
    this.signatures = signatures;
    this.signaturesByKeyId = signaturesByKeyId(signatures);
    this.signedBytes = signedBytes;
    this.unrecognizedFields = unrecognizedFields;
  }

  /**
   * Reads metadata of the expected type.
   * @throws {MalformedMetadataError}
   */
  static fromBytes<K extends SignedType>(
    bytes: Uint8Array,
    type: K,
    options: MetadataOptions = {},
  ): Metadata<SignedByType[K]> {
    const role = options.role ?? type;
    try {
      const document = parseMetadata(bytes, type, options);
      const envelope = asObject(document.value, 'envelope');
      const json = readObject(envelope, 'signed');
      const signed = within('signed', () => READERS[type](json, metadataRows(document.rows)));
      const signatures = readSignatures(readArray(envelope, 'signatures'));
      return new Metadata(signed, signatures, signedBytesOf(document, json), unrecognized(envelope, KNOWN));
    } catch (error) {
      if (error instanceof JsonError) throw new MalformedMetadataError(error.message, { role, cause: error });
      if (!(error instanceof MalformedMetadataError)) throw error;
      throw new MalformedMetadataError(error.reason, { role, path: error.path, cause: error.cause });
    }
  }

  /** Wraps a model that nobody has signed yet. */
  static unsigned<S extends Signed>(signed: S): Metadata<S> {
    return new Metadata(signed, [], encodeCanonicalJson(signed.toJson()), NO_FIELDS);
  }

  /** The same signed bytes under other signatures. */
  withSignatures(signatures: readonly Signature[]): Metadata<T> {
    return new Metadata(this.signed, signatures, this.signedBytes, this.unrecognizedFields);
  }

  /** The envelope: canonical JSON, except that control characters in strings are escaped, as JSON wants. */
  toBytes(): Uint8Array {
    return encodeEnvelope(this.signatures, this.signedBytes, this.unrecognizedFields);
  }
}

/** Signs a model; one signature per signer. `role` is needed by signers with a policy where the type does not say it: for delegated targets. */
export async function signMetadata<T extends Signed>(
  signed: T,
  signers: readonly Signer[],
  role: string = signed.type,
): Promise<Metadata<T>> {
  const metadata = Metadata.unsigned(signed);
  return metadata.withSignatures(
    await Promise.all(signers.map((signer) => signer.sign(metadata.signedBytes, { role }))),
  );
}

/** Adds one signature, replacing an earlier one of the same key. */
export async function addSignature<T extends Signed>(
  metadata: Metadata<T>,
  signer: Signer,
  context: SigningContext = { role: metadata.signed.type },
): Promise<Metadata<T>> {
  const signature = await signer.sign(metadata.signedBytes, context);
  const others = metadata.signatures.filter((other) => other.keyId !== signature.keyId);
  return metadata.withSignatures([...others, signature]);
}

/** The bytes of an envelope around a signed part that is already canonical. */
export function encodeEnvelope(
  signatures: readonly Signature[],
  signedBytes: Uint8Array,
  unrecognizedFields: JsonObject = NO_FIELDS,
): Uint8Array {
  const members = new Map<string, string>();
  for (const [name, value] of unrecognizedFields) members.set(name, canonicalJsonText(value));
  members.set('signatures', canonicalJsonText(signatures.map((signature) => signature.toJson())));
  members.set('signed', new TextDecoder('utf-8', { ignoreBOM: true }).decode(signedBytes));
  const text = [...members]
    .sort(([a], [b]) => compareCodePoints(a, b))
    .map(([name, value]) => `${canonicalString(name)}:${value}`)
    .join(',');
  return encodeUtf8(escapeControlCharacters(`{${text}}`));
}

/** In canonical text control characters stand inside strings only, so that they can be escaped where they are. */
function escapeControlCharacters(text: string): string {
  return text.replace(
    /[^\u0020-\u{10ffff}]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/**
 * Rows are read by their form where the signed part is canonical: what is not has to be encoded anew, from generic
 * values. Whether bytes are refused is for the parser alone to say.
 */
function parseMetadata(bytes: Uint8Array, type: SignedType, limits: Partial<JsonLimits>): JsonDocument {
  const places = rowPlacesOf(type);
  if (places !== undefined) {
    try {
      const document = parseJsonDocument(bytes, limits, places);
      if (document.rows.size === 0 || document.members.get('signed')?.canonical === true) return document;
    } catch (error) {
      if (!(error instanceof JsonError)) throw error;
    }
  }
  return parseJsonDocument(bytes, limits);
}

/** The received span itself when it is canonical already, which is what spares a client the encoding. */
function signedBytesOf(document: JsonDocument, signed: JsonObject): Uint8Array {
  const member = document.members.get('signed');
  return member?.canonical === true ? member.bytes : encodeCanonicalJson(signed);
}
