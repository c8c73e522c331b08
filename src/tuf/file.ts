import { encodeHex } from './hex.ts';
import { defaultCrypto } from './default-crypto.ts';
import { LengthOrHashMismatchError } from './errors.ts';
import { NO_FIELDS, check, readInteger, readObject, unrecognized } from './fields.ts';
import { isDigestAlgorithm } from './crypto.ts';
import type { TufCrypto } from './crypto.ts';
import type { JsonObject, JsonValue } from './json.ts';
import { checkVersion } from './signed.ts';

/** Hashes by algorithm name, in lower-case hexadecimal. */
export type Hashes = ReadonlyMap<string, string>;

const META_FIELDS: ReadonlySet<string> = new Set(['version', 'length', 'hashes']);
const TARGET_FIELDS: ReadonlySet<string> = new Set(['length', 'hashes']);

/** What snapshot and timestamp say about a metadata file (spec 4.4). */
export class MetaFile {
  readonly version: number;
  /** Bytes; undefined = not listed, the reader's own limit holds. */
  readonly length: number | undefined;
  readonly hashes: Hashes | undefined;
  readonly unrecognizedFields: JsonObject;

  constructor(fields: {
    readonly version: number;
    readonly length?: number | undefined;
    readonly hashes?: Hashes | undefined;
    readonly unrecognizedFields?: JsonObject | undefined;
  }) {
    this.version = checkVersion(fields.version);
    this.length = fields.length === undefined ? undefined : checkLength(fields.length);
    this.hashes = fields.hashes === undefined ? undefined : checkHashes(fields.hashes);
    this.unrecognizedFields = fields.unrecognizedFields ?? NO_FIELDS;
  }

  /** @throws {MalformedMetadataError} */
  static fromJson(json: JsonObject): MetaFile {
    return new MetaFile({
      version: readInteger(json, 'version'),
      length: json.has('length') ? readInteger(json, 'length') : undefined,
      hashes: json.has('hashes') ? readHashes(json) : undefined,
      unrecognizedFields: unrecognized(json, META_FIELDS),
    });
  }

  toJson(): JsonObject {
    const json = new Map(this.unrecognizedFields).set('version', this.version);
    if (this.length !== undefined) json.set('length', this.length);
    if (this.hashes !== undefined) json.set('hashes', this.hashes);
    return json;
  }

  /**
   * Checks the received bytes against everything that is listed.
   * @throws {LengthOrHashMismatchError}
   */
  async verify(bytes: Uint8Array, role: string, crypto: TufCrypto = defaultCrypto): Promise<void> {
    await verifyLengthAndHashes(bytes, this.length, this.hashes, { role, version: this.version }, crypto);
  }
}

/** A target: its length and hashes as a targets role lists them (spec 4.5). */
export class TargetFile {
  readonly path: string;
  /** Bytes. */
  readonly length: number;
  /** Never empty. */
  readonly hashes: Hashes;
  /** `custom` and whatever else stands there. */
  readonly unrecognizedFields: JsonObject;

  constructor(fields: {
    readonly path: string;
    readonly length: number;
    readonly hashes: Hashes;
    readonly unrecognizedFields?: JsonObject | undefined;
  }) {
    this.path = fields.path;
    this.length = checkLength(fields.length);
    this.hashes = checkHashes(fields.hashes);
    this.unrecognizedFields = fields.unrecognizedFields ?? NO_FIELDS;
  }

  /** @param sha256 lower-case hexadecimal */
  static withSha256(path: string, length: number, sha256: string): TargetFile {
    return new TargetFile({ path, length, hashes: new Map([['sha256', sha256]]) });
  }

  /** @throws {MalformedMetadataError} */
  static fromJson(path: string, json: JsonObject): TargetFile {
    return new TargetFile({
      path,
      length: readInteger(json, 'length'),
      hashes: readHashes(json),
      unrecognizedFields: json.size === 2 ? NO_FIELDS : unrecognized(json, TARGET_FIELDS),
    });
  }

  /** Describes bytes at hand, with their sha256. */
  static async fromBytes(
    path: string,
    bytes: Uint8Array,
    crypto: TufCrypto = defaultCrypto,
  ): Promise<TargetFile> {
    const digest = encodeHex(await crypto.digest('sha256', bytes));
    return new TargetFile({ path, length: bytes.length, hashes: new Map([['sha256', digest]]) });
  }

  toJson(): JsonObject {
    return new Map<string, JsonValue>(this.unrecognizedFields)
      .set('length', this.length)
      .set('hashes', this.hashes);
  }

  /** The application's own data about the target, or undefined. */
  get custom(): JsonObject | undefined {
    const custom = this.unrecognizedFields.get('custom');
    return custom instanceof Map ? custom : undefined;
  }

  /**
   * Checks the received bytes.
   * @throws {LengthOrHashMismatchError}
   */
  async verify(bytes: Uint8Array, crypto: TufCrypto = defaultCrypto): Promise<void> {
    await verifyLengthAndHashes(bytes, this.length, this.hashes, { path: this.path }, crypto);
  }
}

function readHashes(json: JsonObject): Hashes {
  const hashes = readObject(json, 'hashes');
  for (const value of hashes.values()) check(typeof value === 'string', 'hashes', 'must hold strings only');
  return hashes as Hashes;
}

function checkLength(length: number): number {
  check(Number.isSafeInteger(length) && length >= 0, 'length', 'must be an integer of at least 0');
  return length;
}

/** Empty hashes would let any content pass; values become parts of URLs, so nothing but hex may stand there. */
function checkHashes(hashes: Hashes): Hashes {
  check(hashes.size > 0, 'hashes', 'must not be empty');
  for (const value of hashes.values()) {
    check(/^[0-9a-f]+$/.test(value), 'hashes', 'must be lower-case hexadecimal');
  }
  return hashes;
}

async function verifyLengthAndHashes(
  bytes: Uint8Array,
  length: number | undefined,
  hashes: Hashes | undefined,
  details: { readonly role?: string; readonly version?: number; readonly path?: string },
  crypto: TufCrypto,
): Promise<void> {
  if (length !== undefined && bytes.length !== length) {
    throw new LengthOrHashMismatchError(`has ${bytes.length} bytes, ${length} are listed`, details);
  }
  for (const [algorithm, expected] of hashes ?? []) {
    if (!isDigestAlgorithm(algorithm)) {
      throw new LengthOrHashMismatchError(
        `the listed hash ${JSON.stringify(algorithm)} is not supported`,
        details,
      );
    }
    const found = encodeHex(await crypto.digest(algorithm, bytes));
    if (found !== expected) {
      throw new LengthOrHashMismatchError(`has the ${algorithm} ${found}, ${expected} is listed`, details);
    }
  }
}
