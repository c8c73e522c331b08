import type { Signer } from '../tuf/signer.ts';
import { PublicationError } from './errors.ts';
import type { RoleKeys } from './offline-roles.ts';

/** The signers that this process can use by itself, by key id. */
export class OnlineKeys {
  readonly #signers: ReadonlyMap<string, Signer>;
  readonly #signedVersions = new Map<string, number>();

  constructor(signers: readonly Signer[]) {
    this.#signers = new Map(signers.map((signer) => [signer.key.keyId, signer]));
  }

  /** As many of the role's signers as its threshold asks for, the last listed first: that is the newest key. Throws MISSING_SIGNER when they are fewer. */
  signersFor(role: string, keys: RoleKeys): readonly Signer[] {
    return this.allSignersFor(role, keys).slice(-keys.threshold);
  }

  /** All of the role's signers that are here: while a key is replaced, the old and the new one. Throws MISSING_SIGNER. */
  allSignersFor(role: string, keys: RoleKeys): readonly Signer[] {
    const signers = keys.keyIds.flatMap((keyId) => this.#signers.get(keyId) ?? []);
    if (signers.length >= keys.threshold) return signers;
    throw new PublicationError(
      'MISSING_SIGNER',
      `${role} needs signatures of ${keys.threshold} of the keys ${keys.keyIds.join(', ')}, but only ${signers.length} of them can be used here; check which online key this server was given.`,
      { role },
    );
  }

  /** Asks the signers that keep count which versions they have signed, published or not: after a start, and after anything went wrong. */
  async readSignedVersions(): Promise<void> {
    for (const signer of this.#signers.values()) {
      for (const [role, version] of (await signer.signedVersions?.()) ?? []) {
        this.#signedVersions.set(role, Math.max(version, this.#signedVersions.get(role) ?? 0));
      }
    }
  }

  /** The next version of a role of which this one is the highest that was ever reserved. */
  versionAfter(role: string, reserved = 0): number {
    return Math.max(reserved, this.#signedVersions.get(role) ?? 0) + 1;
  }
}
