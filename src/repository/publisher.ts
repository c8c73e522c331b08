import { hostname } from 'node:os';
import { ownersText } from '../claims/owners-text.ts';
import { appendAudit } from '../db/audit.ts';
import { followClaimed } from '../db/claims.ts';
import { DatabaseError } from '../db/errors.ts';
import { acquireLease } from '../db/leases.ts';
import { lastPublication, settleJournal } from '../db/publications.ts';
import { findHold } from '../db/publication-holds.ts';
import type { TargetChange } from '../db/publications.ts';
import { nextOfflineBundle, setBundleState } from '../db/offline-bundles.ts';
import { currentRoles, forgetRoles } from '../db/roles.ts';
import type { Executor, IndexRow, OfflineBundleRow, OfflineBundleState, RoleRow } from '../db/schema.ts';
import { writeTransaction } from '../db/transactions.ts';
import { targetHashes } from '../db/target-hashes.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { RoleTree } from '../transparency/role-tree.ts';
import type { Signer } from '../tuf/signer.ts';
import { planAdoption, type Adoption } from './adoption.ts';
import { requireFreeVersions } from './create-repository.ts';
import { prepareDraft, snapshotEntry, type DraftContent, type PublishedState } from './draft.ts';
import { errorFields, PublicationError } from './errors.ts';
import { expirySettingsOf, requireSoundWindows, type ExpirySettings } from './expiry-settings.ts';
import { HeldBackProjects, tellHeldBack, type HeldBackProject } from './held-back.ts';
import { readOfflineRoles, type OfflineRoles } from './offline-roles.ts';
import { OnlineKeys } from './online-keys.ts';
import { profileNamed } from './profile.ts';
import {
  publish,
  recoverPublication,
  type PublicationContext,
  type PublicationDraft,
  type Recovery,
} from './publication.ts';
import { bundleEntry } from './publication-audit.ts';
import { nodeSha256, PublicLog } from './public-log.ts';
import { listKeys, readPublishedClaims, type PublishedClaims } from './published-claims.ts';
import { prepareOtherHashes } from './other-hashes.ts';
import { Renewals } from './renewals.ts';
import { ServedTree } from './served-tree.ts';
import { withoutBytes } from './signed-role.ts';
import { SigningClock } from './signing-clock.ts';
import { SnapshotEntries } from './snapshot.ts';
import { waitingChanges } from './waiting-changes.ts';

/** Where the publisher tells what it does; pino's shape. */
export interface PublisherLog {
  info(fields: Readonly<Record<string, unknown>>, message: string): void;
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
}

export interface PublisherOptions {
  readonly db: Executor;
  readonly store: ObjectStore;
  readonly index: IndexRow;
  /** The online keys of the index. */
  readonly signers: readonly Signer[];
  readonly clock?: () => Date;
  /** What the clock is watched with, and whether it is believed whatever was signed before: see SigningClock. */
  readonly elapsed?: (() => number) | undefined;
  readonly isClockTrusted?: boolean | undefined;
  /** In place of what the profile says. */
  readonly expiry?: ExpirySettings | undefined;
  readonly log?: PublisherLog;
  /** Who holds the lease, for people. */
  readonly holder?: string;
  /**
   * How long a new root is public before the rest of its bundle follows, in milliseconds: longer than any client takes from looking for a
   * newer root to reading the timestamp.
   */
  readonly rootGrace?: number | undefined;
}

/** What one call of `publishOnce` made public. */
export interface Publication {
  readonly journalIds: readonly number[];
  /** Target paths that were added, replaced or removed. */
  readonly changedPaths: readonly string[];
}

/** What is public, for people. */
export interface PublicState {
  readonly snapshotVersion: number;
  readonly timestampVersion: number;
  readonly timestampExpires: Date;
  readonly lastPublished: Date;
}

/**
 * The only writer of an index's metadata. Each call of `publishOnce` takes every change that waits and whatever is due for renewal, and makes
 * one snapshot of it. Calls come one after another; the store lock (db/store-lock.ts) keeps a second process out, the epoch of the lease fences
 * one that has lost it.
 */
