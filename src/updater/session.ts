import {
  EqualVersionNumberError,
  ExpiredMetadataError,
  RepositoryError,
  RoleNotFoundError,
} from '../tuf/errors.ts';
import type { TargetFile } from '../tuf/file.ts';
import { metadataFileName } from '../tuf/layout.ts';
import type { Root } from '../tuf/root.ts';
import type { SignedType } from '../tuf/signed.ts';
import type { Targets } from '../tuf/targets.ts';
import type { Timestamp } from '../tuf/timestamp.ts';
import { TrustedMetadataSet } from '../tuf/trusted-metadata-set.ts';
import type { UpdaterConfig } from './config.ts';
import { LocalFileError, downloadFailed, listedTooLong } from './errors.ts';
import type { Fetcher } from './fetcher.ts';
import { followLog, refuseTwin } from './followed-log.ts';
import { downloadBytes } from './limited-download.ts';
import type { MetadataDir } from './metadata-dir.ts';
import type { MetadataMemory } from './metadata-memory.ts';
import { isAbsence } from './sources.ts';
import type { Sources } from './sources.ts';
import { TrustedFiles } from './trusted-files.ts';

/** A target and the role that signed it for its path. */
export interface SignedTarget {
  readonly target: TargetFile;
  /** The first role in the order of the search that lists the path. */
  readonly role: string;
  /** Who delegated to whom, from `targets` to the role itself: whose keys its word rests on. */
  readonly via: readonly string[];
}

/** What a session needs from outside. */
export interface SessionContext {
  readonly metadataDir: MetadataDir;
  readonly sources: Sources;
  readonly fetcher: Fetcher;
  readonly bootstrapRoot: Uint8Array | undefined;
  readonly memory: MetadataMemory;
  readonly config: UpdaterConfig;
}

/**
 * One snapshot of the repository, verified by the client workflow (specification 5.1 to 5.6) in its order and without
 * any request beyond it. Everything is saved only after it has been verified.
 */
export class Session {
  readonly trusted: TrustedMetadataSet;
  readonly #context: SessionContext;
  readonly #files: TrustedFiles;
  readonly #loading = new Map<string, Promise<Targets>>();
  /** What is being saved, in the order in which it was verified: nobody waits for the disk before the end. */
  #saves: Promise<void> = Promise.resolve();
  #timestampAskedAt = Number.POSITIVE_INFINITY;

  private constructor(context: SessionContext, files: TrustedFiles, trusted: TrustedMetadataSet) {
    this.#context = context;
    this.#files = files;
    this.trusted = trusted;
  }

  /** Loads the trusted root; makes no request. */
  static async start(context: SessionContext, referenceTime: Date): Promise<Session> {
    const files = await TrustedFiles.open(context.metadataDir, context.config);
    const initial = context.bootstrapRoot ?? files.root;
    if (initial === undefined) {
      const reason = 'there is no trusted root here; set up trust in the repository first';
      throw new LocalFileError('NO_TRUSTED_ROOT', context.metadataDir.path, reason);
    }
    const trusted = await TrustedMetadataSet.create(initial, {
      referenceTime,
      crypto: context.memory.crypto,
      read: context.memory.read,
      loadedBytes: context.config.loadedBytes,
    });
    const session = new Session(context, files, trusted);
    const newest = await session.#replayHistory(initial);
    session.#save(() => files.adoptRoot(trusted.root, newest));
    return session;
  }

  /** Milliseconds since the timestamp was asked for; negative infinity while it was not. */
  get timestampAge(): number {
    return performance.now() - this.#timestampAskedAt;
  }

