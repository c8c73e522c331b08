import {
  collectableVersions,
  collectionBoundary,
  forgetContents,
  forgetVersions,
  markFilesCollected,
  pathsInUse,
  removedFiles,
  retiredContents,
  type RemovedFile,
} from '../db/collections.ts';
import {
  areBinsOlder,
  digestsExcept,
  findDigests,
  forgetDigestRows,
  forgetDigests,
} from '../db/target-digests.ts';
import { areCollectionsHeld } from '../db/collection-holds.ts';
import { targetHashes } from '../db/target-hashes.ts';
import { requireLease } from '../db/leases.ts';
import type { Executor } from '../db/schema.ts';
import { deleteStagedFiles, expiredStagedFiles, findStagedFile } from '../db/staged-files.ts';
import { writeTransaction } from '../db/transactions.ts';
import { metadataSidecarPath, packagePath, parseIndexPath } from '../pypi/layout.ts';
import { TAKEDOWNS_PATH } from '../pypi/takedown-list.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import type { CollectionSettings } from './collection-settings.ts';
import type { ServedTree } from './served-tree.ts';
import { StagedObjects } from './staged-objects.ts';

export interface CollectionOptions {
  readonly db: Executor;
  readonly store: ObjectStore;
  readonly tree: ServedTree;
  readonly indexId: number;
  readonly settings: CollectionSettings;
  readonly now: Date;
}

/** What a collection took away, or would. */
export interface CollectionReport {
  /** Publications before this one are no longer readable; undefined: all still are. */
  readonly boundary: number | undefined;
  /** Versions of roles, contents of pages, removed files. */
  readonly versions: number;
  readonly pages: number;
  readonly files: number;
  /** Objects and their bytes; hard links of one file are counted once. */
  readonly objects: number;
  readonly bytes: number;
}

/** Objects that nobody needs, and the rows that are only about them. */
interface Garbage {
  readonly kind: 'versions' | 'pages' | 'files';
  readonly count: number;
  readonly bytes: number;
  readonly keys: readonly string[];
  readonly forget: (tx: Executor) => Promise<void>;
}

/** Objects taken away together: what an upload waits for at most. */
const SLICE = 100;
/** Milliseconds; longer than any upload or transaction takes. */
const STAGED_LEFTOVER_AGE = 86_400_000;

/**
 * Takes away what no snapshot needs that a client may still be reading (PEP 458: mark and sweep). The marks are the rows of the database: which
 * publication listed which version and content. Roots, the public state and everything of the grace period and of the last snapshots stay (I7).
 * Each slice removes objects and then forgets their rows, so that a crash in between leaves rows whose objects the next collection misses gladly.
 * Both in one write transaction, the only one that waits for files: a backup that begins holds collections in a transaction too, so it finds
 * either all of a slice or nothing of it.
 * Only the publisher may run slices, between two publications (`Publisher.exclusively`): then nothing is listed that is being removed.
 */
export class GarbageCollection {
  readonly #options: CollectionOptions;
  readonly #boundary: number | undefined;
  readonly #slices: AsyncGenerator<Garbage>;
  #next: IteratorResult<Garbage> | undefined;
  readonly #counts = { versions: 0, pages: 0, files: 0, objects: 0, bytes: 0 };

  private constructor(options: CollectionOptions, boundary: number | undefined) {
    this.#options = options;
    this.#boundary = boundary;
    this.#slices = boundary === undefined ? stagedGarbage(options) : findGarbage(options, boundary);
  }

  static async begin(options: CollectionOptions): Promise<GarbageCollection> {
    const { db, indexId, settings, now } = options;
    const cutoff = new Date(now.getTime() - settings.gracePeriod);
    return new GarbageCollection(
      options,
      await collectionBoundary(db, indexId, { cutoff, snapshots: settings.snapshots }),
    );
  }

