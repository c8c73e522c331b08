import type { TufCrypto } from './crypto.ts';
import { DelegatedRole } from './delegated-role.ts';
import { DelegationTable } from './delegation-table.ts';
import { MalformedMetadataError, RoleNotFoundError } from './errors.ts';
import { NO_FIELDS, asObject, check, readArray, readObject, unrecognized, within } from './fields.ts';
import type { JsonObject } from './json.ts';
import type { Key } from './key.ts';
import { keysJson, readKeys } from './keys.ts';
import type { Metadata } from './metadata.ts';
import type { Role } from './role.ts';
import { RoleRows } from './rows.ts';
import type { MetadataRows } from './rows.ts';
import { targetPathHash } from './sha256.ts';
import type { Signed } from './signed.ts';
import { SuccinctRoles } from './succinct-roles.ts';
import { verifySignatures } from './verification.ts';
import type { VerificationResult } from './verification.ts';

const KNOWN: ReadonlySet<string> = new Set(['keys', 'roles', 'succinct_roles']);

/** What delegations are made of: exactly one of `roles` and `succinctRoles`. */
export interface DelegationsFields {
  /** Keys by key id. */
  readonly keys: ReadonlyMap<string, Key>;
  /** In search order. */
  readonly roles?: readonly DelegatedRole[] | RoleRows | undefined;
  readonly succinctRoles?: SuccinctRoles | undefined;
  readonly unrecognizedFields?: JsonObject | undefined;
}

/** A role to search next. */
export interface DelegationMatch {
  readonly name: string;
  readonly terminating: boolean;
}

/** The roles a targets role trusts, with their keys (spec 4.5, TAP 15). */
export class Delegations {
  readonly keys: ReadonlyMap<string, Key>;
  /** Roles by name in order of appearance, which is the search order; undefined with succinct roles. */
  readonly roles: ReadonlyMap<string, DelegatedRole> | undefined;
  readonly succinctRoles: SuccinctRoles | undefined;
  readonly unrecognizedFields: JsonObject;
  readonly #search: (path: string, pathHash: string) => readonly DelegationMatch[];

  /** @throws {MalformedMetadataError} */
  constructor(fields: DelegationsFields) {
    const { roles = [], succinctRoles } = fields;
    const isOne = (fields.roles === undefined) !== (succinctRoles === undefined);
    check(isOne, 'roles', 'exactly one of roles and succinct_roles must be there');
    this.keys = fields.keys;
    this.roles = roles instanceof RoleRows ? roles : fields.roles && byName(roles);
    this.succinctRoles = succinctRoles;
    this.#search =
      succinctRoles === undefined
        ? roles instanceof RoleRows
          ? searchRows(roles)
          : searchRoles(roles)
        : searchBins(succinctRoles);
    this.unrecognizedFields = fields.unrecognizedFields ?? NO_FIELDS;
  }

  /** @throws {MalformedMetadataError} */
  static fromJson(json: JsonObject, rows: MetadataRows = {}): Delegations {
    return new Delegations({
      keys: readKeys(json),
      roles: rows.roles ?? (json.has('roles') ? readRoles(json) : undefined),
      succinctRoles: json.has('succinct_roles')
        ? within('succinct_roles', () => SuccinctRoles.fromJson(readObject(json, 'succinct_roles')))
        : undefined,
      unrecognizedFields: unrecognized(json, KNOWN),
    });
  }

  toJson(): JsonObject {
    const json = new Map(this.unrecognizedFields).set('keys', keysJson(this.keys));
    if (this.roles !== undefined) json.set('roles', Array.from(this.roles.values(), (role) => role.toJson())); // prettier-ignore
    if (this.succinctRoles !== undefined) json.set('succinct_roles', this.succinctRoles.toJson());
    return json;
  }

  /** Keys and threshold of a role delegated here, or undefined; of succinct roles only for names of their bins. */
  role(name: string): Role | undefined {
    if (this.roles !== undefined) return this.roles.get(name);
    return this.succinctRoles?.isDelegatedRole(name) === true ? this.succinctRoles : undefined;
  }

  /** The delegations trusted with the path, in search order. Succinct bins count as terminating, as in all clients. */
  rolesForTarget(path: string): readonly DelegationMatch[] {
    return this.#search(path, targetPathHash(path));
  }

  /**
   * Verifies metadata of a role delegated here.
   * @throws {RoleNotFoundError} when it is not delegated here, or the metadata is not of type targets
   */
  async verifyDelegate(
    role: string,
    metadata: Metadata<Signed>,
    crypto?: TufCrypto,
  ): Promise<VerificationResult> {
    const entry = this.role(role);
    if (entry === undefined) throw new RoleNotFoundError('is not delegated by the delegator', { role });
    const { type } = metadata.signed;
    if (type !== 'targets')
      throw new RoleNotFoundError(`metadata of type ${type} cannot stand for this role`, { role });
    return verifySignatures(entry, this.keys, metadata, crypto);
  }
}

function readRoles(json: JsonObject): readonly DelegatedRole[] {
  return readArray(json, 'roles').map((value, index) =>
    within(`roles[${index}]`, () => DelegatedRole.fromJson(asObject(value, 'role'))),
  );
}

function byName(roles: readonly DelegatedRole[]): ReadonlyMap<string, DelegatedRole> {
  const named = new Map<string, DelegatedRole>();
  for (const role of roles) {
    if (named.has(role.name)) {
      const reason = `the role ${JSON.stringify(role.name)} stands twice`;
      throw new MalformedMetadataError(reason, { path: 'roles' });
    }
    named.set(role.name, role);
  }
  return named;
}

/** A table costs as much as a few searches of all roles: whoever looks for one target should not pay for it. */
const SEARCHES_WITHOUT_TABLE = 4;

/** Looks roles up in a table, which is built when paths keep being searched. */
function searchRoles(roles: readonly DelegatedRole[]) {
  let searches = 0;
  let table: DelegationTable | undefined;
  return (path: string, pathHash: string) => {
    if (searches++ < SEARCHES_WITHOUT_TABLE) return roles.filter((role) => role.matches(path, pathHash));
    return (table ??= new DelegationTable(roles)).find(path, pathHash);
  };
}

/** Bins stand in the order of their prefixes. For others that do not, their models are made. */
function searchRows(rows: RoleRows) {
  let search: ReturnType<typeof searchRoles> | undefined;
  return (path: string, pathHash: string) => {
    if (!rows.isOrdered) return (search ??= searchRoles([...rows.values()]))(path, pathHash);
    const role = rows.find(pathHash);
    return role === undefined ? [] : [role];
  };
}

function searchBins(bins: SuccinctRoles) {
  return (_path: string, pathHash: string) => [{ name: bins.roleForPathHash(pathHash), terminating: true }];
}
