import type { Key } from './key.ts';
import type { Signature } from './signature.ts';

/** Whatever holds a private key: a file, a token, a service. */
export interface Signer {
  /** The public half; its key id stands in the signature. */
  readonly key: Key;
  sign(bytes: Uint8Array): Promise<Signature>;
}
