import { check, readBoolean, readInteger, readString, readStrings, unrecognized } from './fields.ts';
import type { JsonObject } from './json.ts';
import { matchesPathPattern } from './path-pattern.ts';
import { Role, TOP_LEVEL_ROLE_NAMES, roleJson } from './role.ts';
import type { RoleFields } from './role.ts';

const KNOWN: ReadonlySet<string> = new Set([
  'name',
  'keyids',
  'threshold',
  'terminating',
  'paths',
  'path_hash_prefixes',
]);

/** What a delegation is made of: exactly one of `paths` and `pathHashPrefixes`. */
export interface DelegatedRoleFields extends RoleFields {
  readonly name: string;
  /** Whether the search ends with this role and its own delegations. */
  readonly terminating: boolean;
  readonly paths?: readonly string[] | undefined;
  readonly pathHashPrefixes?: readonly string[] | undefined;
}

/** A delegation to one role (spec 4.5): who signs, and which target paths it is trusted with. */
export class DelegatedRole extends Role {
  readonly name: string;
  readonly terminating: boolean;
  readonly paths: readonly string[] | undefined;
  /** Lower-case hexadecimal beginnings of the path's SHA-256. */
  readonly pathHashPrefixes: readonly string[] | undefined;

  /** @throws {MalformedMetadataError} */
  constructor(fields: DelegatedRoleFields) {
    super(fields);
    const { name, paths, pathHashPrefixes } = fields;
    check(
      name !== '' && !TOP_LEVEL_ROLE_NAMES.has(name),
      'name',
      'must be neither empty nor a top-level role',
    );
    const isOne = (paths === undefined) !== (pathHashPrefixes === undefined);
    check(isOne, 'paths', 'exactly one of paths and path_hash_prefixes must be there');
    for (const prefix of pathHashPrefixes ?? []) {
      check(
        /^[0-9a-f]{1,64}$/.test(prefix),
        'path_hash_prefixes',
        'must be 1 to 64 lower-case hexadecimal digits',
      );
    }
    this.name = name;
    this.terminating = fields.terminating;
    this.paths = paths;
    this.pathHashPrefixes = pathHashPrefixes;
  }

  /** @throws {MalformedMetadataError} */
  static override fromJson(json: JsonObject): DelegatedRole {
    return new DelegatedRole({
      keyIds: readStrings(json, 'keyids'),
      threshold: readInteger(json, 'threshold'),
      name: readString(json, 'name'),
      terminating: readBoolean(json, 'terminating'),
      paths: json.has('paths') ? readStrings(json, 'paths') : undefined,
      pathHashPrefixes: json.has('path_hash_prefixes') ? readStrings(json, 'path_hash_prefixes') : undefined,
      unrecognizedFields: unrecognized(json, KNOWN),
    });
  }

  override toJson(): JsonObject {
    const json = roleJson(this).set('name', this.name).set('terminating', this.terminating);
    if (this.paths !== undefined) json.set('paths', this.paths);
    if (this.pathHashPrefixes !== undefined) json.set('path_hash_prefixes', this.pathHashPrefixes);
    return json;
  }

  /** Whether the role is trusted with the path; `pathHash` is `targetPathHash(path)`. */
  matches(path: string, pathHash: string): boolean {
    return (
      (this.paths ?? []).some((pattern) => matchesPathPattern(path, pattern)) ||
      (this.pathHashPrefixes ?? []).some((prefix) => pathHash.startsWith(prefix))
    );
  }
}
