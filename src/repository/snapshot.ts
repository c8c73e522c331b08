import { canonicalString } from '../tuf/canonical-json.ts';
import { compareCodePoints } from '../tuf/code-points.ts';
import { formatExpires } from '../tuf/expiry.ts';
import { SPEC_VERSION } from '../tuf/signed.ts';

/** What a snapshot says about one role. `content` is listed for roles whose keys are not snapshot's own (ADR 7). */
export interface SnapshotEntry {
  readonly role: string;
  readonly version: number;
  readonly content?: { readonly length: number; readonly sha256: string };
}

/**
 * The `meta` of a snapshot, kept encoded and in canonical order from publication to publication: a publication replaces the few entries
 * that changed and joins the rest, so that the untouched bins cost next to nothing.
 * A role never leaves: clients refuse such a snapshot (TUF 5.5.5).
 */
export class SnapshotEntries {
  readonly #files: readonly string[];
  readonly #encoded: readonly string[];
  readonly #positions: ReadonlyMap<string, number>;

  private constructor(
    files: readonly string[],
    encoded: readonly string[],
    positions: ReadonlyMap<string, number>,
  ) {
    this.#files = files;
    this.#encoded = encoded;
    this.#positions = positions;
  }

  static of(entries: Iterable<SnapshotEntry>): SnapshotEntries {
    return SnapshotEntries.#sorted(new Map([...entries].map((entry) => [fileOf(entry), encode(entry)])));
  }

  /** New entries with some added or replaced; these stay as they are, for the case that the publication fails. */
  with(changes: readonly SnapshotEntry[]): SnapshotEntries {
    if (changes.every((entry) => this.#positions.has(fileOf(entry)))) {
      const encoded = [...this.#encoded];
      for (const entry of changes)
        encoded[this.#positions.get(fileOf(entry)) ?? encoded.length] = encode(entry);
      return new SnapshotEntries(this.#files, encoded, this.#positions);
    }
    const merged = new Map(this.#files.map((file, position) => [file, this.#encoded[position] ?? '']));
    for (const entry of changes) merged.set(fileOf(entry), encode(entry));
    return SnapshotEntries.#sorted(merged);
  }

  /** The signed part of the snapshot as canonical JSON. */
  encode(snapshot: { readonly version: number; readonly expires: Date }): string {
    return `{"_type":"snapshot","expires":"${formatExpires(snapshot.expires)}","meta":{${this.#encoded.join(',')}},"spec_version":"${SPEC_VERSION}","version":${snapshot.version}}`;
  }

  static #sorted(encodedByFile: ReadonlyMap<string, string>): SnapshotEntries {
    const files = [...encodedByFile.keys()].toSorted(compareCodePoints);
    return new SnapshotEntries(
      files,
      files.map((file) => encodedByFile.get(file) ?? ''),
      new Map(files.map((file, position) => [file, position])),
    );
  }
}

/** The key of a role in `meta`: its name as it is, not the escaped name of its file. */
function fileOf(entry: SnapshotEntry): string {
  return `${entry.role}.json`;
}

function encode(entry: SnapshotEntry): string {
  const content =
    entry.content === undefined
      ? ''
      : `"hashes":{"sha256":"${entry.content.sha256}"},"length":${entry.content.length},`;
  return `${canonicalString(fileOf(entry))}:{${content}"version":${entry.version}}`;
}

/** The signed part of a timestamp as canonical JSON. */
export function encodeTimestamp(timestamp: {
  readonly version: number;
  readonly expires: Date;
  readonly snapshot: { readonly version: number; readonly length: number; readonly sha256: string };
}): string {
  const { version, length, sha256 } = timestamp.snapshot;
  const meta = `"snapshot.json":{"hashes":{"sha256":"${sha256}"},"length":${length},"version":${version}}`;
  return `{"_type":"timestamp","expires":"${formatExpires(timestamp.expires)}","meta":{${meta}},"spec_version":"${SPEC_VERSION}","version":${timestamp.version}}`;
}
