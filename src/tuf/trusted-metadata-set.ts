import type { TufCrypto } from './crypto.ts';
import { defaultCrypto } from './default-crypto.ts';
import {
  BadVersionNumberError,
  EqualVersionNumberError,
  ExpiredMetadataError,
  LengthOrHashMismatchError,
  RoleNotFoundError,
  UnsignedMetadataError,
  WorkflowOrderError,
} from './errors.ts';
import type { MetaFile } from './file.ts';
import type { JsonLimits } from './json.ts';
import { LoadedRoles } from './loaded-roles.ts';
import { Metadata } from './metadata.ts';
import type { SignedByType } from './metadata.ts';
import type { Root } from './root.ts';
import type { Signed, SignedType } from './signed.ts';
import type { Snapshot } from './snapshot.ts';
import type { Targets } from './targets.ts';
import type { Timestamp } from './timestamp.ts';
import { requireVerified } from './verification.ts';
import type { VerificationResult } from './verification.ts';

/** How a {@link TrustedMetadataSet} works. */
export interface TrustedMetadataSetOptions {
  /** The moment against which every expiry of this session is checked (spec 5.1). */
  readonly referenceTime: Date;
  readonly crypto?: TufCrypto | undefined;
  /** Bounds on parsing, for every role. */
  readonly limits?: Partial<JsonLimits> | undefined;
  /** Bytes of delegated roles without delegations to keep loaded. */
  readonly loadedBytes?: number | undefined;
  /** In the place of `Metadata.fromBytes`, to read equal bytes once for several sessions. */
  readonly read?: typeof Metadata.fromBytes | undefined;
}

/** Whoever lists the keys of a role. */
interface Delegator {
  verifyDelegate(role: string, metadata: Metadata<Signed>, crypto?: TufCrypto): Promise<VerificationResult>;
}

/**
 * The client workflow (spec 5.3 to 5.6) as a state machine over bytes: no network, disk or clock. What an update
 * accepts is verified and may be persisted; what it refuses throws and changes nothing, except that expired timestamps
 * and stored snapshots stay as the baseline that later ones must not roll back. The caller keeps the order root,
 * timestamp, snapshot, targets, delegated targets ({@link WorkflowOrderError} otherwise) and leaves the bytes alone.
 */
export class TrustedMetadataSet {
  readonly referenceTime: Date;
  readonly #crypto: TufCrypto;
  readonly #limits: Partial<JsonLimits>;
  readonly #read: typeof Metadata.fromBytes;
  readonly #delegated: LoadedRoles;
  #root: Root;
  #onlineKeysRotated = false;
  #timestamp: Timestamp | undefined;
  #snapshot: Snapshot | undefined;
  /** Set while the snapshot is only a baseline: it is not the one the timestamp lists. */
  #snapshotMismatch: LengthOrHashMismatchError | undefined;
  #targets: Targets | undefined;

  private constructor(root: Root, options: TrustedMetadataSetOptions) {
    this.#root = root;
    this.referenceTime = options.referenceTime;
    this.#crypto = options.crypto ?? defaultCrypto;
    this.#limits = options.limits ?? {};
    this.#read = readerOf(options);
    this.#delegated = new LoadedRoles(options.loadedBytes);
  }

  /**
   * Starts from a root that is trusted already; it must be signed by itself, but may be expired (spec 5.2).
   * @throws {MalformedMetadataError | UnsignedMetadataError}
   */
  static async create(
    rootBytes: Uint8Array,
    options: TrustedMetadataSetOptions,
  ): Promise<TrustedMetadataSet> {
    const metadata = readerOf(options)(rootBytes, 'root', options.limits);
    const set = new TrustedMetadataSet(metadata.signed, options);
    await set.#verify('root', metadata, metadata.signed, 'root');
    return set;
  }

  get root(): Root {
    return this.#root;
  }

  get timestamp(): Timestamp | undefined {
    return this.#timestamp;
  }

  get snapshot(): Snapshot | undefined {
    return this.#snapshot;
  }

  get targets(): Targets | undefined {
    return this.#targets;
  }

  /**
   * Whether a root of this session changed the keys or the threshold of timestamp or snapshot: then the stored
   * timestamp and snapshot must be deleted, not loaded (fast-forward recovery, spec 5.3.11).
   */
  get onlineKeysRotated(): boolean {
    return this.#onlineKeysRotated;
  }