  get report(): CollectionReport {
    return { boundary: this.#boundary, ...this.#counts };
  }

  /**
   * Removes the next few; 'held' while a backup is being made, then nothing is removed and the same few come next. `epoch`: of the lease;
   * `now`: of a clock. Throws LeaseLostError, StorageError; then begin anew.
   */
  async removeNext(epoch: number, now: Date): Promise<'removed' | 'held' | 'nothing left'> {
    const { db, store, indexId } = this.#options;
    this.#next ??= await this.#slices.next();
    const { value: garbage, done } = this.#next;
    if (done === true) return 'nothing left';
    const isRemoved = await writeTransaction(db, async (tx) => {
      await requireLease(tx, indexId, epoch);
      if (await areCollectionsHeld(tx, now)) return false;
      await Promise.all(garbage.keys.map((key) => store.remove(key)));
      await garbage.forget(tx);
      return true;
    });
    if (!isRemoved) return 'held';
    this.#next = undefined;
    this.#count(garbage);
    return 'removed';
  }

  /** Counts what there is to remove and removes nothing; may run beside a publisher. */
  async countAll(): Promise<CollectionReport> {
    for await (const garbage of this.#slices) this.#count(garbage);
    return this.report;
  }

  #count({ kind, count, bytes, keys }: Garbage): void {
    this.#counts[kind] += count;
    this.#counts.objects += keys.length;
    this.#counts.bytes += bytes;
  }
}

async function* findGarbage(options: CollectionOptions, boundary: number): AsyncGenerator<Garbage> {
  yield* oldVersions(options, boundary);
  yield* oldPages(options, boundary);
  yield* oldFiles(options, boundary);
  yield* droppedHashes(options, boundary);
  yield* stagedGarbage(options);
}

/** Staged files whose time is over, and what a crash left of others in the private part of the store. No snapshot ever listed them. */
async function* stagedGarbage(options: CollectionOptions): AsyncGenerator<Garbage> {
  const { db, store, tree, indexId, now } = options;
  const objects = new StagedObjects(store, tree);
  let after = 0;
  for (;;) {
    const expired = await expiredStagedFiles(db, indexId, now, after, SLICE);
    const last = expired.at(-1);
    if (last === undefined) break;
    after = last.id;
    yield {
      kind: 'files',
      count: expired.length,
      bytes: expired.reduce((sum, { length }) => sum + length, 0),
      keys: expired.flatMap((file) => objects.keys(file)),
      forget: (tx) =>
        deleteStagedFiles(
          tx,
          expired.map(({ id }) => id),
        ),
    };
  }
  const young = new Date(now.getTime() - STAGED_LEFTOVER_AGE);
  for await (const { key, length } of objects.leftovers(young, (filename) =>
    findStagedFile(db, indexId, filename),
  ))
    yield { kind: 'files', count: 0, bytes: length, keys: [key], forget: async () => undefined };
}

async function* oldVersions(
  { db, tree, indexId }: CollectionOptions,
  boundary: number,
): AsyncGenerator<Garbage> {
  let after = { role: '', version: 0 };
  for (;;) {
    const versions = await collectableVersions(db, indexId, boundary, after, SLICE);
    const last = versions.at(-1);
    if (last === undefined) return;
    after = last;
    // No timestamp has an object under its number.
    const stored = versions.filter(({ role }) => role !== 'timestamp');
    yield {
      kind: 'versions',
      count: versions.length,
      bytes: stored.reduce((sum, { length }) => sum + length, 0),
      keys: stored.map(({ role, version }) => tree.metadata(role, version)),
      forget: (tx) => forgetVersions(tx, indexId, versions),
    };
  }
}

/** Contents of pages. Files among the targets have rows of their own and stay until they are removed from the index. */
async function* oldPages(options: CollectionOptions, boundary: number): AsyncGenerator<Garbage> {
  const { db, store, tree, indexId } = options;
  let after = { publicationId: 0, path: '', sha256: '' };
  for (;;) {
    const contents = await retiredContents(db, indexId, boundary, after, SLICE);
    const last = contents.at(-1);
    if (last === undefined) return;
    after = last;
    const old = contents.filter(({ path, isNeeded }) => !isNeeded && isPage(path));
    const keys: string[] = [];
    let bytes = 0;
    for (const { path, sha256 } of old) {
      const stat = await store.stat(tree.hashed(path, sha256));
      bytes += stat?.length ?? 0;
      if (stat !== undefined) keys.push(tree.hashed(path, sha256));
    }
    const digests = await findDigests(db, indexId, old);
    yield {
      kind: 'pages',
      count: old.length,
      bytes,
      keys: [...keys, ...digests.map(({ path, digest }) => tree.hashed(path, digest))],
      forget: async (tx) => {
        await forgetDigests(tx, indexId, old);
        await forgetContents(tx, indexId, contents);
      },
    };
  }
}

async function* oldFiles(options: CollectionOptions, boundary: number): AsyncGenerator<Garbage> {
  const { db, tree, indexId, settings, now } = options;
  const cutoff = new Date(now.getTime() - Math.max(settings.removedFiles, settings.gracePeriod));
  let after = 0;
  for (;;) {
    const removed = await removedFiles(db, indexId, cutoff, after, SLICE);
    const last = removed.at(-1);
    if (last === undefined) return;
    after = last.id;
    const inUse = await pathsInUse(db, indexId, boundary, removed.map(pathOf));
    const old = removed.filter((file) => !inUse.has(pathOf(file)));
    const contents = old.map((file) => ({ path: pathOf(file), sha256: file.sha256 }));
    const digests = await findDigests(db, indexId, contents);
    yield {
      kind: 'files',
      count: old.length,
      bytes: old.reduce((sum, { length }) => sum + length, 0),
      keys: [
        ...old.flatMap((file) => keysOf(file, tree)),
        ...digests.map(({ path, digest }) => tree.hashed(path, digest)),
      ],
      forget: async (tx) => {
        await forgetDigests(tx, indexId, contents);
        await markFilesCollected(
          tx,
          old.map(({ id }) => id),
          now,
        );
      },
    };
  }
}

/** Objects under the names of a hash that the index does not list any more, once no kept snapshot has a bin from the time when it did. */
async function* droppedHashes(options: CollectionOptions, boundary: number): AsyncGenerator<Garbage> {
  const { db, tree, indexId } = options;
  const { algorithms, since } = await targetHashes(db, indexId);
  if (since === undefined || (await areBinsOlder(db, indexId, boundary, since))) return;
  for (let skipped = 0; ;) {
    const dropped = await digestsExcept(db, indexId, algorithms, SLICE, skipped);
    if (dropped.length === 0) return;
    // Without removal, when it only counts, the rows stay and are passed by.
    yield {
      kind: 'pages',
      count: 0,
      bytes: 0,
      keys: dropped.map(({ path, digest }) => tree.hashed(path, digest)),
      forget: async (tx) => {
        skipped -= dropped.length;
        await forgetDigestRows(tx, indexId, dropped);
      },
    };
    skipped += dropped.length;
  }
}

/** The file and its core metadata under both of their names; the publication that removed it took the plain ones away already. */
function keysOf(file: RemovedFile, tree: ServedTree): readonly string[] {
  const sidecar = metadataSidecarPath(file.project, file.filename);
  return [pathOf(file), sidecar].flatMap((path) => [tree.hashed(path, file.sha256), tree.plain(path)]);
}

function pathOf({ project, filename }: RemovedFile): string {
  return packagePath(project, filename);
}

function isPage(path: string): boolean {
  const kind = parseIndexPath(path)?.kind;
  return kind === 'simple-json' || kind === 'simple-html' || path === TAKEDOWNS_PATH;
}
