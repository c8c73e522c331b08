import { formatExpires, readExpires } from './expiry.ts';
import { NO_FIELDS, check, readInteger, readString } from './fields.ts';
import type { JsonObject, JsonValue } from './json.ts';

/** `_type` of the four kinds of metadata. */
export type SignedType = 'root' | 'timestamp' | 'snapshot' | 'targets';

/** The version of the specification this implementation writes. */
export const SPEC_VERSION = '1.0.34';

/** What every signed part has (spec 4.2.1). */
export interface SignedFields {
  /** At least 1. */
  readonly version: number;
  /** To the second; expired from this moment on. */
  readonly expires: Date;
  readonly specVersion?: string | undefined;
  readonly unrecognizedFields?: JsonObject | undefined;
}

/** The fields {@link Signed} reads itself. */
export const SIGNED_FIELDS = ['_type', 'spec_version', 'version', 'expires'] as const;

/** The signed part of metadata. */
export abstract class Signed {
  abstract readonly type: SignedType;
  readonly version: number;
  readonly expires: Date;
  readonly specVersion: string;
  readonly unrecognizedFields: JsonObject;

  constructor(fields: SignedFields) {
    this.version = checkVersion(fields.version);
    this.specVersion = checkSpecVersion(fields.specVersion ?? SPEC_VERSION);
    check(!Number.isNaN(fields.expires.getTime()), 'expires', 'must be a date');
    this.expires = new Date(Math.floor(fields.expires.getTime() / 1000) * 1000);
    this.unrecognizedFields = fields.unrecognizedFields ?? NO_FIELDS;
  }

  /** Whether the lifetime has ended: expired from `expires` on (spec 5.3.10 and others). */
  isExpired(referenceTime: Date): boolean {
    return !(referenceTime.getTime() < this.expires.getTime());
  }

  abstract toJson(): JsonObject;

  protected commonJson(): Map<string, JsonValue> {
    return new Map(this.unrecognizedFields)
      .set('_type', this.type)
      .set('spec_version', this.specVersion)
      .set('version', this.version)
      .set('expires', formatExpires(this.expires));
  }
}

/** Reads the common fields and checks `_type`. */
export function readSignedFields(json: JsonObject, type: SignedType) {
  const found = readString(json, '_type');
  check(found === type, '_type', `is ${JSON.stringify(found)}, expected "${type}"`);
  return {
    version: readInteger(json, 'version'),
    expires: readExpires(readString(json, 'expires')),
    specVersion: readString(json, 'spec_version'),
  };
}

export function checkVersion(version: number): number {
  check(Number.isSafeInteger(version) && version >= 1, 'version', 'must be an integer of at least 1');
  return version;
}

/** `1.x` and `1.x.y`: another major version may mean anything (spec 2, TAP 6). */
function checkSpecVersion(specVersion: string): string {
  check(
    /^1(\.\d+){1,2}$/.test(specVersion),
    'spec_version',
    `${JSON.stringify(specVersion)} is not 1.x or 1.x.y`,
  );
  return specVersion;
}
