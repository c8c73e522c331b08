import type { KeyChoice } from '../keys/key-choice.ts';
import type { CollectionSettings } from '../repository/collection-settings.ts';
import type { ExpirySettings } from '../repository/expiry-settings.ts';
import type { Publication } from '../repository/publisher.ts';
import type { HistogramState } from '../telemetry/metrics.ts';
import type { PublisherState } from './publisher-loop.ts';

/** One index and the keys that sign for it. */
export interface PublishedIndex {
  readonly indexId: number;
  /** The online keys. Where their secrets are crosses to the thread, the secrets do not. */
  readonly keys: readonly KeyChoice[];
}

/** Everything the publisher's thread needs to open what it works with by itself. */
export interface PublisherThreadData {
  readonly databasePath: string;
  readonly storeRoot: string;
  readonly temporaryFolder: string;
  /** The folder that one process at a time may publish from. */
  readonly lockFolder: string;
  readonly indexes: readonly PublishedIndex[];
  /** Somebody says that the clock is right, whatever was signed before: see SigningClock. */
  readonly trustClock?: boolean | undefined;
  /** Windows in place of those of each index's profile. */
  readonly expiry?: Partial<ExpirySettings> | undefined;
  readonly collection?: CollectionSettings | undefined;
}

/** From the main thread. */
export type PublisherRequest =
  /** The first of all. */
  | { readonly kind: 'begin'; readonly data: PublisherThreadData }
  | { readonly kind: 'wake'; readonly indexId: number }
  | { readonly kind: 'await'; readonly journalId: number }
  /** Publish for one more index; answered by 'added' or 'not-added'. */
  | { readonly kind: 'add'; readonly index: PublishedIndex }
  /** Publish for this index no longer; answered by 'removed'. */
  | { readonly kind: 'remove'; readonly indexId: number }
  | { readonly kind: 'close' };

/** An error as it crosses between threads. */
export interface ThreadError {
  readonly error: string;
  readonly code?: string;
}

/** From the publisher's thread. */
export type PublisherMessage =
  | { readonly kind: 'ready' }
  | { readonly kind: 'refused'; readonly reason: ThreadError }
  | ({ readonly kind: 'published'; readonly indexId: number } & Publication)
  /** The answer to 'await' for a change that is public. */
  | { readonly kind: 'already'; readonly journalId: number }
  | { readonly kind: 'state'; readonly indexId: number; readonly state: PublisherState }
  /** How long the keys took for their signatures so far, in seconds, of all indexes. */
  | { readonly kind: 'signing'; readonly latency: HistogramState }
  | { readonly kind: 'added' | 'removed'; readonly indexId: number }
  | { readonly kind: 'not-added'; readonly indexId: number; readonly reason: ThreadError }
  | { readonly kind: 'fatal'; readonly indexId: number; readonly reason: ThreadError }
  | {
      readonly kind: 'log';
      readonly level: 'info' | 'warn';
      readonly fields: Readonly<Record<string, unknown>>;
      readonly message: string;
    };
