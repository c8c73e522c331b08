import {
  abandonPublication,
  beginPublication,
  findReservedPublication,
  finishPublication,
  journalIdsOf,
  lastPublication,
  reservePublication,
  reserveRoles,
  targetChangesOf,
  type TargetChange,
} from '../db/publications.ts';
import { appendAudit, appendAudits } from '../db/audit.ts';
import { releaseAbandonedVersions } from '../db/roles.ts';
import { hasImportedTargets } from '../db/imports.ts';
import type { Executor } from '../db/schema.ts';
import { writeTransaction } from '../db/transactions.ts';
import { parseIndexPath, metadataSidecarPath } from '../pypi/layout.ts';
import { TAKEDOWNS_PATH } from '../pypi/takedown-list.ts';
import { StorageError } from '../storage/errors.ts';
import type { NewObject, ObjectStore } from '../storage/object-store.ts';
import { PublicationError } from './errors.ts';
import { sha256Hex } from './project-targets.ts';
import { abandonEntry, publicationEntry, signatureEntries } from './publication-audit.ts';
import { PublicLog, recordEntry } from './public-log.ts';
import type { ServedTree } from './served-tree.ts';
import { withoutBytes, type SignedRole, type WrittenRole } from './signed-role.ts';

/** Where a publication goes. */
export interface PublicationContext {
  readonly db: Executor;
  readonly store: ObjectStore;
  readonly tree: ServedTree;
  readonly indexId: number;
  /** The lease under which everything is written. */
  readonly epoch: number;
  readonly clock: () => Date;
}

/** Everything of one publication, signed and in memory; nothing of it is visible yet. */
export interface PublicationDraft {
  /** Every role with a new version except root and timestamp. */
  readonly roles: readonly SignedRole[];
  /** A new root: clients see it as soon as it is written, so it is written when all the rest is there. */
  readonly root?: SignedRole | undefined;
  /** Those that were signed elsewhere and are published as they are; an abandoned attempt may have reserved these very bytes. */
  readonly offlineRoles?: readonly SignedRole[];
  /** Set when so many roles were signed that they were reserved and written part by part. */
  readonly written?: { readonly publicationId: number; readonly roles: readonly WrittenRole[] } | undefined;
  readonly timestamp: SignedRole;
  /** The log that `timestamp` goes on from. */
  readonly log: PublicLog;
  /** The version that `timestamp` lists. */
  readonly snapshotVersion: number;
  readonly targetChanges: readonly TargetChange[];
  /** The bytes of the pages among the changes. */
  readonly pages: ReadonlyMap<string, Uint8Array>;
  /** Plain-named copies of files and core metadata that are stored under their hash name already. */
  readonly copies: readonly { readonly from: string; readonly to: string }[];
  readonly journalIds: readonly number[];
}

/** What was done with a publication that was left open. Of an abandoned one nothing is public, so nothing changed. */
export interface Recovery {
  readonly outcome: 'finished' | 'abandoned';
  readonly publicationId: number;
  readonly journalIds: readonly number[];
  readonly changedPaths: readonly string[];
}

/** Objects copied or removed together; bounds the open files of a publication. */
const WRITE_BATCH = 512;
/** Objects created together, in memory already: so many that one sync of the disk serves them all. */
const CREATE_BATCH = 4096;
/** Far above what this writer makes; a longer timestamp.json is not ours. */
const MAX_TIMESTAMP_LENGTH = 64 * 1024;

/**
 * Makes a draft public (DESIGN.md, "From upload to signed snapshot"): reserves its versions, writes what is listed, then the timestamp
 * that lists it, then the plain-named pages, and closes the books. Throws LeaseLostError, PublicationError, StorageError;
 * after any of them `recoverPublication` finishes or abandons what is left. Returns the public log with this publication.
 */
export async function publish(context: PublicationContext, draft: PublicationDraft): Promise<PublicLog> {
  const stored = await ownTimestamp(context);
  const reserved = reserve(context, draft);
  // Everything is stored away while the transaction runs, and gets its name when that is over; the timestamp when all else has.
  const listed = settled([reserved, ...writeListedObjects(context, draft, reserved)]);
  // A root without its timestamp may shut every client out: it waits until only the name of the timestamp is missing.
  const rooted = async (): Promise<void> => {
    await listed;
    if (draft.root !== undefined) await writeRoles(context, [draft.root]);
  };
  await settled([reserved, listed, swapTimestamp(context, draft.timestamp, stored?.etag, rooted)]);
  return finish(context, await reserved, draft.targetChanges, draft.log, draft.timestamp.bytes);
}

