// A small index on a real disk whose keys, clock and files are the same on every run.
import { createHash, createPrivateKey, createPublicKey, sign } from 'node:crypto';
import { cpSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findIndex, insertIndex } from '../../src/db/indexes.ts';
import { openDatabase } from '../../src/db/open.ts';
import type { Executor, IndexRow } from '../../src/db/schema.ts';
import { acquireStoreLock } from '../../src/db/store-lock.ts';
import { BoundedPool } from '../../src/registry/bounded-pool.ts';
import { importFile } from '../../src/registry/import-files.ts';
import { createRepository } from '../../src/repository/create-repository.ts';
import { Publisher } from '../../src/repository/publisher.ts';
import { PosixStore } from '../../src/storage/posix-store.ts';
import { Key } from '../../src/tuf/key.ts';
import { Signature } from '../../src/tuf/signature.ts';
import type { Signer } from '../../src/tuf/signer.ts';
import { type OfflineSigners, signOffline, START } from '../support/index-fixture.ts';
import { type Distribution, makeSdist, makeWheel } from '../tools/distribution.ts';

export const BINS = 4;
export const PRINCIPAL = { kind: 'cli', name: 'faults' } as const;
const ED25519_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');

/** Called before and after every signature: throws or does not come back where one is to fail. */
export type SignerFault = () => void;

/** An ed25519 signer that the same seed makes again. */
export function seededSigner(seed: string, fault: SignerFault = () => undefined): Signer {
  const secret = createHash('sha256').update(`rind faults ${seed}`).digest();
  const key = Buffer.concat([ED25519_PREFIX, secret]);
  const privateKey = createPrivateKey({ key, format: 'der', type: 'pkcs8' });
  const raw = createPublicKey(privateKey).export({ format: 'der', type: 'spki' }).subarray(-32);
  const publicKey = Key.fromPublicKey('ed25519', 'ed25519', raw.toString('hex'));
  return {
    key: publicKey,
    sign: async (bytes) => {
      fault();
      const signature = Signature.fromBytes(publicKey.keyId, sign(null, bytes, privateKey));
      fault();
      return signature;
    },
  };
}

const party = (seed: string) => ({ signers: [seededSigner(seed)], threshold: 1 });
export const OFFLINE: OfflineSigners = {
  root: party('root'),
  targets: party('targets'),
  claimed: party('claimed'),
  bins: party('bins'),
};

/** Where one state lies: `box` is what faults strike, everything else is the world's memory. */
export class Place {
  readonly path: string;
  constructor(path: string) {
    this.path = path;
  }
  get box(): string {
    return join(this.path, 'box');
  }
  get data(): string {
    return join(this.box, 'data');
  }
  get backup(): string {
    return join(this.box, 'backup');
  }
  get client(): string {
    return join(this.path, 'client');
  }
  get input(): string {
    return join(this.path, 'input');
  }

  async copyTo(path: string): Promise<Place> {
    // Without the way through the thread pool, which costs more than the copying.
    cpSync(this.path, path, { recursive: true, preserveTimestamps: true });
    return new Place(path);
  }
}

/** An index opened for publishing, as a server does it. */
export interface OpenedWorld {
  readonly db: Executor;
  readonly store: PosixStore;
  readonly index: IndexRow;
  readonly publisher: Publisher;
  readonly signers: readonly Signer[];
  readonly clock: () => Date;
  close(): Promise<void>;
}

/** The clock of a state: `hours` after the first day. */
export const at = (hours: number): (() => Date) => {
  const now = new Date(START.getTime() + hours * 3_600_000);
  return () => now;
};

export interface OpenOptions {
  readonly clock: () => Date;
  readonly fault?: SignerFault | undefined;
  /** Seeds of the online keys, the oldest first. */
  readonly online?: readonly string[] | undefined;
  readonly data?: string | undefined;
}

/** Takes the store lock, opens database and store, and starts the publisher. */
export async function openWorld(place: Place, options: OpenOptions): Promise<OpenedWorld> {
  const opened = await openParts(place, options);
  try {
    const index = await findIndex(opened.db, '');
    if (index === undefined) throw new Error('the index is gone');
    const { db, store, signers, clock } = opened;
    const publisher = new Publisher({ db, store, index, signers, clock, rootGrace: 0 });
    await publisher.start();
    const close = async (): Promise<void> => {
      await publisher.close();
      await opened.close();
    };
    return { ...opened, index, publisher, close };
  } catch (error) {
    await opened.close();
    throw error;
  }
}

/** Without the publisher. */
export async function openParts(
  place: Place,
  { clock, fault, online = ['online'], data = place.data }: OpenOptions,
) {
  const store = await PosixStore.open({ root: join(data, 'tree'), temporaryFolder: join(data, 'temporary') });
  const lock = await acquireStoreLock(data);
  try {
    const database = await openDatabase({ path: join(data, 'rind.db') });
    const signers = online.map((seed) => seededSigner(seed, fault));
    const close = async (): Promise<void> => {
      await database.close();
      lock.release();
    };
    return { db: database.db, store, signers, clock, close };
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** Publishes until nothing waits. */
export async function publishAll({ publisher }: OpenedWorld): Promise<void> {
  for (let round = 0; round < 20; round++) if ((await publisher.publishOnce()) === undefined) return;
  throw new Error('the publisher finds no end');
}

export function uploadContext({ db, store, index, clock }: OpenedWorld) {
  return { db, store, index, clock, inspections: new BoundedPool({ concurrency: 1, queueLength: 16 }) };
}

/** The distributions of the world, the same on every run. */
export function distribution(name: string, version = '1.0'): Distribution {
  return name.startsWith('wheel')
    ? makeWheel({ name, version, padding: 700 })
    : makeSdist({ name, version, padding: 1500 });
}

/** Writes a distribution beside the box, to be read from there. */
export async function putInput(place: Place, { filename, bytes }: Distribution): Promise<string> {
  await mkdir(place.input, { recursive: true });
  const path = join(place.input, filename);
  await writeFile(path, bytes);
  return path;
}

export async function uploadTo(world: OpenedWorld, path: string): Promise<number> {
  return (await importFile(uploadContext(world), PRINCIPAL, path)).journalId;
}

/** The first metadata; the same call again goes on with it. */
export async function createIn(place: Place, options: OpenOptions): Promise<void> {
  const { db, store, signers, clock, close } = await openParts(place, options);
  try {
    const index =
      (await findIndex(db, '')) ?? (await insertIndex(db, { name: '', profile: 'team', now: clock() }));
    const offline = await offlineRoles(1, clock(), {});
    await createRepository({ db, store, index, offline, online: signers, clock });
  } finally {
    await close();
  }
}

/** What a ceremony of the world's offline keys signs. */
export function offlineRoles(
  version: number,
  now: Date,
  { bins = BINS, online = ['online'] }: { readonly bins?: number; readonly online?: readonly string[] },
) {
  const keys = online.map((seed) => seededSigner(seed).key);
  return signOffline(OFFLINE, keys, { version, now, bins });
}

/** What was answered 200 in a state: filenames by project, kept beside the box. */
export async function readAnswered(place: Place): Promise<readonly string[]> {
  const text = await readFile(join(place.path, 'answered.json'), 'utf8').catch(() => '[]');
  return JSON.parse(text) as string[];
}

export async function writeAnswered(place: Place, names: readonly string[]): Promise<void> {
  await writeFile(join(place.path, 'answered.json'), JSON.stringify(names));
}
