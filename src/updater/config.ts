/** How much, how long and how far the client goes before it gives up. Every limit holds whatever the repository says. */
export interface UpdaterConfig {
  /** Most root versions taken in one session (specification 5.3.3). */
  readonly maxRootRotations: number;
  /** Most roles visited in the search for one target (specification 5.6.7.1). */
  readonly maxDelegations: number;
  /** Bytes. */
  readonly rootMaxLength: number;
  /** Bytes. */
  readonly timestampMaxLength: number;
  /** Bytes; a snapshot of 16,384 bins without hashes has 553 KB, one of 100,000 claimed projects 14.5 MB. */
  readonly snapshotMaxLength: number;
  /** Bytes, for the top-level and every delegated targets role; 16,384 explicit bins have 3 MB. */
  readonly targetsMaxLength: number;
  /** Bytes of roles without delegations (bins) that a session keeps loaded; their text takes as much again. */
  readonly loadedBytes: number;
  /** Ask for `<sha256>.<name>` when the repository has consistent snapshots. */
  readonly prefixTargetsWithHash: boolean;
  /** Targets that are downloaded to a path survive a power cut; a cache that checks every file again needs no such care. */
  readonly durableTargets: boolean;
  /** No network at all: whatever is cached, verified and unexpired. */
  readonly offline: boolean;
  /**
   * Milliseconds. A metadata file that the snapshot lists but the repository no longer has makes the session look for a
   * newer timestamp, if its own is at least this old: younger ones would only be answered with the same bytes.
   */
  readonly supersededAfter: number;
  /** How often one session may move on to a newer snapshot because its own was garbage-collected. */
  readonly maxSupersessions: number;
  readonly limits: DownloadLimits;
}

/** Time limits of one download. Only time spent waiting for the repository counts, never time the reader takes. */
export interface DownloadLimits {
  /** Milliseconds between two pieces of data, and until the first. */
  readonly idleTimeout: number;
  /** Milliseconds for the whole download. */
  readonly totalTimeout: number;
  /** Bytes a second, on average, once `minimumRateAfter` has passed. */
  readonly minimumRate: number;
  /** Milliseconds. */
  readonly minimumRateAfter: number;
}

/** 30 s without data, an hour in all, 2 KiB a second after the first minute. */
export const DEFAULT_DOWNLOAD_LIMITS: DownloadLimits = {
  idleTimeout: 30_000,
  totalTimeout: 3_600_000,
  minimumRate: 2_048,
  minimumRateAfter: 60_000,
};

/** What holds where an {@link UpdaterConfig} says nothing: sizes fit an index of PyPI's size. */
export const DEFAULT_UPDATER_CONFIG: UpdaterConfig = {
  maxRootRotations: 256,
  maxDelegations: 32,
  rootMaxLength: 512_000,
  timestampMaxLength: 16_384,
  snapshotMaxLength: 32_000_000,
  targetsMaxLength: 5_000_000,
  loadedBytes: 1_000_000,
  prefixTargetsWithHash: true,
  durableTargets: true,
  offline: false,
  supersededAfter: 1_000,
  maxSupersessions: 3,
  limits: DEFAULT_DOWNLOAD_LIMITS,
};
