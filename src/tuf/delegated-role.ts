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
  /** As text while nobody has asked for them: of tens of thousands of bins a search needs one. */
  readonly #pathHashPrefixes: readonly string[] | string | undefined;

  /** @throws {MalformedMetadataError} */
  constructor(fields: DelegatedRoleFields, prefixText?: string) {
    super(fields);
    const { name, paths, pathHashPrefixes } = fields;
    check(
      name !== '' && !TOP_LEVEL_ROLE_NAMES.has(name),
      'name',
      'must be neither empty nor a top-level role',
    );
    const isOne = (paths === undefined) !== ((prefixText ?? pathHashPrefixes) === undefined);
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
    this.#pathHashPrefixes = prefixText ?? pathHashPrefixes;
  }

  /** @param prefixText prefixes of 1 to 64 lower-case hexadecimal digits with `","` between them, which the caller has made sure of */
  static withPrefixText(fields: DelegatedRoleFields, prefixText: string): DelegatedRole {
    return new DelegatedRole(fields, prefixText);
  }

  /** Lower-case hexadecimal beginnings of the path's SHA-256. */
  get pathHashPrefixes(): readonly string[] | undefined {
    const prefixes = this.#pathHashPrefixes;
    return typeof prefixes === 'string' ? prefixes.split(PREFIX_SEPARATOR) : prefixes;
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
    const prefixes = this.#pathHashPrefixes;
    if (typeof prefixes === 'string') return isPrefixInText(pathHash, prefixes);
    return (
      (this.paths ?? []).some((pattern) => matchesPathPattern(path, pattern)) ||
      (prefixes ?? []).some((prefix) => pathHash.startsWith(prefix))
    );
  }
}

const PREFIX_SEPARATOR = '","';

function isPrefixInText(pathHash: string, text: string): boolean {
  for (let start = 0; ;) {
    let length = 0;
    while (start + length < text.length && text.charCodeAt(start + length) === pathHash.charCodeAt(length))
      length++;
    const end = text.indexOf(PREFIX_SEPARATOR, start);
    if (start + length === (end === -1 ? text.length : end)) return true;
    if (end === -1) return false;
    start = end + PREFIX_SEPARATOR.length;
  }
}
