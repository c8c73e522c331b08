import { parseProjectRoleName } from '../../claims/names.ts';
import { acknowledgeTimestamp, reserveForeignVersions } from '../../db/foreign-versions.ts';
import { findReservedPublication, lastPublication, type ReservedRole } from '../../db/publications.ts';
import { findRoleVersion, highestVersions } from '../../db/roles.ts';
import type { Executor, IndexRow } from '../../db/schema.ts';
import { writeTransaction } from '../../db/transactions.ts';
import type { ObjectStore } from '../../storage/object-store.ts';
import { sha256Hex } from '../project-targets.ts';
import { ServedTree } from '../served-tree.ts';

/** Metadata in the store that this database never published. */
export interface ForeignObject {
  readonly key: string;
  readonly role: string;
  /** Undefined for timestamp.json. */
  readonly version: number | undefined;
  readonly length: number;
  readonly sha256: string;
}

export interface ForeignOptions {
  readonly db: Executor;
  readonly store: ObjectStore;
  readonly index: IndexRow;
}

/** A version this far above ours is a fast-forward attack: new keys let clients forget it, and counting on from there would only spend numbers. */
export const FAST_FORWARD = 1_000_000;

/** Reads every metadata object of the store and compares it with what was reserved for it. */
export async function findForeignMetadata({
  db,
  store,
  index,
}: ForeignOptions): Promise<readonly ForeignObject[]> {
  const tree = new ServedTree(index.name);
  const found: ForeignObject[] = [];
  for await (const { key, length } of store.list(`${tree.prefix}metadata/`)) {
    const [, number, role = ''] = /\/(?:([1-9][0-9]{0,15})\.)?([^/]+)\.json$/.exec(key) ?? [];
    if (role === '') continue;
    const bytes = await store.read(key);
    if (bytes === undefined) continue;
    const sha256 = sha256Hex(bytes);
    const version = number === undefined ? undefined : Number(number);
    const isOwn =
      version === undefined
        ? await isOwnTimestamp(db, index.id, role, sha256)
        : (await findRoleVersion(db, index.id, role, version))?.sha256 === sha256;
    if (!isOwn) found.push({ key, role, version, length, sha256 });
  }
  return found;
}

async function isOwnTimestamp(db: Executor, indexId: number, role: string, sha256: string): Promise<boolean> {
  if (role !== 'timestamp') return false;
  const own = [await lastPublication(db, indexId), await findReservedPublication(db, indexId)];
  return own.some((publication) => publication?.timestamp_sha256 === sha256);
}

/**
 * Takes foreign metadata out of the store, after `keep` has put its bytes aside, and never uses its numbers: caches and mirrors may hold
 * it for long. timestamp.json stays until the next publication replaces it. The store lock must be held.
 */
export async function removeForeignMetadata(
  options: ForeignOptions,
  found: readonly ForeignObject[],
  keep: (key: string, bytes: Uint8Array) => Promise<void>,
  now: Date,
): Promise<void> {
  const { db, store, index } = options;
  for (const { key } of found) {
    const bytes = await store.read(key);
    if (bytes !== undefined) await keep(key, bytes);
  }
  const reserved = await withoutFastForward(options, found, now);
  const timestamp = found.find(({ version, role }) => version === undefined && role === 'timestamp');
  await writeTransaction(db, async (tx) => {
    await reserveForeignVersions(tx, index.id, reserved, now);
    if (timestamp !== undefined) await acknowledgeTimestamp(tx, index.id, timestamp.sha256, now);
  });
  for (const { key, version } of found) if (version !== undefined) await store.remove(key);
}

/** Root and what developers sign are left out: their next version must be exactly one more than the trusted one. */
async function withoutFastForward(
  { db, index }: ForeignOptions,
  found: readonly ForeignObject[],
  now: Date,
): Promise<readonly ReservedRole[]> {
  const highest = await highestVersions(db, index.id, [...new Set(found.map(({ role }) => role))]);
  return found.flatMap(({ role, version, sha256, length }) => {
    const isNear = version !== undefined && version <= (highest.get(role) ?? 0) + FAST_FORWARD;
    const isForced = role === 'root' || parseProjectRoleName(role) !== undefined;
    return isNear && !isForced ? [{ role, version, sha256, length, expires: now }] : [];
  });
}