  /** The workflow up to and including the top-level targets. */
  async refresh(): Promise<void> {
    await this.#saved(async () => {
      await this.#updateRoot();
      await this.#updateTimestamp();
      await this.#updateSnapshot();
      await this.#targets('targets', 'root');
    });
  }

  /**
   * The target as the first role that lists it in pre-order search does (specification 5.6.7), undefined if none does.
   * An error in a role on the way ends the search: skipping it would let whoever can break a role choose another.
   */
  find(path: string): Promise<SignedTarget | undefined> {
    return this.#saved(() => this.#search(path));
  }

  async #search(path: string): Promise<SignedTarget | undefined> {
    const waiting: { readonly role: string; readonly delegator: string; readonly via: readonly string[] }[] =
      [{ role: 'targets', delegator: 'root', via: ['targets'] }];
    const visited = new Set<string>();
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const { role, delegator, via } = next;
      if (visited.has(role)) {
        continue;
      }
      if (visited.size > this.#context.config.maxDelegations) {
        throw new RoleNotFoundError(
          `not found in the first ${visited.size} roles, and no more are searched`,
          { path },
        );
      }
      const targets = await this.#targets(role, delegator);
      const target = targets.targets.get(path);
      if (target !== undefined) {
        return { target, role, via };
      }
      visited.add(role);
      const delegations = targets.delegations?.rolesForTarget(path) ?? [];
      const end = delegations.findIndex(({ terminating }) => terminating);
      if (end !== -1) {
        waiting.length = 0;
      }
      const searched = end === -1 ? delegations : delegations.slice(0, end + 1);
      waiting.push(
        ...searched.map(({ name }) => ({ role: name, delegator: role, via: [...via, name] })).reverse(),
      );
    }
    return undefined;
  }

  /** A delegated role of this snapshot, verified with the keys that its delegator names. The delegator has to be loaded. */
  delegated(role: string, delegator: string): Promise<Targets> {
    return this.#saved(() => this.#targets(role, delegator));
  }

  /** Goes from a bootstrap root to the newest root of earlier sessions, each signed by the one before. */
  async #replayHistory(initial: Uint8Array): Promise<Uint8Array> {
    let newest = initial;
    const { bootstrapRoot, config } = this.#context;
    for (let count = 0; count < config.maxRootRotations && bootstrapRoot !== undefined; count += 1) {
      const bytes = await this.#files.rootOfHistory(this.trusted.root.version + 1);
      if (bytes === undefined || (await ignoreRefusal(this.trusted.updateRoot(bytes))) === undefined) {
        break;
      }
      newest = bytes;
    }
    return newest;
  }

  #save(action: () => Promise<void>): void {
    this.#saves = this.#saves.then(action);
    this.#saves.catch(() => undefined);
  }

  /** Ends when everything that was verified has been saved, with the error of the work or that of the disk. */
  async #saved<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } finally {
      const saves = this.#saves;
      await saves.catch((error: unknown) => {
        if (this.#saves === saves) this.#saves = Promise.resolve();
        throw error;
      });
    }
  }

  /** Specification 5.3. */
  async #updateRoot(): Promise<void> {
    const { config } = this.#context;
    for (let count = 0; count < config.maxRootRotations && !config.offline; count += 1) {
      if (!(await this.#takeNextRoot(this.trusted.root))) {
        break;
      }
    }
    const { root, referenceTime } = this.trusted;
    if (root.isExpired(referenceTime)) {
      const reason = `version ${root.version} expired at ${root.expires.toISOString()}`;
      throw new ExpiredMetadataError(reason, { role: 'root', version: root.version });
    }
  }

  /** False if no source has a root after `previous`. */
  async #takeNextRoot(previous: Root): Promise<boolean> {
    const name = metadataFileName('root', previous.version + 1);
    try {
      const accept = async (bytes: Uint8Array): Promise<void> => {
        const root = await this.trusted.updateRoot(bytes);
        await this.#saves;
        await this.#files.saveRoot(root, bytes, previous);
      };
      await this.#obtain(name, this.#context.config.rootMaxLength, undefined, accept, {
        absenceCounts: true,
      });
      return true;
    } catch (error) {
      if (isAbsence(error)) {
        return false;
      }
      throw error;
    }
  }

  /** Specification 5.4. */
  async #updateTimestamp(): Promise<void> {
    const { config } = this.#context;
    const local = this.#files.baseline('timestamp');
    if (config.offline) {
      await this.trusted.updateTimestamp(this.#cached(local, 'timestamp'));
      return;
    }
    if (local !== undefined) {
      await ignoreRefusal(this.trusted.updateTimestamp(local));
    }
    // Only what the present keys signed is a memory of the log: new keys begin a new generation.
    const known = this.trusted.timestamp === undefined ? undefined : local;
    this.#timestampAskedAt = performance.now();
    const next = await this.#obtain(
      metadataFileName('timestamp'),
      config.timestampMaxLength,
      undefined,
      async (bytes) => ({ bytes, timestamp: await this.#newTimestamp(bytes) }),
    );
    if (next.timestamp === undefined) {
      refuseTwin(known, next.bytes);
      return;
    }
    await followLog(this.#context, known, next.timestamp);
    const { version } = next.timestamp;
    this.#save(() => this.#files.save('timestamp', version, next.bytes));
  }

  /** Undefined when it has the version of the trusted one (5.4.3.1): nothing new, and nothing in it counts. */
  async #newTimestamp(bytes: Uint8Array): Promise<Timestamp | undefined> {
    try {
      return await this.trusted.updateTimestamp(bytes);
    } catch (error) {
      if (error instanceof EqualVersionNumberError) return undefined;
      throw error;
    }
  }

  /** Specification 5.5. */
  async #updateSnapshot(): Promise<void> {
    const { config } = this.#context;
    const local = this.#remembered(this.#files.baseline('snapshot'), 'snapshot');
    if (config.offline) {
      await this.trusted.updateSnapshot(this.#cached(local, 'snapshot'), { trusted: true });
      return;
    }
    if (
      local !== undefined &&
      (await ignoreRefusal(this.trusted.updateSnapshot(local, { trusted: true }))) !== undefined
    ) {
      return;
    }
    const entry = this.trusted.timestamp?.snapshotMeta;
    const name = this.#versionedName('snapshot', entry?.version);
    await this.#obtain(name, config.snapshotMaxLength, entry?.length, async (bytes) => {
      const { version } = await this.trusted.updateSnapshot(bytes);
      this.#save(() => this.#files.save('snapshot', version, bytes));
    });
  }

  /** Specification 5.6.1 to 5.6.6, for one delegator; the same role is loaded once for all who ask at the same time. */
  #targets(role: string, delegator: string): Promise<Targets> {
    const edge = JSON.stringify([role, delegator]);
    const loading =
      this.#loading.get(edge) ?? this.#loadTargets(role, delegator).finally(() => this.#loading.delete(edge));
    this.#loading.set(edge, loading);
    return loading;
  }

  async #loadTargets(role: string, delegator: string): Promise<Targets> {
    const loaded =
      role === 'targets' ? this.trusted.targets : await this.trusted.delegatedTargets(role, delegator);
    if (loaded !== undefined) {
      return loaded;
    }
    const entry = this.trusted.snapshotEntry(role);
    const accept = (bytes: Uint8Array) => this.trusted.updateDelegatedTargets(bytes, role, delegator);
    if (this.#context.config.offline) {
      return accept(this.#cached(await this.#storedTargets(role), role));
    }
    // What memory holds is tried first: the disk has the same at best, and bins are large.
    for (const source of [
      () => this.#context.memory.recall('targets', role),
      () => this.#storedTargets(role),
    ]) {
      const bytes = await source();
      const cached = bytes === undefined ? undefined : await ignoreRefusal(accept(bytes));
      if (cached !== undefined) {
        return cached;
      }
    }
    const name = this.#versionedName(role, entry.version);
    return this.#obtain(name, this.#context.config.targetsMaxLength, entry.length, async (bytes) => {
      const targets = await accept(bytes);
      this.#save(() => this.#files.saveTargets(role, bytes));
      return targets;
    });
  }

  async #storedTargets(role: string): Promise<Uint8Array | undefined> {
    return this.#remembered(await this.#files.targets(role), 'targets', role);
  }

  #versionedName(role: string, version: number | undefined): string {
    return metadataFileName(role, this.trusted.root.consistentSnapshot ? version : undefined);
  }

  /** Downloads a file from the first source whose bytes `accept` verifies. */
  async #obtain<T>(
    name: string,
    maxLength: number,
    listedLength: number | undefined,
    accept: (bytes: Uint8Array) => Promise<T>,
    options: { readonly absenceCounts?: boolean } = {},
  ): Promise<T> {
    const { fetcher, sources, config } = this.#context;
    return sources.first(async ({ metadataBaseUrl }) => {
      const url = metadataBaseUrl + name;
      if (listedLength !== undefined && listedLength > maxLength) {
        throw listedTooLong(url, listedLength, maxLength);
      }
      const limits = { maxLength: listedLength ?? maxLength, compressible: true };
      return accept(await downloadBytes(fetcher, url, limits, config.limits));
    }, options);
  }

  #remembered(bytes: Uint8Array | undefined, type: SignedType, role?: string): Uint8Array | undefined {
    return bytes === undefined ? undefined : this.#context.memory.intern(bytes, type, role);
  }

  #cached(bytes: Uint8Array | undefined, role: string): Uint8Array {
    if (bytes === undefined) {
      throw downloadFailed(
        'OFFLINE',
        undefined,
        `the metadata of ${role} is not in the cache, and the client is offline`,
      );
    }
    return bytes;
  }
}

/** What is stored may be old, damaged or no longer vouched for: then it counts as absent. */
async function ignoreRefusal<T>(update: Promise<T>): Promise<T | undefined> {
  try {
    return await update;
  } catch (error) {
    if (error instanceof RepositoryError) {
      return undefined;
    }
    throw error;
  }
}
