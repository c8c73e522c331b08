import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Candidate } from '../ceremony/candidate.ts';
import { readCurrentRoles, signedHash, type CurrentRoles } from '../ceremony/current-roles.ts';
import { addFileOnce, readFolder, writeFolderOnce } from '../ceremony/durable-folder.ts';
import { EventBox } from '../ceremony/event-box.ts';
import { EventFolder } from '../ceremony/event-folder.ts';
import { openRenewal } from '../ceremony/renewal.ts';
import type { Reminder } from '../ceremony/reminders.ts';
import { findOfflineBundle } from '../db/offline-bundles.ts';
import { lastPublication } from '../db/publications.ts';
import type { Executor, IndexRow } from '../db/schema.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { exportedFiles } from './export-roles.ts';
import { eventsFolder } from './offered-events.ts';

/** Where copies of imported bundles are kept, public files all: they tell who holds which key. */
export function bundlesFolder(dataFolder: string): string {
  return join(dataFolder, 'ceremony', 'bundles');
}

/** Keeps a copy of a bundle that was imported. */
export async function keepBundle(dataFolder: string, bundle: string, event: string): Promise<void> {
  const path = join(bundlesFolder(dataFolder), event);
  const files = await readFolder(bundle);
  const known = await readFolder(path).catch(() => undefined);
  if (known !== undefined) return;
  // Makes the folder above.
  await addFileOnce(join(bundlesFolder(dataFolder), 'readme.txt'), new TextEncoder().encode('Bundles that were imported. All of it is public.\n')); // prettier-ignore
  await writeFolderOnce(path, files);
}

export interface RenewalOpenerOptions {
  readonly db: Executor;
  readonly store: ObjectStore;
  /** The data folder. */
  readonly path: string;
}

/** Opens the signing event of an offline role that is due, and says what to do next. Holds no key: people sign, and people import. */
export class RenewalOpener {
  readonly #options: RenewalOpenerOptions;

  constructor(options: RenewalOpenerOptions) {
    this.#options = options;
  }

  /** What people are to be told; opens an event where none is open. */
  async reminders(index: IndexRow, now: Date): Promise<readonly Reminder[]> {
    const { db, store, path } = this.#options;
    if ((await lastPublication(db, index.id)) === undefined) return [];
    const base = await readCurrentRoles(await exportedFiles(db, store, index));
    const last = await lastCandidate(path, base);
    const profile = index.profile === 'pypi' ? 'pypi' : 'team';
    const renewal = openRenewal(base, last, { profile, now });
    if (renewal.kind === 'none') return [];
    if (renewal.kind === 'ceremony') {
      const roles = renewal.roles.join(', ');
      const ofIndex = index.name === '' ? '' : ` of the index ${index.name}`;
      const key = `ceremony ${index.name} ${base.root.signed.version} ${roles}`;
      return [{ key, urgency: 'notice', message: `A ceremony is due: ${roles}${ofIndex} ${renewal.roles.length === 1 ? 'was' : 'were'} signed with keys that exist no more. Run rind ceremony export${indexOption(index)}, and rind ceremony renew on the machine that has no network.` }]; // prettier-ignore
    }
    const box = new EventBox(eventsFolder(path));
    const open = await this.#openEvent(box, base, now);
    const event = open ?? (await box.offer(renewal.files, now));
    return this.#remindersOf(event, index, now);
  }

  async #remindersOf(folder: EventFolder, index: IndexRow, now: Date): Promise<readonly Reminder[]> {
    const { event, path } = folder;
    const id = event.id.slice(0, 12);
    const { complete } = await event.status(now);
    if (!complete) {
      const message = `The signing event ${id} with new dates for ${event.roles.join(', ')}${index.name === '' ? '' : ` of the index ${index.name}`} is open: rind sign ${id} --index URL --key URI --trusted ROOT, or by stick rind sign ${path}.`;
      return [{ key: `opened ${event.id}`, urgency: 'notice', message }];
    }
    if ((await findOfflineBundle(this.#options.db, index.id, event.id)) !== undefined) return [];
    const message = `The signing event ${id} is complete: rind ceremony import ${path} --data ${this.#options.path}${indexOption(index)}`;
    return [{ key: `complete ${event.id}`, urgency: 'warning', message }];
  }

  /** An event on top of what is public, whoever opened it, that can still be signed or imported. */
  async #openEvent(box: EventBox, base: CurrentRoles, now: Date): Promise<EventFolder | undefined> {
    for (const folder of await box.list()) {
      const { candidate } = folder.event;
      const root = candidate.base.get('root');
      const isOnTop = root?.sha256 === signedHash(base.root) && candidate.kind === 'renewal';
      if (!isOnTop || candidate.rehearsal) continue;
      const { complete, expired } = await folder.event.status(now);
      if (complete || !expired) return folder;
    }
    return undefined;
  }
}

/**
 * The newest imported ceremony or renewal of this repository (its first root is the same), with every one-time key that was ever discarded: what
 * came later says nothing about the keys that it left as they were.
 */
export async function lastCandidate(
  dataFolder: string,
  { roots: [first] }: CurrentRoles,
): Promise<Candidate | undefined> {
  let newest: Candidate | undefined;
  const discarded = new Set<string>();
  const folder = bundlesFolder(dataFolder);
  for (const name of await readdir(folder).catch(() => [])) {
    if (!/^[0-9a-f]{64}$/.test(name)) continue;
    const { event } = await EventFolder.open(join(folder, name));
    const { candidate, base } = event;
    const root = base?.roots[0] ?? (candidate.root === undefined ? undefined : event.unsigned('root'));
    if (root === undefined || first === undefined || signedHash(root) !== signedHash(first)) continue;
    for (const keyId of candidate.oneTimeKeys) discarded.add(keyId);
    if (candidate.kind === 'claims') continue;
    if (newest === undefined || newest.created < candidate.created) newest = candidate;
  }
  return newest === undefined ? undefined : { ...newest, oneTimeKeys: [...discarded] };
}

function indexOption({ name }: IndexRow): string {
  return name === '' ? '' : ` --index ${name}`;
}
