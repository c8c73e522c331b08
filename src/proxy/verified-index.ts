import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import {
  metadataSidecarPath,
  packagePath,
  parseIndexPath,
  simpleHtmlPath,
  simpleJsonPath,
} from '../pypi/layout.ts';
import { parseProjectJson, type PageFile, type ProjectPage } from '../pypi/simple.ts';
import { TAKEDOWNS_PATH, parseTakedowns, type Takedown } from '../pypi/takedown-list.ts';
import type { Targets } from '../tuf/targets.ts';
import type { TargetFile } from '../tuf/file.ts';
import { encodePath } from '../tuf/layout.ts';
import { isNetworkAway } from '../updater/errors.ts';
import type { Fetcher } from '../updater/fetcher.ts';
import { isAbsence } from '../updater/sources.ts';
import { explainAbsence } from './absence.ts';
import { ReadAhead } from './read-ahead.ts';
import { fetchUnverified, filenamesIn } from './unverified-bytes.ts';
import { signedClaim, UNCLAIMED, type SignedClaim } from './signed-claim.ts';
import { VerdictError, type Verdict } from './verdict.ts';
import type { VerifiedFile, VerifiedFiles } from './verified-files.ts';

/** A target, the role that signed it, and the roles from `targets` to that one. */
export interface SessionTarget {
  readonly target: TargetFile;
  readonly role: string;
  readonly via: readonly string[];
}

/** What a session needs of an `Updater`: one session is one snapshot and one reference time. */
export interface SessionUpdater {
  refresh(): Promise<void>;
  getSignedTarget(path: string): Promise<SessionTarget | undefined>;
  /** The verified metadata of a role on the way to `path`. */
  delegatedTargets(role: string, delegator: string, path: string): Promise<Targets>;
  downloadTarget(target: TargetFile, destinationPath: string): Promise<unknown>;
  targetBytes(target: TargetFile, maxLength: number): Promise<Uint8Array>;
}

export interface VerifiedIndexOptions {
  /** Base URL, with the final slash. */
  readonly url: string;
  /** Base URLs that serve the same, asked in this order when the one above fails. */
  readonly mirrors?: readonly string[] | undefined;
  /** @param isOffline makes no request: what is stored, verified and unexpired has to do */
  readonly openUpdater: (isOffline: boolean) => SessionUpdater;
  readonly fetcher: Fetcher;
  readonly files: VerifiedFiles;
  /** Milliseconds after which a new session is opened; without it one session lasts for ever. */
  readonly sessionMaxAge?: number;
  /** Asks nobody at all. Without it that is done only while no source can be reached. */
  readonly isOffline?: boolean | undefined;
  /** Called when a session does without the network: `reason` says why, unless somebody asked for it. */
  readonly onOffline?: ((session: SessionUpdater, reason: unknown) => void) | undefined;
  /** Which projects may be read before anybody asks for them, see {@link ReadAhead}; none when left out. */
  readonly mayReadAhead?: ((project: string) => boolean) | undefined;
}

/** A page exactly as it was signed. */
export interface VerifiedPage {
  readonly bytes: Uint8Array;
  readonly sha256: string;
  /** The role that signed it: a bin of the index, or the project's own. */
  readonly signedBy: string;
  /** Whose word that is. */
  readonly claim: SignedClaim;
}

/** A distribution file some role signed, and the session that knows. */
export interface SignedFile {
  readonly target: TargetFile;
  readonly sha256: string;
  /** The role that signed it: a bin of the index, or the project's own. */
  readonly signedBy: string;
  /** Whose word that is. */
  readonly claim: SignedClaim;
  readonly updater: SessionUpdater;
}

interface Session {
  readonly updater: SessionUpdater;
  readonly isOffline: boolean;
  /** Pages by target path. */
  readonly pages: Map<string, Promise<VerifiedPage | undefined>>;
}

interface OpenedSession {
  /** When it began to ask the index, on the monotonic clock. */
  readonly since: number;
  readonly session: Promise<Session>;
}

const MAX_PAGE_LENGTH = 64 * 2 ** 20;
const MAX_METADATA_LENGTH = 4 * 2 ** 20;
const MAX_UNVERIFIED_LENGTH = 8 * 2 ** 20;
const MAX_CACHED_LENGTH = 64 * 2 ** 20;
/** Bytes of a page, and of metadata, that nobody has asked for. */
const MAX_AHEAD_LENGTH = 512 * 2 ** 10;
/** Milliseconds for which a network that is away is not tried again. */
const AWAY = 30_000;

/**
 * An index through its signatures: whatever its methods give is verified, whatever cannot be verified is an error, and
 * `undefined` means that the index says, signed and freshly, that there is no such thing.
 */
