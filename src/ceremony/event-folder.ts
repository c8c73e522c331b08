import { join } from 'node:path';
import { encodeCeremonyJson } from './ceremony-json.ts';
import { asObject, check, readInteger, readObject, readString } from '../tuf/fields.ts';
import { encodeHex } from '../tuf/hex.ts';
import { parseJson, type JsonValue } from '../tuf/json.ts';
import { metadataFileName } from '../tuf/layout.ts';
import { sha256 } from '../tuf/sha256.ts';
import type { Signer } from '../tuf/signer.ts';
import { minutesName, minutesOf, signatureName } from './ceremony.ts';
import { readCurrentRoles } from './current-roles.ts';
import { addFileOnce, readFolder } from './durable-folder.ts';
import { CeremonyError } from './errors.ts';
import { encodeEventSignature, readEventSignature, SigningEvent, type EventStatus } from './signing-event.ts';

const MANIFEST = 'manifest.json';
const MANIFEST_TYPE = 'rind-bundle';

/** A file of a bundle as its manifest lists it. */
export interface ManifestEntry {
  readonly length: number;
  readonly sha256: string;
}

/** A signing event in its folder. Sealed, the folder is a bundle: complete, listed file by file, and never changed any more. */
export class EventFolder {
  readonly path: string;
  readonly event: SigningEvent;
  readonly files: ReadonlyMap<string, Uint8Array>;

  private constructor(path: string, event: SigningEvent, files: ReadonlyMap<string, Uint8Array>) {
    this.path = path;
    this.event = event;
    this.files = files;
  }

  /** Reads an event with every signature in it. Throws MALFORMED_FILE, TAMPERED, OTHER_EVENT, WRONG_SIGNATURE, FOLDER_UNUSABLE. */
  static async open(path: string): Promise<EventFolder> {
    return EventFolder.fromFiles(path, await readFolder(path));
  }

  /** The same for files that are in memory; `path` is where they come from, for people. */
  static async fromFiles(path: string, files: ReadonlyMap<string, Uint8Array>): Promise<EventFolder> {
    const candidate = files.get('candidate.json');
    if (candidate === undefined)
      throw new CeremonyError('MALFORMED_FILE', `${path} is no signing event: candidate.json is missing.`);
    const base = filesBelow(files, 'base/');
    const event = SigningEvent.open(candidate, base.size === 0 ? undefined : await readCurrentRoles(base));
    for (const [, bytes] of filesBelow(files, 'signatures/')) await event.add(readEventSignature(bytes));
    return new EventFolder(path, event, files);
  }

  get isSealed(): boolean {
    return this.files.has(MANIFEST);
  }

  /** Signs what the signer's key may sign, adds signatures and minutes, and seals the folder when that was the last. Throws as `SigningEvent.sign`. */
  async sign(
    signer: Signer,
    options: { readonly now: Date; readonly program: string; readonly answers?: ReadonlyMap<string, string> },
  ): Promise<EventStatus> {
    this.#requireUnsealed();
    const signatures = await this.event.sign(signer, options.now);
    const minutes = await minutesOf(this.event, signer, 'signing', options);
    for (const signature of signatures)
      await addFileOnce(join(this.path, signatureName(signature)), encodeEventSignature(signature));
    await addFileOnce(join(this.path, minutesName('signing', signer)), minutes);
    // Read again: who signed at the same moment may have made it complete.
    return (await EventFolder.open(this.path)).sealWhenComplete(options.now);
  }

  /** Takes the signatures and minutes of another copy of the same event in. Returns how many signatures were new. Throws OTHER_EVENT, EVENT_EXPIRED. */
  async merge(other: EventFolder, now: Date): Promise<number> {
    if (other.event.id !== this.event.id)
      throw new CeremonyError(
        'OTHER_EVENT',
        `${other.path} is event ${other.event.id.slice(0, 12)}, this is event ${this.event.id.slice(0, 12)}; their signatures have nothing to do with each other.`,
      );
    this.event.requireOpen(now);
    if (this.isSealed) return 0;
    let added = 0;
    for (const [name, bytes] of [
      ...filesBelow(other.files, 'signatures/'),
      ...filesBelow(other.files, 'minutes/'),
    ]) {
      const isSignature = other.files.get(`signatures/${name}`) === bytes;
      if (isSignature) await this.event.add(readEventSignature(bytes), now);
      const outcome = await addFileOnce(join(this.path, isSignature ? 'signatures' : 'minutes', name), bytes);
      if (isSignature && outcome === 'added') added += 1;
    }
    await this.sealWhenComplete(now);
    return added;
  }

  /** Writes the signed metadata and, last of all, the manifest, when every threshold is met. Returns the status. */
  async sealWhenComplete(now: Date): Promise<EventStatus> {
    const status = await this.event.status(now);
    if (!status.complete || this.isSealed) return status;
    for (const role of this.event.roles) {
      const metadata = this.event.metadata(role);
      await addFileOnce(
        join(this.path, 'metadata', metadataFileName(role, metadata.signed.version)),
        metadata.toBytes(),
      );
    }
    // Listed as they lie there: another process may have sealed with one signature more or less.
    const files = await readFolder(this.path);
    const listed = new Map(
      [...files].filter(([name]) => name !== MANIFEST).map(([name, bytes]) => [name, entryOf(bytes)]),
    );
    await addFileOnce(join(this.path, MANIFEST), encodeManifest(this.event.id, listed));
    return status;
  }

  #requireUnsealed(): void {
    if (!this.isSealed) return;
    throw new CeremonyError(
      'FOLDER_EXISTS',
      `${this.path} is complete already and is never changed; import it.`,
    );
  }
}

/** The files below a sub-folder, named without it. */
export function filesBelow(
  files: ReadonlyMap<string, Uint8Array>,
  prefix: string,
): ReadonlyMap<string, Uint8Array> {
  return new Map(
    [...files].flatMap(([name, bytes]) =>
      name.startsWith(prefix) ? [[name.slice(prefix.length), bytes] as const] : [],
    ),
  );
}

/** The entries of a manifest by path. Throws MALFORMED_FILE. */
export function readManifest(bytes: Uint8Array): {
  readonly event: string;
  readonly files: ReadonlyMap<string, ManifestEntry>;
} {
  try {
    const json = asObject(parseJson(bytes), 'manifest');
    check(readString(json, '_type') === MANIFEST_TYPE, '_type', 'is not of a bundle');
    const files = new Map<string, ManifestEntry>();
    for (const [path, value] of readObject(json, 'files')) {
      const entry = asObject(value, path);
      files.set(path, { length: readInteger(entry, 'length'), sha256: readString(entry, 'sha256') });
    }
    return { event: readString(json, 'event'), files };
  } catch (cause) {
    throw new CeremonyError('MALFORMED_FILE', 'The manifest of the bundle is damaged.', { cause });
  }
}

export function entryOf(bytes: Uint8Array): ManifestEntry {
  return { length: bytes.length, sha256: encodeHex(sha256(bytes)) };
}

function encodeManifest(event: string, files: ReadonlyMap<string, ManifestEntry>): Uint8Array {
  const entries = new Map<string, JsonValue>();
  for (const [path, { length, sha256: hash }] of files)
    entries.set(path, new Map<string, JsonValue>([['length', length], ['sha256', hash]])); // prettier-ignore
  return encodeCeremonyJson(new Map<string, JsonValue>([['_type', MANIFEST_TYPE], ['event', event], ['files', entries]])); // prettier-ignore
}
