import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { keysOf } from './bundle.ts';
import { minutesName, signatureName } from './ceremony.ts';
import { addFileOnce, writeFolderOnce } from './durable-folder.ts';
import { CeremonyError } from './errors.ts';
import { EventFolder, filesBelow } from './event-folder.ts';
import { lintEvent } from './event-lint.ts';
import { verifyMinutes } from './minutes.ts';
import { encodeEventSignature, readEventSignature, type EventSignature } from './signing-event.ts';

/** Events offered at the same time; a box is no archive. */
const MAX_EVENTS = 64;
const BASE_FILE = /^base\/[1-9][0-9]{0,9}\.(?:root|targets|claimed(?:-[a-z0-9-]+)?|bins)\.json$/;

/** What a signer hands in: signatures and the minutes of their making, as the files that they would be on a stick. */
export interface HandedIn {
  readonly signatures: readonly Uint8Array[];
  readonly minutes: readonly Uint8Array[];
}

/**
 * Signing events that a server offers, a folder each: the same folders that travel on sticks. Whatever comes in is verified before it is
 * stored, file by file and create-only, so that of two who sign at the same moment nothing is lost. It needs no key and decides nothing.
 */
export class EventBox {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** Every event that can be read. */
  async list(): Promise<readonly EventFolder[]> {
    const names = await readdir(this.#path).catch(() => []);
    const found: EventFolder[] = [];
    for (const name of names.toSorted((a, b) => (a < b ? -1 : 1))) {
      if (name.endsWith('.tmp')) continue;
      const folder = await EventFolder.open(join(this.#path, name)).catch(() => undefined);
      if (folder !== undefined) found.push(folder);
    }
    return found;
  }

  /** By the id or its beginning of at least 12 digits. Undefined: there is none. */
  async find(id: string): Promise<EventFolder | undefined> {
    if (!/^[0-9a-f]{12,64}$/.test(id)) return undefined;
    return (await this.list()).find(({ event }) => event.id.startsWith(id));
  }

  /** Takes an event in that was made elsewhere; the same one again only adds what is new. Throws what reading an event throws, and TAMPERED. */
  async offer(files: ReadonlyMap<string, Uint8Array>, now: Date): Promise<EventFolder> {
    const offered = await EventFolder.fromFiles('what was sent', files);
    const { event } = offered;
    event.requireOpen(now);
    const [problem, ...problems] = lintEvent(event.candidate, event.base);
    if (problem !== undefined) throw new CeremonyError('TAMPERED', problem, { problems });
    const handedIn = await this.#checked(offered, {
      signatures: [...filesBelow(files, 'signatures/').values()],
      minutes: [...filesBelow(files, 'minutes/').values()],
    });
    const known = await this.find(event.id);
    if (known === undefined) {
      if ((await this.list()).length >= MAX_EVENTS)
        throw new CeremonyError('FOLDER_UNUSABLE', `${MAX_EVENTS} events are offered already; take old ones away first.`); // prettier-ignore
      await mkdir(this.#path, { recursive: true, mode: 0o700 });
      await writeFolderOnce(join(this.#path, event.id), new Map([...frozenFiles(files), ...handedIn]));
    } else await addAll(known.path, handedIn);
    return this.#sealed(event.id, now);
  }

  /** Takes signatures in. Throws EVENT_EXPIRED, OTHER_EVENT, WRONG_KEY, WRONG_SIGNATURE, UNKNOWN_ROLE, MALFORMED_FILE; then nothing was stored. */
  async sign(folder: EventFolder, handedIn: HandedIn, now: Date): Promise<EventFolder> {
    folder.event.requireOpen(now);
    await addAll(folder.path, await this.#checked(folder, handedIn));
    return this.#sealed(folder.event.id, now);
  }

  /** The files of what was handed in, all of it verified, under the names that we give. */
  async #checked(
    { event }: EventFolder,
    { signatures, minutes }: HandedIn,
  ): Promise<ReadonlyMap<string, Uint8Array>> {
    const files = new Map<string, Uint8Array>();
    const made: EventSignature[] = signatures.map(readEventSignature);
    for (const signature of made) {
      await event.add(signature);
      files.set(signatureName(signature), encodeEventSignature(signature));
    }
    for (const bytes of minutes) {
      const { minutes: one, keyId } = await verifyMinutes(bytes, keysOf(event));
      if (one.event !== event.id)
        throw new CeremonyError('OTHER_EVENT', 'The minutes are of another event; nothing was stored.');
      files.set(minutesName(one.kind, { key: { keyId } }), bytes);
    }
    return files;
  }

  /** Read again: who signed at the same time may have been the last. */
  async #sealed(id: string, now: Date): Promise<EventFolder> {
    const folder = await this.find(id);
    if (folder === undefined)
      throw new CeremonyError('FOLDER_UNUSABLE', 'The event was taken away meanwhile.');
    if (folder.isSealed || !(await folder.sealWhenComplete(now)).complete) return folder;
    return EventFolder.open(folder.path);
  }
}

/** What of an event never changes: candidate, plan, what it is made on top of. Everything else that was sent is left out. */
export function frozenFiles(files: ReadonlyMap<string, Uint8Array>): ReadonlyMap<string, Uint8Array> {
  return new Map(
    [...files].filter(([name]) => name === 'candidate.json' || name === 'plan' || BASE_FILE.test(name)),
  );
}

async function addAll(path: string, files: ReadonlyMap<string, Uint8Array>): Promise<void> {
  for (const [name, bytes] of files) await addFileOnce(join(path, name), bytes);
}