export class VerifiedIndex {
  readonly url: string;
  readonly #options: VerifiedIndexOptions;
  readonly #bytes = new LRUCache<string, Uint8Array>({
    maxSize: MAX_CACHED_LENGTH,
    sizeCalculation: (bytes) => bytes.length + 1,
  });
  /** What was read from verified pages: by the page, and by project whatever came last. */
  readonly #parsed = new WeakMap<VerifiedPage, ProjectPage>();
  readonly #listings = new LRUCache<string, ProjectPage>({ max: 256 });
  readonly #fetching = new Map<string, Promise<Uint8Array>>();
  /** What is being read ahead, by path. These never fail. */
  readonly #comingAhead = new Map<string, Promise<void>>();
  /** Of the newest session. */
  #ahead: ReadAhead | undefined;
  #current: OpenedSession | undefined;
  /** On the monotonic clock. */
  #awayUntil = 0;

  constructor(options: VerifiedIndexOptions) {
    this.url = options.url;
    this.#options = options;
  }

  /** Brings the session up to date with the index, if there is none yet. */
  async refresh(): Promise<void> {
    await this.#currentSession();
  }

  /** The project's page in the bytes that were signed, or `undefined` when no project of this name has one. */
  async page(project: string, format: 'json' | 'html'): Promise<VerifiedPage | undefined> {
    const page = await this.#page(project, format);
    // Whoever reads HTML is told of no metadata.
    if (page !== undefined && format === 'json') this.#ahead?.asked(project);
    return page;
  }

  async #page(project: string, format: 'json' | 'html'): Promise<VerifiedPage | undefined> {
    const path = format === 'json' ? simpleJsonPath(project) : simpleHtmlPath(project);
    await this.#comingAhead.get(path);
    return this.#newestOf((session) => this.#pageOf(session, path));
  }

  /** What the administrators of the index withhold of claimed projects, in the session that gives the pages. */
  async takedowns(): Promise<readonly Takedown[]> {
    const list = await this.#pageOf(await this.#currentSession(), TAKEDOWNS_PATH);
    return list === undefined ? [] : parseTakedowns(list.bytes);
  }

  /** A distribution file as its target says it is, on disk. */
  download({ target, sha256, updater }: SignedFile): Promise<VerifiedFile> {
    const { files } = this.#options;
    return files.get(sha256, target.length, async (destination) => {
      const asked = performance.now();
      await updater.downloadTarget(target, destination).catch(async (error: unknown) => {
        if (!isAbsence(error)) throw error;
        // The session has lived longer than the file: one that began later knows whether it is still signed.
        const { updater: later } = await this.#sessionSince(asked);
        const signed = await later.getSignedTarget(target.path);
        if (signed === undefined) throw new VerdictError('revoked', `${target.path} is no longer signed`);
        if (signed.target.hashes.get('sha256') !== sha256) throw error;
        await later.downloadTarget(signed.target, destination);
      });
      files.cache.remember(target.path);
      const project = parseIndexPath(target.path)?.project;
      if (project !== undefined) files.cache.remember(simpleJsonPath(project));
    });
  }

  /**
   * What is signed about a distribution file, without fetching it.
   *
   * @throws VerdictError `not-signed` when a verified page lists the file and no role signs it; `malformed` when they disagree
   */
  async fileTarget(project: string, filename: string): Promise<SignedFile | undefined> {
    const path = packagePath(project, filename);
    const signed = await this.#newestOf(async ({ updater }) => {
      const found = await updater.getSignedTarget(path);
      if (found === undefined) return undefined;
      const { target, role } = found;
      const claim = await claimOf(updater, project, path, found);
      return { target, sha256: sha256Of(target, path), signedBy: role, claim, updater };
    });
    if (signed !== undefined) this.#checkListed(project, filename, signed.sha256);
    if (signed === undefined && (await this.#isListed(project, filename))) {
      throw new VerdictError(
        'not-signed',
        `${path} stands on the signed page of ${project}, but no role signs the file`,
      );
    }
    return signed;
  }

  /** The core metadata beside a distribution file, verified against the hash on the signed page (PEP 658). */
  async metadata(project: string, filename: string): Promise<Uint8Array | undefined> {
    const listing = await this.listing(project);
    const sha256 = listing?.files.find((file) => file.filename === filename)?.coreMetadataSha256;
    if (sha256 === undefined) return undefined;
    const path = metadataSidecarPath(project, filename);
    await this.#comingAhead.get(path);
    const pending = this.#fetching.get(path) ?? this.#fetchMetadata(path, sha256, MAX_METADATA_LENGTH);
    this.#fetching.set(path, pending);
    try {
      const bytes = await pending;
      this.#ahead?.chosen(project, filename, bytes);
      return bytes;
    } finally {
      this.#fetching.delete(path);
    }
  }

  /** Ends what is read ahead. */
  async close(): Promise<void> {
    await this.#ahead?.stop();
  }

  /** Why there is no such project or file, once the methods above have said so. Never fails. */
  absence(project: string, filename?: string): Promise<Verdict> {
    const { files } = this.#options;
    const hints = {
      url: this.url,
      wasSigned: (path: string) => files.cache.remembers(path),
      isServed: (path: string) => this.#isServed(path),
    };
    return explainAbsence(hints, project, filename);
  }

  /**
   * The names of a project's files, for a listing in which none can be had: those last verified, otherwise whatever
   * looks like one in the page that did not verify, otherwise none. Never fails.
   */
  async knownFilenames(project: string): Promise<readonly string[]> {
    const known = this.#listings.get(project);
    if (known !== undefined) return known.files.map((file) => file.filename);
    try {
      return filenamesIn(
        await fetchUnverified(this.#options, simpleJsonPath(project), MAX_UNVERIFIED_LENGTH),
        project,
      );
    } catch {
      return [];
    }
  }

  /**
   * What `read` finds in the current session or, before absence is reported and when a file of the session is no longer there, in one
   * opened after now.
   */
  async #newestOf<T>(read: (session: Session) => Promise<T | undefined>): Promise<T | undefined> {
    const asked = performance.now();
    const session = await this.#currentSession();
    try {
      const found = await read(session);
      if (found !== undefined || session.isOffline) return found;
    } catch (error) {
      if (!isAbsence(error)) throw error;
    }
    return read(await this.#sessionSince(asked));
  }

  #currentSession(): Promise<Session> {
    return this.#sessionSince(performance.now() - (this.#options.sessionMaxAge ?? Number.POSITIVE_INFINITY));
  }

  /** The session if it was opened at `moment` or later, otherwise a new one. All who wait share it. */
  #sessionSince(moment: number): Promise<Session> {
    const current = this.#current;
    if (current !== undefined && current.since >= moment) return current.session;
    const opened: OpenedSession = { since: performance.now(), session: this.#open(current) };
    this.#current = opened;
    opened.session.catch(() => {
      if (this.#current === opened) this.#current = undefined;
    });
    return opened.session;
  }

  async #open(previous: OpenedSession | undefined): Promise<Session> {
    await previous?.session.catch(() => undefined);
    if (this.#options.isOffline === true || performance.now() < this.#awayUntil)
      return this.#openOffline(undefined);
    const updater = this.#options.openUpdater(false);
    try {
      await updater.refresh();
    } catch (error) {
      if (!isNetworkAway(error)) throw error;
      // What somebody gains who cuts the line is what she gains who sends the last answer again: time until it expires.
      const session = await this.#openOffline(error).catch(() => undefined);
      if (session === undefined) throw error;
      this.#awayUntil = performance.now() + AWAY;
      return session;
    }
    const session = { updater, isOffline: false, pages: new Map() };
    this.#readAheadIn(session);
    return session;
  }

  async #openOffline(reason: unknown): Promise<Session> {
    const updater = this.#options.openUpdater(true);
    await updater.refresh();
    this.#options.onOffline?.(updater, reason);
    return { updater, isOffline: true, pages: new Map() };
  }

  #pageOf(session: Session, path: string): Promise<VerifiedPage | undefined> {
    return session.pages.get(path) ?? this.#keepPage(session, path, this.#readPage(session.updater, path));
  }

  #keepPage(
    session: Session,
    path: string,
    page: Promise<VerifiedPage | undefined>,
  ): Promise<VerifiedPage | undefined> {
    session.pages.set(path, page);
    // Absence and failure are not remembered: the next request looks again.
    page.then(
      (found) => found ?? session.pages.delete(path),
      () => session.pages.delete(path),
    );
    return page;
  }

  async #readPage(updater: SessionUpdater, path: string): Promise<VerifiedPage | undefined> {
    const found = await updater.getSignedTarget(path);
    return found === undefined ? undefined : this.#pageAt(updater, path, found);
  }

  async #pageAt(updater: SessionUpdater, path: string, found: SessionTarget): Promise<VerifiedPage> {
    const sha256 = sha256Of(found.target, path);
    const bytes = await this.#cached(sha256, MAX_PAGE_LENGTH, () =>
      updater.targetBytes(found.target, MAX_PAGE_LENGTH),
    );
    const claim = await claimOf(updater, parseIndexPath(path)?.project, path, found);
    return { bytes, sha256, signedBy: found.role, claim };
  }

  /** The project's page, verified and read. */
  async listing(project: string): Promise<ProjectPage | undefined> {
    const page = await this.#page(project, 'json');
    if (page === undefined) return undefined;
    const listing = this.#parse(page, project);
    this.#listings.set(project, listing);
    return listing;
  }

  #parse(page: VerifiedPage, project: string): ProjectPage {
    const known = this.#parsed.get(page);
    if (known !== undefined) return known;
    const listing = parseProjectJson(page.bytes);
    if (listing.name !== project) {
      throw new VerdictError('tampered', `${simpleJsonPath(project)} is the page of ${listing.name}`);
    }
    this.#parsed.set(page, listing);
    return listing;
  }

  #readAheadIn(session: Session): void {
    const { mayReadAhead } = this.#options;
    void this.#ahead?.stop();
    if (mayReadAhead === undefined) return;
    this.#ahead = new ReadAhead({
      mayRead: mayReadAhead,
      page: (project) => this.#pageAhead(session, project),
      metadata: (project, file) => this.#metadataAhead(project, file),
      target: (project, filename) => session.updater.getSignedTarget(packagePath(project, filename)),
    });
  }

  /** Says nothing of absence, and looks for none in a newer session. */
  async #pageAhead(session: Session, project: string): Promise<ProjectPage | undefined> {
    const path = simpleJsonPath(project);
    const page = await this.#coming(path, async () => {
      const known = session.pages.get(path);
      if (known !== undefined) return known;
      const found = await session.updater.getSignedTarget(path);
      if (found === undefined || found.target.length > MAX_AHEAD_LENGTH) return undefined;
      return (
        session.pages.get(path) ?? this.#keepPage(session, path, this.#pageAt(session.updater, path, found))
      );
    });
    return page === undefined ? undefined : this.#parse(page, project);
  }

  async #metadataAhead(project: string, file: PageFile): Promise<Uint8Array | undefined> {
    const { filename, coreMetadataSha256 } = file;
    if (coreMetadataSha256 === undefined) return undefined;
    const path = metadataSidecarPath(project, filename);
    return this.#coming(
      path,
      () => this.#fetching.get(path) ?? this.#fetchMetadata(path, coreMetadataSha256, MAX_AHEAD_LENGTH),
    );
  }

  /** Whoever asks for the path meanwhile waits for this first, and reads for himself when it failed. */
  #coming<T>(path: string, read: () => Promise<T>): Promise<T> {
    const reading = read();
    const ended = reading.then(
      () => void this.#comingAhead.delete(path),
      () => void this.#comingAhead.delete(path),
    );
    this.#comingAhead.set(path, ended);
    return reading;
  }

  async #fetchMetadata(path: string, sha256: string, maxLength: number): Promise<Uint8Array> {
    return this.#cached(sha256, maxLength, () =>
      fetchUnverified(this.#options, path, maxLength, (bytes) => {
        if (createHash('sha256').update(bytes).digest('hex') === sha256) return;
        const reason = `${path} has not the sha256 that stands for it on the signed page`;
        throw new VerdictError('tampered', reason);
      }),
    );
  }

  /** Verified bytes from memory, from the disk, or as `obtain` gets and verifies them. */
  async #cached(sha256: string, maxLength: number, obtain: () => Promise<Uint8Array>): Promise<Uint8Array> {
    const { cache } = this.#options.files;
    const known = this.#bytes.get(sha256) ?? (await cache.read(sha256, maxLength));
    const bytes = known ?? (await obtain());
    this.#bytes.set(sha256, bytes);
    if (known === undefined) cache.write(sha256, bytes);
    return bytes;
  }

  async #isServed(path: string): Promise<boolean> {
    if ((await this.#currentSession()).isOffline) return false;
    try {
      const options = { maxLength: Number.MAX_SAFE_INTEGER, compressible: false };
      const source = this.#options.fetcher
        .fetch(this.url + encodePath(path), options)
        [Symbol.asyncIterator]();
      const { done } = await source.next();
      await source.return?.();
      return done !== true;
    } catch {
      return false;
    }
  }

  /** A page that was read and the file's own target are of one index: where they differ, the holder of its online key lies or errs. */
  #checkListed(project: string, filename: string, sha256: string): void {
    const listed = this.#listings.get(project)?.files.find((file) => file.filename === filename);
    if (listed === undefined || listed.sha256 === sha256) return;
    throw new VerdictError(
      'malformed',
      `${packagePath(project, filename)} is signed with another sha256 than stands for it on the signed page`,
    );
  }

  async #isListed(project: string, filename: string): Promise<boolean> {
    const listing = await this.listing(project);
    return listing?.files.some((file) => file.filename === filename) ?? false;
  }
}

function sha256Of(target: TargetFile, path: string): string {
  const sha256 = target.hashes.get('sha256');
  if (sha256 === undefined) throw new VerdictError('malformed', `${path} is signed without a sha256`);
  return sha256;
}

function claimOf(
  updater: SessionUpdater,
  project: string | undefined,
  path: string,
  { via }: SessionTarget,
): Promise<SignedClaim> {
  return project === undefined
    ? Promise.resolve(UNCLAIMED)
    : signedClaim(project, via, (role, delegator) => updater.delegatedTargets(role, delegator, path));
}