  /**
   * Takes the next root: signed by the trusted one and by itself, version exactly one higher (spec 5.3.4, 5.3.5).
   * Expiry counts for the last root only, in {@link updateTimestamp}.
   */
  async updateRoot(bytes: Uint8Array): Promise<Root> {
    this.#expectOrder(this.#timestamp === undefined, 'root cannot be updated after timestamp');
    const trusted = this.#root;
    const metadata = this.#read(bytes, 'root', this.#limits);
    const { signed } = metadata;
    await this.#verify('root', metadata, trusted, `root ${trusted.version}`);
    if (signed.version !== trusted.version + 1) {
      throw new BadVersionNumberError(
        `version ${signed.version} came where version ${trusted.version + 1} must follow`,
        { role: 'root', version: signed.version },
      );
    }
    await this.#verify('root', metadata, signed, `root ${signed.version}`);
    this.#expectOrder(
      this.#root === trusted && this.#timestamp === undefined,
      'root was updated twice at once',
    );
    this.#onlineKeysRotated ||=
      keysChanged('timestamp', trusted, signed) || keysChanged('snapshot', trusted, signed);
    this.#root = signed;
    return signed;
  }

  /**
   * Takes a timestamp (spec 5.4). Feed the stored one first: even expired it is the baseline against rollback.
   * @throws {EqualVersionNumberError} when the version is the trusted one: keep that, persist nothing
   */
  async updateTimestamp(bytes: Uint8Array): Promise<Timestamp> {
    this.#expectOrder(this.#snapshot === undefined, 'timestamp cannot be updated after snapshot');
    this.#checkExpiry('root', this.#root);
    const timestamp = await this.#load(bytes, 'timestamp', this.#root, 'root');
    this.#expectOrder(this.#snapshot === undefined, 'timestamp cannot be updated after snapshot');
    if (this.#timestamp !== undefined) checkTimestampVersions(timestamp, this.#timestamp);
    this.#timestamp = timestamp;
    this.#checkExpiry('timestamp', timestamp);
    return timestamp;
  }

  /**
   * Takes a snapshot (spec 5.5). With `trusted` it is the stored one: whatever is not what the timestamp lists throws
   * and stays as the baseline against rollback.
   */
  async updateSnapshot(bytes: Uint8Array, options: { readonly trusted?: boolean } = {}): Promise<Snapshot> {
    const timestamp = this.#expect(this.#timestamp, 'snapshot cannot be updated before timestamp');
    this.#expectOrder(this.#targets === undefined, 'snapshot cannot be updated after targets');
    this.#checkExpiry('timestamp', timestamp);
    const isTrusted = options.trusted ?? false;
    const mismatch = await this.#mismatch(timestamp.snapshotMeta, bytes);
    if (mismatch !== undefined && !isTrusted) throw mismatch;
    const snapshot = await this.#load(bytes, 'snapshot', this.#root, 'root');
    this.#expectOrder(
      this.#timestamp === timestamp && this.#targets === undefined,
      'two updates came at once',
    );
    if (this.#snapshot !== undefined) checkSnapshotVersions(snapshot, this.#snapshot);
    // What a mirror sent in the place of the listed snapshot must not stand in the way of the right one.
    if (!isTrusted) this.#checkListed(snapshot);
    this.#snapshot = snapshot;
    this.#snapshotMismatch = mismatch;
    this.#checkFinalSnapshot(snapshot);
    return snapshot;
  }

  /** Takes the top-level targets (spec 5.6). */
  updateTargets(bytes: Uint8Array): Promise<Targets> {
    return this.updateDelegatedTargets(bytes, 'targets', 'root');
  }

  /**
   * Takes targets metadata as one delegator vouches for it: hashes, signatures, version and expiry (spec 5.6.2-5.6.6).
   * The delegator must be loaded.
   */
  async updateDelegatedTargets(bytes: Uint8Array, role: string, delegator: string): Promise<Targets> {
    const snapshot = this.#expect(this.#snapshot, 'targets cannot be updated before snapshot');
    this.#checkFinalSnapshot(snapshot);
    const trusted = this.#delegator(delegator);
    const entry = this.snapshotEntry(role);
    await entry.verify(bytes, role, this.#crypto);
    const metadata = this.#read(bytes, 'targets', { ...this.#limits, role });
    await this.#verify(role, metadata, trusted, delegator);
    const { version, roleName } = metadata.signed;
    if (roleName !== undefined && roleName !== role) {
      const reason = `version ${version} was signed for the role ${JSON.stringify(roleName)}, which has the same keys`;
      throw new UnsignedMetadataError(reason, { role, version });
    }
    if (version !== entry.version) {
      const reason = `version ${version} came, the snapshot lists version ${entry.version}`;
      throw new BadVersionNumberError(reason, { role, version });
    }
    this.#checkExpiry(role, metadata.signed);
    if (role === 'targets') this.#targets = metadata.signed;
    else this.#delegated.set(role, metadata);
    return metadata.signed;
  }

  /**
   * A delegated role that is loaded, if this delegator's keys signed it too: whom one delegator trusts, another need
   * not. Undefined when it is not loaded (any more): fetch it and {@link updateDelegatedTargets}.
   * @throws {UnsignedMetadataError | RoleNotFoundError}
   */
  async delegatedTargets(role: string, delegator: string): Promise<Targets | undefined> {
    const trusted = this.#delegator(delegator);
    const metadata = this.#delegated.get(role);
    if (metadata === undefined) return undefined;
    await this.#verify(role, metadata, trusted, delegator);
    return metadata.signed;
  }

  /**
   * What the snapshot says about a targets role.
   * @throws {RoleNotFoundError} when it lists no such role
   */
  snapshotEntry(role: string): MetaFile {
    const snapshot = this.#expect(this.#snapshot, 'there is no snapshot yet');
    const entry = snapshot.meta.get(`${role}.json`);
    if (entry === undefined)
      throw new RoleNotFoundError(`the snapshot ${snapshot.version} does not list it`, { role });
    return entry;
  }

  #delegator(name: string): Delegator {
    if (name === 'root') return this.#root;
    const targets = name === 'targets' ? this.#targets : this.#delegated.get(name)?.signed;
    return this.#expect(targets, `the delegator ${name} is not loaded`);
  }

  async #load<K extends SignedType>(
    bytes: Uint8Array,
    type: K,
    delegator: Delegator,
    delegatorName: string,
  ): Promise<SignedByType[K]> {
    const metadata = this.#read(bytes, type, this.#limits);
    await this.#verify(type, metadata, delegator, delegatorName);
    return metadata.signed;
  }

  async #verify(
    role: string,
    metadata: Metadata<Signed>,
    delegator: Delegator,
    delegatorName: string,
  ): Promise<void> {
    const result = await delegator.verifyDelegate(role, metadata, this.#crypto);
    requireVerified(result, { role, version: metadata.signed.version, delegator: delegatorName });
  }

  async #mismatch(entry: MetaFile, bytes: Uint8Array): Promise<LengthOrHashMismatchError | undefined> {
    try {
      await entry.verify(bytes, 'snapshot', this.#crypto);
      return undefined;
    } catch (error) {
      if (error instanceof LengthOrHashMismatchError) return error;
      throw error;
    }
  }

  #checkFinalSnapshot(snapshot: Snapshot): void {
    this.#checkListed(snapshot);
    if (this.#snapshotMismatch !== undefined) throw this.#snapshotMismatch;
  }

  #checkListed(snapshot: Snapshot): void {
    this.#checkExpiry('snapshot', snapshot);
    const listed = this.#timestamp?.snapshotMeta.version;
    if (snapshot.version !== listed) {
      const reason = `version ${snapshot.version} came, the timestamp lists version ${listed}`;
      throw new BadVersionNumberError(reason, { role: 'snapshot', version: snapshot.version });
    }
  }

  #checkExpiry(role: string, signed: Signed): void {
    if (!signed.isExpired(this.referenceTime)) return;
    const reason = `version ${signed.version} expired at ${signed.expires.toISOString()}`;
    throw new ExpiredMetadataError(reason, { role, version: signed.version });
  }

  #expect<T>(value: T | undefined, otherwise: string): T {
    if (value === undefined) throw new WorkflowOrderError(otherwise);
    return value;
  }

  #expectOrder(holds: boolean, otherwise: string): void {
    if (!holds) throw new WorkflowOrderError(otherwise);
  }
}

