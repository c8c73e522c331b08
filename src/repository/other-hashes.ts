import { createHash } from 'node:crypto';
import { digestsOfRange, findDigests, putDigests, type TargetDigest } from '../db/target-digests.ts';
import { targetHashes, targetsAfter, type TargetPlace } from '../db/target-hashes.ts';
import type { TargetChange } from '../db/publications.ts';
import type { Executor } from '../db/schema.ts';
import type { TargetEntry } from '../db/targets.ts';
import { requireLease } from '../db/leases.ts';
import { writeTransaction } from '../db/transactions.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import type { BinTarget } from './bins.ts';
import type { PublicationContext } from './publication.ts';

/** What can be listed beside sha256, which every page and every row has. Clients of the specification know all three. */
export const OTHER_HASHES: readonly string[] = ['sha384', 'sha512'];

/** Files up to this length get their further hashes in the publication that lists them first, longer ones afterwards: no upload waits for them. */
const INLINE_LENGTH = 8 * 1024 ** 2;
/** What one slice of a transition looks at, and about how many bytes it reads. */
const SLICE_TARGETS = 200;
const SLICE_BYTES = 16 * 1024 ** 2;
/** Behind the targets of claimed projects, which stand in no bin. */
const FIRST_PLACE: TargetPlace = { path_prefix: 0, path: '' };

/** The targets of a bin with the hashes that are known beside sha256. */
export async function withOtherHashes(
  db: Executor,
  indexId: number,
  { first, last }: { readonly first: number; readonly last: number },
  targets: readonly BinTarget[],
  algorithms: readonly string[],
): Promise<readonly BinTarget[]> {
  if (algorithms.length === 0) return targets;
  const known = new Map<string, TargetDigest[]>();
  for (const digest of await digestsOfRange(db, indexId, first, last)) {
    if (!algorithms.includes(digest.algorithm)) continue;
    const key = `${digest.sha256} ${digest.path}`;
    const list = known.get(key);
    if (list === undefined) known.set(key, [digest]);
    else list.push(digest);
  }
  return targets.map((target) => {
    const digests = known.get(`${target.sha256} ${target.path}`) ?? [];
    const others = digests
      .toSorted((a, b) => (a.algorithm < b.algorithm ? -1 : 1))
      .map(({ algorithm, digest }) => `,"${algorithm}":"${digest}"`);
    return others.length === 0 ? target : { ...target, others: others.join('') };
  });
}

/**
 * Before a publication: its new contents get their objects under the other hashes, durable, and the rows that have them listed.
 * What a publication that fails leaves behind is listed by nobody and is garbage.
 */
export async function prepareOtherHashes(
  context: PublicationContext,
  algorithms: readonly string[],
  changes: readonly TargetChange[],
  pages: ReadonlyMap<string, Uint8Array>,
): Promise<void> {
  if (algorithms.length === 0) return;
  const entries: TargetEntry[] = [];
  for (const { path, target, isClaimed } of changes) {
    // What developers signed lists sha256 alone.
    if (isClaimed === true) continue;
    if (target !== undefined && (pages.has(path) || target.length <= INLINE_LENGTH))
      entries.push({ path, ...target });
  }
  await addDigests(context, algorithms, entries, pages);
}

/** Goes over all public targets in slices and gives them the hashes that the index is to list; the bins list them when they are signed next. */
export class HashTransition {
  #after: TargetPlace = FIRST_PLACE;
  /** The setting for which everything was seen. */
  #doneFor: string | undefined;
  #doneAt = 0;
  #signature = '';

  /** One slice; false when there is nothing to do. `pause`: milliseconds until a finished pass is looked at again, for files too long for a publication. */
  async step(context: PublicationContext, pause: number): Promise<boolean> {
    const { algorithms, since } = await targetHashes(context.db, context.indexId);
    const signature = `${algorithms.join()}@${since?.toISOString() ?? ''}`;
    const now = context.clock().getTime();
    if (algorithms.length === 0) return false;
    if (this.#doneFor === signature && Math.abs(now - this.#doneAt) < pause) return false;
    if (this.#signature !== signature) this.#after = FIRST_PLACE;
    this.#signature = signature;
    const page = await targetsAfter(context.db, context.indexId, this.#after, SLICE_TARGETS);
    const slice = upToBytes(page);
    const last = slice.at(-1);
    if (last === undefined) {
      this.#doneFor = signature;
      this.#doneAt = now;
      this.#after = FIRST_PLACE;
      return false;
    }
    await addDigests(context, algorithms, slice, new Map());
    this.#after = last;
    return true;
  }
}

/** At least one of the page. */
function upToBytes<T extends { readonly length: number }>(page: readonly T[]): readonly T[] {
  let bytes = 0;
  const end = page.findIndex(({ length }) => (bytes += length) > SLICE_BYTES);
  return end === -1 ? page : page.slice(0, end + 1);
}

async function addDigests(
  { db, store, tree, indexId, epoch }: PublicationContext,
  algorithms: readonly string[],
  entries: readonly TargetEntry[],
  pages: ReadonlyMap<string, Uint8Array>,
): Promise<void> {
  const known = new Set(
    (await findDigests(db, indexId, entries)).map(
      ({ path, sha256, algorithm }) => `${algorithm} ${sha256} ${path}`,
    ),
  );
  const digests: TargetDigest[] = [];
  for (const { path, sha256 } of entries) {
    const missing = algorithms.filter((algorithm) => !known.has(`${algorithm} ${sha256} ${path}`));
    if (missing.length === 0) continue;
    const from = tree.hashed(path, sha256);
    const page = pages.get(path);
    const found = await hashesOf(store, from, page, ['sha256', ...missing]);
    // A damaged object gets no further names; fsck tells about it.
    if (found?.get('sha256') !== sha256) continue;
    for (const algorithm of missing) {
      const digest = found.get(algorithm) ?? '';
      const to = tree.hashed(path, digest);
      await (page === undefined ? store.copy(from, to) : store.create(to, page));
      digests.push({ path, sha256, algorithm, digest });
    }
  }
  if (digests.length === 0) return;
  await writeTransaction(db, async (tx) => {
    await requireLease(tx, indexId, epoch);
    await putDigests(tx, indexId, digests);
  });
}

/** Reads once for all algorithms; undefined when the object is absent. */
async function hashesOf(
  store: ObjectStore,
  key: string,
  page: Uint8Array | undefined,
  algorithms: readonly string[],
): Promise<ReadonlyMap<string, string> | undefined> {
  const hashes = algorithms.map((algorithm) => createHash(algorithm));
  if (page === undefined) {
    const object = await store.open(key);
    if (object === undefined) return undefined;
    try {
      for await (const chunk of object.stream() as AsyncIterable<Uint8Array>)
        for (const hash of hashes) hash.update(chunk);
    } finally {
      await object.close();
    }
  } else for (const hash of hashes) hash.update(page);
  return new Map(algorithms.map((algorithm, index) => [algorithm, hashes[index]?.digest('hex') ?? '']));
}
