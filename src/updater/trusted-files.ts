import { createHash } from 'node:crypto';
import { RepositoryError } from '../tuf/errors.ts';
import { Metadata } from '../tuf/metadata.ts';
import type { Root } from '../tuf/root.ts';
import type { UpdaterConfig } from './config.ts';
import type { MetadataDir } from './metadata-dir.ts';

type VersionedRole = 'root' | 'timestamp' | 'snapshot';

/**
 * One session's view of the metadata folder, which other processes may change meanwhile: it never replaces a newer
 * version that another one has verified, and remembers what must no longer serve as the baseline of rollback checks.
 */
export class TrustedFiles {
  readonly #dir: MetadataDir;
  readonly #maxLengths: Readonly<Record<VersionedRole, number>>;
  readonly #targetsMaxLength: number;
  readonly #seen = new Map<string, Uint8Array | undefined>();

  constructor(dir: MetadataDir, config: UpdaterConfig) {
    this.#dir = dir;
    this.#targetsMaxLength = config.targetsMaxLength;
    this.#maxLengths = {
      root: config.rootMaxLength,
      timestamp: config.timestampMaxLength,
      snapshot: config.snapshotMaxLength,
    };
  }

  async root(): Promise<Uint8Array | undefined> {
    return this.#read('root');
  }

  async rootOfHistory(version: number): Promise<Uint8Array | undefined> {
    return this.#dir.readRoot(version, this.#maxLengths.root);
  }

  /** The local timestamp or snapshot, unless a key rotation has ended its use. */
  async baseline(role: 'timestamp' | 'snapshot'): Promise<Uint8Array | undefined> {
    const bytes = await this.#read(role);
    if (bytes === undefined) {
      return undefined;
    }
    const retired = await this.#dir.readRetired();
    return retired.has(sha256(bytes)) ? undefined : bytes;
  }

  async targets(role: string): Promise<Uint8Array | undefined> {
    return this.#dir.read(role, this.#targetsMaxLength);
  }

  /** Needs no care for other processes: what is read back is verified against the snapshot again. */
  async saveTargets(role: string, bytes: Uint8Array): Promise<void> {
    await this.#dir.write(role, bytes, { durable: false });
  }

  /**
   * Saves a verified root. If it changes the keys of timestamp or snapshot, their local files stop being the baseline
   * of rollback checks (specification 5.3.11: fast-forward recovery). They are marked instead of deleted, and the mark
   * comes first, so that a crash in between changes nothing.
   */
  async saveRoot(root: Root, bytes: Uint8Array, previous: Root | undefined): Promise<void> {
    await this.#dir.exclusively(async () => {
      if (
        previous !== undefined &&
        (hasRotated('timestamp', previous, root) || hasRotated('snapshot', previous, root))
      ) {
        await this.#retireBaseline();
      }
      await this.#dir.writeRoot(root.version, bytes);
      await this.#replace('root', root.version, bytes);
    });
  }

  async save(role: 'timestamp' | 'snapshot', version: number, bytes: Uint8Array): Promise<void> {
    await this.#dir.exclusively(() => this.#replace(role, version, bytes));
  }

  async #retireBaseline(): Promise<void> {
    const retired = new Set<string>();
    for (const role of ['timestamp', 'snapshot'] as const) {
      const bytes = await this.#dir.read(role, this.#maxLengths[role]);
      if (bytes !== undefined) {
        retired.add(sha256(bytes));
      }
    }
    await this.#dir.writeRetired(retired);
  }

  async #read(role: VersionedRole): Promise<Uint8Array | undefined> {
    const bytes = await this.#dir.read(role, this.#maxLengths[role]);
    this.#seen.set(role, bytes);
    return bytes;
  }

  /** Called with the folder's lock held. */
  async #replace(role: VersionedRole, version: number, bytes: Uint8Array): Promise<void> {
    const current = await this.#dir.read(role, this.#maxLengths[role]);
    const seen = this.#seen.get(role);
    if (current !== undefined && !isEqual(current, seen) && versionOf(role, current) > version) {
      return;
    }
    await this.#dir.write(role, bytes, { durable: true });
    this.#seen.set(role, bytes);
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
