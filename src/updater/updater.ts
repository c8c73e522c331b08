import type { TufCrypto } from '../tuf/crypto.ts';
import type { TargetFile } from '../tuf/file.ts';
import { encodePath, targetFileName } from '../tuf/layout.ts';
import type { TrustedMetadataSet } from '../tuf/trusted-metadata-set.ts';
import { DEFAULT_UPDATER_CONFIG } from './config.ts';
import type { UpdaterConfig } from './config.ts';
import { downloadFailed, listedTooLong } from './errors.ts';
import type { Fetcher } from './fetcher.ts';
import { limitedDownload } from './limited-download.ts';
import { MetadataDir } from './metadata-dir.ts';
import { MetadataMemory } from './metadata-memory.ts';
import { Session, isAbsence } from './session.ts';
import type { SessionContext } from './session.ts';
import { isCopyOf, saveVerified, verifiedStream } from './target-download.ts';

export interface UpdaterOptions {
  /** The folder with the trusted metadata; it may be shared with other processes. */
  readonly metadataDir: string | MetadataDir;
  /** Ends with `/`. */
  readonly metadataBaseUrl: string;
  /** Ends with `/`. */
  readonly targetBaseUrl: string;
  readonly fetcher: Fetcher;
  /** Asked once, for the reference time of the session. */
  readonly clock?: () => Date;
  /** A root that is trusted for reasons of its own, from which every session starts; without it `root.json` of the folder is the start. */
  readonly bootstrapRoot?: Uint8Array;
  readonly crypto?: TufCrypto;
  /** Shared by the sessions of a long-lived process, so that an unchanged snapshot costs next to nothing; its cryptography is used. */
  readonly memory?: MetadataMemory;
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
  readonly #targetBaseUrl: string;
  readonly #clock: () => Date;
  #referenceTime: Date | undefined;
  #session: Promise<Session> | undefined;
  #current: Session | undefined;
  #moving: Promise<boolean> | undefined;
  #moves = 0;

  constructor(options: UpdaterOptions) {
    const { metadataDir } = options;
    this.#context = {
      metadataDir: typeof metadataDir === 'string' ? new MetadataDir(metadataDir) : metadataDir,
      metadataBaseUrl: withSlash(options.metadataBaseUrl),
      fetcher: options.fetcher,
      bootstrapRoot: options.bootstrapRoot,
      memory: options.memory ?? new MetadataMemory({ crypto: options.crypto }),
      config: { ...DEFAULT_UPDATER_CONFIG, ...options.config },
    };
    this.#targetBaseUrl = withSlash(options.targetBaseUrl);
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
   * Downloads a target to `destinationPath`: whole and verified, or not at all (mode 0600). A file that is already there
   * with the right content stays untouched and costs no request.
   */
  async downloadTarget(target: TargetFile, destinationPath: string, signal?: AbortSignal): Promise<void> {
    if (await isCopyOf(target, destinationPath)) {
      return;
    }
    await saveVerified(target, this.#targetData(target, signal), destinationPath);
  }

  /** The verified bytes of a target of at most `maxLength` bytes. */
  async targetBytes(target: TargetFile, maxLength: number, signal?: AbortSignal): Promise<Uint8Array> {
    if (target.length > maxLength) {
      throw listedTooLong(this.#targetUrl(target), target.length, maxLength);
    }
    const chunks: Uint8Array[] = [];
    for await (const chunk of this.streamTarget(target, signal)) {
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  }

  /**
   * The data of a target while it arrives. The last piece is held back until length and hashes have been verified: an
   * iteration that ends normally was a verified target, one that throws never delivered all of `target.length` bytes.
   */
  streamTarget(target: TargetFile, signal?: AbortSignal): AsyncIterable<Uint8Array> {
    return verifiedStream(target, this.#targetData(target, signal));
  }

  async *#targetData(
    target: TargetFile,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const { config, fetcher } = this.#context;
    await this.#opened();
    const url = this.#targetUrl(target);
    if (config.offline) {
      throw downloadFailed('OFFLINE', url, 'targets are not cached, and the client is offline');
    }
    const options = {
      maxLength: target.length,
      compressible: !isCompressed(target.path),
      ...(signal === undefined ? {} : { signal }),
    };
    yield* limitedDownload(fetcher, url, options, config.limits);
  }

  #targetUrl(target: TargetFile): string {
    const { config } = this.#context;
    const isPrefixed =
      config.prefixTargetsWithHash && this.#current?.trusted.root.consistentSnapshot === true;
    const hash = target.hashes.get('sha256') ?? [...target.hashes.values()][0];
    const name = targetFileName(target.path, isPrefixed ? hash : undefined);
    const url = this.#targetBaseUrl + encodePath(name);
    // URL parsers resolve these, and would leave the folder of the targets.
    if (name.split('/').some((segment) => segment === '.' || segment === '..')) {
      throw downloadFailed(
        'INVALID_URL',
        url,
        'the target path has a "." or ".." segment and cannot be fetched',
      );
    }
    return url;
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

function withSlash(url: string): string {
  return url.endsWith('/') ? url : `${url}/`;
}

/** Compressing these again saves nothing, and servers are known to label stored .gz files as compressed transfers. */
function isCompressed(path: string): boolean {
  return /\.(?:whl|egg|zip|gz|tgz|bz2|tbz|xz|txz|zst|7z|jar|exe|msi|deb|rpm)$/i.test(path);
}
