import type { TufCrypto } from '../tuf/crypto.ts';
import type { TargetFile } from '../tuf/file.ts';
import { encodePath, targetFileName } from '../tuf/layout.ts';
import type { Targets } from '../tuf/targets.ts';
import type { TrustedMetadataSet } from '../tuf/trusted-metadata-set.ts';
import { DEFAULT_UPDATER_CONFIG } from './config.ts';
import type { UpdaterConfig } from './config.ts';
import { downloadFailed, listedTooLong } from './errors.ts';
import type { Fetcher } from './fetcher.ts';
import { limitedDownload } from './limited-download.ts';
import { MetadataDir } from './metadata-dir.ts';
import { MetadataMemory } from './metadata-memory.ts';
import { Session } from './session.ts';
import type { SessionContext, SignedTarget } from './session.ts';
import { Sources, isAbsence } from './sources.ts';
import type { Source } from './sources.ts';
import { isCopyOf, saveVerified, verifiedStream } from './target-download.ts';

/** What an {@link Updater} is made of. */
export interface UpdaterOptions {
  /** The folder with the trusted metadata; it may be shared with other processes. */
  readonly metadataDir: string | MetadataDir;
  /** Ends with `/`. */
  readonly metadataBaseUrl: string;
  /** Ends with `/`. */
  readonly targetBaseUrl: string;
  /** Asked when the URLs above fail, in this order; none of them has to be trusted. */
  readonly mirrors?: readonly Source[];
  /** How bytes come: {@link HttpFetcher}, or one of your own. */
  readonly fetcher: Fetcher;
  /** Asked once, for the reference time of the session. */
  readonly clock?: () => Date;
  /** A root that is trusted for reasons of its own, from which every session starts; without it `root.json` of the folder is the start. */
  readonly bootstrapRoot?: Uint8Array;
  /** Node's own where nothing else is said; ignored beside `memory`. */
  readonly crypto?: TufCrypto;
  /** Shared by the sessions of a long-lived process, so that an unchanged snapshot costs next to nothing; its cryptography is used. */
  readonly memory?: MetadataMemory;
  /** Limits that differ from the default ones. */
  readonly config?: Partial<UpdaterConfig>;
}

/**
 * A TUF client (specification 5): one object is one session with one reference time and one snapshot of the repository.
 * Long-lived programs make a new one per session. All methods may be called concurrently.
 *
 * Errors: `RepositoryError` for what must not be trusted, `DownloadError` for what did not come, `LocalFileError` for
 * what the disk refuses. After any error nothing unverified has been saved or handed out.
 *
 * @example
 * const updater = new Updater({ metadataDir, metadataBaseUrl, targetBaseUrl, fetcher: new HttpFetcher() });
 * const target = await updater.getTargetInfo('simple/flask/index.json');
 * if (target !== undefined) await updater.downloadTarget(target, 'index.json');
 */
export class Updater {
  readonly #context: SessionContext;
  readonly #clock: () => Date;
  #referenceTime: Date | undefined;
  #session: Promise<Session> | undefined;
  #current: Session | undefined;
  #moving: Promise<boolean> | undefined;
  #moves = 0;