function readerOf(options: TrustedMetadataSetOptions): typeof Metadata.fromBytes {
  return options.read ?? ((bytes, type, limits) => Metadata.fromBytes(bytes, type, limits));
}

function checkTimestampVersions(next: Timestamp, trusted: Timestamp): void {
  const details = { role: 'timestamp', version: next.version };
  if (next.version < trusted.version) {
    const reason = `version ${next.version} is below the trusted version ${trusted.version}: rollback`;
    throw new BadVersionNumberError(reason, details);
  }
  if (next.version === trusted.version) {
    throw new EqualVersionNumberError(`version ${next.version} is the trusted one: nothing new`, details);
  }
  const listed = next.snapshotMeta.version;
  const before = trusted.snapshotMeta.version;
  if (listed < before) {
    throw new BadVersionNumberError(
      `lists snapshot ${listed}, below the trusted ${before}: rollback`,
      details,
    );
  }
}

function checkSnapshotVersions(next: Snapshot, trusted: Snapshot): void {
  const details = { role: 'snapshot', version: next.version };
  for (const [name, before] of trusted.meta) {
    const entry = next.meta.get(name);
    if (entry === undefined) throw new RoleNotFoundError(`no longer lists ${JSON.stringify(name)}`, details);
    if (entry.version < before.version) {
      const reason = `lists ${JSON.stringify(name)} with version ${entry.version}, below the trusted ${before.version}: rollback`;
      throw new BadVersionNumberError(reason, details);
    }
  }
}

/** Whether keys or threshold of the role differ; the same keys under other key ids are no rotation. */
function keysChanged(role: string, before: Root, after: Root): boolean {
  const describe = (root: Root): string => {
    const entry = root.roles.get(role);
    const keys = new Set(entry?.keyIds.map((keyId) => root.keys.get(keyId)?.public ?? keyId));
    return JSON.stringify([entry?.threshold, ...[...keys].sort()]);
  };
  return describe(before) !== describe(after);
}
