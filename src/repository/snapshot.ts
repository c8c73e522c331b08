import { encodeLogField, type LogCommitment } from '../transparency/log-entry.ts';
import { canonicalString, encodeUtf8 } from '../tuf/canonical-json.ts';
import { compareCodePoints } from '../tuf/code-points.ts';
import { formatExpires } from '../tuf/expiry.ts';
import { SPEC_VERSION } from '../tuf/signed.ts';

/** What a snapshot says about one role. `content` is listed for roles whose keys are not snapshot's own (ADR 7). */
export interface SnapshotEntry {
  readonly role: string;
  readonly version: number;
  readonly content?: { readonly length: number; readonly sha256: string };
}

/** Entries encoded together: few enough to encode anew for each change, many enough to join the others quickly. */
const SECTION_LENGTH = 128;
const COMMA = 0x2c;

/** Some entries that follow one another, and their bytes, joined by commas. */
interface Section {
  readonly encoded: readonly string[];
  readonly bytes: Uint8Array;
}

/**
 * The `meta` of a snapshot, kept encoded and in canonical order from publication to publication: a publication encodes the sections anew
 * in which entries changed and copies the bytes of the rest, so that the untouched bins cost next to nothing.
 * A role never leaves: clients refuse such a snapshot (TUF 5.5.5).
 */
export class SnapshotEntries {
  readonly #files: readonly string[];
  readonly #sections: readonly Section[];
  readonly #positions: ReadonlyMap<string, number>;

  private constructor(
    files: readonly string[],
    sections: readonly Section[],
    positions: ReadonlyMap<string, number>,
  ) {
    this.#files = files;
    this.#sections = sections;
    this.#positions = positions;
  }

  static of(entries: Iterable<SnapshotEntry>): SnapshotEntries {
    return SnapshotEntries.#sorted(new Map([...entries].map((entry) => [fileOf(entry), encode(entry)])));
  }

  /** New entries with some added or replaced; these stay as they are, for the case that the publication fails. */
  with(changes: readonly SnapshotEntry[]): SnapshotEntries {
    const changed = new Map<number, string[]>();
    for (const entry of changes) {
      const position = this.#positions.get(fileOf(entry));
      if (position === undefined) return this.#withAdded(changes);
      const number = Math.floor(position / SECTION_LENGTH);
      const encoded = changed.get(number) ?? [...(this.#sections[number]?.encoded ?? [])];
      encoded[position % SECTION_LENGTH] = encode(entry);
      changed.set(number, encoded);
    }
    const sections = [...this.#sections];
    for (const [number, encoded] of changed) sections[number] = newSection(encoded);
    return new SnapshotEntries(this.#files, sections, this.#positions);
  }

  /** The signed part of the snapshot as canonical JSON. */
  encode(snapshot: { readonly version: number; readonly expires: Date }): Uint8Array {
    const head = encodeUtf8(`{"_type":"snapshot","expires":"${formatExpires(snapshot.expires)}","meta":{`);
    const tail = encodeUtf8(`},"spec_version":"${SPEC_VERSION}","version":${snapshot.version}}`);
    const commas = Math.max(0, this.#sections.length - 1);
    const length = this.#sections.reduce((sum, { bytes }) => sum + bytes.length, commas);
    const signed = new Uint8Array(head.length + length + tail.length);
    signed.set(head);
    let end = head.length;
    for (const [number, { bytes }] of this.#sections.entries()) {
      if (number > 0) signed[end++] = COMMA;
      signed.set(bytes, end);
      end += bytes.length;
    }
    signed.set(tail, end);
    return signed;
  }

  #withAdded(changes: readonly SnapshotEntry[]): SnapshotEntries {
    const encoded = this.#sections.flatMap((section) => section.encoded);
    const merged = new Map(this.#files.map((file, position) => [file, encoded[position] ?? '']));
    for (const entry of changes) merged.set(fileOf(entry), encode(entry));
    return SnapshotEntries.#sorted(merged);
  }

  static #sorted(encodedByFile: ReadonlyMap<string, string>): SnapshotEntries {
    const files = [...encodedByFile.keys()].toSorted(compareCodePoints);
    const encoded = files.map((file) => encodedByFile.get(file) ?? '');
    const sections: Section[] = [];
    for (let start = 0; start < encoded.length; start += SECTION_LENGTH)
      sections.push(newSection(encoded.slice(start, start + SECTION_LENGTH)));
    return new SnapshotEntries(files, sections, new Map(files.map((file, position) => [file, position])));
  }
}

function newSection(encoded: readonly string[]): Section {
  return { encoded, bytes: encodeUtf8(encoded.join(',')) };
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
  /** The public log before it (ADR 19). */
  readonly log?: LogCommitment;
}): string {
  const { version, length, sha256 } = timestamp.snapshot;
  const log = timestamp.log === undefined ? '' : `,${encodeLogField(timestamp.log)}`;
  const meta = `"snapshot.json":{"hashes":{"sha256":"${sha256}"},"length":${length},"version":${version}}`;
  return `{"_type":"timestamp","expires":"${formatExpires(timestamp.expires)}","meta":{${meta}},"spec_version":"${SPEC_VERSION}","version":${timestamp.version}${log}}`;
}
