import type { TufCrypto } from './crypto.ts';
import { Delegations } from './delegations.ts';
import { RoleNotFoundError } from './errors.ts';
import { asObject, readModels, readObject, unrecognized, within } from './fields.ts';
import { TargetFile } from './file.ts';
import type { JsonObject, JsonValue } from './json.ts';
import type { Metadata } from './metadata.ts';
import type { MetadataRows } from './rows.ts';
import { SIGNED_FIELDS, Signed, readSignedFields } from './signed.ts';
import type { SignedFields } from './signed.ts';
import type { VerificationResult } from './verification.ts';

/**
 * An extra field of delegated roles that share their keys with others: the role's own name. TUF signs no role name, so
 * that without it a mirror could serve one bin as another of the same version, and hide what stands in the true one.
 * Clients that do not know the field ignore it.
 */
export const ROLE_NAME_FIELD = 'x-rind-role';

const KNOWN: ReadonlySet<string> = new Set([...SIGNED_FIELDS, 'targets', 'delegations']);

/** What the targets role and every delegated role is made of. */
export interface TargetsFields extends SignedFields {
  /** Targets by path. */
  readonly targets: ReadonlyMap<string, TargetFile>;
  readonly delegations?: Delegations | undefined;
}

/** Lists targets, and the roles trusted with further ones (spec 4.5). */
export class Targets extends Signed {
  readonly type = 'targets';
  readonly targets: ReadonlyMap<string, TargetFile>;
  readonly delegations: Delegations | undefined;
  readonly #fields: TargetsFields;

  constructor(fields: TargetsFields) {
    super(fields);
    this.targets = fields.targets;
    this.delegations = fields.delegations;
    this.#fields = fields;
  }

  /** @throws {MalformedMetadataError} */
  static fromJson(json: JsonObject, rows: MetadataRows = {}): Targets {
    const targets =
      rows.targets ??
      within('targets', () =>
        readModels(readObject(json, 'targets'), (value, path) => TargetFile.fromJson(path, value)),
      );
    return new Targets({
      ...readSignedFields(json, 'targets'),
      targets,
      delegations: json.has('delegations')
        ? within('delegations', () => Delegations.fromJson(asObject(json.get('delegations'), 'value'), rows))
        : undefined,
      unrecognizedFields: unrecognized(json, KNOWN),
    });
  }

  /** The role this was signed for, where the metadata says so ({@link ROLE_NAME_FIELD}). */
  get roleName(): string | undefined {
    const name = this.unrecognizedFields.get(ROLE_NAME_FIELD);
    return typeof name === 'string' ? name : undefined;
  }

  toJson(): JsonObject {
    const targets = new Map<string, JsonValue>();
    for (const [path, file] of this.targets) targets.set(path, file.toJson());
    const json = this.commonJson().set('targets', targets);
    if (this.delegations !== undefined) json.set('delegations', this.delegations.toJson());
    return json;
  }

  /** The same role with some fields changed. */
  with(changes: Partial<TargetsFields>): Targets {
    return new Targets({ ...this.#fields, ...changes });
  }

  /**
   * Verifies metadata of a role delegated here.
   * @throws {RoleNotFoundError} when this role does not delegate to it
   */
  async verifyDelegate(
    role: string,
    metadata: Metadata<Signed>,
    crypto?: TufCrypto,
  ): Promise<VerificationResult> {
    if (this.delegations === undefined)
      throw new RoleNotFoundError('the delegator delegates nothing', { role });
    return this.delegations.verifyDelegate(role, metadata, crypto);
  }
}