export class Publisher {
  readonly #db: Executor;
  readonly #store: ObjectStore;
  readonly #index: IndexRow;
  readonly #expiry: ExpirySettings;
  readonly #keys: OnlineKeys;
  readonly #clock: SigningClock;
  readonly #log: PublisherLog | undefined;
  readonly #holder: string;
  readonly #rootGrace: number;
  readonly #tree: ServedTree;
  #epoch: number | undefined;
  /** What the signing clock said last. */
  #now: Date;
  #state: PublishedState | undefined;
  readonly #renewals: Renewals;
  readonly #heldBack: HeldBackProjects;
  #finished: Recovery | undefined;
  #running: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(options: PublisherOptions) {
    const profile = profileNamed(options.index.profile);
    if (profile === undefined) {
      throw new PublicationError(
        'UNKNOWN_PROFILE',
        `The index has the profile "${options.index.profile}", which this version of Rind does not know.`,
      );
    }
    this.#db = options.db;
    this.#store = options.store;
    this.#index = options.index;
    this.#expiry = options.expiry ?? expirySettingsOf(profile);
    requireSoundWindows(this.#expiry);
    const elapsed = options.elapsed ?? (() => performance.now());
    this.#renewals = new Renewals(this.#expiry, elapsed);
    this.#heldBack = new HeldBackProjects(elapsed);
    this.#keys = new OnlineKeys(options.signers);
    this.#clock = new SigningClock({
      clock: options.clock ?? (() => new Date()),
      elapsed: options.elapsed,
      isTrusted: options.isClockTrusted,
      onStep: (step) => this.#tellStep(step),
    });
    this.#now = (options.clock ?? (() => new Date()))();
    this.#log = options.log;
    this.#holder = options.holder ?? `${hostname()}:${process.pid}`;
    this.#rootGrace = options.rootGrace ?? ROOT_GRACE;
    this.#tree = new ServedTree(options.index.name);
  }

  /** Takes the lease, decides about what a crash left open, and reads what is public. Throws NO_REPOSITORY before the ceremony, ON_HOLD while nothing may be published. */
  async start(): Promise<void> {
    this.#epoch = await writeTransaction(this.#db, (tx) =>
      acquireLease(tx, this.#index.id, this.#holder, this.#now),
    );
    await this.#requireNoHold();
    await this.#readyState();
  }

  /** Makes the changes that wait and the renewals that are due public; undefined when there were none. Throws; then the rows go on waiting. */
  publishOnce(): Promise<Publication | undefined> {
    const run = this.#running.then(() => this.#publishOnce());
    this.#running = run.catch(() => undefined);
    return run;
  }

  /**
   * Runs `work` between two publications: what is public is settled, and nothing is being published meanwhile. Keep it short, uploads wait.
   * Fails as `publishOnce` does while nothing may be published.
   */
  exclusively<T>(work: (context: PublicationContext) => Promise<T>): Promise<T> {
    const run = this.#running.then(async () => {
      if (this.#closed || this.#epoch === undefined) throw closedError();
      await this.#requireNoHold();
      this.#readClock(await this.#readyState());
      return work(this.#context());
    });
    this.#running = run.catch(() => undefined);
    return run;
  }

  /** Makes targets public that are no files of this index (import), as one publication between the others. Throws as `publishOnce`. */
  publishTargets(targetChanges: readonly TargetChange[]): Promise<void> {
    const run = this.#running.then(async () => {
      if (this.#closed || this.#epoch === undefined) throw closedError();
      try {
        await this.#requireNoHold();
        const state = await this.#readyState();
        const now = this.#readClock(state, earliestExpiry(state.offline));
        await this.#publishContent(state, { ...NOTHING_ELSE, targetChanges, due: [] }, now);
      } catch (error) {
        this.#state = undefined;
        this.#renewals.reset();
        throw error;
      }
    });
    this.#running = run.catch(() => undefined);
    return run;
  }

  /** How many bins share the targets; 0 before `start`. */
  get binCount(): number {
    return this.#state?.offline.layout.names.length ?? 0;
  }

  /** When to look for renewals next: never later than the first of them is due. */
  nextRenewal(): Date {
    return this.#renewals.next;
  }

  /** Projects whose changes go on waiting, because they cannot be published as they are. */
  get heldBack(): readonly HeldBackProject[] {
    return this.#heldBack.all;
  }

  /** When the clock last jumped ahead while this publisher ran. */
  clockSteppedForward(): Date | undefined {
    return this.#clock.steppedForward;
  }

  /** Undefined while it is not known: before `start` and after an error. */
  publicState(): PublicState | undefined {
    const timestamp = this.#state?.roles.get('timestamp');
    const snapshot = this.#state?.roles.get('snapshot');
    if (timestamp === undefined || snapshot === undefined) return undefined;
    return {
      snapshotVersion: snapshot.version,
      timestampVersion: timestamp.version,
      timestampExpires: new Date(timestamp.expires_at),
      lastPublished: new Date(timestamp.signed_at),
    };
  }

  /** Waits for what is running; later calls of `publishOnce` fail. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#running;
  }

  async #publishOnce(): Promise<Publication | undefined> {
    if (this.#closed || this.#epoch === undefined) throw closedError();
    try {
      await this.#requireNoHold();
      const state = await this.#readyState();
      const finished = this.#finished;
      this.#finished = undefined;
      this.#readClock(state);
      return finished ?? (await this.#publishBundle(state)) ?? (await this.#publishChanges(state));
    } catch (error) {
      // What is public is uncertain now: the next call recovers first.
      this.#state = undefined;
      this.#renewals.reset();
      if (error instanceof DatabaseError && error.code === 'LEASE_LOST') this.#closed = true;
      throw error;
    }
  }

  /** Makes the next step of a ceremony's bundle public, if one waits. One that cannot be published is refused, and nothing else waits for it. */
  async #publishBundle(state: PublishedState): Promise<Publication | undefined> {
    const bundle = await nextOfflineBundle(this.#db, this.#index.id);
    const now = this.#now;
    if (bundle === undefined || now < this.#timeOfNextStep(bundle)) return undefined;
    let adoption: Adoption;
    try {
      adoption = await planAdoption(this.#context(), bundle, state, this.#keys);
      await requireFreeVersions(this.#context(), [
        ...adoption.roles,
        ...(adoption.root === undefined ? [] : [adoption.root]),
      ]);
    } catch (error) {
      if (!(error instanceof PublicationError)) throw error;
      await this.#settleBundle(bundle, 'refused', error.message);
      this.#log?.warn(
        { index: this.#index.name, event: bundle.event, ...errorFields(error) },
        'bundle of a ceremony refused',
      );
      return undefined;
    }
    const published = adoption.step === 'none' ? undefined : await this.#adopt(state, adoption, now);
    await this.#settleBundle(bundle, adoption.step === 'root' ? 'root-published' : 'published', null);
    this.#log?.info(
      { index: this.#index.name, event: bundle.event, step: adoption.step },
      'bundle of a ceremony published',
    );
    return published;
  }

  async #adopt(state: PublishedState, adoption: Adoption, now: Date): Promise<Publication> {
    const context = this.#context();
    const { offline, root, roles: signed, due, forgotten, claims, targetChanges } = adoption;
    const gone = new Set(forgotten);
    const kept = new Map([...state.roles].filter(([role]) => !gone.has(role)));
    const next = {
      offline,
      log: state.log,
      roleTree: forgotten.length === 0 ? state.roleTree : RoleTree.of(kept.values(), nodeSha256),
      roles: kept,
      claims,
      entries: entriesOf(kept.values(), offline),
    };
    const alongside = root === undefined ? signed : [...signed, root];
    const { draft, ...prepared } = await prepareDraft(
      context,
      next,
      { ...NOTHING_ELSE, due, alongside, targetChanges },
      { keys: this.#keys, expiry: this.#expiry, hashes: await this.#otherHashes(), now },
    );
    const log = await publish(context, draft);
    if (forgotten.length > 0)
      await writeTransaction(this.#db, (tx) => forgetRoles(tx, context.indexId, forgotten));
    this.#state = { offline, ...prepared, log, roles: kept };
    putRows(kept, draft, this.#index.id, now);
    this.#renewals.reset();
    await this.#settleClaims(claims);
    return { journalIds: [], changedPaths: targetChanges.map(({ path }) => path) };
  }

  async #settleBundle(
    bundle: OfflineBundleRow,
    state: OfflineBundleState,
    reason: string | null,
  ): Promise<void> {
    const at = this.#now;
    await writeTransaction(this.#db, async (tx) => {
      await setBundleState(tx, bundle.id, state, at, reason);
      await appendAudit(tx, bundleEntry(bundle, state, reason, at));
    });
  }

  /** The rows of claimed projects follow the list that the administrators signed. */
  async #settleClaims({ claimed }: PublishedClaims): Promise<void> {
    const owners = new Map([...claimed].map(([project, one]) => [project, ownersText(one)]));
    await writeTransaction(this.#db, (tx) => followClaimed(tx, this.#index.id, owners, this.#now));
  }

  #timeOfNextStep({ root_published_at: time }: OfflineBundleRow): Date {
    return new Date(time === null ? 0 : new Date(time).getTime() + this.#rootGrace);
  }

  async #publishChanges(state: PublishedState): Promise<Publication | undefined> {
    const now = this.#readClock(state, earliestExpiry(state.offline));
    const place = { ...this.#context(), claims: state.claims, roles: state.roles, now };
    const { failures, signed, ...changes } = await waitingChanges(place, this.#heldBack);
    tellHeldBack(this.#log, this.#index.name, failures);
    const haveChangesWaited = changes.targetChanges.length > 0 || signed.length > 0;
    const due = this.#renewals.take(state, now, haveChangesWaited);
    const keys = () => listKeys(state.offline.targets, 'recently-claimed');
    const claims =
      changes.claims.size === 0 ? state.claims : state.claims.withRecentlyClaimed(changes.claims, keys());
    const all = [...new Set([...due, ...claims.changedParts(state.claims)])];
    if (!haveChangesWaited && all.length === 0) return this.#settle(changes.journalIds);
    return this.#publishContent(state, { ...changes, claims, alongside: signed, due: all }, now);
  }

  async #publishContent(state: PublishedState, content: DraftContent, now: Date): Promise<Publication> {
    const context = this.#context();
    const hashes = await this.#otherHashes();
    await prepareOtherHashes(context, hashes, content.targetChanges, content.pages);
    const { draft, ...prepared } = await prepareDraft(context, state, content, {
      keys: this.#keys,
      expiry: this.#expiry,
      hashes,
      now,
    });
    const log = await publish(context, draft);
    this.#state = { offline: state.offline, ...prepared, log, roles: state.roles };
    putRows(state.roles, draft, this.#index.id, now);
    this.#log?.info(
      {
        index: this.#index.name,
        snapshot: draft.snapshotVersion,
        timestamp: draft.timestamp.version,
        changes: draft.journalIds.length,
        roles: draft.roles.length + 1,
      },
      'published',
    );
    return { journalIds: draft.journalIds, changedPaths: draft.targetChanges.map(({ path }) => path) };
  }

  /** Changes that changed nothing which is signed are public already. */
  async #settle(journalIds: readonly number[]): Promise<Publication | undefined> {
    if (journalIds.length === 0) return undefined;
    const { indexId, epoch } = this.#context();
    await writeTransaction(this.#db, (tx) => settleJournal(tx, indexId, epoch, journalIds));
    return { journalIds, changedPaths: [] };
  }

  /** What the index lists beside sha256 now. */
  async #otherHashes(): Promise<readonly string[]> {
    return (await targetHashes(this.#db, this.#index.id)).algorithms;
  }

  /** The time to sign with. Throws CLOCK_STEPPED. */
  #readClock({ roles }: PublishedState, offlineExpires?: Date): Date {
    const signedAt = roles.get('timestamp')?.signed_at;
    const lastSigned = signedAt === undefined ? undefined : new Date(signedAt);
    this.#now = this.#clock.time({ lastSigned, offlineExpires });
    return this.#now;
  }

  #tellStep(milliseconds: number): void {
    const seconds = Math.round(milliseconds / 1000);
    this.#log?.warn({ index: this.#index.name, seconds }, 'the clock of this machine was set');
  }

  async #requireNoHold(): Promise<void> {
    const hold = await findHold(this.#db, this.#index.id);
    if (hold !== undefined) throw new PublicationError('ON_HOLD', hold.reason);
  }

  /** Recovers if the last call failed. */
  async #readyState(): Promise<PublishedState> {
    if (this.#state !== undefined) return this.#state;
    const recovery = await recoverPublication(this.#context());
    if (recovery !== undefined) {
      this.#log?.warn(
        { index: this.#index.name, publication: recovery.publicationId, outcome: recovery.outcome },
        'recovered from an interrupted publication',
      );
    }
    if (recovery?.outcome === 'finished') this.#finished = recovery;
    if ((await lastPublication(this.#db, this.#index.id)) === undefined) {
      throw new PublicationError(
        'NO_REPOSITORY',
        `The index "${this.#index.name}" has no metadata yet; make its repository first.`,
      );
    }
    await this.#keys.readSignedVersions();
    const roles = await this.#readRoles();
    const offline = await readOfflineRoles(this.#store, this.#tree, roles);
    const roleTree = RoleTree.of(roles.values(), nodeSha256);
    const log = await PublicLog.open(this.#context());
    const claims = await readPublishedClaims(this.#store, this.#tree, roles);
    await this.#settleClaims(claims);
    this.#state = { offline, claims, roles, entries: entriesOf(roles.values(), offline), log, roleTree };
    return this.#state;
  }

  async #readRoles(): Promise<Map<string, RoleRow>> {
    const rows = await currentRoles(this.#db, this.#index.id);
    return new Map(rows.map((row) => [row.role, row]));
  }

  #context(): PublicationContext {
    return {
      db: this.#db,
      store: this.#store,
      tree: this.#tree,
      indexId: this.#index.id,
      epoch: this.#epoch ?? 0,
      clock: () => this.#now,
    };
  }
}

/** A draft without changes of the index. */
const NOTHING_ELSE = { journalIds: [], targetChanges: [], pages: new Map(), copies: [] };
/** A minute: clients ask for the timestamp right after the root. */
const ROOT_GRACE = 60_000;
/** Roles that no snapshot lists. */
const UNLISTED: ReadonlySet<string> = new Set(['root', 'snapshot', 'timestamp']);

/** When the first of the roles expires without which no client accepts anything. */
function earliestExpiry({ root, targets, bins }: OfflineRoles): Date {
  return new Date(Math.min(...[root, targets, bins].map(({ signed }) => signed.expires.getTime())));
}

function closedError(): PublicationError {
  return new PublicationError('CLOSED', 'This publisher was not started, or is closed.');
}

/** How the snapshot lists the public roles. */
function entriesOf(rows: Iterable<RoleRow>, offline: OfflineRoles): SnapshotEntries {
  const listed = [...rows].filter(({ role }) => !UNLISTED.has(role));
  return SnapshotEntries.of(listed.map((row) => snapshotEntry(row, offline)));
}

/** The public roles now that a draft is published. */
function putRows(roles: Map<string, RoleRow>, draft: PublicationDraft, indexId: number, now: Date): void {
  const signed = [...draft.roles, ...(draft.root === undefined ? [] : [draft.root]), draft.timestamp];
  for (const { role, version, expires, length, sha256 } of [
    ...(draft.written?.roles ?? []),
    ...signed.map(withoutBytes),
  ]) {
    roles.set(role, {
      index_id: indexId,
      role,
      version,
      sha256,
      length,
      signed_at: now.toISOString(),
      expires_at: expires.toISOString(),
    });
  }
}
