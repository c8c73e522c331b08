// What must be true of every state: DESIGN.md's invariants as a restart, fsck and a client see them.
import { cpSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadSqlite } from '../../src/db/sqlite-module.ts';
import { fsck } from '../../src/repository/fsck.ts';
import { UnsignedMetadataError } from '../../src/tuf/errors.ts';
import type { Updater } from '../../src/updater/index.ts';
import { addDigest, folderReader, metadataDigests, readProject, session, type TreeReader } from './client.ts';
import { type Operation } from './operations.ts';
import { at, openWorld, type Place, publishAll, readAnswered } from './world.ts';

/** One state after a fault, before anything was started again. */
export interface StruckState {
  readonly place: Place;
  readonly operation: Operation;
  /** What the operation told before the fault. */
  readonly told: readonly string[];
  /** The first root, which clients pin. */
  readonly root: Uint8Array;
  /** Every metadata file that anybody can have read, by name, and its sha256. */
  readonly seen: ReadonlyMap<string, string>;
  /** The tree as it was served in the last moment, when the disk has lost part of it. */
  readonly lastServed?: TreeReader | undefined;
}

/** Judges a state; each string is a broken promise. */
export async function judge(state: StruckState): Promise<readonly string[]> {
  const judgement = new Judgement(state);
  await judgement.run();
  return judgement.problems;
}

class Judgement {
  readonly problems: string[] = [];
  readonly #state: StruckState;
  readonly #digests: Map<string, string>;
  readonly #witness: string;
  #hasWitness = false;

  constructor(state: StruckState) {
    this.#state = state;
    this.#digests = new Map(state.seen);
    this.#witness = join(state.place.path, 'witness');
  }

  async run(): Promise<void> {
    const { operation, told } = this.#state;
    await this.#try('while the server is down', () => this.#whileDown());
    if (operation.before === undefined)
      await this.#try('after the restart', () => this.#restart(told.some((what) => !what.startsWith('x'))));
    await this.#try('when it is done again', () => this.#finish());
  }

