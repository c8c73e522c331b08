import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isSignedRole } from '../ceremony/candidate.ts';
import { signedHash } from '../ceremony/current-roles.ts';
import { addFileOnce, readFolder } from '../ceremony/durable-folder.ts';
import { CeremonyError } from '../ceremony/errors.ts';
import { EventBox } from '../ceremony/event-box.ts';
import type { EventFolder } from '../ceremony/event-folder.ts';
import { encodeInvitation, readInvitation, readPublicKeyFile } from '../ceremony/public-key-file.ts';
import { listIndexes } from '../db/indexes.ts';
import type { Executor } from '../db/schema.ts';
import { RegistryError } from '../registry/errors.ts';
import type { EventSummary, KeyInvitation, SigningEvents } from '../registry/signing-events.ts';
import { ServedTree } from '../repository/served-tree.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { Metadata } from '../tuf/metadata.ts';

/** Invitations kept at a time. */
const MAX_INVITATIONS = 256;
const NONCE = /^[0-9a-f]{32}$/;

/** The folder of a server's data folder where events and invitations lie. */
export function eventsFolder(dataFolder: string): string {
  return join(dataFolder, 'ceremony', 'events');
}

/** The index whose first root this is, by the hash of its signed part; undefined: none that is here. */
export type IndexOfRoot = (firstRoot: string) => Promise<string | undefined>;

/** Looks among the indexes that are there now. */
export function indexOfRoot(db: Executor, store: ObjectStore): IndexOfRoot {
  return async (firstRoot) => {
    for (const { name } of await listIndexes(db)) {
      const bytes = await store.read(new ServedTree(name).metadata('root', 1));
      if (bytes !== undefined && signedHash(Metadata.fromBytes(bytes, 'root')) === firstRoot) return name;
    }
    return undefined;
  };
}

/** The signing events of a data folder as the API offers them; refusals of the ceremony become those of the registry. */
export function offeredEvents(
  dataFolder: string,
  indexOf: IndexOfRoot = async () => undefined,
): SigningEvents {
  const summary = (folder: EventFolder, now: Date): Promise<EventSummary> => summaryOf(folder, indexOf, now);
  const box = new EventBox(eventsFolder(dataFolder));
  const invitations = join(dataFolder, 'ceremony', 'invitations');
  const find = async (id: string): Promise<EventFolder> => {
    const folder = await box.find(id);
    if (folder === undefined)
      throw new RegistryError('NOT_FOUND', 'No signing event of this id is offered here.');
    return folder;
  };
  return {
    list: async (now) => Promise.all((await box.list()).map((folder) => summary(folder, now))),
    files: async (id) => {
      const { event, files } = await find(id);
      return { id: event.id, files: [...files].map(([name, bytes]) => ({ name, bytes })) };
    },
    status: async (id, now) => summary(await find(id), now),
    offer: (files, now) =>
      refusing(async () =>
        summary(await box.offer(new Map(files.map(({ name, bytes }) => [name, bytes])), now), now),
      ),
    sign: (id, handedIn, now) =>
      refusing(async () => summary(await box.sign(await find(id), handedIn, now), now)),
    invitations: () => readInvitations(invitations),
    invite: ({ holder, role }) => refusing(() => invite(invitations, holder, role)),
    accept: (nonce, acceptance) => refusing(() => accept(invitations, nonce, acceptance)),
  };
}

async function summaryOf({ event }: EventFolder, indexOf: IndexOfRoot, now: Date): Promise<EventSummary> {
  const { candidate, base } = event;
  const firstRoot = base?.roots[0];
  const { quorums, complete, expired } = await event.status(now);
  return {
    id: event.id,
    index: firstRoot === undefined ? undefined : await indexOf(signedHash(firstRoot)),
    kind: candidate.kind,
    rehearsal: candidate.rehearsal,
    deadline: candidate.deadline,
    complete,
    expired,
    quorums: quorums.map(({ signed, missing, ...quorum }) => ({
      ...quorum,
      signed: signed.map(({ name }) => name),
      missing: missing.map(({ name }) => name),
    })),
  };
}

async function invite(path: string, holder: string, role: string): Promise<KeyInvitation> {
  if (!isSignedRole(role))
    throw new RegistryError('INVALID_REQUEST', 'People sign root, targets, claimed and bins, nothing else.');
  const known = await readInvitations(path);
  if (known.length >= MAX_INVITATIONS)
    throw new RegistryError('CONFLICT', `${MAX_INVITATIONS} invitations are open; take old ones away first.`);
  const nonce = randomBytes(16).toString('hex');
  const invitation = encodeInvitation({ holder, role, nonce });
  await mkdir(path, { recursive: true, mode: 0o700 });
  await addFileOnce(join(path, `${nonce}.json`), invitation);
  return { nonce, holder, role, invitation, acceptance: undefined };
}

/** Stores an acceptance once its proof of possession verified; the first one stays. */
async function accept(path: string, nonce: string, acceptance: Uint8Array): Promise<KeyInvitation> {
  const found = (await readInvitations(path)).find((one) => one.nonce === nonce);
  if (found === undefined) throw new RegistryError('NOT_FOUND', 'There is no such invitation here.');
  const { invitation } = await readPublicKeyFile(acceptance);
  if (invitation?.nonce !== nonce || invitation.holder !== found.holder || invitation.role !== found.role)
    throw new RegistryError('INVALID_REQUEST', 'This accepts another invitation; nothing was stored.');
  if ((await addFileOnce(join(path, `${nonce}.accepted.json`), acceptance)) === 'exists')
    throw new RegistryError('CONFLICT', 'This invitation was accepted already; ask for a new one.');
  return { ...found, acceptance };
}

async function readInvitations(path: string): Promise<readonly KeyInvitation[]> {
  const files = await readFolder(path).catch(() => new Map<string, Uint8Array>());
  return [...files].flatMap(([name, bytes]) => {
    const nonce = name.replace(/\.json$/, '');
    if (!NONCE.test(nonce)) return [];
    const { holder, role } = readInvitation(bytes);
    return [{ nonce, holder, role, invitation: bytes, acceptance: files.get(`${nonce}.accepted.json`) }];
  });
}

async function refusing<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    // What the disk refuses is no fault of who asked.
    if (!(cause instanceof CeremonyError) || cause.code === 'FOLDER_UNUSABLE') throw cause;
    const code = cause.code === 'EVENT_EXPIRED' ? 'CONFLICT' : 'INVALID_REQUEST';
    throw new RegistryError(code, cause.message, { cause });
  }
}
