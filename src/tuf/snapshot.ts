import { readModels, readObject, unrecognized, within } from './fields.ts';
import { MetaFile } from './file.ts';
import type { JsonObject, JsonValue } from './json.ts';
import type { MetadataRows } from './rows.ts';
import { SIGNED_FIELDS, Signed, readSignedFields } from './signed.ts';
import type { SignedFields } from './signed.ts';

const KNOWN: ReadonlySet<string> = new Set([...SIGNED_FIELDS, 'meta']);

/** What a snapshot is made of. */
export interface SnapshotFields extends SignedFields {
  /** Entries by file name without version: `targets.json`, `bin-0a3f.json`. */
  readonly meta: ReadonlyMap<string, MetaFile>;
}

/** Lists the current version of every targets role (spec 4.4). */
export class Snapshot extends Signed {
  readonly type = 'snapshot';
  readonly meta: ReadonlyMap<string, MetaFile>;
  readonly #fields: SnapshotFields;

  constructor(fields: SnapshotFields) {
    super(fields);
    this.meta = fields.meta;
    this.#fields = fields;
  }

  /** @throws {MalformedMetadataError} */
  static fromJson(json: JsonObject, rows: MetadataRows = {}): Snapshot {
    const meta =
      rows.meta ??
      within('meta', () => readModels(readObject(json, 'meta'), (value) => MetaFile.fromJson(value)));
    return new Snapshot({
      ...readSignedFields(json, 'snapshot'),
      meta,
      unrecognizedFields: unrecognized(json, KNOWN),
    });
  }

  toJson(): JsonObject {
    const meta = new Map<string, JsonValue>();
    for (const [name, file] of this.meta) meta.set(name, file.toJson());
    return this.commonJson().set('meta', meta);
  }

  /** The same snapshot with some fields changed. */
  with(changes: Partial<SnapshotFields>): Snapshot {
    return new Snapshot({ ...this.#fields, ...changes });
  }
}
