import { NO_FIELDS, check, readInteger, readStrings, unrecognized } from './fields.ts';
import type { JsonObject, JsonValue } from './json.ts';

/** More keys than any role needs; bounds how many signatures one file can make a client verify. */
export const MAX_KEYS_PER_ROLE = 1024;

/** The names no delegation may take. */
export const TOP_LEVEL_ROLE_NAMES: ReadonlySet<string> = new Set([
  'root',
  'timestamp',
  'snapshot',
  'targets',
]);

const KNOWN: ReadonlySet<string> = new Set(['keyids', 'threshold']);

/** Who may sign for a role, and how many of them must (spec 4.3). */
export interface RoleFields {
  readonly keyIds: readonly string[];
  /** At least 1. */
  readonly threshold: number;
  readonly unrecognizedFields?: JsonObject | undefined;
}

/** Key ids and threshold of a role. */
export class Role {
  readonly keyIds: readonly string[];
  readonly threshold: number;
  readonly unrecognizedFields: JsonObject;

  /** @throws {MalformedMetadataError} for a threshold below 1, a key id twice, or too many of them */
  constructor(fields: RoleFields) {
    const { keyIds, threshold } = fields;
    check(Number.isSafeInteger(threshold) && threshold >= 1, 'threshold', 'must be an integer of at least 1');
    check(keyIds.length < 2 || new Set(keyIds).size === keyIds.length, 'keyids', 'must not name a key twice');
    check(keyIds.length <= MAX_KEYS_PER_ROLE, 'keyids', `must not name more than ${MAX_KEYS_PER_ROLE} keys`);
    this.keyIds = keyIds;
    this.threshold = threshold;
    this.unrecognizedFields = fields.unrecognizedFields ?? NO_FIELDS;
  }

  /** @throws {MalformedMetadataError} */
  static fromJson(json: JsonObject): Role {
    return new Role({
      keyIds: readStrings(json, 'keyids'),
      threshold: readInteger(json, 'threshold'),
      unrecognizedFields: unrecognized(json, KNOWN),
    });
  }

  toJson(): JsonObject {
    return roleJson(this);
  }
}

export function roleJson(role: Role): Map<string, JsonValue> {
  return new Map(role.unrecognizedFields).set('keyids', role.keyIds).set('threshold', role.threshold);
}
