import { check, readInteger, readString, readStrings, unrecognized } from './fields.ts';
import type { JsonObject } from './json.ts';
import { binForPathHash, binName } from './layout.ts';
import { Role, roleJson } from './role.ts';
import type { RoleFields } from './role.ts';

const KNOWN: ReadonlySet<string> = new Set(['keyids', 'threshold', 'bit_length', 'name_prefix']);

/** What a succinct delegation is made of. */
export interface SuccinctRolesFields extends RoleFields {
  /** 1 to 32: there are 2^bitLength bins. */
  readonly bitLength: number;
  readonly namePrefix: string;
}

/** A delegation to 2^n bins with the same keys, written in a few bytes (TAP 15). */
export class SuccinctRoles extends Role {
  readonly bitLength: number;
  readonly namePrefix: string;

  /** @throws {MalformedMetadataError} */
  constructor(fields: SuccinctRolesFields) {
    super(fields);
    const { bitLength, namePrefix } = fields;
    const isInRange = Number.isInteger(bitLength) && bitLength >= 1 && bitLength <= 32;
    check(isInRange, 'bit_length', 'must be an integer from 1 to 32');
    this.bitLength = bitLength;
    this.namePrefix = namePrefix;
  }

  /** @throws {MalformedMetadataError} */
  static override fromJson(json: JsonObject): SuccinctRoles {
    return new SuccinctRoles({
      keyIds: readStrings(json, 'keyids'),
      threshold: readInteger(json, 'threshold'),
      bitLength: readInteger(json, 'bit_length'),
      namePrefix: readString(json, 'name_prefix'),
      unrecognizedFields: unrecognized(json, KNOWN),
    });
  }

  override toJson(): JsonObject {
    return roleJson(this).set('bit_length', this.bitLength).set('name_prefix', this.namePrefix);
  }

  /** The number of bins. */
  get count(): number {
    return 2 ** this.bitLength;
  }

  /** The bin of a path; `pathHash` is `targetPathHash(path)`. */
  roleForPathHash(pathHash: string): string {
    return binName(this.namePrefix, binForPathHash(pathHash, this.count), this.count);
  }

  /** Whether the name is one of the bins, written exactly as {@link roleForPathHash} writes it. */
  isDelegatedRole(name: string): boolean {
    const suffix = name.slice(this.namePrefix.length + 1);
    if (!/^[0-9a-f]{1,8}$/.test(suffix)) return false;
    const index = Number.parseInt(suffix, 16);
    return index < this.count && name === binName(this.namePrefix, index, this.count);
  }

  /** The names of all bins, in order. */
  *roleNames(): Generator<string> {
    for (let index = 0; index < this.count; index++) yield binName(this.namePrefix, index, this.count);
  }
}
