import { createHash } from 'node:crypto';
import { RepositoryError } from '../tuf/errors.ts';
import { Metadata } from '../tuf/metadata.ts';
import type { Root } from '../tuf/root.ts';
import type { UpdaterConfig } from './config.ts';
import type { MetadataDir } from './metadata-dir.ts';

type VersionedRole = 'root' | 'timestamp' | 'snapshot';

/**
 * One session's view of the metadata folder, which other processes may change meanwhile: everything that rollback
 * checks start from is read at one moment, and nothing newer that another session has saved is ever replaced.
 */
export class TrustedFiles {
  readonly #dir: MetadataDir;
  readonly #config: UpdaterConfig;
  readonly #seen = new Map<VersionedRole, Uint8Array | undefined>();
  #retired: ReadonlySet<string> = new Set();
  #rootVersion = 0;

  private constructor(dir: MetadataDir, config: UpdaterConfig) {
    this.#dir = dir;
    this.#config = config;
  }

  /** Reads root, timestamp and snapshot as one process left them. */
  static async open(dir: MetadataDir, config: UpdaterConfig): Promise<TrustedFiles> {
    await dir.prepare();
    const files = new TrustedFiles(dir, config);
    await dir.exclusively(async () => {
      for (const role of ['root', 'timestamp', 'snapshot'] as const) {
        files.#seen.set(role, await files.#read(role));
      }
      files.#retired = await dir.readRetired();
    });
    return files;
  }

  get root(): Uint8Array | undefined {
    return this.#seen.get('root');
  }

  async rootOfHistory(version: number): Promise<Uint8Array | undefined> {
    return this.#dir.readRoot(version, this.#config.rootMaxLength);
  }

  /** The local timestamp or snapshot, unless a key rotation has ended its use. */
  baseline(role: 'timestamp' | 'snapshot'): Uint8Array | undefined {
    const bytes = this.#seen.get(role);
    const isRetired = bytes !== undefined && this.#retired.size > 0 && this.#retired.has(sha256(bytes));
    return isRetired ? undefined : bytes;
  }

  async targets(role: string): Promise<Uint8Array | undefined> {
    return this.#dir.read(role, this.#config.targetsMaxLength);
  }

  /** Needs no care for other processes: what is read back is verified against the snapshot again. */
  async saveTargets(role: string, bytes: Uint8Array): Promise<void> {
    await this.#dir.write(role, bytes, { durable: false });
  }

  /** Starts from a root that was trusted already, by this folder's history or by the caller. */
  async adoptRoot(root: Root, bytes: Uint8Array): Promise<void> {
    this.#rootVersion = root.version;
    if (!isEqual(bytes, this.root)) {
      await this.#dir.exclusively(() => this.#replaceRoot(root, bytes));
    }
  }

  /**
   * Saves a verified root. If it changes the keys of timestamp or snapshot, their local files stop being the baseline
   * of rollback checks (specification 5.3.11: fast-forward recovery). They are marked instead of deleted, and the mark
   * comes first, so that a crash in between changes nothing.
   */
  async saveRoot(root: Root, bytes: Uint8Array, previous: Root): Promise<void> {
    this.#rootVersion = root.version;
    const isRotation = hasRotated('timestamp', previous, root) || hasRotated('snapshot', previous, root);
    await this.#dir.exclusively(async () => {
      if (isRotation && !(await this.#isNewerOnDisk('root', previous.version))) {
        await this.#retireBaseline();
      }
      await this.#replaceRoot(root, bytes);
    });
    if (isRotation) {
      this.#retired = new Set(
        ['timestamp' as const, 'snapshot' as const].map((role) =>
          sha256(this.#seen.get(role) ?? new Uint8Array()),
        ),
      );
    }
  }

  /** Saves a verified timestamp or snapshot, unless another session has saved a newer one, or a newer root. */
  async save(role: 'timestamp' | 'snapshot', version: number, bytes: Uint8Array): Promise<void> {
    await this.#dir.exclusively(async () => {
      if (!(await this.#isNewerOnDisk('root', this.#rootVersion))) {
        await this.#replace(role, version, bytes);
      }
    });
  }

  async #retireBaseline(): Promise<void> {
    const retired = new Set<string>();
    for (const role of ['timestamp', 'snapshot'] as const) {
      const bytes = await this.#read(role);
      if (bytes !== undefined) {
        retired.add(sha256(bytes));
      }
    }
    await this.#dir.writeRetired(retired);
  }

  async #replaceRoot(root: Root, bytes: Uint8Array): Promise<void> {
    await this.#dir.writeRoot(root.version, bytes);
    await this.#replace('root', root.version, bytes);
  }

  async #replace(role: VersionedRole, version: number, bytes: Uint8Array): Promise<void> {
    if (!(await this.#isNewerOnDisk(role, version))) {
      await this.#dir.write(role, bytes, { durable: true });
      this.#seen.set(role, bytes);
    }
  }

  /** Whether another session has saved a higher version since this one looked. */
  async #isNewerOnDisk(role: VersionedRole, version: number): Promise<boolean> {
    const current = await this.#read(role);
    return (
      current !== undefined && !isEqual(current, this.#seen.get(role)) && versionOf(role, current) > version
    );
  }

  async #read(role: VersionedRole): Promise<Uint8Array | undefined> {
    return this.#dir.read(role, this.#config[`${role}MaxLength`]);
  }
}

/** Whether keys or threshold of the role differ; the same keys under other key ids are no rotation. */
function hasRotated(role: string, before: Root, after: Root): boolean {
  const keysBefore = publicKeys(role, before);
  const keysAfter = publicKeys(role, after);
  const isSameThreshold = before.roles.get(role)?.threshold === after.roles.get(role)?.threshold;
  return (
    !isSameThreshold ||
    keysBefore.size !== keysAfter.size ||
    [...keysAfter].some((key) => !keysBefore.has(key))
  );
}

function publicKeys(role: string, root: Root): ReadonlySet<string> {
  return new Set((root.roles.get(role)?.keyIds ?? []).map((keyId) => root.keys.get(keyId)?.public ?? keyId));
}

/** 0 for what is no metadata: anything replaces it. */
function versionOf(role: VersionedRole, bytes: Uint8Array): number {
  try {
    return Metadata.fromBytes(bytes, role).signed.version;
  } catch (error) {
    if (error instanceof RepositoryError) {
      return 0;
    }
    throw error;
  }
}

function isEqual(a: Uint8Array, b: Uint8Array | undefined): boolean {
  return b !== undefined && Buffer.compare(a, b) === 0;
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
