const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** What clean-up keeps, and how often it looks. All times in milliseconds. */
export interface CollectionSettings {
  /** What was public during this time stays: longer than any client takes for one session (PEP 458: about an hour). */
  readonly gracePeriod: number;
  /** So many snapshots stay, however old they are. */
  readonly snapshots: number;
  /** A file that was removed from its index stays in the store for so long, and at least for the grace period. */
  readonly removedFiles: number;
  /** Between two collections. */
  readonly interval: number;
}

export const DEFAULT_COLLECTION_SETTINGS: CollectionSettings = {
  gracePeriod: HOUR,
  snapshots: 10,
  removedFiles: 24 * HOUR,
  interval: 15 * MINUTE,
};