  async #try(moment: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      const { operation } = this.#state;
      const text = error instanceof Error ? `${error.name}: ${error.message}${causes(error)}` : String(error);
      this.problems.push(`${operation.name}, ${moment}: ${text}`);
    }
  }

  /** The tree is static: clients go on with it while nothing runs. */
  async #whileDown(): Promise<void> {
    const { place, operation, lastServed } = this.#state;
    this.#remember();
    if (lastServed !== undefined && operation.before !== 'damage') {
      if (operation.before === undefined) cpSync(place.client, this.#witness, { recursive: true });
      const isMade = (await lastServed('metadata/timestamp.json')) !== undefined;
      if (isMade) {
        await this.#sessionWhileDown(this.#witness, lastServed);
        this.#hasWitness = true;
      }
    }
    if (operation.before === undefined) await this.#sessionWhileDown(place.client);
  }

  /** A client may be shut out only between a root that ends all keys of the timestamp and the first timestamp of the new ones. */
  async #sessionWhileDown(folder: string, read?: TreeReader): Promise<void> {
    try {
      await this.#session(folder, read);
    } catch (error) {
      const isBetween = error instanceof UnsignedMetadataError && error.role === 'timestamp';
      if (this.#state.operation.endsKeys !== true || !isBetween) throw error;
    }
  }

  async #restart(done: boolean): Promise<void> {
    const { place } = this.#state;
    await this.#publishAndCheck();
    const updater = await this.#clients();
    await this.#requireProjects(updater, false);
    await this.#state.operation.check?.(place, updater, done);
  }

  async #finish(): Promise<void> {
    const { place, operation } = this.#state;
    await operation.run(place, () => undefined);
    await this.#publishAndCheck();
    const updater = await this.#clients();
    await this.#requireProjects(updater, true);
    await operation.check?.(place, updater, true);
  }

  async #publishAndCheck(): Promise<void> {
    const { place, operation } = this.#state;
    await requireIntegrity(join(place.data, 'rind.db'));
    const world = await openWorld(place, { clock: this.#clock, online: operation.online });
    try {
      await publishAll(world);
      const { db, store, index, clock } = world;
      const { findings } = await fsck({ db, store, index, clock });
      const broken = findings.filter(
        ({ severity, code }) => severity !== 'notice' && operation.tolerates?.includes(code) !== true,
      );
      if (broken.length > 0)
        throw new Error(`fsck: ${broken.map(({ code, message }) => `${message} (${code})`).join('; ')}`);
    } finally {
      await world.close();
    }
    this.#remember();
  }

  /** Both clients come along; what the first of them trusts. */
  async #clients(): Promise<Updater> {
    if (this.#hasWitness) await this.#session(this.#witness);
    return this.#session(this.#state.place.client);
  }

  #session(
    folder: string,
    read: TreeReader = folderReader(join(this.#state.place.data, 'tree')),
  ): Promise<Updater> {
    return session({ folder, read, root: this.#state.root, clock: this.#clock });
  }

  async #requireProjects(updater: Updater, isFinished: boolean): Promise<void> {
    const { place, operation, told } = this.#state;
    const { adds = [], removes } = operation;
    const isThere = async (name: string): Promise<boolean> =>
      ((await readProject(updater, name))?.size ?? 0) > 0;
    for (const name of await readAnswered(place))
      if (name !== removes && !(await isThere(name))) throw new Error(`${name} was answered 200 and is lost`);
    for (const name of adds) {
      const there = await isThere(name);
      if (there || (!isFinished && !told.includes(`answered:${name}`))) continue;
      throw new Error(`${name} was answered 200 and is lost`);
    }
    if (removes === undefined) return;
    const isGone = isFinished || told.includes(`deleted:${removes}`);
    if ((await isThere(removes)) && isGone) throw new Error(`${removes} was deleted and is there`);
  }

  /** I2: a (role, version) never has two byte strings. */
  #remember(): void {
    for (const [name, digest] of metadataDigests(join(this.#state.place.data, 'tree'))) {
      const known = this.#digests.get(name);
      const isDamage = this.#state.operation.before === 'damage';
      if (known !== undefined && known !== digest && !isDamage)
        throw new Error(`EQUIVOCATION: ${name} has two contents`);
      this.#digests.set(name, digest);
    }
  }

  get #clock(): () => Date {
    return at(this.#state.operation.hours + 1 / 60);
  }
}

function causes(error: Error): string {
  return error.cause instanceof Error ? ` [${error.cause.message}${causes(error.cause)}]` : '';
}

async function requireIntegrity(path: string): Promise<void> {
  const { DatabaseSync } = await loadSqlite();
  if ((await readFile(path).catch(() => undefined)) === undefined) return;
  const database = new DatabaseSync(path, { readOnly: false });
  try {
    const [row] = database.prepare('pragma integrity_check').all() as { integrity_check?: string }[];
    if (row?.integrity_check !== 'ok') throw new Error(`SQLite: ${row?.integrity_check}`);
  } finally {
    database.close();
  }
}

/** Adds files to what anybody can have read. */
export function remembered(
  seen: ReadonlyMap<string, string>,
  files: readonly { readonly name: string; readonly bytes: Uint8Array }[],
): { readonly seen: ReadonlyMap<string, string>; readonly problem: string | undefined } {
  const digests = new Map(seen);
  let problem: string | undefined;
  for (const { name, bytes } of files) {
    const one = new Map<string, string>();
    addDigest(one, name, bytes);
    for (const [label, digest] of one) {
      const known = digests.get(label);
      if (known !== undefined && known !== digest) problem = `EQUIVOCATION: ${label} has two contents`;
      digests.set(label, digest);
    }
  }
  return { seen: digests, problem };
}
