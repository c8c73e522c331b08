import type { TufCrypto } from './crypto.ts';
import { NodeCrypto } from './node-crypto.ts';
import { WebCrypto } from './web-crypto.ts';

/** Used where a caller names no other: Node's own, in a browser WebCrypto. */
export const defaultCrypto: TufCrypto = NodeCrypto.create() ?? new WebCrypto();