function reserve(
  { db, indexId, epoch, clock }: PublicationContext,
  draft: PublicationDraft,
): Promise<number> {
  const roles = [...draft.roles, ...(draft.root === undefined ? [] : [draft.root]), draft.timestamp];
  return writeTransaction(db, async (tx) => {
    await releaseAbandonedVersions(tx, indexId, draft.offlineRoles ?? []);
    const elsewhere = new Set((draft.offlineRoles ?? []).map(({ role }) => role));
    const own = roles.filter(({ role }) => !elsewhere.has(role));
    await appendAudits(tx, signatureEntries(indexId, own, clock()));
    return reservePublication(tx, {
      indexId,
      epoch,
      snapshotVersion: draft.snapshotVersion,
      timestampVersion: draft.timestamp.version,
      timestampSha256: draft.timestamp.sha256,
      publicationId: draft.written?.publicationId,
      roles: roles.map(withoutBytes),
      targetChanges: draft.targetChanges,
      journalIds: draft.journalIds,
      now: clock(),
    });
  });
}

/**
 * Decides about the publication that a crash or an error left open: its timestamp is the stored one, then it is public and is finished;
 * otherwise nobody can have seen it and it is abandoned. Throws FOREIGN_TIMESTAMP when the stored timestamp is not one of this database.
 */
export async function recoverPublication(context: PublicationContext): Promise<Recovery | undefined> {
  const { db, indexId, epoch, clock, store, tree } = context;
  await store.settle?.(tree.metadata('timestamp'));
  const stored = await storedTimestamp(context);
  const open = await findReservedPublication(db, indexId);
  if (open !== undefined && open.timestamp_sha256 === stored?.sha256) {
    const changes = await targetChangesOf(db, open.id);
    await finish(context, open.id, changes, await PublicLog.open(context), stored.bytes);
    return {
      outcome: 'finished',
      publicationId: open.id,
      journalIds: await journalIdsOf(db, open.id),
      changedPaths: changes.map(({ path }) => path),
    };
  }
  requireOwnTimestamp(stored?.sha256, (await lastPublication(db, indexId))?.timestamp_sha256);
  if (open === undefined) return undefined;
  await writeTransaction(db, async (tx) => {
    await abandonPublication(tx, open.id, epoch, clock());
    await appendAudit(tx, abandonEntry(open, clock()));
  });
  return { outcome: 'abandoned', publicationId: open.id, journalIds: [], changedPaths: [] };
}

function requireOwnTimestamp(stored: string | undefined, last: string | undefined): void {
  if (stored === last) return;
  const problem =
    last === undefined
      ? 'The store already holds a timestamp.json, but this database has never published one'
      : stored === undefined
        ? 'timestamp.json is missing from the store, but this database has published one'
        : 'The timestamp.json in the store is not the last one that this database published';
  throw new PublicationError(
    'FOREIGN_TIMESTAMP',
    `${problem}; nothing is published until both agree. If the database is an older copy, rind recover --published TREE takes what was published since from the tree (a mirror, or the tree of the data folder itself); if somebody else may have signed it, rind recover FOLDER.`,
    { role: 'timestamp' },
  );
}

/** Pages, copies, and every role but timestamp. All are durable when they resolve, so their order among themselves cannot be seen. */
function writeListedObjects(
  context: PublicationContext,
  draft: PublicationDraft,
  reserved: Promise<unknown>,
): readonly Promise<void>[] {
  const { store, tree } = context;
  const pages: NewObject[] = [];
  for (const { path, target } of draft.targetChanges) {
    const bytes = draft.pages.get(path);
    if (target !== undefined && bytes !== undefined)
      pages.push({ key: tree.hashed(path, target.sha256), bytes });
  }
  return [
    createAll(store, pages, reserved, (object) => store.put(object.key, object.bytes)),
    reserved.then(() => copyAll(store, draft.copies)),
    writeRoles(context, draft.roles, reserved),
  ];
}

async function copyAll(store: ObjectStore, copies: PublicationDraft['copies']): Promise<void> {
  for (const batch of batches(copies)) await settled(batch.map(({ from, to }) => store.copy(from, to)));
}

/** Waits for all of them, and throws the first failure when none of them runs any more. */
async function settled(all: readonly Promise<unknown>[]): Promise<void> {
  for (const result of await Promise.allSettled(all)) if (result.status === 'rejected') throw result.reason;
}

/**
 * Reserves and writes some roles of a publication that is not complete yet: for those that are too large for the memory. Nobody sees them
 * until a timestamp leads to them. `publicationId` undefined begins the publication.
 */
export async function writeRolesEarly(
  context: PublicationContext,
  publicationId: number | undefined,
  roles: readonly SignedRole[],
): Promise<number> {
  const { db, indexId, epoch, clock } = context;
  const id = await writeTransaction(db, async (tx) => {
    const open = publicationId ?? (await beginPublication(tx, indexId, epoch, clock()));
    await appendAudits(tx, signatureEntries(indexId, roles, clock()));
    await reserveRoles(tx, open, { indexId, epoch, roles: roles.map(withoutBytes) });
    return open;
  });
  await writeRoles(context, roles);
  return id;
}

