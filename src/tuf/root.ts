import type { TufCrypto } from './crypto.ts';
import { RoleNotFoundError } from './errors.ts';
import { asObject, check, readBoolean, readObject, unrecognized, within } from './fields.ts';
import type { JsonObject } from './json.ts';
import { Key } from './key.ts';
import { keysJson, readKeys } from './keys.ts';
import type { Metadata } from './metadata.ts';
import { Role, TOP_LEVEL_ROLE_NAMES } from './role.ts';
import { SIGNED_FIELDS, Signed, readSignedFields } from './signed.ts';
import type { SignedFields, SignedType } from './signed.ts';
import { verifySignatures } from './verification.ts';
import type { VerificationResult } from './verification.ts';

const KNOWN: ReadonlySet<string> = new Set([...SIGNED_FIELDS, 'keys', 'roles', 'consistent_snapshot']);

/** What a root is made of. */
export interface RootFields extends SignedFields {
  /** Keys by key id. */
  readonly keys: ReadonlyMap<string, Key>;
  /** Exactly root, timestamp, snapshot and targets; `mirrors` is tolerated. */
  readonly roles: ReadonlyMap<string, Role>;
  /** Undefined is not written and means false. */
  readonly consistentSnapshot?: boolean | undefined;
}

/** The root of trust: the keys of the top-level roles (spec 4.3). */
export class Root extends Signed {
  readonly type = 'root';
  readonly keys: ReadonlyMap<string, Key>;
  readonly roles: ReadonlyMap<string, Role>;
  /** Whether files are fetched under names with version or hash. */
  readonly consistentSnapshot: boolean;
  readonly #fields: RootFields;

  /** @throws {MalformedMetadataError} */
  constructor(fields: RootFields) {
    super(fields);
    for (const name of TOP_LEVEL_ROLE_NAMES)
      check(fields.roles.has(name), 'roles', `the role ${name} is missing`);
    for (const name of fields.roles.keys()) {
      const isKnown = TOP_LEVEL_ROLE_NAMES.has(name) || name === 'mirrors';
      check(isKnown, 'roles', `${JSON.stringify(name)} is no top-level role`);
    }
    this.keys = fields.keys;
    this.roles = fields.roles;
    this.consistentSnapshot = fields.consistentSnapshot ?? false;
    this.#fields = fields;
  }

  /** @throws {MalformedMetadataError} */
  static fromJson(json: JsonObject): Root {
    const roles = new Map<string, Role>();
    for (const [name, value] of readObject(json, 'roles')) {
      roles.set(name, within(`roles.${name}`, () => Role.fromJson(asObject(value, name)))); // prettier-ignore
    }
    return new Root({
      ...readSignedFields(json, 'root'),
      keys: readKeys(json),
      roles,
      consistentSnapshot: json.has('consistent_snapshot')
        ? readBoolean(json, 'consistent_snapshot')
        : undefined,
      unrecognizedFields: unrecognized(json, KNOWN),
    });
  }

  toJson(): JsonObject {
    const roles = new Map([...this.roles].map(([name, role]) => [name, role.toJson()]));
    const json = this.commonJson().set('keys', keysJson(this.keys)).set('roles', roles);
    if (this.#fields.consistentSnapshot !== undefined)
      json.set('consistent_snapshot', this.consistentSnapshot);
    return json;
  }

  /** The same root with some fields changed. */
  with(changes: Partial<RootFields>): Root {
    return new Root({ ...this.#fields, ...changes });
  }

  /**
   * Verifies metadata of a top-level role with the keys listed here.
   * @throws {RoleNotFoundError} when the metadata is not of that role's type, or the role is unknown
   */
  async verifyDelegate(
    role: string,
    metadata: Metadata<Signed>,
    crypto?: TufCrypto,
  ): Promise<VerificationResult> {
    const entry = this.roles.get(role);
    if (entry === undefined) {
      throw new RoleNotFoundError('root delegates to the top-level roles only', { role });
    }
    const type: SignedType = metadata.signed.type;
    if (type !== role)
      throw new RoleNotFoundError(`metadata of type ${type} cannot stand for this role`, { role });
    return verifySignatures(entry, this.keys, metadata, crypto);
  }
}
