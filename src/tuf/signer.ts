import type { Key } from './key.ts';
import type { Signature } from './signature.ts';

/** What a signer that has a policy must know beside the bytes, which do not name a delegated role. */
export interface SigningContext {
  /** The role that the bytes are metadata of. */
  readonly role: string;
}

/** Whatever holds a private key: a file, a token, a service. */
export interface Signer {
  /** The public half; its key id stands in the signature. */
  readonly key: Key;
  sign(bytes: Uint8Array, context?: SigningContext): Promise<Signature>;
  /**
   * The highest version of each role that was ever signed, when the signer keeps count. Such a signer never signs another content
   * under these numbers or lower ones, whether or not the first one was published.
   */
  signedVersions?(): Promise<ReadonlyMap<string, number>>;
}
