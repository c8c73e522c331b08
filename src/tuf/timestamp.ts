import { NO_FIELDS, readObject, unrecognized, within } from './fields.ts';
import { MetaFile } from './file.ts';
import type { JsonObject } from './json.ts';
import { SIGNED_FIELDS, Signed, readSignedFields } from './signed.ts';
import type { SignedFields } from './signed.ts';

const KNOWN: ReadonlySet<string> = new Set([...SIGNED_FIELDS, 'meta']);
const KNOWN_META: ReadonlySet<string> = new Set(['snapshot.json']);

/** What a timestamp is made of. */
export interface TimestampFields extends SignedFields {
  /** The entry of `snapshot.json`. */
  readonly snapshotMeta: MetaFile;
  /** Other entries of `meta`, which mean nothing and are kept. */
  readonly unrecognizedMeta?: JsonObject | undefined;
}

/** Says which snapshot is the newest (spec 4.6). */
export class Timestamp extends Signed {
  readonly type = 'timestamp';
  readonly snapshotMeta: MetaFile;
  readonly unrecognizedMeta: JsonObject;
  readonly #fields: TimestampFields;

  constructor(fields: TimestampFields) {
    super(fields);
    this.snapshotMeta = fields.snapshotMeta;
    this.unrecognizedMeta = fields.unrecognizedMeta ?? NO_FIELDS;
    this.#fields = fields;
  }

  /** @throws {MalformedMetadataError} */
  static fromJson(json: JsonObject): Timestamp {
    const meta = readObject(json, 'meta');
    return new Timestamp({
      ...readSignedFields(json, 'timestamp'),
      snapshotMeta: within('meta', () => {
        const snapshot = readObject(meta, 'snapshot.json');
        return within('snapshot.json', () => MetaFile.fromJson(snapshot));
      }),
      unrecognizedMeta: unrecognized(meta, KNOWN_META),
      unrecognizedFields: unrecognized(json, KNOWN),
    });
  }

  toJson(): JsonObject {
    const meta = new Map(this.unrecognizedMeta).set('snapshot.json', this.snapshotMeta.toJson());
    return this.commonJson().set('meta', meta);
  }

  /** The same timestamp with some fields changed. */
  with(changes: Partial<TimestampFields>): Timestamp {
    return new Timestamp({ ...this.#fields, ...changes });
  }
}