  constructor(options: UpdaterOptions) {
    const { metadataBaseUrl, targetBaseUrl, mirrors = [] } = options;
    const metadataDir =
      typeof options.metadataDir === 'string' ? new MetadataDir(options.metadataDir) : options.metadataDir;
    this.#context = {
      metadataDir,
      sources: new Sources([{ metadataBaseUrl, targetBaseUrl }, ...mirrors].map(withSlashes), metadataDir),
      fetcher: options.fetcher,
      bootstrapRoot: options.bootstrapRoot,
      memory: options.memory ?? new MetadataMemory({ crypto: options.crypto }),
      config: { ...DEFAULT_UPDATER_CONFIG, ...options.config },
    };
    this.#clock = options.clock ?? (() => new Date());
  }

  /** The workflow up to the top-level targets. Once done, further calls do nothing; after a failure they try again. */
  async refresh(): Promise<void> {
    await this.#opened();
  }

  /** The verified metadata of the session. @throws {Error} before the first successful `refresh` */
  get trusted(): TrustedMetadataSet {
    if (this.#current === undefined) {
      throw new Error('refresh() must succeed before there is trusted metadata');
    }
    return this.#current.trusted;
  }

  /**
   * What the repository signed about a target path, undefined if no role responsible for it lists it. Refreshes first.
   * If the session's snapshot has been garbage-collected, the session moves on to a newer one.
   */
  async getTargetInfo(path: string): Promise<TargetFile | undefined> {
    return (await this.getSignedTarget(path))?.target;
  }

  /** As {@link getTargetInfo}, with the role that signed it. */
  async getSignedTarget(path: string): Promise<SignedTarget | undefined> {
    for (;;) {
      const session = await this.#opened();
      try {
        return await session.find(path);
      } catch (error) {
        if (!isAbsence(error) || !(await this.#moveOn(session))) {
          throw error;
        }
      }
    }
  }

  /**
   * The verified metadata of a role on the way to a target: `delegator` is a role of {@link SignedTarget.via}, which is
   * verified already.
   */
  async delegatedTargets(role: string, delegator: string): Promise<Targets> {
    return (await this.#opened()).delegated(role, delegator);
  }

  /**
   * Downloads a target to `destinationPath`: whole and verified, or not at all (mode 0600). A file that is already there
   * with the right content stays untouched and costs no request.
   */
  async downloadTarget(target: TargetFile, destinationPath: string, signal?: AbortSignal): Promise<void> {
    if (await isCopyOf(target, destinationPath)) {
      return;
    }
    const name = await this.#targetName(target);
    const { sources, config } = this.#context;
    await sources.first((source) => {
      const data = this.#targetData(target, name, source, signal);
      return saveVerified(target, data, destinationPath, config.durableTargets);
    });
  }

  /** The verified bytes of a target of at most `maxLength` bytes. */
  async targetBytes(target: TargetFile, maxLength: number, signal?: AbortSignal): Promise<Uint8Array> {
    const name = await this.#targetName(target);
    return this.#context.sources.first(async (source) => {
      if (target.length > maxLength) {
        throw listedTooLong(source.targetBaseUrl + encodePath(name), target.length, maxLength);
      }
      const chunks: Uint8Array[] = [];
      for await (const chunk of verifiedStream(target, this.#targetData(target, name, source, signal))) {
        chunks.push(chunk);
      }
      return Buffer.concat(chunks);
    });
  }

  /**
   * The data of a target while it arrives. The last piece is held back until length and hashes have been verified: an
   * iteration that ends normally was a verified target, one that throws never delivered all of `target.length` bytes.
   */
  async *streamTarget(target: TargetFile, signal?: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
    const name = await this.#targetName(target);
    const { sources } = this.#context;
    const { source, stream, start } = await sources.first(async (candidate) => {
      const opened = verifiedStream(target, this.#targetData(target, name, candidate, signal));
      return { source: candidate, stream: opened, start: await opened.next() };
    });
    try {
      if (start.done !== true) {
        yield start.value;
        yield* stream;
      }
    } catch (error) {
      await sources.blame(source, error);
      throw error;
    } finally {
      await stream.return();
    }
  }

  #targetData(
    target: TargetFile,
    name: string,
    { targetBaseUrl }: Source,
    signal: AbortSignal | undefined,
  ): AsyncIterable<Uint8Array> {
    const { config, fetcher } = this.#context;
    const options = {
      maxLength: target.length,
      compressible: !isCompressed(target.path),
      ...(signal === undefined ? {} : { signal }),
    };
    return limitedDownload(fetcher, targetBaseUrl + encodePath(name), options, config.limits);
  }

  /** The name of a target below the target URL, as the repository serves it. */
  async #targetName(target: TargetFile): Promise<string> {
    const { config } = this.#context;
    const { trusted } = await this.#opened();
    if (config.offline) {
      throw downloadFailed(
        'OFFLINE',
        undefined,
        `${target.path}: targets are not cached, and the client is offline`,
      );
    }
    // URL parsers resolve these, and would leave the folder of the targets.
    if (target.path.split('/').some((segment) => segment === '.' || segment === '..')) {
      throw downloadFailed(
        'INVALID_URL',
        undefined,
        `${target.path}: a target path with "." or ".." cannot be fetched`,
      );
    }
    const isPrefixed = config.prefixTargetsWithHash && trusted.root.consistentSnapshot;
    const hash = target.hashes.get('sha256') ?? [...target.hashes.values()][0];
    return targetFileName(target.path, isPrefixed ? hash : undefined);
  }

  #opened(): Promise<Session> {
    this.#session ??= this.#open(undefined).catch((error: unknown) => {
      this.#session = undefined;
      throw error;
    });
    return this.#session;
  }

  /** A refreshed session; its timestamp is newer than that of `previous`. */
  async #open(previous: Session | undefined): Promise<Session> {
    this.#referenceTime ??= this.#clock();
    const session = await Session.start(this.#context, this.#referenceTime);
    try {
      await session.refresh();
    } catch (error) {
      if (isAbsence(error) && this.#mayMoveOn(session) && isNewer(session, previous)) {
        this.#moves += 1;
        return this.#open(session);
      }
      throw error;
    }
    this.#current = session;
    return session;
  }

  /** Replaces a session whose files are gone, once for all who notice; false if the repository has nothing newer. */
  #moveOn(from: Session): Promise<boolean> {
    if (this.#moving !== undefined) {
      return this.#moving;
    }
    if (this.#current !== from) {
      return Promise.resolve(true);
    }
    if (!this.#mayMoveOn(from)) {
      return Promise.resolve(false);
    }
    this.#moves += 1;
    this.#moving = this.#open(from)
      .then((next) => {
        this.#session = Promise.resolve(next);
        return isNewer(next, from);
      })
      .finally(() => {
        this.#moving = undefined;
      });
    return this.#moving;
  }

  #mayMoveOn(session: Session): boolean {
    const { config } = this.#context;
    return (
      !config.offline &&
      this.#moves < config.maxSupersessions &&
      session.timestampAge >= config.supersededAfter
    );
  }
}

function isNewer(session: Session, than: Session | undefined): boolean {
  return (session.trusted.timestamp?.version ?? 0) > (than?.trusted.timestamp?.version ?? 0);
}

function withSlashes({ metadataBaseUrl, targetBaseUrl }: Source): Source {
  return { metadataBaseUrl: withSlash(metadataBaseUrl), targetBaseUrl: withSlash(targetBaseUrl) };
}

function withSlash(url: string): string {
  return url.endsWith('/') ? url : `${url}/`;
}

/** Compressing these again saves nothing, and servers are known to label stored .gz files as compressed transfers. */
function isCompressed(path: string): boolean {
  return /\.(?:whl|egg|zip|gz|tgz|bz2|tbz|xz|txz|zst|7z|jar|exe|msi|deb|rpm)$/i.test(path);
}
