import type { Metadata } from './metadata.ts';
import type { Targets } from './targets.ts';

/** Bytes of delegated roles without delegations that stay loaded; their text takes as much again. */
export const DEFAULT_LOADED_BYTES = 16 << 20;

/**
 * The delegated roles a client has verified. Roles that delegate further stay; of the others (bins) those used longest
 * ago are forgotten, so that a client may walk all bins of a large index in bounded memory.
 */
export class LoadedRoles {
  readonly #delegators = new Map<string, Metadata<Targets>>();
  readonly #leaves = new Map<string, Metadata<Targets>>();
  readonly #maxBytes: number;
  #bytes = 0;

  constructor(maxBytes = DEFAULT_LOADED_BYTES) {
    this.#maxBytes = maxBytes;
  }

  get(role: string): Metadata<Targets> | undefined {
    const leaf = this.#leaves.get(role);
    if (leaf === undefined) return this.#delegators.get(role);
    this.#leaves.delete(role);
    this.#leaves.set(role, leaf);
    return leaf;
  }

  set(role: string, metadata: Metadata<Targets>): void {
    this.#delete(role);
    if (metadata.signed.delegations !== undefined) {
      this.#delegators.set(role, metadata);
      return;
    }
    this.#leaves.set(role, metadata);
    this.#bytes += metadata.signedBytes.length;
    for (const oldest of this.#leaves.keys()) {
      if (this.#bytes <= this.#maxBytes || oldest === role) break;
      this.#delete(oldest);
    }
  }

  #delete(role: string): void {
    this.#bytes -= this.#leaves.get(role)?.signedBytes.length ?? 0;
    this.#leaves.delete(role);
    this.#delegators.delete(role);
  }
}
