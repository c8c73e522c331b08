import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { parseDistributionFilename } from '../pypi/distribution-filename.ts';
import { metadataSidecarPath, packagePath, simpleHtmlPath, simpleJsonPath } from '../pypi/layout.ts';
import { parseProjectJson, type ProjectPage } from '../pypi/simple.ts';
import type { TargetFile } from '../tuf/file.ts';
import type { Fetcher } from '../updater/fetcher.ts';
import { VerdictError } from './verdict.ts';
import type { VerifiedFile, VerifiedFiles } from './verified-files.ts';

/** What a session needs of an `Updater`: one session is one snapshot and one reference time. */
export interface SessionUpdater {
  refresh(): Promise<void>;
  getSignedTarget(path: string): Promise<{ readonly target: TargetFile; readonly role: string } | undefined>;
  downloadTarget(target: TargetFile, destinationPath: string): Promise<unknown>;
  targetBytes(target: TargetFile, maxLength: number): Promise<Uint8Array>;
}

export interface VerifiedIndexOptions {
  /** Base URL, with the final slash. */
  readonly url: string;
  readonly openUpdater: () => SessionUpdater;
  readonly fetcher: Fetcher;
  readonly files: VerifiedFiles;
  /** Milliseconds after which a new session is opened; without it one session lasts for ever. */
  readonly sessionMaxAge?: number;
}

/** A page exactly as it was signed. */
export interface VerifiedPage {
  readonly bytes: Uint8Array;
  readonly sha256: string;
  /** The role that signed it: a bin of the index, or the project's own. */
  readonly signedBy: string;
}

/** A distribution file some role signed, and the session that knows. */
export interface SignedFile {
  readonly target: TargetFile;
  readonly sha256: string;
  /** The role that signed it: a bin of the index, or the project's own. */
  readonly signedBy: string;
  readonly updater: SessionUpdater;
}

interface Session {
  readonly updater: SessionUpdater;
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
const MAX_UNVERIFIED_NAMES = 20_000;
const MAX_CACHED_LENGTH = 64 * 2 ** 20;

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
  #current: OpenedSession | undefined;

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
    const path = format === 'json' ? simpleJsonPath(project) : simpleHtmlPath(project);
    return this.#newestOf((session) => this.#pageOf(session, path));
  }

  /** A distribution file as its target says it is, on disk. */
  download({ target, sha256, updater }: SignedFile): Promise<VerifiedFile> {
    return this.#options.files.get(sha256, target.length, async (path) => {
      await updater.downloadTarget(target, path);
    });
  }

  /**
   * What is signed about a distribution file, without fetching it.
   *
   * @throws VerdictError `not-signed` when a verified page lists the file and no role signs it
   */
  async fileTarget(project: string, filename: string): Promise<SignedFile | undefined> {
    const path = packagePath(project, filename);
    const signed = await this.#newestOf(async ({ updater }) => {
      const found = await updater.getSignedTarget(path);
      if (found === undefined) return undefined;
      const { target, role } = found;
      return { target, sha256: sha256Of(target, path), signedBy: role, updater };
    });
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
    const known = this.#bytes.get(sha256);
    if (known !== undefined) return known;
    const path = metadataSidecarPath(project, filename);
    const pending = this.#fetching.get(path) ?? this.#fetchMetadata(path, sha256);
    this.#fetching.set(path, pending);
    try {
      return await pending;
    } finally {
      this.#fetching.delete(path);
    }
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
        await this.#fetchUnverified(simpleJsonPath(project), MAX_UNVERIFIED_LENGTH),
        project,
      );
    } catch {
      return [];
    }
  }

  /** What `read` finds in the current session or, before absence is reported, in one opened after now. */
  async #newestOf<T>(read: (session: Session) => Promise<T | undefined>): Promise<T | undefined> {
    const asked = performance.now();
    const found = await read(await this.#currentSession());
    return found ?? (await read(await this.#sessionSince(asked)));
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
    const updater = this.#options.openUpdater();
    await updater.refresh();
    return { updater, pages: new Map() };
  }

  #pageOf(session: Session, path: string): Promise<VerifiedPage | undefined> {
    const known = session.pages.get(path);
    if (known !== undefined) return known;
    const page = this.#readPage(session.updater, path);
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
    if (found === undefined) return undefined;
    const sha256 = sha256Of(found.target, path);
    const bytes = this.#bytes.get(sha256) ?? (await updater.targetBytes(found.target, MAX_PAGE_LENGTH));
    this.#bytes.set(sha256, bytes);
    return { bytes, sha256, signedBy: found.role };
  }

  /** The project's page, verified and read. */
  async listing(project: string): Promise<ProjectPage | undefined> {
    const page = await this.page(project, 'json');
    if (page === undefined) return undefined;
    const known = this.#parsed.get(page);
    if (known !== undefined) return known;
    const listing = parseProjectJson(page.bytes);
    if (listing.name !== project) {
      throw new VerdictError('tampered', `${simpleJsonPath(project)} is the page of ${listing.name}`);
    }
    this.#parsed.set(page, listing);
    this.#listings.set(project, listing);
    return listing;
  }

  async #fetchMetadata(path: string, sha256: string): Promise<Uint8Array> {
    const bytes = await this.#fetchUnverified(path, MAX_METADATA_LENGTH);
    if (createHash('sha256').update(bytes).digest('hex') !== sha256) {
      throw new VerdictError('tampered', `${path} has not the sha256 that stands for it on the signed page`);
    }
    this.#bytes.set(sha256, bytes);
    return bytes;
  }

  async #isListed(project: string, filename: string): Promise<boolean> {
    const listing = await this.listing(project);
    return listing?.files.some((file) => file.filename === filename) ?? false;
  }

  async #fetchUnverified(path: string, maxLength: number): Promise<Uint8Array> {
    const url = this.url + path.split('/').map(encodeURIComponent).join('/');
    const chunks: Uint8Array[] = [];
    for await (const chunk of this.#options.fetcher.fetch(url, { maxLength, compressible: true }))
      chunks.push(chunk);
    return Buffer.concat(chunks);
  }
}

function sha256Of(target: TargetFile, path: string): string {
  const sha256 = target.hashes.get('sha256');
  if (sha256 === undefined) throw new VerdictError('malformed', `${path} is signed without a sha256`);
  return sha256;
}

/** Every filename of the project that stands anywhere in bytes nobody signed. */
function filenamesIn(bytes: Uint8Array, project: string): string[] {
  const words = new Set(
    Buffer.from(bytes)
      .toString('latin1')
      .split(/[^A-Za-z0-9._+!-]+/),
  );
  return [...words].filter((word) => isDistributionOf(word, project)).slice(0, MAX_UNVERIFIED_NAMES);
}

function isDistributionOf(filename: string, project: string): boolean {
  if (!/\.(?:whl|tar\.gz)$/.test(filename)) return false;
  try {
    return parseDistributionFilename(filename).project === project;
  } catch {
    return false;
  }
}