/** Signed metadata under its numbers. */
async function writeRoles(
  { store, tree }: PublicationContext,
  roles: readonly SignedRole[],
  after: Promise<unknown> = Promise.resolve(),
): Promise<void> {
  const metadata = roles.map(({ role, version, bytes }) => ({ key: tree.metadata(role, version), bytes }));
  await createAll(store, metadata, after, ({ key }) => {
    throw new PublicationError(
      'FOREIGN_OBJECT',
      `${key} is taken by other bytes that this database never signed; its version number is skipped.`,
    );
  });
}

/** Creates the objects; one that exists with other bytes is given to `onConflict`. */
async function createAll(
  store: ObjectStore,
  objects: readonly NewObject[],
  after: Promise<unknown>,
  onConflict: (object: NewObject) => Promise<void>,
): Promise<void> {
  for (const batch of batches(objects, CREATE_BATCH)) {
    const outcomes = await store.createMany(batch, { after });
    for (const [position, object] of batch.entries()) {
      if (outcomes[position] === 'created') continue;
      const stored = await store.read(object.key);
      if (stored === undefined || sha256Hex(stored) !== sha256Hex(object.bytes)) await onConflict(object);
    }
  }
}

/** The moment at which a publication becomes public. */
async function swapTimestamp(
  { store, tree }: PublicationContext,
  timestamp: SignedRole,
  expected: string | undefined,
  staged: () => Promise<void>,
): Promise<void> {
  if (await store.replace(tree.metadata('timestamp'), timestamp.bytes, expected, { staged })) return;
  throw new PublicationError(
    'TIMESTAMP_CHANGED',
    'Another publisher replaced timestamp.json at the same moment; this publication is abandoned.',
    { role: 'timestamp', version: timestamp.version },
  );
}

/** The stored timestamp, checked to be the last one of this database. */
async function ownTimestamp(context: PublicationContext): ReturnType<typeof storedTimestamp> {
  const stored = await storedTimestamp(context);
  const last = await lastPublication(context.db, context.indexId);
  requireOwnTimestamp(stored?.sha256, last?.timestamp_sha256);
  return stored;
}

/** The stored timestamp.json; its etag is taken before its bytes, so that a swap in between makes ours fail. */
async function storedTimestamp(
  context: PublicationContext,
): Promise<{ readonly etag: string; readonly sha256: string; readonly bytes: Uint8Array } | undefined> {
  const key = context.tree.metadata('timestamp');
  const stat = await context.store.stat(key);
  const bytes = await context.store.read(key, { maxLength: MAX_TIMESTAMP_LENGTH });
  return stat === undefined || bytes === undefined
    ? undefined
    : { etag: stat.etag, sha256: sha256Hex(bytes), bytes };
}

async function finish(
  context: PublicationContext,
  id: number,
  changes: readonly TargetChange[],
  log: PublicLog,
  timestamp: Uint8Array,
): Promise<PublicLog> {
  const logged = log.append(context, timestamp);
  await settled([logged, writeAllPlain(context, changes)]);
  const appended = await logged;
  const now = context.clock();
  await writeTransaction(context.db, async (tx) => {
    const { indexId } = context;
    const publication = await finishPublication(tx, id, context.epoch, now);
    if (appended !== undefined) await recordEntry(tx, indexId, id, appended);
    await appendAudit(tx, publicationEntry(publication, changes.length, appended, now));
  });
  return appended?.log ?? log;
}

async function writeAllPlain(context: PublicationContext, changes: readonly TargetChange[]): Promise<void> {
  // What moves from a bin to the role of a claimed project stays where it is.
  const listed = new Set(changes.flatMap(({ path, target }) => (target === undefined ? [] : [path])));
  const plain = changes.filter(({ path, target }) => target !== undefined || !listed.has(path));
  for (const batch of batches(plain))
    await settled(batch.map((change) => writePlainObjects(context, change)));
}

/** What installers without TUF read: a changed page replaces the old one, and what is no target any more goes. */
async function writePlainObjects(
  { db, store, tree, indexId }: PublicationContext,
  { path, target }: TargetChange,
): Promise<void> {
  const parsed = parseIndexPath(path);
  if (target === undefined) {
    await store.remove(tree.plain(path));
    if (parsed?.kind === 'file')
      await store.remove(tree.plain(metadataSidecarPath(parsed.project, parsed.filename)));
    return;
  }
  const isPage = parsed?.kind === 'simple-json' || parsed?.kind === 'simple-html';
  if (!isPage && path !== TAKEDOWNS_PATH) return;
  try {
    await store.copyOver(tree.hashed(path, target.sha256), tree.plain(path));
  } catch (cause) {
    if (!(cause instanceof StorageError) || cause.code !== 'OBJECT_NOT_FOUND') throw cause;
    // The pages of imported targets are elsewhere.
    if (await hasImportedTargets(db, indexId)) return;
    throw new PublicationError(
      'FOREIGN_OBJECT',
      `${path} was published, but its hash-named object is gone from the store; restore it from a backup or a mirror.`,
      { cause },
    );
  }
}

function* batches<T>(values: readonly T[], length = WRITE_BATCH): Generator<readonly T[]> {
  for (let start = 0; start < values.length; start += length) yield values.slice(start, start + length);
}
