import type { Executor, IndexRow } from '../db/schema.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import type { AttestationVerifier } from './attestation-verifier.ts';
import type { BoundedPool } from './bounded-pool.ts';
import type { IndexSettingsForm } from './index-settings.ts';
import type { PublishingSettings } from './publishing-settings.ts';
import type { SigningEvents } from './signing-events.ts';

/** What every operation of the registry needs of the world. */
export interface RegistryContext {
  readonly db: Executor;
  readonly store: ObjectStore;
  readonly index: { readonly id: number; readonly name: string };
  readonly clock: () => Date;
  /** Archives are opened only in here. */
  readonly inspections: BoundedPool;
  /** Whom trusted publishing believes; the defaults when absent. */
  readonly publishing?: PublishingSettings;
  /** What indexes are told that were told nothing else; the defaults of their kind when absent. */
  readonly indexDefaults?: IndexSettingsForm;
  /** Verifies what uploads attest (PEP 740); absent: uploads with attestations are refused. */
  readonly attestations?: AttestationVerifier | undefined;
  /** The absolute URL of this index with its last `/`; known where it is served. */
  readonly url?: (() => string) | undefined;
  /** Makes the repository of an index that was written down, with keys of its own; absent where no keys can be made. */
  readonly makeRepository?: ((index: IndexRow) => Promise<{ readonly fingerprint: string }>) | undefined;
  /** Absent where nobody signs over HTTP. */
  readonly signingEvents?: SigningEvents | undefined;
}
